"""The property: an input set, the goal on the outputs, and its exact JSON file.

Input set of this version: the L1 ball cut with a box, {x : |x - centre|_1 <= radius, lower <= x <= upper}.
Output goal: one target beats the source, value(x) = y_target - y_source > 0 (>= 0 when not strict).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson

from instances.errors import PropertyError
from instances.exact import to_fraction, to_integers
from instances.network import Float64Array

_T = TypeVar("_T")
_KINDS = {bool: "true or false", int: "an integer", list: "a list", str: "a string"}


class Norm(StrEnum):
    """The norm of the ball that is cut with the box."""

    L1 = "l1"


@dataclass(frozen=True, slots=True, eq=False)
class InputSet:
    """{x : |x - centre|_norm <= radius, lower <= x <= upper}; arrays (n_0,) float64; centre lies in the box."""

    norm: Norm
    centre: Float64Array
    radius: float
    lower: Float64Array
    upper: Float64Array

    def __post_init__(self) -> None:
        if not (self.centre.ndim == 1 and self.centre.shape == self.lower.shape == self.upper.shape):
            raise PropertyError("property: centre, lower and upper must be vectors of one length")
        if not self.centre.dtype == self.lower.dtype == self.upper.dtype == np.float64:
            raise TypeError("property: centre, lower and upper must be float64")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise PropertyError("property: lower and upper must be finite")
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise PropertyError(f"property: radius {self.radius} must be positive and finite")
        if not ((self.lower <= self.centre) & (self.centre <= self.upper)).all():
            raise PropertyError("property: the centre must lie between lower and upper")
        if (self.lower == self.upper).all():
            raise PropertyError("property: the box is a single point")

    @property
    def n_inputs(self) -> int:
        return len(self.centre)

    def violation(self, x: Float64Array) -> Fraction:
        """How far x (n_0,) is outside, exactly: max over coordinates of the box's violation and of
        |x - centre|_1 - radius; 0 exactly when x is in the set. Raises `PropertyError` when x is no such vector of
        finite numbers."""
        n = self.n_inputs
        if x.shape != (n,) or not np.isfinite(x).all():
            raise PropertyError(f"a candidate must be a vector of {n} finite numbers")
        numbers, exponent = to_integers(np.concatenate([x, self.centre, self.lower, self.upper, [self.radius]]))
        points, centre, lower, upper = (numbers[k * n : (k + 1) * n] for k in range(4))
        box = max(max(lo - v, v - hi) for v, lo, hi in zip(points, lower, upper, strict=True))
        ball = sum(abs(v - c) for v, c in zip(points, centre, strict=True)) - numbers[4 * n]
        return to_fraction(max(box, ball, 0), exponent)

    def repair(self, x: Float64Array) -> Float64Array | None:
        """A point exactly in the set near x (n_0,): clip into the box, shrink towards the centre, round each
        coordinate towards the centre, check exactly. None when that fails. A point of the set is returned as it is.
        Raises `PropertyError` like `violation`."""
        if self.violation(x) == 0:
            return x
        clipped = np.clip(x, self.lower, self.upper)
        if self.violation(clipped) == 0:
            return clipped
        step = clipped - self.centre
        # The float norm errs by less than n * 2**-53 relatively, so 2**-30 of shrinking covers it up to n = 2**22.
        shrink = min(1.0, self.radius / float(np.abs(step).sum())) * (1 - 2.0**-30)
        shrunk = np.clip(self.centre + shrink * step, self.lower, self.upper)
        towards_centre = np.where(step != 0, np.nextafter(shrunk, self.centre), self.centre)
        return towards_centre if self.violation(towards_centre) == 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class VerifyProperty:
    """A targeted verification problem on an input set; `dataset` and `sample` say where the centre comes from."""

    input_set: InputSet
    source: int
    targets: tuple[int, ...]
    strict: bool
    dataset: str | None
    sample: int | None

    def __post_init__(self) -> None:
        if len(self.targets) != 1 or self.targets[0] == self.source or min(self.source, *self.targets) < 0:
            raise PropertyError("property: needs one target class that differs from the source class")

    @property
    def target(self) -> int:
        return self.targets[0]


def property_json(prop: VerifyProperty) -> bytes:
    """The bytes of properties/*.json; every number reads back bit for bit."""
    s = prop.input_set
    document = {
        "family": "verify",
        "norm": s.norm.value,
        "centre": s.centre.tolist(),
        "radius": s.radius,
        "lower": s.lower.tolist(),
        "upper": s.upper.tolist(),
        "source": prop.source,
        "targets": list(prop.targets),
        "strict": prop.strict,
        "dataset": prop.dataset,
        "sample": prop.sample,
    }
    return orjson.dumps(document) + b"\n"


def read_property(path: Path) -> VerifyProperty:
    """Read properties/*.json. Raises `PropertyError` naming the file and the key."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise PropertyError(f"{path}: not a readable property ({error})") from error
    if not isinstance(document, dict):
        raise PropertyError(f"{path}: a property is a JSON object")
    try:
        return _from_document(document)
    except KeyError as error:
        raise PropertyError(f"{path}: key {error} is missing") from error
    except PropertyError as error:
        raise PropertyError(f"{path}: {error}") from error


def _from_document(document: dict[str, Any]) -> VerifyProperty:
    if document["family"] != "verify":
        raise PropertyError(f"family {document['family']!r} is not known; known: verify")
    if document["norm"] not in list(Norm):
        raise PropertyError(f"norm {document['norm']!r} is not known; known: {', '.join(Norm)}")
    centre, lower, upper = (
        np.array([_float(value, key) for value in _typed(document, key, list)], dtype=np.float64)
        for key in ("centre", "lower", "upper")
    )
    return VerifyProperty(
        input_set=InputSet(Norm(document["norm"]), centre, _float(document["radius"], "radius"), lower, upper),
        source=_typed(document, "source", int),
        targets=tuple(_typed({"targets": target}, "targets", int) for target in _typed(document, "targets", list)),
        strict=_typed(document, "strict", bool),
        dataset=None if document["dataset"] is None else _typed(document, "dataset", str),
        sample=None if document["sample"] is None else _typed(document, "sample", int),
    )


def _typed(document: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """The value of a key, of exactly this type: true is no integer, and "false" is not false."""
    value = document[key]
    if type(value) is not kind:
        raise PropertyError(f"key {key!r} holds {repr(value)[:40]}, it must be {_KINDS[kind]}")
    return value


def _float(value: object, key: str) -> float:
    """A JSON number as float64; an integer must be one exactly."""
    if type(value) is float:
        return value
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    raise PropertyError(f"key {key!r} holds {repr(value)[:40]} where a float64 must stand")
