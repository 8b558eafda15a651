"""The property: an input set, the goal on the outputs, and its exact JSON file.

verify     value(x) = max over targets of y_target - y_source: some target beats the source where it is > 0 (>= 0 when
           not strict); or the value of any `OutputGoal`, as from VNN-LIB
maximize   value(x) = y_output, which is to be maximized
closest    value(x) = -|x - centre| where some y_target - y_source >= margin: the least change that reaches the margin
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import orjson

from vnnbench.common.numbers import MAX_INTEGER
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.files import excess_of_json, parse_json, read_plain
from vnnbench.instances.limits import MAX_INPUTS, PROPERTY_LIMIT
from vnnbench.instances.properties.goals import Atom, Clause, OutputGoal, any_target, one_clause
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.rationals import float_above, float_below, from_text, to_json

_T = TypeVar("_T")
_KINDS = {
    bool: "true or false",
    int: f"an integer from 0 to {MAX_INTEGER}",
    dict: "an object",
    list: "a list",
    str: "a string",
}


@dataclass(frozen=True, slots=True, eq=False)
class VerifyProperty:
    """The property that some target class beats the source class; with all other classes as targets it is untargeted.

    dataset, sample: the origin of the centre.
    """

    input_set: InputSet
    source: int
    targets: tuple[int, ...]
    strict: bool
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "verify"

    def __post_init__(self) -> None:
        _check_classes(self.source, self.targets)

    @property
    def target(self) -> int | None:
        """The only target; None if there are several."""
        return self.targets[0] if len(self.targets) == 1 else None

    @property
    def goal(self) -> OutputGoal:
        return any_target(self.targets, self.source)

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        return {"source": self.source, "targets": list(self.targets), "strict": self.strict}


@dataclass(frozen=True, slots=True, eq=False)
class LinearProperty:
    """The property that the value of a goal exceeds 0 (or reaches 0, if not strict).

    The goal is any conjunction of clauses of linear atoms. strict: all atoms are, and none is marked; where only some
    are strict, those are marked. `dataset` and `sample` are as in `VerifyProperty`.
    """

    input_set: InputSet
    goal: OutputGoal
    strict: bool
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "verify"

    def __post_init__(self) -> None:
        marked = [atom.strict for atom in self.goal.atoms]
        if any(marked) and (self.strict or all(marked)):
            raise PropertyError("property: atoms are marked as strict only where some are strict and some are not")

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        clauses = [[[_atom_document(atom) for atom in disjunct] for disjunct in clause] for clause in self.goal.clauses]
        goal = {"disjuncts": clauses[0]} if len(clauses) == 1 else {"clauses": clauses}
        return {**goal, "strict": self.strict}


@dataclass(frozen=True, slots=True, eq=False)
class MaximizeProperty:
    """The maximization of one output over an input set; `dataset` and `sample` are as in `VerifyProperty`."""

    input_set: InputSet
    output: int
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "maximize"

    def __post_init__(self) -> None:
        if self.output < 0:
            raise PropertyError(f"property: output {self.output} must be at least 0")

    @property
    def goal(self) -> OutputGoal:
        return one_clause(((Atom(((self.output, Fraction(1)),)),),))

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        return {"output": self.output}


@dataclass(frozen=True, slots=True, eq=False)
class ClosestProperty:
    """The least change of the centre, in the set's norm, by which some target exceeds the source by `margin` > 0.

    The set's radius is the largest change that is considered. `dataset` and `sample` are as in `VerifyProperty`.
    Source: Tjeng et al. 2019, arXiv:1711.07356, minimum adversarial distortion.
    """

    input_set: InputSet
    source: int
    targets: tuple[int, ...]
    margin: Fraction
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "closest"

    def __post_init__(self) -> None:
        _check_classes(self.source, self.targets)
        if self.input_set.radius is None:
            raise PropertyError(f"property: norm {self.input_set.norm} measures no distance; closest needs a ball")
        if self.margin <= 0:
            raise PropertyError(f"property: margin {self.margin} must be positive")

    @property
    def target(self) -> int | None:
        """The only target; None if there are several."""
        return self.targets[0] if len(self.targets) == 1 else None

    @property
    def goal(self) -> OutputGoal:
        """The goal that must reach the margin; the property's value is another."""
        return any_target(self.targets, self.source)

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        return {"source": self.source, "targets": list(self.targets), "margin": to_json(self.margin)}


def _check_classes(source: int, targets: tuple[int, ...]) -> None:
    if not targets or source in targets or len(set(targets)) != len(targets) or min(source, *targets) < 0:
        raise PropertyError("property: needs target classes, all different and different from the source class")


Property: TypeAlias = VerifyProperty | LinearProperty | MaximizeProperty | ClosestProperty
"""A question about one network: an input set and a goal on its outputs."""


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


def _atom_document(atom: Atom) -> dict[str, Any]:
    terms = [[k, to_json(coefficient)] for k, coefficient in atom.terms]
    return {"terms": terms, "constant": to_json(atom.constant), **({"strict": True} if atom.strict else {})}


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
    strict = _typed(document, "strict", bool)
    if "disjuncts" in document:
        goal = one_clause(_clause(document["disjuncts"], "disjuncts"))
        return LinearProperty(goal=goal, strict=strict, **_common(document))
    if "clauses" in document:
        goal = OutputGoal(tuple(_clause(clause, "clauses") for clause in _typed(document, "clauses", list)))
        return LinearProperty(goal=goal, strict=strict, **_common(document))
    return VerifyProperty(**_classes(document), strict=strict, **_common(document))


def _clause(document: object, key: str) -> Clause:
    return tuple(tuple(_atom(atom, key) for atom in _list(disjunct, key)) for disjunct in _list(document, key))


def _atom(document: object, key: str) -> Atom:
    atom: dict[str, Any] = _typed({key: document}, key, dict)
    strict = "strict" in atom and _typed(atom, "strict", bool)
    return Atom(_terms(atom), _exact(atom["constant"], "constant"), strict)


def _terms(document: dict[str, Any]) -> tuple[tuple[int, Fraction], ...]:
    terms = []
    for term in _typed(document, "terms", list):
        if len(_list(term, "terms")) != 2:
            raise PropertyError(f"key 'terms' holds {repr(term)[:40]}; it must hold pairs of number and coefficient")
        terms.append((_typed({"terms": term[0]}, "terms", int), _exact(term[1], "terms")))
    return tuple(terms)


def _constraint(document: object) -> LinearConstraint:
    constraint: dict[str, Any] = _typed({"constraints": document}, "constraints", dict)
    terms = _terms(constraint)
    if any(coefficient.denominator != 1 for _, coefficient in terms):
        raise PropertyError("key 'terms' of a constraint must hold integers as coefficients")
    ends = [None if constraint[key] is None else _exact(constraint[key], key) for key in ("lower", "upper")]
    return LinearConstraint(tuple((i, int(coefficient)) for i, coefficient in terms), ends[0], ends[1])


def _maximize(document: dict[str, Any]) -> MaximizeProperty:
    return MaximizeProperty(output=_typed(document, "output", int), **_common(document))


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
        "dataset": _typed_or_none(document, "dataset", str),
        "sample": _typed_or_none(document, "sample", int),
    }


def _classes(document: dict[str, Any]) -> dict[str, Any]:
    targets = _typed(document, "targets", list)
    return {
        "source": _typed(document, "source", int),
        "targets": tuple(_typed({"targets": target}, "targets", int) for target in targets),
    }


def _input_set(document: dict[str, Any]) -> InputSet:
    if document["norm"] not in list(Norm):
        raise PropertyError(f"norm {document['norm']!r} is not known; known: {', '.join(Norm)}")
    numbers = _typed(document, "centre", list)
    if len(numbers) > MAX_INPUTS:
        raise PropertyError(f"key 'centre' holds {len(numbers)} numbers; at most {MAX_INPUTS} are read")
    centre = np.array([_float(value, "centre") for value in numbers], dtype=np.float64)
    lower, exact_lower = _bounds(document, "lower", float_below)
    upper, exact_upper = _bounds(document, "upper", float_above)
    radius, exact_radius = None, None
    if document["radius"] is not None:
        radius, exact_radius = _outwards(document["radius"], "radius", float_above)
    exact = ExactNumbers(exact_radius, exact_lower, exact_upper)
    constraints = tuple(map(_constraint, _typed(document, "constraints", list))) if "constraints" in document else ()
    return InputSet(Norm(document["norm"]), centre, radius, lower, upper, exact, constraints)


def _bounds(
    document: dict[str, Any], key: str, rounded: Callable[[Fraction], float]
) -> tuple[Float64Array, dict[int, Fraction]]:
    """Return the bounds as float64, and by pixel those that float64 cannot hold."""
    numbers = [_outwards(value, key, rounded) for value in _typed(document, key, list)]
    bounds = np.array([number for number, _ in numbers], dtype=np.float64)
    return bounds, {i: exact for i, (_, exact) in enumerate(numbers) if exact is not None}


def _outwards(value: object, key: str, rounded: Callable[[Fraction], float]) -> tuple[float, Fraction | None]:
    """Return the number as float64, and its exact value if float64 cannot hold it."""
    if type(value) is not str:
        return _float(value, key), None
    exact = _exact(value, key)
    return rounded(exact), exact


def _typed_or_none(document: dict[str, Any], key: str, kind: type[_T]) -> _T | None:
    return None if document[key] is None else _typed(document, key, kind)


def _typed(document: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """Return the value of a key, of exactly this type: true is not an integer, "false" is not false.

    All integers are numbers or counts, so they are not negative.
    """
    value = document[key]
    if type(value) is not kind or (isinstance(value, int) and not 0 <= value <= MAX_INTEGER):
        raise PropertyError(f"key {key!r} holds {repr(value)[:40]}; it must be {_KINDS[kind]}")
    return value


def _list(value: object, key: str) -> list[Any]:
    return _typed({key: value}, key, list)


def _float(value: object, key: str) -> float:
    """Return a JSON number as float64; an integer must equal a float64."""
    if type(value) is float:
        return value
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    raise PropertyError(f"key {key!r} holds {repr(value)[:40]}; it must be a float64")


def _exact(value: object, key: str) -> Fraction:
    """Return the value of a JSON number, or of a string with a number that float64 cannot hold."""
    if type(value) is not str:
        return Fraction(_float(value, key))
    try:
        return from_text(value)
    except ValueError as error:
        what = f"key {key!r} holds {repr(value)[:40]}"
        raise PropertyError(f"{what}; a string must be a decimal or a fraction that no float64 equals") from error
