"""The values of a JSON object, read by key and type; an error is one line that names the key."""

from __future__ import annotations

from typing import Any, TypeVar

from vnnbench.common.numbers import MAX_INTEGER
from vnnbench.instances.errors import PropertyError

_T = TypeVar("_T")
_KINDS = {
    bool: "true or false",
    int: f"an integer from 0 to {MAX_INTEGER}",
    dict: "an object",
    list: "a list",
    str: "a string",
}


def typed_or_none(document: dict[str, Any], key: str, kind: type[_T]) -> _T | None:
    """Return the value of a key as `typed`, or None for null."""
    return None if document[key] is None else typed(document, key, kind)


def typed(document: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """Return the value of a key, of exactly this type: true is not an integer, "false" is not false.

    All integers are numbers or counts, so they are not negative.
    """
    value = document[key]
    if type(value) is not kind or (isinstance(value, int) and not 0 <= value <= MAX_INTEGER):
        raise PropertyError(f"key {key!r} holds {repr(value)[:40]}; it must be {_KINDS[kind]}")
    return value


def as_list(value: object, key: str) -> list[Any]:
    """Return a value, of the key that errors name, as a list."""
    return typed({key: value}, key, list)


def as_float(value: object, key: str) -> float:
    """Return a JSON number as float64; an integer must equal a float64."""
    if type(value) is float:
        return value
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    raise PropertyError(f"key {key!r} holds {repr(value)[:40]}; it must be a float64")
