"""The main tree of a proof while it grows: numbers in lists, from which its nodes are made at the end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.writing import Closing, Node, ProvenBound, Split

ROOT = 0
_NONE = -1


class GrowingTree:
    """Nodes by number, the root first; the children of a split are numbered one after the other, z <= 0 first."""

    def __init__(self) -> None:
        self._neuron, self._first_child = [_NONE], [_NONE]
        self._closings: dict[int, list[Closing]] = {}

    def split(self, node: int, neuron: int) -> int:
        """Split a node at a ReLU, and return its first child."""
        first = self.n_nodes
        self._neuron[node], self._first_child[node] = neuron, first
        self._neuron += (_NONE, _NONE)
        self._first_child += (_NONE, _NONE)
        return first

    @property
    def n_nodes(self) -> int:
        return len(self._neuron)

    def cut(self, n_nodes: int) -> None:
        """Go back to the first nodes: of the others all is forgotten."""
        for numbers in (self._neuron, self._first_child):
            del numbers[n_nodes:]
        self._first_child = [child if child < n_nodes else _NONE for child in self._first_child]
        self._closings = {node: closings for node, closings in self._closings.items() if node < n_nodes}

    def close(self, node: int, closing: Closing) -> None:
        self._closings.setdefault(node, []).append(closing)

    def closings(self, node: int) -> list[Closing]:
        return self._closings.get(node, [])

    def nodes(self, chain: Chain, bounds: Sequence[ProvenBound]) -> Node:
        """Return the tree as a proof holds it, with these bounds at its root."""
        nodes = [Node(closings=self.closings(number)) for number in range(self.n_nodes)]
        for node, neuron, first in zip(nodes, self._neuron, self._first_child, strict=True):
            if first != _NONE:
                node.split = split_of(chain, neuron)
                node.children = nodes[first], nodes[first + 1]
        nodes[ROOT].bounds = list(bounds)
        return nodes[ROOT]


def split_of(chain: Chain, neuron: int) -> Split:
    """Return the split of a neuron, as a proof names it."""
    layer = bisect_right(chain.starts, neuron)
    return Split(layer, neuron - chain.starts[layer - 1])
