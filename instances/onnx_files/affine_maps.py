"""Convolution and pooling as sparse affine maps: the values that every output reads, and their weights.

Dimensions: the input is one sample (C, s_1, .., s_d), the output (M, o_1, .., o_d), both flattened in this order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_VALUES = 1_000_000
"""The most inputs, and outputs, of one layer."""
MAX_WEIGHTS = 20_000_000
"""The most weights of one sparse layer, counted before those in the padding are dropped."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The places that a kernel reads, by spatial axis: output o reads o stride + k dilation - before at kernel place k.

    before, after: the amount of padding at the two ends. ceil: a last window that begins inside and ends beyond the
    padding counts too.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    ceil: bool = False

    def output_shape(self, spatial: tuple[int, ...]) -> tuple[int, ...]:
        """Return (o_1, .., o_d), o = floor((s + before + after - dilation (kernel - 1) - 1) / stride) + 1.

        With `ceil` it is rounded up, except for a window that would begin in the padding behind. Raises ValueError
        where that is below 1.
        """
        shape = tuple(
            self._length(s, *rest)
            for s, *rest in zip(
                spatial, self.kernel, self.strides, self.dilations, self.before, self.after, strict=True
            )
        )
        if min(shape) < 1:
            raise ValueError(f"its kernel {self.kernel} does not fit into {spatial}")
        return shape

    def _length(self, s: int, k: int, stride: int, dilation: int, before: int, after: int) -> int:
        room = s + before + after - dilation * (k - 1) - 1
        if not self.ceil:
            return room // stride + 1
        length = -(-room // stride) + 1
        return length - 1 if (length - 1) * stride >= s + before else length

    def places(self, spatial: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return the flat index that is read, (outputs, kernel places), -1 in the padding."""
        flat = np.zeros((1, 1), dtype=np.int64)
        axes = zip(
            spatial, self.output_shape(spatial), self.kernel, self.strides, self.dilations, self.before, strict=True
        )
        for s, n_out, k, stride, dilation, before in axes:
            index = np.arange(n_out)[:, None] * stride + np.arange(k)[None, :] * dilation - before
            index = np.where((index >= 0) & (index < s), index, -1)
            along, onto = flat[:, None, :, None], index[None, :, None, :]
            joined = np.where((along < 0) | (onto < 0), -1, along * s + onto)
            flat = joined.reshape(len(flat) * n_out, flat.shape[1] * k)
        return flat


def convolution(
    weights: Float64Array, shape: tuple[int, ...], windows: Windows, groups: int
) -> tuple[csr_array, tuple[int, ...]]:
    """Return the map of a convolution without bias, and its output's shape.

    weights (M, C / groups, k_1, .., k_d); shape (C, s_1, .., s_d). y[m, o] = sum over c, k of weights[m, c, k] times
    x[c', o stride + k dilation - before], where c' is the c-th channel of m's group, and 0 in the padding. Raises
    ValueError when it does not fit or is too large.
    """
    n_maps, n_read = weights.shape[:2]
    if groups < 1 or n_maps % groups or n_read * groups != shape[0]:
        raise ValueError(f"its weights {weights.shape} in {groups} groups do not fit an input of shape {shape}")
    output, n_kernel = windows.output_shape(shape[1:]), math.prod(windows.kernel)
    n_places = math.prod(output)
    _check_size(n_maps * n_places, n_maps * n_places * n_read * n_kernel)
    places = windows.places(shape[1:])
    channel = (np.arange(n_maps) // (n_maps // groups))[:, None] * n_read + np.arange(n_read)
    columns = channel[:, None, :, None] * math.prod(shape[1:]) + places[None, :, None, :]
    values = np.broadcast_to(weights.reshape(n_maps, 1, n_read, n_kernel), columns.shape)
    kept = (places >= 0)[None, :, None, :] & (values != 0)
    return _sparse(kept, columns, values, math.prod(shape)), (n_maps, *output)


def window_sums(shape: tuple[int, ...], windows: Windows) -> tuple[csr_array, tuple[int, ...], npt.NDArray[np.int64]]:
    """Return the map to the sum over every window, channel by channel, its output's shape, and the sums' sizes.

    A sum's size, (outputs,), is its number of values outside the padding. shape (C, s_1, .., s_d). Raises ValueError
    like `convolution`.
    """
    n_channels, output = shape[0], windows.output_shape(shape[1:])
    n_places, n_kernel = math.prod(output), math.prod(windows.kernel)
    _check_size(n_channels * n_places, n_channels * n_places * n_kernel)
    places = windows.places(shape[1:])
    columns = np.arange(n_channels)[:, None, None] * math.prod(shape[1:]) + places[None]
    kept = np.broadcast_to(places >= 0, columns.shape)
    counts = np.broadcast_to((places >= 0).sum(axis=1), (n_channels, n_places)).ravel()
    whole = _sparse(kept[:, :, None], columns[:, :, None], np.ones((1, 1, 1, 1)), math.prod(shape))
    return whole, (n_channels, *output), counts


def diagonal(values: Float64Array) -> csr_array:
    """Return the map z_i = values_i v_i. values (n,)."""
    from scipy.sparse import csr_array

    n = len(values)
    return csr_array((values, np.arange(n), np.arange(n + 1)), shape=(n, n), dtype=np.float64)


def _sparse(
    kept: npt.NDArray[np.bool_], columns: npt.NDArray[np.int64], values: Float64Array, n_inputs: int
) -> csr_array:
    """Return a sparse matrix from arrays (maps, outputs, channels, kernel places), whose first two axes are the rows.

    Columns ascend within a row.
    """
    from scipy.sparse import csr_array

    n_rows = kept.shape[0] * kept.shape[1]
    starts = np.concatenate([[0], np.cumsum(kept.reshape(n_rows, -1).sum(axis=1))])
    entries = np.broadcast_to(values, kept.shape)[kept]
    return csr_array((entries, columns[kept], starts), shape=(n_rows, n_inputs), dtype=np.float64)


def _check_size(n_outputs: int, n_weights: int) -> None:
    if n_outputs > MAX_VALUES or n_weights > MAX_WEIGHTS:
        raise ValueError(
            f"it gives {n_outputs} values by {n_weights} weights; at most {MAX_VALUES} and {MAX_WEIGHTS} are read"
        )
