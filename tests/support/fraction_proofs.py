"""A second checker of proofs, in rational numbers: slow, and close to the words of the specification.

That is section "Proofs" of `instances/README.md`, in whose order of reading the tree is checked. Where it leaves
something open, and both readings are sound, this checker accepts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from support.fraction_passes import (
    Choices,
    Linear,
    Neuron,
    Part,
    Problem,
    Rejection,
    bound_of,
    fixed_relus,
    given_choices,
    is_empty,
    pre_activation,
    problem_of,
    unstable_relus,
    weighted_atoms,
)
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.proof_file import INPUT, LEAF, Claim, Proof, Tree
from vnnbench.instances.properties.property import ClosestProperty, MaximizeProperty, Property

_MOST_SLOPE = 128


@dataclass(frozen=True, slots=True)
class Shown:
    """What a pass shows: the function is at most `bound` over the part."""

    part: Part
    function: Linear
    bound: Fraction


def accepts(proof: Proof, prop: Property, network: Layered) -> bool:
    """Return whether a proof, as it is read from its file, shows what it claims about this property of this network.

    Its hashes are not looked at.
    """
    return rejection(proof, prop, network) is None


def rejection(proof: Proof, prop: Property, network: Layered) -> str | None:
    """Return why the proof is not accepted; None if it is."""
    try:
        shown(proof, prop, network)
    except Rejection as reason:
        return str(reason)
    return None


def shown(proof: Proof, prop: Property, network: Layered) -> list[Shown]:
    """Return what the passes of a proof show, in its order. Raises `Rejection` unless the proof is accepted."""
    if network.layers[0].n_inputs != prop.input_set.n_inputs:
        raise Rejection("the network has other inputs than the property")
    if network.layers[-1].n_outputs <= prop.goal.last_output:
        raise Rejection("the network lacks an output of the goal")
    _check_head(proof, prop)
    if len(proof.witness):
        _check_witness(proof, prop, network)
    arrays = _Arrays(proof.tree)
    found: list[Shown] = []
    if proof.claim is not None:
        problem = problem_of(prop, network, proof.radius)
        check = _TreeCheck(problem, proof, arrays)
        check.read_node(problem.root(), frozenset())
        found = check.shown
    elif not len(proof.witness):
        raise Rejection("there is neither a tree nor a witness")
    arrays.finish()
    return found


def _check_head(proof: Proof, prop: Property) -> None:
    """Check the claim, its threshold and its radius against the family of the property."""
    if isinstance(prop, ClosestProperty) and proof.claim is Claim.UPPER:
        raise Rejection("closest has a radius, not an upper bound")
    if isinstance(prop, MaximizeProperty) and proof.claim is Claim.EXCLUDED:
        raise Rejection("maximize has an upper bound, not a goal to meet")
    if (proof.upper is not None) != (proof.claim is Claim.UPPER):
        raise Rejection("upper belongs to the claim that has its name")
    has_radius = isinstance(prop, ClosestProperty) and proof.claim is Claim.EXCLUDED
    if (proof.radius is not None) != has_radius:
        raise Rejection("a radius belongs to closest, where the claim is excluded")
    if proof.radius is not None:
        most = prop.input_set.radius
        assert most is not None
        if not 0 < proof.radius <= most:
            raise Rejection("the radius is not positive, or exceeds that of the set")


def _check_witness(proof: Proof, prop: Property, network: Layered) -> None:
    try:
        outside = prop.input_set.violation(proof.witness) != 0
    except PropertyError as error:
        raise Rejection(str(error)) from error
    if outside:
        raise Rejection("the witness is not in the set")
    if not has_value(prop, network, proof.witness):
        raise Rejection("the problem has no value at the witness")


def has_value(prop: Property, network: Layered, x: Float64Array) -> bool:
    """Return whether the problem has a value at a point of the set: for `closest`, the margin is reached there.

    It has none where the goal's value is 0 but an atom that is marked as strict does not hold.
    """
    outputs = ExactNetwork(network).outputs(prop.input_set.point(x))
    value = prop.goal.value(outputs)
    return value >= prop.margin if isinstance(prop, ClosestProperty) else value != 0 or prop.goal.holds(outputs)


class _Arrays:
    """The arrays of a tree, whose numbers are read one after the other."""

    def __init__(self, tree: Tree) -> None:
        self._left: dict[str, list[Any]] = {
            field.name: getattr(tree, field.name).tolist()[::-1] for field in fields(tree)
        }

    def integer(self, name: str) -> int:
        if not self._left[name]:
            raise Rejection(f"{name} ends too early")
        return int(self._left[name].pop())

    def number(self, name: str) -> Fraction:
        if not self._left[name]:
            raise Rejection(f"{name} ends too early")
        return Fraction(self._left[name].pop())

    def not_negative(self, name: str) -> Fraction:
        number = self.number(name)
        if number < 0:
            raise Rejection(f"{name} holds a negative number")
        return number

    def slope(self) -> Fraction:
        units = self.integer("slopes")
        if units > _MOST_SLOPE:
            raise Rejection("a slope exceeds 1")
        return Fraction(units, _MOST_SLOPE)

    def finish(self) -> None:
        """Check that all numbers were read."""
        for name, left in self._left.items():
            if left:
                raise Rejection(f"{name} has {len(left)} numbers left over")


class _TreeCheck:
    """The reading of a tree, which checks what it reads and keeps what passes show."""

    def __init__(self, problem: Problem, proof: Proof, arrays: _Arrays) -> None:
        self.shown: list[Shown] = []
        self._problem, self._arrays = problem, arrays
        self._upper = None if proof.upper is None else Fraction(proof.upper)

    def read_node(self, part: Part, closed: frozenset[int]) -> None:
        """Read a node of the main tree; closed: the disjuncts that are closed above it."""
        n_bounds, n_closings = self._arrays.integer("node_bounds"), self._arrays.integer("node_closings")
        if min(n_bounds, n_closings) < 0:
            raise Rejection("a node has a negative number of bounds or closings")
        empty = is_empty(self._problem, part)
        if empty and n_bounds + n_closings > 0:
            raise Rejection("an empty part has bounds or closings")
        layer = 0
        for _ in range(n_bounds):
            part, layer = self._read_bound(part, layer)
        for _ in range(n_closings):
            closed |= {self._read_closing(part)}
        split = self._arrays.integer("splits")
        if split == LEAF:
            if not (empty or self._is_closed(closed)):
                raise Rejection("a leaf is open: no clause has all its disjuncts closed")
            return
        if empty:
            raise Rejection("an empty part is split")
        halves = self._input_halves(part) if split == INPUT else self._phase_halves(part, split, self._problem.n_layers)
        for half in halves:
            self.read_node(half, closed)

    def _is_closed(self, closed: frozenset[int]) -> bool:
        first = 0
        for clause in self._problem.clauses:
            if closed.issuperset(range(first, first + len(clause))):
                return True
            first += len(clause)
        return False

    def _input_halves(self, part: Part) -> tuple[Part, Part]:
        i, point = self._arrays.integer("places"), self._arrays.number("points")
        if not 0 <= i < len(part.lower):
            raise Rejection("a split is of an input that there is not")
        if not part.lower[i] < point < part.upper[i]:
            raise Rejection("a point is not strictly inside the box of its part")
        return part.with_input(i, point, above=False), part.with_input(i, point, above=True)

    def _phase_halves(self, part: Part, layer: int, before: int) -> tuple[Part, Part]:
        """Return the parts of both phases of a ReLU, whose layer must be before another."""
        relu = (layer, self._arrays.integer("places"))
        if not 1 <= layer < before or relu not in self._problem.relus_up_to(layer):
            raise Rejection(f"a split is of neuron {relu[1]} of layer {layer}, where no ReLU may be split")
        if relu in part.phases:
            raise Rejection(f"neuron {relu[1]} of layer {layer} is split twice on a path")
        return part.with_phase(relu, False), part.with_phase(relu, True)

    def _read_bound(self, part: Part, previous_layer: int) -> tuple[Part, int]:
        """Read a bound; return the part over which it holds now, and its layer."""
        layer, j = self._arrays.integer("bound_layers"), self._arrays.integer("bound_neurons")
        kind, value = self._arrays.integer("bound_kinds"), self._arrays.number("bound_values")
        if not (1 <= layer <= self._problem.n_layers and (layer, j) in self._problem.relus_up_to(layer)):
            raise Rejection("a bound is of a ReLU that there is not")
        if layer < previous_layer:
            raise Rejection("the bounds of a node are not in the order of their layers")
        if kind not in (0, 1, 2, 3):
            raise Rejection(f"a bound is of kind {kind}")
        is_upper, has_tree = kind in (1, 3), kind >= 2
        sign = 1 if is_upper else -1
        function = pre_activation(self._problem, (layer, j), sign)
        if has_tree:
            self._read_bound_node(part, (layer, j), function, sign * value)
        else:
            self._show_bound(part, function, given_choices(self._problem, part, layer - 1), sign * value)
        return part.with_bound((layer, j), value, is_upper), layer

    def _read_bound_node(self, part: Part, neuron: Neuron, function: Linear, most: Fraction) -> None:
        """Read a node of a bound's tree, over whose leaves the function must not exceed `most`."""
        split = self._arrays.integer("splits")
        if split == LEAF:
            self._show_bound(part, function, self._read_choices(part, function.layer), most)
            return
        for half in self._phase_halves(part, split, before=neuron[0]):
            self._read_bound_node(half, neuron, function, most)

    def _show_bound(self, part: Part, function: Linear, choices: Choices, most: Fraction) -> None:
        if self._show(part, function, choices) > most:
            raise Rejection("a bound is not shown")

    def _read_closing(self, part: Part) -> int:
        """Read a closing; return the disjunct that it closes."""
        number, disjuncts = self._arrays.integer("closing_disjuncts"), self._problem.disjuncts
        if not 0 <= number < len(disjuncts):
            raise Rejection("a closing is of a disjunct that there is not")
        disjunct, weights = disjuncts[number], [Fraction(1)]
        if len(disjunct) > 1:
            weights = [self._arrays.not_negative("weights") for _ in disjunct]
        if sum(weights) != 1:
            raise Rejection("the weights of a closing do not sum to 1")
        function = weighted_atoms(self._problem, disjunct, weights)
        bound = self._show(part, function, self._read_choices(part, function.layer))
        if self._upper is not None:
            closes = bound <= self._upper
        else:
            strict = any(atom.strict and weight > 0 for atom, weight in zip(disjunct, weights, strict=True))
            closes = bound < 0 or (bound == 0 and strict)
        if not closes:
            raise Rejection("a closing does not close its disjunct")
        return number

    def _read_choices(self, part: Part, k: int) -> Choices:
        slopes = {relu: self._arrays.slope() for relu in unstable_relus(self._problem, part, k)}
        multipliers = {relu: self._arrays.not_negative("multipliers") for relu in fixed_relus(part, k)}
        of_constraints = [self._arrays.number("constraint_multipliers") for _ in self._problem.constraints]
        return Choices(slopes, multipliers, of_constraints)

    def _show(self, part: Part, function: Linear, choices: Choices) -> Fraction:
        bound = bound_of(self._problem, part, function, choices)
        self.shown.append(Shown(part, function, bound))
        return bound
