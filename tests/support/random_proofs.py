"""Random valid proofs of small random problems.

Every choice of splits, slopes and multipliers shows something, so all are drawn, and what a pass shows is computed in
fractions. Bounds are rounded outwards, and the threshold is what the tree shows, with some room or none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from support.fraction_passes import (
    Choices,
    Linear,
    Neuron,
    Part,
    Problem,
    bound_of,
    fixed_relus,
    given_choices,
    is_empty,
    pre_activation,
    problem_of,
    unstable_relus,
    weighted_atoms,
)
from support.fraction_proofs import has_value
from support.proof_trees import make_proof, make_tree
from support.random_problems import random_problem
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.proof_file import INPUT, LEAF, TREE_TYPES, Claim, Proof
from vnnbench.instances.properties.goals import OutputGoal
from vnnbench.instances.properties.property import ClosestProperty, LinearProperty, Property, VerifyProperty
from vnnbench.instances.rationals import float_above


@dataclass(frozen=True, slots=True, eq=False)
class ProvenProblem:
    """A problem, and a proof about it."""

    network: Layered
    prop: Property
    proof: Proof


def random_proof(seed: int, room: Fraction = Fraction(0), most_neurons: int = 6) -> ProvenProblem:
    """Return a proof of a problem whose threshold exceeds what its tree shows by `room`.

    The tree is the same for every room. `upper` is the least float64 from what the tree shows plus the room. What shall
    be excluded, a goal with constants or a margin, is moved until the tree shows that its value is at most -room.
    """
    random = np.random.default_rng(seed)
    network, prop = random_problem(random, most_neurons)
    radius = None
    if isinstance(prop, ClosestProperty):
        assert prop.input_set.radius is not None
        radius = prop.input_set.radius * float(random.choice([1.0, 0.5, random.random()]))
    writer = _TreeWriter(random, problem_of(prop, network, radius))
    writer.write_node(writer.problem.root(), int(random.integers(0, 4)), frozenset())
    least, tree = max(writer.shown), make_tree(**writer.arrays)
    claim, prop = _claim(random, prop, least + room)
    upper = float_above(least + room) if claim is Claim.UPPER else None
    witness = _witness(random, prop, network) if random.random() < 0.5 else []
    return ProvenProblem(network, prop, make_proof(tree, claim, upper, radius, witness))


def _witness(random: np.random.Generator, prop: Property, network: Layered) -> list[float]:
    """Draw a point of the set that has a value; return nothing if it has none."""
    lower, upper = prop.input_set.hull
    point = prop.input_set.repair(np.clip(lower + random.random(len(lower)) * (upper - lower), lower, upper))
    x = prop.input_set.centre if point is None else point
    return x.tolist() if has_value(prop, network, x) else []


def _claim(random: np.random.Generator, prop: Property, value: Fraction) -> tuple[Claim, Property]:
    """Return a claim of a tree that shows this value, and the property, moved by the value if that excludes it."""
    excludes = random.random() < 0.6
    if isinstance(prop, ClosestProperty):  # a margin must be positive
        return Claim.EXCLUDED, replace(prop, margin=max(prop.margin, prop.margin + value, Fraction(1, 10**30)))
    if isinstance(prop, LinearProperty) and excludes:
        clauses = tuple(
            tuple(tuple(replace(atom, constant=atom.constant - value) for atom in disjunct) for disjunct in clause)
            for clause in prop.goal.clauses
        )
        return Claim.EXCLUDED, replace(prop, goal=OutputGoal(clauses))
    if isinstance(prop, VerifyProperty) and (value < 0 or (value == 0 and prop.strict)) and excludes:
        return Claim.EXCLUDED, prop
    return Claim.UPPER, prop


class _TreeWriter:
    """The writing of a random tree: the arrays as they grow, and the values that its closings show."""

    def __init__(self, random: np.random.Generator, problem: Problem) -> None:
        self.problem = problem
        self.arrays: dict[str, list[float]] = {name: [] for name in TREE_TYPES}
        self.shown: list[Fraction] = []
        self._random = random

    def _chance(self, share: float) -> bool:
        return bool(self._random.random() < share)

    def write_node(self, part: Part, depth: int, closed: frozenset[int]) -> None:
        """Write a node of the main tree and those below it, at most `depth` deep; closed: what is closed above it."""
        arrays = self.arrays
        if is_empty(self.problem, part):
            for name, number in (("node_bounds", 0), ("node_closings", 0), ("splits", LEAF)):
                arrays[name].append(number)
            return
        halves = self._splits(part) if depth and not self._chance(0.15) else []
        closings = self._closings(closed, is_leaf=not halves)
        deepest = self.problem.n_layers - 1 if closings else int(self._random.integers(self.problem.n_layers))
        bounds = self._bounds(part, deepest)
        arrays["node_bounds"].append(len(bounds))
        arrays["node_closings"].append(len(closings))
        for neuron, is_upper in bounds:
            part = self._write_bound(part, neuron, is_upper)
        for number in closings:
            self._write_closing(part, number)
        if not halves:
            arrays["splits"].append(LEAF)
            return
        for half in self._write_split(part, *halves[self._random.integers(len(halves))]):
            self.write_node(half, depth - 1, closed.union(closings))

    def _splits(self, part: Part) -> list[tuple[int, int]]:
        """Return the splits that a node can have: the layer and number of a ReLU, or `INPUT` and that of an input."""
        relus = self._free_relus(part, self.problem.n_layers)
        ends = zip(part.lower, part.upper, strict=True)
        inputs = [(INPUT, i) for i, (low, high) in enumerate(ends) if low < _middle(low, high) < high]
        return inputs if inputs and self._chance(0.4) else relus or inputs

    def _free_relus(self, part: Part, before: int) -> list[Neuron]:
        return [relu for relu in self.problem.relus_up_to(before - 1) if relu not in part.phases]

    def _write_split(self, part: Part, layer: int, place: int) -> tuple[Part, Part]:
        """Write a split; return the parts of its children."""
        self.arrays["splits"].append(layer)
        self.arrays["places"].append(place)
        if layer != INPUT:
            return part.with_phase((layer, place), False), part.with_phase((layer, place), True)
        point = self._point(part, place)
        self.arrays["points"].append(point)
        return part.with_input(place, Fraction(point), False), part.with_input(place, Fraction(point), True)

    def _point(self, part: Part, i: int) -> float:
        """Draw a float64 strictly inside the part's box: any, its middle, or the ball's centre."""
        low, high = part.lower[i], part.upper[i]
        points = [float(low + (high - low) * Fraction(self._random.random())), _middle(low, high)]
        if self.problem.centre is not None:
            points.append(float(self.problem.centre[i]))
        inside = [point for point in points if low < point < high]
        return inside[self._random.integers(len(inside))]

    def _bounds(self, part: Part, deepest: int) -> list[tuple[Neuron, bool]]:
        """Draw the bounds of a node: those that ReLUs up to a layer lack, and some others."""
        wanted = []
        for relu in self.problem.relus_up_to(deepest):
            lacking = relu not in part.phases and relu not in part.bounds
            wanted += [(relu, is_upper) for is_upper in (False, True) if lacking or self._chance(0.15)]
        order = self._random.permutation(len(wanted))
        return sorted((wanted[i] for i in order), key=lambda bound: bound[0][0])

    def _write_bound(self, part: Part, neuron: Neuron, is_upper: bool) -> Part:
        """Write a bound; return the part over which it holds now."""
        function = pre_activation(self.problem, neuron, 1 if is_upper else -1)
        has_tree = self._chance(0.3)
        if has_tree:
            value = self._write_bound_node(part, neuron, function, int(self._random.integers(0, 3)))
        else:
            value = bound_of(self.problem, part, function, given_choices(self.problem, part, function.layer))
        at_most = _float32_above(value)
        if self._chance(0.2):
            at_most = np.float32(np.ceil(at_most * 4 + self._random.random()) / 4)
        written = float(at_most if is_upper else -at_most)
        self.arrays["bound_layers"].append(neuron[0])
        self.arrays["bound_neurons"].append(neuron[1])
        self.arrays["bound_kinds"].append(is_upper + 2 * has_tree)
        self.arrays["bound_values"].append(written)
        return part.with_bound(neuron, Fraction(written), is_upper)

    def _write_bound_node(self, part: Part, neuron: Neuron, function: Linear, depth: int) -> Fraction:
        """Write a node of a bound's tree; return the most that its leaves show."""
        relus = self._free_relus(part, before=neuron[0])
        if not depth or not relus:
            self.arrays["splits"].append(LEAF)
            return bound_of(self.problem, part, function, self._write_choices(part, function.layer))
        halves = self._write_split(part, *relus[self._random.integers(len(relus))])
        return max(self._write_bound_node(half, neuron, function, depth - 1) for half in halves)

    def _closings(self, closed: frozenset[int], is_leaf: bool) -> list[int]:
        """Draw the disjuncts that a node closes; at a leaf, those of some clause that are open, and maybe others."""
        ends = np.cumsum([0, *map(len, self.problem.clauses)]).tolist()
        found = [number for number in range(ends[-1]) if self._chance(0.2)] if is_leaf or self._chance(0.4) else []
        if is_leaf:
            clause = self._random.integers(len(self.problem.clauses))
            numbers = range(ends[clause], ends[clause + 1])
            found += [number for number in numbers if number not in closed and number not in found]
        return [found[i] for i in self._random.permutation(len(found))]

    def _write_closing(self, part: Part, number: int) -> None:
        """Write a closing, and keep the value that it shows."""
        disjunct, weights = self.problem.disjuncts[number], [Fraction(1)]
        if len(disjunct) > 1:
            cuts = sorted(self._random.choice([0, 1, 7, 32, 64], size=len(disjunct) - 1).tolist())
            weights = [Fraction(b - a, 64) for a, b in zip([0, *cuts], [*cuts, 64], strict=True)]
            self.arrays["weights"] += map(float, weights)
        self.arrays["closing_disjuncts"].append(number)
        function = weighted_atoms(self.problem, disjunct, weights)
        self.shown.append(bound_of(self.problem, part, function, self._write_choices(part, function.layer)))

    def _write_choices(self, part: Part, k: int) -> Choices:
        """Write the numbers of a pass through layers 1 to k, drawn at random."""
        slopes, multipliers = {}, {}
        for relu in unstable_relus(self.problem, part, k):
            units = int(self._random.choice([0, 128, int(self._random.integers(129))]))
            self.arrays["slopes"].append(units)
            slopes[relu] = Fraction(units, 128)
        for relu in fixed_relus(part, k):
            multiplier = self._multiplier()
            self.arrays["multipliers"].append(multiplier)
            multipliers[relu] = Fraction(multiplier)
        of_constraints = []
        for constraint in self.problem.constraints:
            multiplier = self._multiplier()
            if constraint.upper is None or (constraint.lower is not None and self._chance(0.5)):
                multiplier = -multiplier
            self.arrays["constraint_multipliers"].append(multiplier)
            of_constraints.append(Fraction(multiplier))
        return Choices(slopes, multipliers, of_constraints)

    def _multiplier(self) -> float:
        """Draw a number that float32 holds, not negative."""
        numbers = [0.0, self._random.integers(17) / 8, self._random.exponential(), 2.0 ** self._random.integers(-40, 9)]
        return float(np.float32(numbers[self._random.integers(len(numbers))]))


def _middle(low: Fraction, high: Fraction) -> float:
    return float((low + high) / 2)


def _float32_above(exact: Fraction) -> np.float32:
    """Return the least float32 that is not below `exact`."""
    nearest = np.float32(float(exact))
    return nearest if Fraction(float(nearest)) >= exact else np.nextafter(nearest, np.float32(np.inf))
