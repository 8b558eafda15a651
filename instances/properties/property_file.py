"""The JSON file of a property, properties/*.json: complete and exact.

Numbers read back bit for bit as float64; those that no float64 equals are strings (`rationals`). Beside the input set
stands the goal: classes, `disjuncts`, or `clauses` of disjuncts; `constraints` are those among inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.files import excess_of_json, parse_json, read_plain
from vnnbench.instances.limits import MAX_INPUTS, PROPERTY_LIMIT
from vnnbench.instances.properties.document import as_float, as_list, typed, typed_or_none
from vnnbench.instances.properties.goals import Atom, Clause, OutputGoal, one_clause
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import (
    ClosestProperty,
    LinearProperty,
    MaximizeProperty,
    Property,
    VerifyProperty,
)
from vnnbench.instances.rationals import float_above, float_below, from_text, to_json

_T = TypeVar("_T")


def property_json(prop: Property) -> bytes:
    """Return the bytes of properties/*.json; numbers read back exactly, those that no float64 equals from strings.

    Raises `PropertyError` if the reader would refuse the file as too large.
    """
    s = prop.input_set
    document = {
        "family": prop.family,
        "norm": s.norm.value,
        "centre": s.centre.tolist(),
        "radius": s.radius if s.exact.radius is None else to_json(s.exact.radius),
        "lower": [to_json(s.exact.lower[i]) if i in s.exact.lower else v for i, v in enumerate(s.lower.tolist())],
        "upper": [to_json(s.exact.upper[i]) if i in s.exact.upper else v for i, v in enumerate(s.upper.tolist())],
        **(
            {"constraints": [_constraint_document(constraint) for constraint in s.constraints]} if s.constraints else {}
        ),
        **prop.goal_document(),
        "dataset": prop.dataset,
        "sample": prop.sample,
    }
    data = orjson.dumps(document) + b"\n"
    if (excess := excess_of_json(data, PROPERTY_LIMIT)) is not None or s.n_inputs > MAX_INPUTS:
        raise PropertyError(
            f"property: its file would hold {excess or f'more than {MAX_INPUTS} inputs'}, the most that is read"
        )
    return data


def _constraint_document(constraint: LinearConstraint) -> dict[str, Any]:
    terms = [[i, to_json(Fraction(coefficient))] for i, coefficient in constraint.terms]
    lower, upper = (None if end is None else to_json(end) for end in (constraint.lower, constraint.upper))
    return {"terms": terms, "lower": lower, "upper": upper}


def read_property(path: Path) -> Property:
    """Read properties/*.json of a property of a network. Raises `PropertyError` naming the file and the key."""
    return read_document(path, parse_property)


def parse_property(document: dict[str, Any]) -> Property:
    """Return the property that a JSON object holds. Raises `PropertyError`, or KeyError for a missing key."""
    return of_family(document, _READERS)(document)


def of_family(document: dict[str, Any], families: Mapping[str, _T]) -> _T:
    """Return the value for the family of a property's JSON object. Raises `PropertyError`, or KeyError without one."""
    if document["family"] not in list(families):  # a list: the value may be anything, also unhashable
        raise PropertyError(f"family {document['family']!r} is not known; known: {', '.join(families)}")
    return families[document["family"]]


def read_document(path: Path, parse: Callable[[dict[str, Any]], _T]) -> _T:
    """Return the result of `parse` for the JSON object in a property file.

    Raises `PropertyError` naming the file and the key; a KeyError of `parse` means a missing key.
    """

    def broken(what: str) -> PropertyError:
        return PropertyError(f"{path}: is not a readable property ({what})")

    document = parse_json(read_plain(path, PROPERTY_LIMIT.bytes, PropertyError), PROPERTY_LIMIT, broken)
    if not isinstance(document, dict):
        raise PropertyError(f"{path}: a property must be a JSON object")
    try:
        return parse(document)
    except KeyError as error:
        raise PropertyError(f"{path}: key {error} is missing") from error
    except PropertyError as error:
        raise PropertyError(f"{path}: {error}") from error


def _verify(document: dict[str, Any]) -> VerifyProperty | LinearProperty:
    strict = typed(document, "strict", bool)
    if "disjuncts" in document:
        goal = one_clause(_clause(document["disjuncts"], "disjuncts"))
        return LinearProperty(goal=goal, strict=strict, **_common(document))
    if "clauses" in document:
        goal = OutputGoal(tuple(_clause(clause, "clauses") for clause in typed(document, "clauses", list)))
        return LinearProperty(goal=goal, strict=strict, **_common(document))
    return VerifyProperty(**_classes(document), strict=strict, **_common(document))


def _clause(document: object, key: str) -> Clause:
    return tuple(tuple(_atom(atom, key) for atom in as_list(disjunct, key)) for disjunct in as_list(document, key))


def _atom(document: object, key: str) -> Atom:
    atom: dict[str, Any] = typed({key: document}, key, dict)
    strict = "strict" in atom and typed(atom, "strict", bool)
    return Atom(_terms(atom), _exact(atom["constant"], "constant"), strict)


def _terms(document: dict[str, Any]) -> tuple[tuple[int, Fraction], ...]:
    terms = []
    for term in typed(document, "terms", list):
        if len(as_list(term, "terms")) != 2:
            raise PropertyError(f"key 'terms' holds {repr(term)[:40]}; it must hold pairs of number and coefficient")
        terms.append((typed({"terms": term[0]}, "terms", int), _exact(term[1], "terms")))
    return tuple(terms)


def _constraint(document: object) -> LinearConstraint:
    constraint: dict[str, Any] = typed({"constraints": document}, "constraints", dict)
    terms = _terms(constraint)
    if any(coefficient.denominator != 1 for _, coefficient in terms):
        raise PropertyError("key 'terms' of a constraint must hold integers as coefficients")
    ends = [None if constraint[key] is None else _exact(constraint[key], key) for key in ("lower", "upper")]
    return LinearConstraint(tuple((i, int(coefficient)) for i, coefficient in terms), ends[0], ends[1])


def _maximize(document: dict[str, Any]) -> MaximizeProperty:
    return MaximizeProperty(output=typed(document, "output", int), **_common(document))


def _closest(document: dict[str, Any]) -> ClosestProperty:
    return ClosestProperty(**_classes(document), margin=_exact(document["margin"], "margin"), **_common(document))


_READERS: dict[str, Callable[[dict[str, Any]], Property]] = {
    VerifyProperty.family: _verify,
    MaximizeProperty.family: _maximize,
    ClosestProperty.family: _closest,
}


def _common(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "input_set": _input_set(document),
        "dataset": typed_or_none(document, "dataset", str),
        "sample": typed_or_none(document, "sample", int),
    }


def _classes(document: dict[str, Any]) -> dict[str, Any]:
    targets = typed(document, "targets", list)
    return {
        "source": typed(document, "source", int),
        "targets": tuple(typed({"targets": target}, "targets", int) for target in targets),
    }


def _input_set(document: dict[str, Any]) -> InputSet:
    if document["norm"] not in list(Norm):
        raise PropertyError(f"norm {document['norm']!r} is not known; known: {', '.join(Norm)}")
    numbers = typed(document, "centre", list)
    if len(numbers) > MAX_INPUTS:
        raise PropertyError(f"key 'centre' holds {len(numbers)} numbers; at most {MAX_INPUTS} are read")
    centre = np.array([as_float(value, "centre") for value in numbers], dtype=np.float64)
    lower, exact_lower = _bounds(document, "lower", float_below)
    upper, exact_upper = _bounds(document, "upper", float_above)
    radius, exact_radius = None, None
    if document["radius"] is not None:
        radius, exact_radius = _outwards(document["radius"], "radius", float_above)
    exact = ExactNumbers(exact_radius, exact_lower, exact_upper)
    constraints = tuple(map(_constraint, typed(document, "constraints", list))) if "constraints" in document else ()
    return InputSet(Norm(document["norm"]), centre, radius, lower, upper, exact, constraints)


def _bounds(
    document: dict[str, Any], key: str, rounded: Callable[[Fraction], float]
) -> tuple[Float64Array, dict[int, Fraction]]:
    """Return the bounds as float64, and by pixel those that float64 cannot hold."""
    numbers = [_outwards(value, key, rounded) for value in typed(document, key, list)]
    bounds = np.array([number for number, _ in numbers], dtype=np.float64)
    return bounds, {i: exact for i, (_, exact) in enumerate(numbers) if exact is not None}


def _outwards(value: object, key: str, rounded: Callable[[Fraction], float]) -> tuple[float, Fraction | None]:
    """Return the number as float64, and its exact value if float64 cannot hold it."""
    if type(value) is not str:
        return as_float(value, key), None
    exact = _exact(value, key)
    return rounded(exact), exact


def _exact(value: object, key: str) -> Fraction:
    """Return the value of a JSON number, or of a string with a number that float64 cannot hold."""
    if type(value) is not str:
        return Fraction(as_float(value, key))
    try:
        return from_text(value)
    except ValueError as error:
        what = f"key {key!r} holds {repr(value)[:40]}"
        raise PropertyError(f"{what}; a string must be a decimal or a fraction that no float64 equals") from error
