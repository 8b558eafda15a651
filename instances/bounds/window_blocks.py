"""A sparse layer as dense blocks: products with a convolution at the speed of dense matrices.

The maps of a convolution read the same window at each place. So these rows of W are one dense matrix on a few inputs,
and W is the sum of such blocks and of a sparse rest, in which no window is shared by enough rows.

Dimensions: W (n_out, n_in) is the layer's; T (r, m) are the coefficients of r of its neurons in m functionals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LEAST_WEIGHTS = 128
"""The least weights of a block: fewer do not repay the calls."""
_LEAST_DENSITY = 0.5
"""The least share of weights in a block: below it the sparse product is faster."""

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Rows of W that are zero outside of `inputs`; weights (len(rows), len(inputs))."""

    rows: IndexArray
    inputs: IndexArray
    weights: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class WindowBlocks:
    """A sparse matrix W (n_out, n_in) in blocks, and the rows that are in none."""

    shape: tuple[int, int]
    blocks: tuple[_Block, ...]
    rest_rows: IndexArray
    rest: csr_array

    @classmethod
    def of(cls, W: csr_array) -> WindowBlocks:
        """Divide a matrix into blocks."""
        first, n_weights = first_inputs(W), np.diff(W.indptr)
        order = np.argsort(first, kind="stable")
        starts = np.flatnonzero(np.diff(first[order], prepend=-2))
        in_group = np.add.reduceat(n_weights[order], starts) if len(order) else n_weights
        blocks, rest = [], np.ones(W.shape[0], dtype=bool)
        for group in np.flatnonzero(in_group >= _LEAST_WEIGHTS).tolist():
            rows = order[starts[group] : starts[group + 1] if group + 1 < len(starts) else None]
            part = W[rows]
            inputs = np.unique(part.indices).astype(np.int64)
            if part.nnz >= _LEAST_DENSITY * len(rows) * len(inputs):
                blocks.append(_Block(rows, inputs, part[:, inputs].toarray()))
                rest[rows] = False
        rest_rows = np.flatnonzero(rest)
        return cls(W.shape, tuple(blocks), rest_rows, W[rest_rows])

    def through(self, T: Float64Array, neurons: IndexArray) -> tuple[Float64Array, IndexArray]:
        """Return the functionals of the layer's inputs, W[neurons]' T, and which inputs their rows are.

        neurons: (r,), the neurons that the functionals read. Inputs outside of their blocks are left out: no
        functional reads these.
        """
        place = np.full(self.shape[0], -1, dtype=np.int64)
        place[neurons] = np.arange(len(neurons))
        read = [(block, own) for block in self.blocks if ((own := place[block.rows]) >= 0).any()]
        rest = place[self.rest_rows]
        sparse = self.rest[rest >= 0]
        is_read = np.zeros(self.shape[1], dtype=bool)
        is_read[sparse.indices] = True
        for block, _ in read:
            is_read[block.inputs] = True
        inputs = np.flatnonzero(is_read)
        at = np.cumsum(is_read) - 1
        if sparse.nnz:
            sparse = type(sparse)((sparse.data, at[sparse.indices], sparse.indptr), (sparse.shape[0], len(inputs)))
            total = np.asarray(sparse.T @ T[rest[rest >= 0]])
        else:
            total = np.zeros((len(inputs), T.shape[1]))
        for block, own in read:
            total[at[block.inputs]] += block.weights[own >= 0].T @ T[own[own >= 0]]
        return total, inputs


def first_inputs(W: csr_array) -> IndexArray:
    """Return the first input that each row reads, -1 for a row without weights: rows of one window have the same."""
    first = np.full(W.shape[0], -1, dtype=np.int64)
    filled = np.flatnonzero(np.diff(W.indptr))
    if len(filled):
        first[filled] = np.minimum.reduceat(W.indices, W.indptr[filled])
    return first
