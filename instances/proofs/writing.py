"""Writing the tree of a proof: from nodes to the arrays that `reading` reads.

A prover makes the nodes and knows that they prove something; here they are only put in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vnnbench.instances.proofs.proof_file import INPUT, LEAF, TREE_TYPES, UPPER_BOUND, WITH_TREE, Tree

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """The choices of one pass, as the file holds them.

    slopes: of the unstable ReLUs that it goes through. multipliers: of the fixed ones, in the order of the path.
    constraint_multipliers: of the set's constraints.
    """

    slopes: npt.NDArray[np.uint8]
    multipliers: npt.NDArray[np.float32]
    constraint_multipliers: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Split:
    """A split of the ReLU `place` in a layer, counted from 1, or of the input `place` at a point, if the layer is
    `INPUT`."""

    layer: int
    place: int
    point: float | None = None


@dataclass(frozen=True, slots=True)
class ReluTree:
    """The tree of a bound: a leaf with its choices, or a split with the trees of both cases."""

    choices: Choices | None = None
    split: Split | None = None
    children: tuple[ReluTree, ReluTree] | None = None


@dataclass(frozen=True, slots=True)
class ProvenBound:
    """A bound of a pre-activation, and its tree; None: the pass without choices of its own shows it."""

    layer: int
    neuron: int
    is_upper: bool
    value: float
    tree: ReluTree | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """A closing of a disjunct; weights: of its atoms, empty if there is one only."""

    disjunct: int
    choices: Choices
    weights: tuple[float, ...] = ()


@dataclass(slots=True)
class Node:
    """A node of the main tree, which a prover completes as it goes. The cases of a split are in the order of the file:
    z <= 0 or x_i <= point first."""

    bounds: list[ProvenBound] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    split: Split | None = None
    children: tuple[Node, Node] | None = None


def tree_of(root: Node) -> Tree:
    """Return the arrays of the tree below a node."""
    writer = _Writer()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        writer.add("node_bounds", len(node.bounds))
        writer.add("node_closings", len(node.closings))
        for bound in node.bounds:
            writer.add_bound(bound)
        for closing in node.closings:
            writer.add("closing_disjuncts", closing.disjunct)
            writer.extend("weights", closing.weights)
            writer.add_choices(closing.choices)
        waiting.extend(reversed(writer.add_split(node.split, node.children)))
    return writer.tree()


_OF_CHOICES = ("slopes", "multipliers", "constraint_multipliers")
"""The arrays to which every pass adds."""


class _Writer:
    """The arrays as far as they are written: parts of each, to be joined at the end."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[float]] = {name: [] for name in TREE_TYPES if name not in _OF_CHOICES}
        self._parts: dict[str, list[npt.NDArray[Any]]] = {name: [np.empty(0, TREE_TYPES[name])] for name in _OF_CHOICES}

    def add(self, name: str, number: float) -> None:
        self._numbers[name].append(number)

    def extend(self, name: str, numbers: Sequence[float]) -> None:
        self._numbers[name].extend(numbers)

    def add_choices(self, choices: Choices) -> None:
        for name, parts in self._parts.items():
            parts.append(getattr(choices, name))

    def add_split(self, split: Split | None, children: tuple[_T, _T] | None) -> Sequence[_T]:
        """Add the split of a node, and return its children."""
        if split is None or children is None:
            self.add("splits", LEAF)
            return ()
        self.add("splits", split.layer)
        self.add("places", split.place)
        if split.layer == INPUT and split.point is not None:
            self.add("points", split.point)
        return children

    def add_bound(self, bound: ProvenBound) -> None:
        self.add("bound_layers", bound.layer)
        self.add("bound_neurons", bound.neuron)
        self.add("bound_values", bound.value)
        self.add("bound_kinds", UPPER_BOUND * bound.is_upper + WITH_TREE * (bound.tree is not None))
        waiting = [] if bound.tree is None else [bound.tree]
        while waiting:
            tree = waiting.pop()
            waiting.extend(reversed(self.add_split(tree.split, tree.children)))
            if tree.choices is not None:
                self.add_choices(tree.choices)

    def tree(self) -> Tree:
        arrays = {name: np.array(numbers, dtype=TREE_TYPES[name]) for name, numbers in self._numbers.items()}
        return Tree(**arrays, **{name: np.concatenate(parts) for name, parts in self._parts.items()})
