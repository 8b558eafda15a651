"""The questions of a VNN-LIB file: from its formulas to one property for each of its input sets.

    1. Comparisons of inputs make the input set: bounds, and linear constraints among several inputs.
    2. Formulas about outputs alone make the goal: each is a clause, or an atom of the clause that all others share.
    3. A disjunction that mixes both is split into its cases. Cases with the same input set are one part, whose goal is
       that one of them holds; each other set is a part of its own. A case whose bounds exclude each other is left out.

The file's answer is sat if that of any part is, and unsat if those of all parts are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.formulas import (
    AllOf,
    AnyOf,
    Comparison,
    Formula,
    Relation,
    Statement,
    checked,
    comparisons,
)
from vnnbench.instances.properties.goals import Atom, Clause, OutputGoal
from vnnbench.instances.properties.input_set import InputSet
from vnnbench.instances.properties.linear_constraints import LinearConstraint, Range, normalized, range_of
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty
from vnnbench.instances.properties.rational_set import rational_set

MAX_DISJUNCTS, MAX_ATOMS, MAX_CASES = 10_000, 100_000, 10_000
"""The limits of the disjuncts of a clause, of the atoms of a goal, and of the cases of the inputs."""
MAX_PARTS = 1_000
"""The most input sets of a property: each is an instance with files of its own."""


@dataclass(frozen=True, slots=True)
class Query:
    """The content of a file: a property for each of its input sets, and the number of outputs that it declares."""

    parts: tuple[VerifyProperty | LinearProperty, ...]
    n_outputs: int

    @property
    def prop(self) -> VerifyProperty | LinearProperty:
        """The only part. Raises `PropertyError` if there are several."""
        if len(self.parts) != 1:
            raise PropertyError(f"asks about {len(self.parts)} input sets; one is expected")
        return self.parts[0]


def query_of(statement: Statement) -> Query:
    """Return the question of a file, part by part in the order of the file.

    If the whole goal is that one of some outputs reaches another, the property is one of classes. Raises
    `PropertyError`: an input lacks a bound or is bounded strictly, a set is empty or leaves no room (`rational_set`),
    a case compares no outputs, or there are too many cases, disjuncts or atoms.
    """
    common = _Case()
    choices = []
    for formula in _conjuncts(AllOf(statement.asserted)):
        if _is_mixed(formula):
            choices.append(_cases(formula))
            _check_cases(choices)
        else:
            common.add(formula)
    merged: dict[frozenset[tuple[_Terms, Range]], list[list[Formula]]] = {}
    for chosen in product(*choices):
        case = _Case()
        for part in chosen:
            case.join(part)
        own = {terms: _intersection(range_, common.ranges.get(terms)) for terms, range_ in case.ranges.items()}
        merged.setdefault(frozenset((t, r) for t, r in own.items() if r != common.ranges.get(t)), []).append(case.goal)
    every = [({**common.ranges, **dict(own)}, [*common.goal, *_any_goal(goals)]) for own, goals in merged.items()]
    asked = [case for case in every if not _is_empty(case[0])] or every[:1]  # which says why it is empty
    if len(asked) > MAX_PARTS:
        raise PropertyError(
            f"asks about {len(asked)} input sets, each an instance of its own; at most {MAX_PARTS} are supported, so "
            "split the file"
        )
    return Query(tuple(_part(statement.n_inputs, *case) for case in asked), statement.n_outputs)


def _any_goal(goals: list[list[Formula]]) -> list[Formula]:
    """Return the formulas that hold together where one of these goals does."""
    if len(goals) == 1:
        return goals[0]
    return [AnyOf(tuple(AllOf(tuple(goal)) for goal in goals))] if all(goals) else []


def _is_empty(ranges: Mapping[_Terms, Range]) -> bool:
    """Return whether bounds or constraints exclude each other, one by one, so that no input is in the set."""
    return any(
        _exceeds(range_) or (len(terms) > 1 and _is_out_of_reach(terms, range_, ranges))
        for terms, range_ in ranges.items()
    )


def _exceeds(range_: Range) -> bool:
    lower, upper = range_
    return lower is not None and upper is not None and lower > upper


def _is_out_of_reach(terms: _Terms, range_: Range, ranges: Mapping[_Terms, Range]) -> bool:
    """Return whether the bounds of its inputs keep a function out of its range."""
    lowest, highest = range_of(terms, lambda i: ranges.get(((i, 1),), (None, None)))
    lower, upper = range_
    below = lower is not None and highest is not None and highest < lower
    return below or (upper is not None and lowest is not None and lowest > upper)


_Terms = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Case:
    """A conjunction: the ranges of linear functions of inputs, and formulas about outputs."""

    ranges: dict[_Terms, Range] = field(default_factory=dict)
    goal: list[Formula] = field(default_factory=list)

    def add(self, formula: Formula) -> None:
        """Add a formula that is about inputs alone, where it is a comparison, or about outputs alone."""
        if isinstance(formula, Comparison) and formula.is_of_inputs:
            terms, range_ = _range(formula)
            self.ranges[terms] = _intersection(range_, self.ranges.get(terms))
        else:
            self.goal.append(formula)

    def join(self, other: _Case) -> None:
        """Add what another case has."""
        for terms, range_ in other.ranges.items():
            self.ranges[terms] = _intersection(range_, self.ranges.get(terms))
        self.goal += other.goal


def _conjuncts(formula: Formula) -> Iterable[Formula]:
    """Yield the parts of nested conjunctions; a disjunction of one part is that part."""
    if isinstance(formula, AllOf):
        for part in formula.parts:
            yield from _conjuncts(part)
    elif isinstance(formula, AnyOf) and len(formula.parts) == 1:
        yield from _conjuncts(formula.parts[0])
    else:
        yield formula


def _is_mixed(formula: Formula) -> bool:
    """Return whether a disjunction has comparisons of inputs, whose cases are sets of their own."""
    return not isinstance(formula, Comparison) and any(c.is_of_inputs for c in comparisons(formula))


def _cases(formula: Formula) -> list[_Case]:
    """Return a formula as a disjunction of cases; what is about outputs alone stays as it is."""
    if isinstance(formula, AnyOf) and _is_mixed(formula):
        found: list[_Case] = []
        for part in formula.parts:
            found += _cases(part)
            _check_cases([found])
        return found
    own, choices = _Case(), []
    for part in _conjuncts(formula):
        if _is_mixed(part):
            choices.append(_cases(part))
            _check_cases(choices)
        else:
            own.add(part)
    found = []
    for chosen in product(*choices):
        case = _Case(dict(own.ranges), list(own.goal))
        for one in chosen:
            case.join(one)
        found.append(case)
    return found


def _check_cases(choices: list[list[_Case]]) -> None:
    n = prod(map(len, choices))
    if n > MAX_CASES:
        raise PropertyError(f"its asserts make {n} cases of the inputs, more than the {MAX_CASES} that are read")


def _range(comparison: Comparison) -> tuple[_Terms, Range]:
    """Return a comparison of inputs as the range of a normalized linear function.

    Raises `PropertyError`: it is strict, or a bound is too large or too precise.
    """
    line, function = comparison.line, comparison.function
    if comparison.relation is Relation.ABOVE:
        raise PropertyError(f"line {line}: bounds an input strictly; use <= and >=")
    terms, scale = normalized({variable.number: c for variable, c in function.terms.items()})
    bound = checked(-function.constant / scale, line)
    lower = bound if scale > 0 or comparison.relation is Relation.EQUAL else None
    upper = bound if scale < 0 or comparison.relation is Relation.EQUAL else None
    return terms, (lower, upper)


def _intersection(one: Range, other: Range | None) -> Range:
    if other is None:
        return one
    lowers = [lower for lower, _ in (one, other) if lower is not None]
    uppers = [upper for _, upper in (one, other) if upper is not None]
    return max(lowers, default=None), min(uppers, default=None)


def _part(n_inputs: int, ranges: Mapping[_Terms, Range], formulas: list[Formula]) -> VerifyProperty | LinearProperty:
    """Return the property of one input set; the formulas, about outputs alone, hold together."""
    bounds = [ranges.get(((i, 1),), (None, None)) for i in range(n_inputs)]
    constraints = tuple(LinearConstraint(terms, *range_) for terms, range_ in ranges.items() if len(terms) > 1)
    input_set = rational_set(bounds, constraints)
    goal, strict = _goal(formulas)
    return _of_classes(input_set, goal, strict) or LinearProperty(input_set, goal, strict, dataset=None, sample=None)


def _of_classes(input_set: InputSet, goal: OutputGoal, strict: bool) -> VerifyProperty | None:
    """Return the property of classes if the goal is that one of some outputs reaches another, else None."""
    pairs = [_margin(disjunct) for disjunct in goal.clauses[0]]
    sources = {pair[1] for pair in pairs if pair}
    targets = tuple(pair[0] for pair in pairs if pair)
    if len(goal.clauses) > 1 or None in pairs or len(sources) != 1 or len(set(targets)) < len(targets):
        return None
    if any(atom.strict for atom in goal.atoms):
        return None
    return VerifyProperty(input_set, sources.pop(), targets, strict, dataset=None, sample=None)


def _margin(disjunct: tuple[Atom, ...]) -> tuple[int, int] | None:
    """Return (target, source) if the disjunct is y_target - y_source alone, else None."""
    if len(disjunct) != 1 or disjunct[0].constant or len(disjunct[0].terms) != 2:
        return None
    by_coefficient = {coefficient: k for k, coefficient in disjunct[0].terms}
    if set(by_coefficient) != {1, -1}:
        return None
    return by_coefficient[Fraction(1)], by_coefficient[Fraction(-1)]


# -- goals


def _goal(formulas: list[Formula]) -> tuple[OutputGoal, bool]:
    """Return the goal that all of these formulas hold, and whether all of its atoms are strict.

    Then they are not marked. Single comparisons share one clause, of one disjunct, which comes first.
    """
    relations = {c.relation is Relation.ABOVE for formula in formulas for c in comparisons(formula)}
    if not relations:
        raise PropertyError("lacks a comparison of outputs, at least in one case of its inputs; each case needs one")
    marked = relations == {True, False}
    together: list[Atom] = []
    clauses: list[Clause] = []
    for formula in _conjuncts(AllOf(tuple(formulas))):
        if isinstance(formula, Comparison):
            together += _atoms(formula, marked)
        else:
            clauses.append(_clause(formula, marked))
    every = [*([(tuple(together),)] if together else []), *clauses]
    if sum(len(disjunct) for clause in every for disjunct in clause) > MAX_ATOMS:
        raise PropertyError(f"compares outputs more than {MAX_ATOMS} times, the most that is read")
    return OutputGoal(tuple(every)), relations == {True}


def _clause(formula: Formula, marked: bool) -> Clause:
    """Return a formula as a disjunction of conjunctions of atoms."""
    if isinstance(formula, Comparison):
        return (_atoms(formula, marked),)
    parts = [_clause(part, marked) for part in formula.parts]
    if isinstance(formula, AnyOf):
        _check_disjuncts(sum(map(len, parts)), max(map(_longest, parts)))
        return tuple(disjunct for part in parts for disjunct in part)
    _check_disjuncts(prod(map(len, parts)), sum(map(_longest, parts)))
    return tuple(tuple(atom for disjunct in chosen for atom in disjunct) for chosen in product(*parts))


def _longest(clause: Clause) -> int:
    return max(map(len, clause))


def _check_disjuncts(n: int, longest: int) -> None:
    if n > MAX_DISJUNCTS or (n > 1 and n * longest > MAX_ATOMS):
        raise PropertyError(f"one of its formulas makes {n} disjuncts when it is written as one, which is too many")


def _atoms(comparison: Comparison, marked: bool) -> tuple[Atom, ...]:
    """Return a comparison of outputs as atoms, an equality as two; with `marked`, strict ones are marked so."""
    function = comparison.function
    terms = tuple(sorted((variable.number, coefficient) for variable, coefficient in function.terms.items()))
    atom = Atom(terms, function.constant, strict=marked and comparison.relation is Relation.ABOVE)
    if comparison.relation is not Relation.EQUAL:
        return (atom,)
    return atom, Atom(tuple((k, -coefficient) for k, coefficient in terms), -function.constant)
