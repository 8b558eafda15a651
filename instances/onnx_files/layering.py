"""Layers of the blocks of a graph: each as early as its inputs allow, what later layers read carried on.

Level k holds the blocks whose inputs end at level k - 1, in the order in which they were made, and then those numbers
of earlier blocks that a later level reads. A chain of blocks comes out as the same chain of layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, Matrix, everywhere, nowhere
from vnnbench.instances.onnx_files.values import MAX_NEURONS, Block, Blocks, IndexArray, Value, WeightCount

MAX_LAYERS = 10_000


def layered(blocks: Blocks, output: Value) -> LayeredNetwork:
    """Return the network whose outputs are this value. Raises `NetworkError` where it holds too much."""
    last = len(blocks.blocks)
    every = [*blocks.blocks, Block(output.n, output, relu=False)]
    levels = _levels(every, last)
    n_layers = levels[last]
    if n_layers > MAX_LAYERS:
        raise NetworkError(f"has more than {MAX_LAYERS} layers, the most that is read")
    carried = _carried(every, levels)
    by_level: dict[int, list[int]] = {}
    for block, level in sorted(levels.items()):
        by_level.setdefault(level, []).append(block)
    state = _State({0: np.arange(every[0].n)})
    layers: list[Layer] = []
    weights = WeightCount()
    for k in range(1, n_layers + 1):
        own, kept = by_level[k], carried.get(k, {})
        layers.append(_layer(every, own, kept, state))
        weights.add(layers[-1].W)
        _check_finite(layers[-1])
        state = _State({block: np.arange(every[block].n) for block in own} | kept)
    return LayeredNetwork(tuple(layers))


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The numbers that a level holds: some of each block, one block behind the other."""

    numbers: dict[int, IndexArray]

    @property
    def n(self) -> int:
        return sum(map(len, self.numbers.values()))

    def start(self, block: int) -> int:
        """Return where the block's numbers begin."""
        before = 0
        for other, numbers in self.numbers.items():
            if other == block:
                return before
            before += len(numbers)
        raise KeyError(block)


def _levels(blocks: list[Block], last: int) -> dict[int, int]:
    """Return the level of every block that the last one needs, the input at 0."""
    needed, waiting = {last}, [last]
    while waiting:
        value = blocks[waiting.pop()].value
        for block in value.terms if value else ():
            if block not in needed:
                needed.add(block)
                waiting.append(block)
    levels = {0: 0}
    for block in sorted(needed - {0}):  # a block comes after those that it reads
        value = blocks[block].value
        levels[block] = 1 + max((levels[other] for other in value.terms), default=0) if value else 0
    return levels


def _carried(blocks: list[Block], levels: dict[int, int]) -> dict[int, dict[int, IndexArray]]:
    """Return, by level and block, which numbers of an earlier block a later level than the next reads, ascending."""
    read: dict[int, dict[int, np.ndarray]] = {}  # by block, by reader's level: which numbers
    for reader, level in levels.items():
        value = blocks[reader].value
        for block, W in value.terms.items() if value else ():
            if level > levels[block] + 1:
                used = np.asarray((W != 0).sum(axis=0)).ravel() > 0
                by_level = read.setdefault(block, {})
                by_level[level] = used | by_level.get(level, np.zeros(blocks[block].n, dtype=bool))
    carried: dict[int, dict[int, IndexArray]] = {}
    n_carried = 0
    for block in sorted(read):
        for k in range(levels[block] + 1, max(read[block])):
            used = np.logical_or.reduce([mask for level, mask in read[block].items() if level > k])
            if used.any():
                carried.setdefault(k, {})[block] = np.flatnonzero(used)
                n_carried += int(used.sum())
            if n_carried > MAX_NEURONS:
                raise NetworkError(
                    f"carries more than {MAX_NEURONS} numbers from layer to layer, the most that is read"
                )
    return carried


def _layer(blocks: list[Block], own: list[int], carried: dict[int, IndexArray], state: _State) -> Layer:
    """Return the layer of a level: its own blocks, then what it carries on. state: the level before."""
    if len(own) == 1 and not carried and (only := _alone(blocks[own[0]], state)) is not None:
        return only
    from scipy.sparse import csr_array, vstack

    parts, b, divisors, relus = [], [], [], []
    for block in own:
        value, relu = blocks[block].value, blocks[block].relu
        assert value is not None  # noqa: S101 - only the input has none
        parts.append(_placed(value, state))
        b.append(value.b)
        divisors.append(np.ones(value.n) if value.divisor is None else value.divisor)
        relus.append(everywhere(value.n) if relu else nowhere(value.n))
    for block, numbers in carried.items():
        places = state.start(block) + np.searchsorted(state.numbers[block], numbers)
        n = len(numbers)
        parts.append(csr_array((np.ones(n), places, np.arange(n + 1)), shape=(n, state.n)))
        b.append(np.zeros(n))
        divisors.append(np.ones(n))
        relus.append(nowhere(n))
    divisor = np.concatenate(divisors)
    W = csr_array(vstack(parts, format="csr"))
    return Layer(W, np.concatenate(b), np.concatenate(relus), None if (divisor == 1).all() else divisor)


def _check_finite(layer: Layer) -> None:
    W = layer.W if isinstance(layer.W, np.ndarray) else layer.W.data
    if not (np.isfinite(W).all() and np.isfinite(layer.b).all()):
        raise NetworkError("computes with weights that are not finite; train the network again")


def _alone(block: Block, state: _State) -> Layer | None:
    """Return the layer of one block that reads exactly one whole block; None for another one."""
    value = block.value
    assert value is not None  # noqa: S101 - only the input has none
    if len(value.terms) != 1 or list(value.terms) != list(state.numbers):
        return None
    ((_, W),) = value.terms.items()
    if W.shape[1] != state.n:
        return None
    return Layer(W, value.b, everywhere(value.n) if block.relu else nowhere(value.n), value.divisor)


def _placed(value: Value, state: _State) -> Matrix:
    """Return the sparse map of a value from all numbers of the level before."""
    from scipy.sparse import coo_array, csr_array

    rows, columns, data = [], [], []
    for block, W in value.terms.items():
        entries = csr_array(W).tocoo()
        nonzero = entries.data != 0
        if not nonzero.any():  # such a block is not carried on
            continue
        rows.append(entries.row[nonzero])
        columns.append(state.start(block) + np.searchsorted(state.numbers[block], entries.col[nonzero]))
        data.append(entries.data[nonzero])
    if not rows:
        return csr_array((value.n, state.n), dtype=np.float64)
    places = (np.concatenate(rows), np.concatenate(columns))
    placed = csr_array(coo_array((np.concatenate(data), places), shape=(value.n, state.n)))
    placed.sort_indices()
    return placed
