"""What a proof must show about a problem: a goal that no input of a set meets, or a number that no value exceeds.

The goal is a conjunction of clauses, each a disjunction of disjuncts, each a conjunction of atoms (`properties.goals`).
Over a part of the set, a disjunct is closed by a bound of a weighted mean of its atoms, which its least atom does not
exceed; and all is shown if in some clause every disjunct is closed.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from fractions import Fraction

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ProofError
from vnnbench.instances.proofs.proof_file import Claim, Proof
from vnnbench.instances.properties.goals import Atom
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import ClosestProperty, LinearProperty, Property, VerifyProperty


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of the set: its points within a box, lower and upper (n_0,).

    centre (n_0,): the box's nearest point to the centre of the L1 ball. radius: what is left of the ball's radius
    there, exactly; None without a ball. Every point of the part is within this radius of this centre, because per
    coordinate the new centre lies between it and the old one.
    """

    lower: Float64Array
    upper: Float64Array
    centre: Float64Array
    radius: Fraction | None

    @property
    def is_empty(self) -> bool:
        return self.radius is not None and self.radius < 0

    def split(self, i: int, point: float) -> tuple[Part, Part]:
        """Return the parts x_i <= point and x_i >= point. Raises `ProofError`: the box does not have both."""
        if not self.lower[i] < point < self.upper[i]:
            raise ProofError(f"splits input {i} at {point}, which is not inside {self.lower[i]} to {self.upper[i]}")
        below, above = self.upper.copy(), self.lower.copy()
        below[i] = above[i] = point
        return self._within(i, self.lower, below), self._within(i, above, self.upper)

    def _within(self, i: int, lower: Float64Array, upper: Float64Array) -> Part:
        centre = self.centre.copy()
        centre[i] = min(max(centre[i], lower[i]), upper[i])
        step = abs(Fraction(float(centre[i])) - Fraction(float(self.centre[i])))
        return Part(lower, upper, centre, None if self.radius is None else self.radius - step)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What the tree of a proof must show.

    whole: the set, but for its constraints. disjuncts: the atoms of each, through all clauses. clauses: the numbers of
    each clause's disjuncts. strict: by disjunct and atom, whether 0 is not enough for the atom. upper: the number that
    no value exceeds; None: no input meets the goal.
    """

    whole: Part
    constraints: tuple[LinearConstraint, ...]
    disjuncts: tuple[tuple[Atom, ...], ...]
    clauses: tuple[range, ...]
    strict: tuple[tuple[bool, ...], ...]
    upper: float | None

    @classmethod
    def of(cls, proof: Proof, prop: Property) -> Question:
        """Return what the tree of this proof claims of the property.

        Raises `ProofError`: it claims what is not a question about such a property.
        """
        if isinstance(prop, ClosestProperty):
            if proof.claim is not Claim.EXCLUDED or proof.radius is None:
                raise ProofError(f'claim must be "{Claim.EXCLUDED}" within a radius: the problem asks for a distance')
        elif proof.radius is not None:
            raise ProofError("radius must be null: only a problem that asks for a distance has one")
        elif proof.claim is Claim.EXCLUDED and not isinstance(prop, VerifyProperty | LinearProperty):
            raise ProofError(f'claim must be "{Claim.UPPER}": the problem does not ask whether a goal is met')
        return cls.about(prop, proof.upper, proof.radius)

    @classmethod
    def about(cls, prop: Property, upper: float | None = None, radius: float | None = None) -> Question:
        """Return the question whether no input meets the property's goal, or no value exceeds `upper`.

        radius: of the ball, if it is another than that of the set. Raises `ProofError`: the set has no such ball.
        """
        clauses: list[range] = []
        disjuncts: list[tuple[Atom, ...]] = []
        for clause in prop.goal.clauses:
            clauses.append(range(len(disjuncts), len(disjuncts) + len(clause)))
            disjuncts += clause
        all_strict = isinstance(prop, VerifyProperty | LinearProperty) and prop.strict
        if isinstance(prop, ClosestProperty):
            disjuncts = [tuple(replace(a, constant=a.constant - prop.margin) for a in atoms) for atoms in disjuncts]
        return cls(
            whole=_whole(prop.input_set, radius),
            constraints=prop.input_set.constraints,
            disjuncts=tuple(disjuncts),
            clauses=tuple(clauses),
            strict=tuple(tuple(all_strict or atom.strict for atom in atoms) for atoms in disjuncts),
            upper=upper,
        )

    def is_shown(self, closed: Container[int]) -> bool:
        """Return whether all is shown where these disjuncts are closed."""
        return any(all(disjunct in closed for disjunct in clause) for clause in self.clauses)

    def limit(self, disjunct: int, weights: list[Fraction]) -> tuple[float, bool]:
        """Return what a bound of this mean of a disjunct's atoms must not exceed to close it, and whether it may be
        equal."""
        if self.upper is not None:
            return self.upper, True
        return 0.0, any(weight and strict for weight, strict in zip(weights, self.strict[disjunct], strict=True))

    def mean(self, disjunct: int, weights: list[Fraction]) -> tuple[dict[int, Fraction], Fraction]:
        """Return the coefficients by output, and the constant, of the weighted mean of a disjunct's atoms."""
        coefficients: dict[int, Fraction] = {}
        constant = Fraction(0)
        for atom, weight in zip(self.disjuncts[disjunct], weights, strict=True):
            constant += weight * atom.constant
            for k, coefficient in atom.terms:
                coefficients[k] = coefficients.get(k, Fraction(0)) + weight * coefficient
        return coefficients, constant


def _whole(input_set: InputSet, radius: float | None) -> Part:
    """Return the set as a part of itself, without its constraints; radius: of the ball, if it is another."""
    if radius is not None:
        if input_set.radius is None or not 0 < radius <= input_set.radius:
            raise ProofError(f"radius {radius} must be positive and at most that of the set, {input_set.radius}")
        numbers = ExactNumbers(lower=input_set.exact.lower, upper=input_set.exact.upper)
        input_set = replace(input_set, radius=radius, exact=numbers)
    if input_set.norm is Norm.L1 and input_set.radius is not None:
        return Part(input_set.lower, input_set.upper, input_set.centre, Fraction(input_set.radius))
    return Part(*input_set.hull, input_set.centre, None)
