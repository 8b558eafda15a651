"""Reading the tree of a proof: from its arrays to the passes that must hold.

A pass bounds functions over one part of the set (`Pass`). Reading checks everything else: that the arrays are used
up exactly, that splits are of inputs and ReLUs that can be split, that a ReLU has bounds where a pass needs them, and
that at every leaf some clause has all its disjuncts closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.errors import ProofError
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.proof_file import INPUT, LEAF, SLOPE_UNIT, TREE_TYPES, UPPER_BOUND, WITH_TREE, Tree
from vnnbench.instances.proofs.question import Part, Question

_MOST_SLOPE = round(1 / SLOPE_UNIT)
_MOST_HELD = 1 << 26
"""The most numbers that the nodes of a path may hold: half a gibibyte, and 28,000 splits of an image's inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """The bounds of all pre-activations over a part, lower and upper (N,) float64, infinite where there is none."""

    lower: Float64Array
    upper: Float64Array

    def copy(self) -> Bounds:
        return Bounds(self.lower.copy(), self.upper.copy())

    def unstable(self, relu: BoolArray) -> BoolArray:
        """Return which of the first n neurons, of those with a ReLU, relu (n,), have bounds of either sign."""
        n = len(relu)
        return (self.lower[:n] < 0) & (self.upper[:n] > 0) & relu


def _longer(array: npt.NDArray[Any], last: int | bool) -> npt.NDArray[Any]:
    """Return the array with one more number; `np.append` takes four times as long."""
    longer = np.empty(len(array) + 1, dtype=array.dtype)
    longer[:-1], longer[-1] = array, last
    return longer


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """The phases that a path fixes, in its order: neurons (d,) and whether z >= 0, (d,)."""

    neurons: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    on: BoolArray = field(default_factory=lambda: np.empty(0, dtype=bool))

    def both(self, neuron: int) -> tuple[Fixed, Fixed]:
        """Return these phases and z <= 0 of another neuron, and these and z >= 0."""
        neurons = _longer(self.neurons, neuron)
        return Fixed(neurons, _longer(self.on, False)), Fixed(neurons, _longer(self.on, True))


@dataclass(frozen=True, slots=True, eq=False)
class OfNeurons:
    """The functions z_j for f neurons j of a layer, or -z_j where the sign is -1; layers count from 1.

    neurons, signs: (f,).
    """

    layer: int
    neurons: npt.NDArray[np.int64]
    signs: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.neurons)

    def rows(self, rows: npt.NDArray[np.bool_ | np.intp] | slice) -> OfNeurons:
        """Return some of the functions."""
        return OfNeurons(self.layer, self.neurons[rows], self.signs[rows])

    def name(self, row: int) -> str:
        end = "upper" if self.signs[row] > 0 else "lower"
        return f"the {end} bound of neuron {self.neurons[row]} in layer {self.layer}"


@dataclass(frozen=True, slots=True, eq=False)
class OfDisjunct:
    """The mean of a disjunct's atoms with these weights: one function."""

    disjunct: int
    weights: list[Fraction]

    def __len__(self) -> int:
        return 1

    def rows(self, rows: npt.NDArray[np.bool_ | np.intp] | slice) -> OfDisjunct:
        """Return the function."""
        return self

    def name(self, row: int) -> str:
        return f"a closing of disjunct {self.disjunct}"


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """A pass: functions, the part, bounds and phases over which they are bounded, the choices, and what must hold.

    depth: the number of layers that it goes through. bounds: only those of these layers count, which do not change
    any more. fixed: the phases of ReLUs in these layers. unstable (n,): which of their n neurons have a slope. slopes:
    of these, in units of `SLOPE_UNIT`. multipliers: of fixed. limits (f,): what each function's bound must not exceed;
    or_equal: whether it may be equal.
    """

    function: OfNeurons | OfDisjunct
    depth: int
    part: Part
    bounds: Bounds
    fixed: Fixed
    unstable: BoolArray
    slopes: npt.NDArray[np.uint8]
    multipliers: npt.NDArray[np.float32]
    constraint_multipliers: npt.NDArray[np.float32]
    limits: Float64Array
    or_equal: bool

    def rows(self, rows: slice) -> Pass:
        """Return the pass of some of the functions."""
        return replace(self, function=self.function.rows(rows), limits=self.limits[rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """What is known when a node is read: its part, its bounds, its phases, and the disjuncts closed above it.

    held: how many numbers the nodes of its path have for themselves, which their other children wait for.
    """

    part: Part
    bounds: Bounds
    fixed: Fixed
    closed: frozenset[int]
    held: int = 0

    def with_part(self, part: Part) -> _Node:
        return _Node(part, self.bounds, self.fixed, self.closed, self._holding(3 * len(part.lower)))

    def with_bounds(self, bounds: Bounds) -> _Node:
        return _Node(self.part, bounds, self.fixed, self.closed, self._holding(2 * len(bounds.lower)))

    def with_fixed(self, fixed: Fixed) -> _Node:
        return _Node(self.part, self.bounds, fixed, self.closed, self._holding(2 * len(fixed.neurons)))

    def with_closed(self, closed: frozenset[int]) -> _Node:
        return _Node(self.part, self.bounds, self.fixed, closed, self._holding(8 * len(closed)))

    def _holding(self, more: int) -> int:
        if self.held + more > _MOST_HELD:
            raise ProofError(f"a path is too deep: its nodes hold more than {_MOST_HELD} numbers")
        return self.held + more


class TreeReader:
    """The reader of one tree. root: the bounds over the whole set that are read so far."""

    def __init__(self, tree: Tree, question: Question, chain: Chain) -> None:
        n = len(chain.relu)
        self.root = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
        self.n_leaves = self.n_bounds = 0
        self._question, self._chain = question, chain
        self._arrays = _Arrays(tree)
        self._within_bounds: tuple[Bounds, int, BoolArray, npt.NDArray[np.intp]] | None = None
        if (tree.slopes > _MOST_SLOPE).any() or (tree.multipliers < 0).any():
            raise ProofError(f"a slope exceeds {_MOST_SLOPE}, or a multiplier is negative")

    def passes(self) -> Iterator[Pass]:
        """Yield all passes of the tree; the proof holds if every one does. Raises `ProofError`: it does not."""
        root = _Node(self._question.whole, self.root, Fixed(), frozenset())
        waiting = [root]
        while waiting:
            node = waiting.pop()
            n_bounds, n_closings = self._arrays.count("node_bounds"), self._arrays.count("node_closings")
            if node.part.is_empty and (n_bounds or n_closings):
                raise ProofError("a node whose part is empty has bounds or closings")
            if n_bounds and node is not root:
                node = node.with_bounds(node.bounds.copy())
            if n_bounds:
                yield from self._table(node, n_bounds)
            closed = set()
            for _ in range(n_closings):
                disjunct, closing = self._closing(node)
                closed.add(disjunct)
                yield closing
            if closed:
                node = node.with_closed(node.closed | closed)
            waiting.extend(reversed(self._children(node)))
        self._arrays.check_used_up()

    def _children(self, node: _Node) -> list[_Node]:
        """Return the children that the node's split makes; none at a leaf, where all must be shown."""
        layer = self._arrays.next("splits")
        if layer == LEAF:
            self.n_leaves += 1
            if not (node.part.is_empty or self._question.is_shown(node.closed)):
                raise ProofError("at a leaf, no clause has all its disjuncts closed")
            return []
        if node.part.is_empty:
            raise ProofError("a node whose part is empty is split")
        if layer != INPUT:
            return [node.with_fixed(fixed) for fixed in self._cases(node.fixed, layer, len(self._chain.layers))]
        i = self._arrays.next("places")
        if not 0 <= i < self._chain.n_inputs:
            raise ProofError(f"splits input {i}; the network has {self._chain.n_inputs}")
        point = float(self._arrays.take("points", 1)[0])
        return [node.with_part(part) for part in node.part.split(i, point)]

    def _cases(self, fixed: Fixed, layer: int, depth: int) -> tuple[Fixed, Fixed]:
        """Return the phases in both cases of a ReLU, which is in one of the first `depth` layers."""
        neuron = self._neuron(layer, self._arrays.next("places"), depth)
        if neuron in fixed.neurons:
            raise ProofError(f"splits a ReLU of layer {layer} that is split above")
        return fixed.both(neuron)

    def _neuron(self, layer: int, place: int, depth: int) -> int:
        """Return the number of a neuron, which must have a ReLU and be in one of the first `depth` layers."""
        if not 1 <= layer <= depth:
            raise ProofError(f"names layer {layer} where only layers 1 to {depth} can be meant")
        n = self._chain.layers[layer - 1].n_outputs
        if not 0 <= place < n or not self._chain.layers[layer - 1].relu[place]:
            raise ProofError(f"names neuron {place} of layer {layer}, where there is no ReLU")
        return int(self._chain.starts[layer - 1]) + place

    def _table(self, node: _Node, n: int) -> Iterator[Pass]:
        """Yield the passes of a node's n bounds, and take these into its bounds, layer by layer."""
        layers, places, kinds, values = (
            self._arrays.take(f"bound_{what}", n) for what in ("layers", "neurons", "kinds", "values")
        )
        self.n_bounds += n
        if (kinds > UPPER_BOUND | WITH_TREE).any():
            raise ProofError(f"a bound is of kind {kinds.max()}; kinds are 0 to {UPPER_BOUND | WITH_TREE}")
        for after in np.flatnonzero(layers[1:] < layers[:-1])[:1]:
            raise ProofError(f"a bound of layer {layers[after + 1]} comes after one of layer {layers[after]}")
        signs = np.where(kinds & UPPER_BOUND, 1, -1)
        ends = [*np.flatnonzero(layers[1:] != layers[:-1]) + 1, n] if n else []
        for start, end in zip([0, *ends], ends, strict=False):
            inside = slice(start, end)
            neurons = [
                self._neuron(int(layers[start]), place, len(self._chain.layers)) for place in places[inside].tolist()
            ]
            of_layer = OfNeurons(int(layers[start]), places[inside].astype(np.int64), signs[inside])
            limits = (signs * values.astype(np.float64))[inside]
            has_tree = (kinds[inside] & WITH_TREE).astype(bool)
            if not has_tree.all():
                yield self._default_pass(node, of_layer.rows(~has_tree), limits[~has_tree])
            for row in np.flatnonzero(has_tree):
                yield from self._leaves(node, of_layer.rows(np.array([row])), limits[[row]])
            for neuron, sign, limit in zip(neurons, of_layer.signs.tolist(), limits.tolist(), strict=True):
                if sign > 0:
                    node.bounds.upper[neuron] = min(node.bounds.upper[neuron], limit)
                else:
                    node.bounds.lower[neuron] = max(node.bounds.lower[neuron], -limit)

    def _leaves(self, node: _Node, function: OfNeurons, limits: Float64Array) -> Iterator[Pass]:
        """Yield the passes of the leaves of one bound's tree."""
        waiting = [node.fixed]
        while waiting:
            fixed = waiting.pop()
            split = self._arrays.next("splits")
            if split == LEAF:
                yield self._pass(node, fixed, function, function.layer - 1, limits, True)
            else:
                waiting.extend(reversed(self._cases(fixed, split, function.layer - 1)))

    def _closing(self, node: _Node) -> tuple[int, Pass]:
        """Return the disjunct of one closing, and its pass."""
        disjunct = self._arrays.next("closing_disjuncts")
        if not 0 <= disjunct < len(self._question.disjuncts):
            raise ProofError(f"closes disjunct {disjunct} of {len(self._question.disjuncts)}")
        weights = [Fraction(1)]
        if (n_atoms := len(self._question.disjuncts[disjunct])) > 1:
            weights = [Fraction(weight) for weight in self._arrays.take("weights", n_atoms).tolist()]
            if min(weights) < 0 or sum(weights) != 1:
                raise ProofError(f"the weights of the atoms of disjunct {disjunct} are negative or do not sum to 1")
        limit, or_equal = self._question.limit(disjunct, weights)
        function, depth = OfDisjunct(disjunct, weights), len(self._chain.layers)
        return disjunct, self._pass(node, node.fixed, function, depth, np.array([limit]), or_equal)

    def _pass(
        self,
        node: _Node,
        fixed: Fixed,
        function: OfNeurons | OfDisjunct,
        depth: int,
        limits: Float64Array,
        or_equal: bool,
    ) -> Pass:
        """Return a pass with the choices that come next."""
        fixed, unstable = self._within(node, fixed, depth)
        slopes = self._arrays.take("slopes", int(np.count_nonzero(unstable)))
        multipliers = self._arrays.take("multipliers", len(fixed.neurons))
        of_constraints = self._arrays.take("constraint_multipliers", len(self._question.constraints))
        for constraint, multiplier in zip(self._question.constraints, of_constraints.tolist(), strict=True):
            if (multiplier > 0 and constraint.upper is None) or (multiplier < 0 and constraint.lower is None):
                raise ProofError(f"a multiplier is for an end that the constraint {constraint} does not have")
        choices = slopes, multipliers, of_constraints
        return Pass(function, depth, node.part, node.bounds, fixed, unstable, *choices, limits, or_equal)

    def _default_pass(self, node: _Node, function: OfNeurons, limits: Float64Array) -> Pass:
        """Return a pass without choices of its own."""
        depth = function.layer - 1
        fixed, unstable = self._within(node, node.fixed, depth)
        lower, upper = node.bounds.lower[: len(unstable)][unstable], node.bounds.upper[: len(unstable)][unstable]
        slopes = np.where(upper > -lower, _MOST_SLOPE, 0).astype(np.uint8)
        zeros = np.zeros(len(fixed.neurons), np.float32), np.zeros(len(self._question.constraints), np.float32)
        return Pass(function, depth, node.part, node.bounds, fixed, unstable, slopes, *zeros, limits, True)

    def _within(self, node: _Node, fixed: Fixed, depth: int) -> tuple[Fixed, BoolArray]:
        """Return the phases in the first `depth` layers, and which of their neurons are unstable."""
        if depth < len(self._chain.layers):
            inside = fixed.neurons < self._chain.starts[depth]
            fixed = Fixed(fixed.neurons[inside], fixed.on[inside])
        unstable, unbounded = self._unstable(node.bounds, depth)
        unstable = unstable.copy()
        unstable[fixed.neurons] = False
        if len(unbounded) and unstable[unbounded].any():
            raise ProofError("a pass goes through a ReLU that has no bounds")
        return fixed, unstable

    def _unstable(self, bounds: Bounds, depth: int) -> tuple[BoolArray, npt.NDArray[np.intp]]:
        """Return which neurons of the first `depth` layers have bounds of either sign, and those of them without one of
        both.

        They are remembered for the next pass: the bounds of these layers do not change any more.
        """
        last = self._within_bounds
        if last is None or last[0] is not bounds or last[1] != depth:
            unstable = bounds.unstable(self._chain.relu[: self._chain.starts[depth]])
            bounded = np.isfinite(bounds.lower[: len(unstable)]) & np.isfinite(bounds.upper[: len(unstable)])
            last = self._within_bounds = bounds, depth, unstable, np.flatnonzero(unstable & ~bounded)
        return last[2:]


class _Arrays:
    """The arrays of a tree, each read from its start to its end."""

    def __init__(self, tree: Tree) -> None:
        self._arrays = {name: getattr(tree, name) for name in TREE_TYPES}
        self._places = dict.fromkeys(TREE_TYPES, 0)

    def take(self, name: str, n: int) -> npt.NDArray[Any]:
        """Return the next n numbers of an array. Raises `ProofError` if there are fewer."""
        start = self._places[name]
        array: npt.NDArray[Any] = self._arrays[name][start : start + n]
        if len(array) < n:
            raise ProofError(f"{name} ends before the tree does")
        self._places[name] = start + n
        return array

    def next(self, name: str) -> int:
        """Return the next number of an array of integers."""
        array, place = self._arrays[name], self._places[name]
        if place >= len(array):
            raise ProofError(f"{name} ends before the tree does")
        self._places[name] = place + 1
        return int(array[place])

    def count(self, name: str) -> int:
        """Return the next number of an array, which is a number of things."""
        n = self.next(name)
        if n < 0:
            raise ProofError(f"{name} holds a negative number")
        return n

    def check_used_up(self) -> None:
        """Raise `ProofError` if an array has numbers that the tree does not use."""
        for name, array in self._arrays.items():
            if self._places[name] != len(array):
                raise ProofError(f"{name} goes on where the tree ends")
