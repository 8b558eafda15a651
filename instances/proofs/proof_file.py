"""The file of a proof: a .npz whose arrays hold a witness, a tree, and what they claim.

`instances/README.md`, section "Proofs", specifies it. Here it is read and written; nothing in it is believed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import numpy as np
import numpy.typing as npt
import orjson

from vnnbench.common.numbers import is_finite_number
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ProofError
from vnnbench.instances.files import parse_json
from vnnbench.instances.limits import PROOF_HEAD_LIMIT
from vnnbench.instances.npz import read_arrays

FORMAT, VERSION = "vnnbench-proof", 1
LEAF, INPUT = -1, 0
"""The numbers in `splits` that are not those of layers."""
UPPER_BOUND, WITH_TREE = 1, 2
"""The bits of `bound_kinds`."""
SLOPE_UNIT = 1 / 128


class Claim(StrEnum):
    """What a tree shows: no input meets the goal, or no value exceeds a number."""

    EXCLUDED = "excluded"
    UPPER = "upper"


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The tree of a proof, in the order in which it is read. All arrays are one-dimensional; see the specification."""

    splits: npt.NDArray[np.int16]
    places: npt.NDArray[np.int32]
    points: Float64Array
    node_bounds: npt.NDArray[np.int32]
    node_closings: npt.NDArray[np.int32]
    bound_layers: npt.NDArray[np.int16]
    bound_neurons: npt.NDArray[np.int32]
    bound_kinds: npt.NDArray[np.uint8]
    bound_values: npt.NDArray[np.float32]
    closing_disjuncts: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    slopes: npt.NDArray[np.uint8]
    multipliers: npt.NDArray[np.float32]
    constraint_multipliers: npt.NDArray[np.float32]


TREE_TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(get_args(get_args(array)[1])[0]) for name, array in get_type_hints(Tree).items()
}
"""The type of each array of a `Tree`."""
_TYPES: dict[str, np.dtype[Any]] = {"head": np.dtype(np.uint8), "witness": np.dtype(np.float64), **TREE_TYPES}


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """A proof as its file holds it.

    problem: its name. network_sha256, property_sha256: of the files of its dense network and its property. claim: what
    the tree shows; None without a tree. upper: the number that no value exceeds, if that is the claim. radius: of the
    ball that holds no solution, for `closest`. witness: (n_0,), an input of the set, or empty.
    """

    problem: str
    network_sha256: str
    property_sha256: str
    claim: Claim | None
    upper: float | None
    radius: float | None
    witness: Float64Array
    tree: Tree

    def to_bytes(self) -> bytes:
        """Return the content of the proof's file, the same for the same proof."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "problem": self.problem,
            "network_sha256": self.network_sha256,
            "property_sha256": self.property_sha256,
            "claim": self.claim,
            "upper": self.upper,
            "radius": self.radius,
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "head": np.frombuffer(orjson.dumps(head), dtype=np.uint8),
            "witness": self.witness,
        }
        arrays |= {name: getattr(self.tree, name) for name in TREE_TYPES}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def empty_tree() -> Tree:
    """Return the tree of a proof that has only a witness."""
    return Tree(**{name: np.empty(0, dtype=kind) for name, kind in TREE_TYPES.items()})


def parse_proof(data: bytes, source: str) -> Proof:
    """Return the proof in the bytes of `source`, with its types checked.

    Raises `ProofError`, in one line: the bytes are not a .npz file, an array or a key is missing or of another type, a
    number is not finite, or there is a tree without a claim.
    """
    arrays = read_arrays(data, source, list(_TYPES), ProofError)
    for name, array in arrays.items():
        if array.ndim != 1 or array.dtype != _TYPES[name]:
            raise ProofError(f"{source}: {name} must be a vector of {_TYPES[name]}, in this byte order")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ProofError(f"{source}: {name} holds a number that is not finite")
    head = parse_json(arrays["head"].tobytes(), PROOF_HEAD_LIMIT, lambda text: ProofError(f"{source}: head {text}"))
    return _proof(head, arrays, source)


def _proof(head: Any, arrays: dict[str, npt.NDArray[Any]], source: str) -> Proof:
    def wrong(key: str, should: str) -> ProofError:
        return ProofError(f"{source}: {key} must be {should}")

    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise wrong("head", f'a JSON object whose format is "{FORMAT}"')
    if head.get("version") != VERSION:
        raise wrong("version", f"{VERSION}; a newer vnnbench may read this proof")
    texts = {key: head.get(key) for key in ("problem", "network_sha256", "property_sha256")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise wrong(key, "a text")
    try:
        claim = None if head.get("claim") is None else Claim(head["claim"])
    except ValueError as error:
        raise wrong("claim", "null, " + " or ".join(f'"{claim}"' for claim in Claim)) from error
    numbers = {key: head.get(key) for key in ("upper", "radius")}
    for key, number in numbers.items():
        if number is not None and not is_finite_number(number):
            raise wrong(key, "null or a finite number")
    if (numbers["upper"] is None) != (claim is not Claim.UPPER):
        raise wrong("upper", f'a number where the claim is "{Claim.UPPER}", and only there')
    if numbers["radius"] is not None and claim is not Claim.EXCLUDED:
        raise wrong("radius", f'null where the claim is not "{Claim.EXCLUDED}"')
    tree = Tree(**{name: arrays[name] for name in TREE_TYPES})
    if claim is None and any(len(arrays[name]) for name in TREE_TYPES):
        raise wrong("claim", "that of the tree; there is one")
    return Proof(
        **texts,  # type: ignore[arg-type]
        claim=claim,
        **{key: None if number is None else float(number) for key, number in numbers.items()},  # type: ignore[arg-type]
        witness=arrays["witness"],
        tree=tree,
    )
