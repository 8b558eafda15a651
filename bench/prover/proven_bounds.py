"""Proven bounds of all pre-activations over a part of the set, each by the best of two passes.

A bound is that of a pass without choices, or of a tree of its own: the leaf with the largest bound is split, again and
again. That narrows a bound more than as many splits of all leaves alike: on a 4x64 network of MNIST, 15 splits of each
bound take as long as three full levels, and leave less than half of the main tree's leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.reading import Bounds, Fixed, OfNeurons
from vnnbench.instances.proofs.writing import ProvenBound, ReluTree
from vnnbench.prover.growing_tree import split_of
from vnnbench.prover.relaxed import RelaxedNetwork
from vnnbench.prover.sound import SoundBounds, choices_of
from vnnbench.prover.steps import AT_FIRST, OF_CASE, descend

_RATIO, _MOST_POWERS = 3.0, 3.0
"""How many times the splits of the next layer's bounds each layer's have, since errors of early layers grow from layer
to layer; and up to which power of that they are more or fewer than the mean."""
_NUMBERS_AT_A_TIME = 1 << 23
"""The choices of all leaves that are in memory together: some 80 MB."""


def prove_bounds(
    sound: SoundBounds, network: RelaxedNetwork, splits: int | None, is_over: Callable[[], bool]
) -> list[ProvenBound]:
    """Narrow the bounds of all ReLUs in `sound`, and return what a proof records of them, in the order of the file.

    splits: of each bound's tree, in the geometric mean of layers; None: without trees. Once `is_over()` is true, trees
    do not grow. Bounds are float32 numbers, as in the file. A ReLU that is stable has only the bound that shows it.
    """
    chain, bounds = sound.chain, sound.bounds
    of_layer = {} if splits is None else _by_layer(chain, splits)
    proven: list[ProvenBound] = []
    for k, layer in enumerate(chain.layers, 1):
        start, end = chain.starts[k - 1], chain.starts[k]
        neurons = np.flatnonzero(bounds.unstable(chain.relu[:end])[start:])
        functions = _functions(k, neurons)
        values = sound.of([sound.default_pass(functions)])
        if layer.divisor is None:  # a neuron without weights has exactly its bias
            values = np.where(np.tile(layer.has_weights()[neurons], 2), values, _signed(layer.b[neurons]))
        before = np.concatenate([bounds.upper[start + neurons], -bounds.lower[start + neurons]])
        values = np.minimum(_outwards(values), before)
        trees: dict[int, ReluTree] = {}
        if k in of_layer and bounds.unstable(chain.relu[:start]).any():
            above = network.without_off(bounds, k - 1)
            for rows in _undecided(values, _NUMBERS_AT_A_TIME // ((of_layer[k] + 1) * above.starts[k - 1])):
                forest = _Forest(above, sound, functions.rows(np.array(rows)), of_layer[k])
                forest.grow(is_over)
                for row, (value, tree) in zip(rows, forest.proven(chain), strict=True):
                    narrowed = float(_outwards(np.array([value]))[0])
                    if narrowed < values[row]:
                        values[row], trees[row] = narrowed, tree
        proven += _recorded(functions, values, before, trees, bounds, start)
    return proven


def _by_layer(chain: Chain, splits: int) -> dict[int, int]:
    """Return the splits of each layer that has trees; `splits` is their geometric mean."""
    layers = [k for k, layer in enumerate(chain.layers, 1) if k > 1 and layer.relu.any()]
    powers = np.clip((len(layers) - 1) / 2 - np.arange(len(layers)), -_MOST_POWERS, _MOST_POWERS)
    return dict(zip(layers, np.rint(splits * _RATIO**powers).astype(int).tolist(), strict=True))


def _functions(layer: int, neurons: npt.NDArray[np.intp]) -> OfNeurons:
    """Return the functions z_j of all neurons, then -z_j."""
    return OfNeurons(layer, np.tile(neurons, 2), np.repeat([1, -1], len(neurons)))


def _undecided(values: Float64Array, most: int) -> Iterator[list[int]]:
    """Yield the rows of neurons that are not stable, of z_j and of -z_j, some at a time."""
    of_neurons = np.flatnonzero((values.reshape(2, -1) > 0).all(axis=0))
    rows = np.concatenate([of_neurons, of_neurons + len(values) // 2]).tolist()
    for start in range(0, len(rows), max(1, most)):
        yield rows[start : start + max(1, most)]


def _signed(z: Float64Array) -> Float64Array:
    """Return the values of z_j, then of -z_j."""
    return np.concatenate([z, -z])


def _outwards(values: Float64Array) -> Float64Array:
    """Return the least float32 numbers that are not below the values."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    return np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded).astype(np.float64)


def _recorded(
    functions: OfNeurons,
    values: Float64Array,
    before: Float64Array,
    trees: dict[int, ReluTree],
    bounds: Bounds,
    start: int,
) -> list[ProvenBound]:
    """Take the bounds of one layer, of z_j and then of -z_j, into `bounds`, and return those that a proof needs."""
    upper, lower = values.reshape(2, -1)
    recorded = []
    numbers = zip(functions.neurons.tolist(), functions.signs.tolist(), values.tolist(), strict=True)
    for row, (neuron, sign, value) in enumerate(numbers):
        other = (lower if sign > 0 else upper)[row % len(upper)]
        if other <= 0 < value or value == before[row] < np.inf:  # the other bound decides the phase, or it is known
            continue
        if not np.isfinite(value):
            raise NetworkError(f"layer {functions.layer}: the weights are too large; its bounds exceed float32")
        recorded.append(ProvenBound(functions.layer, neuron, sign > 0, sign * value, trees.get(row)))
        (bounds.upper if sign > 0 else bounds.lower)[start + neuron] = sign * value
    return recorded


class _Forest:
    """The trees of m functions of one layer, which grow side by side.

    cases: at most `most` leaves of each, in arrays (m, most, ..); a leaf that does not exist has the bound -inf.
    """

    def __init__(self, network: RelaxedNetwork, sound: SoundBounds, of: OfNeurons, splits: int) -> None:
        self._network, self._sound, self._of = network, sound, of
        self._functions, self._lines = network.functions(of), network.lines(sound.bounds, of.layer - 1)
        undivided = sound.undivided(len(of), network.neurons[: network.starts[of.layer - 1]])
        whole, _ = descend(network, self._functions, self._lines, undivided, AT_FIRST)
        self._n_splits, self._leaves = splits, whole.in_arrays(splits + 1)
        self._fixed: list[list[Fixed]] = [[Fixed()] for _ in range(len(of))]
        self._splits: list[list[tuple[int, int]]] = [[] for _ in range(len(of))]

    def grow(self, is_over: Callable[[], bool]) -> None:
        """Split leaves until every tree has its splits, needs no more, or `is_over()`."""
        for _ in range(self._n_splits):
            if is_over() or not self._split_worst():
                break

    def _split_worst(self) -> bool:
        """Split the leaf with the largest bound in each tree, unless the function's sign is decided; return whether
        there was one."""
        leaf = self._leaves.value.argmax(axis=1)
        rows = np.arange(len(leaf))
        is_open = (self._leaves.value[rows, leaf] > 0) & (self._leaves.split[rows, leaf] >= 0)
        rows, leaf = rows[is_open], leaf[is_open]
        if not len(rows):
            return False
        parents = self._leaves.rows((rows, leaf))
        children, _ = descend(
            self._network,
            self._functions.rows(np.repeat(rows, 2)),
            self._lines,
            parents.children(),
            OF_CASE,
        )
        new = np.array([len(self._fixed[row]) for row in rows.tolist()])
        self._leaves.put((rows, leaf), children.rows(slice(0, None, 2)))
        self._leaves.put((rows, new), children.rows(slice(1, None, 2)))
        neurons = self._network.neurons[parents.split].tolist()
        for row, split, neuron in zip(rows.tolist(), leaf.tolist(), neurons, strict=True):
            self._fixed[row][split], on = self._fixed[row][split].both(neuron)
            self._fixed[row].append(on)
            self._splits[row].append((split, neuron))
        return True

    def proven(self, chain: Chain) -> Iterator[tuple[float, ReluTree]]:
        """Yield the bound that each tree shows, and the tree."""
        passes = [
            one
            for row, fixed in enumerate(self._fixed)
            for one in self._sound.passes(
                [self._of.rows(np.array([row]))] * len(fixed),
                fixed,
                self._network.at_all(self._leaves.choice[row, : len(fixed)]),
            )
        ]
        values = iter(self._sound.of(passes).tolist())
        of_leaf = iter(passes)
        for leaves, splits in zip(self._fixed, self._splits, strict=True):
            value = max(next(values) for _ in leaves)
            trees = [ReluTree(choices_of(next(of_leaf))) for _ in leaves]
            for leaf, neuron in reversed(splits):  # each made the last leaf that is left
                new = trees.pop()
                trees[leaf] = ReluTree(split=split_of(chain, neuron), children=(trees[leaf], new))
            yield value, trees[0]
