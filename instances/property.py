"""The property: an input set, the goal on the outputs, and its exact JSON file.

verify     value(x) = y_target - y_source: one target beats the source where it is > 0 (>= 0 when not strict)
maximize   value(x) = y_output: as large as it gets
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import orjson

from instances.errors import PropertyError
from instances.input_set import InputSet, Norm

_T = TypeVar("_T")
_KINDS = {bool: "true or false", int: "an integer", list: "a list", str: "a string"}


@dataclass(frozen=True, slots=True, eq=False)
class VerifyProperty:
    """A targeted verification problem on an input set; `dataset` and `sample` say where the centre comes from."""

    input_set: InputSet
    source: int
    targets: tuple[int, ...]
    strict: bool
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "verify"

    def __post_init__(self) -> None:
        if len(self.targets) != 1 or self.targets[0] == self.source or min(self.source, *self.targets) < 0:
            raise PropertyError("property: needs one target class that differs from the source class")

    @property
    def target(self) -> int:
        return self.targets[0]

    @property
    def terms(self) -> tuple[tuple[int, int], ...]:
        """(output k, sign s) pairs: value = sum of s y_k."""
        return ((self.target, 1), (self.source, -1))


@dataclass(frozen=True, slots=True, eq=False)
class MaximizeProperty:
    """How large one output gets over an input set; `dataset` and `sample` as in `VerifyProperty`."""

    input_set: InputSet
    output: int
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "maximize"

    def __post_init__(self) -> None:
        if self.output < 0:
            raise PropertyError(f"property: output {self.output} must be at least 0")

    @property
    def terms(self) -> tuple[tuple[int, int], ...]:
        """As in `VerifyProperty`."""
        return ((self.output, 1),)


Property: TypeAlias = VerifyProperty | MaximizeProperty
"""A question about one network: an input set, and a value that is a sum of its outputs."""


def property_json(prop: Property) -> bytes:
    """The bytes of properties/*.json; every number reads back bit for bit."""
    s = prop.input_set
    document = {
        "family": prop.family,
        "norm": s.norm.value,
        "centre": s.centre.tolist(),
        "radius": s.radius,
        "lower": s.lower.tolist(),
        "upper": s.upper.tolist(),
        **_goal_document(prop),
        "dataset": prop.dataset,
        "sample": prop.sample,
    }
    return orjson.dumps(document) + b"\n"


def _goal_document(prop: Property) -> dict[str, Any]:
    match prop:
        case VerifyProperty():
            return {"source": prop.source, "targets": list(prop.targets), "strict": prop.strict}
        case MaximizeProperty():
            return {"output": prop.output}


def read_property(path: Path) -> Property:
    """Read properties/*.json. Raises `PropertyError` naming the file and the key."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise PropertyError(f"{path}: not a readable property ({error})") from error
    if not isinstance(document, dict):
        raise PropertyError(f"{path}: a property is a JSON object")
    try:
        if document["family"] not in list(_READERS):
            raise PropertyError(f"family {document['family']!r} is not known; known: {', '.join(_READERS)}")
        return _READERS[document["family"]](document)
    except KeyError as error:
        raise PropertyError(f"{path}: key {error} is missing") from error
    except PropertyError as error:
        raise PropertyError(f"{path}: {error}") from error


def _verify(document: dict[str, Any]) -> VerifyProperty:
    return VerifyProperty(
        input_set=_input_set(document),
        source=_typed(document, "source", int),
        targets=tuple(_typed({"targets": target}, "targets", int) for target in _typed(document, "targets", list)),
        strict=_typed(document, "strict", bool),
        dataset=_typed_or_none(document, "dataset", str),
        sample=_typed_or_none(document, "sample", int),
    )


def _maximize(document: dict[str, Any]) -> MaximizeProperty:
    return MaximizeProperty(
        input_set=_input_set(document),
        output=_typed(document, "output", int),
        dataset=_typed_or_none(document, "dataset", str),
        sample=_typed_or_none(document, "sample", int),
    )


_READERS: dict[str, Callable[[dict[str, Any]], Property]] = {
    VerifyProperty.family: _verify,
    MaximizeProperty.family: _maximize,
}


def _input_set(document: dict[str, Any]) -> InputSet:
    if document["norm"] not in list(Norm):
        raise PropertyError(f"norm {document['norm']!r} is not known; known: {', '.join(Norm)}")
    centre, lower, upper = (
        np.array([_float(value, key) for value in _typed(document, key, list)], dtype=np.float64)
        for key in ("centre", "lower", "upper")
    )
    radius = None if document["radius"] is None else _float(document["radius"], "radius")
    return InputSet(Norm(document["norm"]), centre, radius, lower, upper)


def _typed_or_none(document: dict[str, Any], key: str, kind: type[_T]) -> _T | None:
    return None if document[key] is None else _typed(document, key, kind)


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
