"""The exact evaluation of networks, which judges counterexamples.

Every float is a dyadic rational n * 2**-e. Numbers are therefore kept as Python integers over a common exponent, and
over a common odd denominator where a layer divides. Sums and products of integers do not round, and no float operation
is applied to a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm
from operator import itemgetter, mul
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.networks.network import Layer, Layered

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Gather = Callable[[Sequence[int]], Sequence[int]]


def to_integers(values: npt.ArrayLike) -> tuple[list[int], int]:
    """Return integers n_i and the least common exponent e >= 0 with values[i] == n_i * 2**-e.

    The values are finite floats of any shape, flattened. Raises ValueError for NaN and infinities.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(numbers).all():
        raise ValueError("only finite numbers are rational")
    mantissa, exponent = np.frexp(numbers)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    low_bit = np.where(whole == 0, 1, whole & -whole)
    zeros = np.frexp(low_bit.astype(np.float64))[1] - 1  # trailing zero bits; a power of two converts exactly
    odd = whole >> zeros
    places = np.where(whole == 0, 0, 53 - exponent - zeros)  # value = odd * 2**-places
    common = max(0, int(places.max(initial=0)))
    shifts = np.where(whole == 0, 0, common - places)
    if int((exponent + common)[whole != 0].max(initial=0)) <= 63:  # |value| < 2**exponent: the integers fit int64
        return (odd << shifts).tolist(), common
    return [n << s for n, s in zip(odd.tolist(), shifts.tolist(), strict=True)], common


Point: TypeAlias = npt.NDArray[np.floating[Any]] | list[float] | list[Fraction]
"""An input of a network: float64 numbers, or rationals."""


def to_numerators(x: Point) -> tuple[list[int], int, int]:
    """Return integers n_i, an exponent e >= 0 and an odd d with x_i == n_i * 2**-e / d; as `to_integers` for floats."""
    if isinstance(x, list) and any(isinstance(value, Fraction) for value in x):
        exact = list(map(Fraction, x))
        common = lcm(*(value.denominator for value in exact))
        exponent = (common & -common).bit_length() - 1
        return [value.numerator * (common // value.denominator) for value in exact], exponent, common >> exponent
    return *to_integers(np.asarray(x, dtype=np.float64)), 1


def to_fraction(numerator: int, exponent: int) -> Fraction:
    """Return numerator * 2**-exponent."""
    return Fraction(numerator, 1 << exponent)


@dataclass(frozen=True, slots=True)
class _IntegerLayer:
    """A layer in integers: z_j = (row_j v + bias_j) * 2**-exponent / denominator.

    gathers: what rows read, all inputs (None) or those that are gathered. rows: which of these each row reads, and its
    weights. relu: by neuron; None where none has one.
    """

    gathers: list[Gather | None]
    rows: list[tuple[int, list[int]]]
    bias: list[int]
    exponent: int
    denominator: int
    relu: list[bool] | None


class ExactNetwork:
    """A network prepared for exact evaluation; preparing costs about four evaluations.

    Values are integers over a power of two and one odd denominator, which is 1 until a layer has divisors.
    """

    def __init__(self, network: Layered) -> None:
        self.n_inputs = network.layers[0].n_inputs
        self.n_outputs = network.layers[-1].n_outputs
        self._layers = [_prepare_layer(layer) for layer in network.layers]

    def integer_outputs(self, x: Point) -> tuple[list[int], int]:
        """Return y(x) as numerators over a common positive denominator: y_k = numerator_k / denominator.

        x: (n_0,) finite float64, or rationals.
        """
        h, exponent, denominator = to_numerators(x)
        if len(h) != self.n_inputs:
            raise ValueError(f"{len(h)} inputs were given to a network with {self.n_inputs}")
        for layer in self._layers:
            one = denominator << exponent
            read = [gather(h) if gather else h for gather in layer.gathers]
            h = [
                sum(map(mul, weights, read[i])) + b * one
                for (i, weights), b in zip(layer.rows, layer.bias, strict=True)
            ]
            exponent += layer.exponent
            denominator *= layer.denominator
            if layer.relu is not None:
                h = [n if n > 0 or not has_relu else 0 for n, has_relu in zip(h, layer.relu, strict=True)]
        return h, denominator << exponent

    def outputs(self, x: Point) -> list[Fraction]:
        """Return y(x), (n_L,), as exact rationals; x as for `integer_outputs`."""
        numerators, denominator = self.integer_outputs(x)
        return [Fraction(n, denominator) for n in numerators]


def _prepare_layer(layer: Layer) -> _IntegerLayer:
    """Return the layer with integer weights over one exponent, which the bias shares."""
    gathers, rows, bias, exponent = (_dense_rows if isinstance(layer.W, np.ndarray) else _sparse_rows)(layer.W, layer.b)
    relu = layer.relu.tolist() if layer.relu.any() else None
    if layer.divisor is None:
        return _IntegerLayer(gathers, rows, bias, exponent, 1, relu)
    factors, shift, denominator = _common_divisor(layer.divisor)
    rows = [(i, [w * f for w in weights]) for (i, weights), f in zip(rows, factors, strict=True)]
    bias = [b * f for b, f in zip(bias, factors, strict=True)]
    return _IntegerLayer(gathers, rows, bias, exponent + shift, denominator, relu)


_Prepared = tuple[list[Gather | None], list[tuple[int, list[int]]], list[int], int]
"""The gathers, rows, biases and exponent of an `_IntegerLayer`."""


def _dense_rows(W: Float64Array, b: Float64Array) -> _Prepared:
    """Return the rows of a dense matrix; one gathers its inputs where that saves time."""
    n_out, n_in = W.shape
    numbers, exponent = to_integers(np.concatenate([W.ravel(), b]))
    gathers: list[Gather | None] = [None]
    rows = []
    for j in range(n_out):
        nonzero, weights = np.flatnonzero(W[j]).tolist(), numbers[j * n_in : (j + 1) * n_in]
        if len(nonzero) < 0.7 * n_in:
            rows.append((len(gathers), [weights[i] for i in nonzero]))
            gathers.append(_gather(nonzero))
        else:
            rows.append((0, weights))
    return gathers, rows, numbers[n_out * n_in :], exponent


def _sparse_rows(W: csr_array, b: Float64Array) -> _Prepared:
    """Return the rows of a sparse matrix.

    The maps of a convolution read the same inputs at a place, and a map has the same weights at most places: both are
    held once.
    """
    reading: dict[bytes, int] = {}
    gathers: list[Gather | None] = []
    places: dict[bytes, int] = {}
    distinct = [b]
    kinds = []
    for start, end in pairwise(W.indptr.tolist()):
        indices, data = W.indices[start:end], W.data[start:end]
        inputs, weights = indices.tobytes(), data.tobytes()
        if inputs not in reading:
            reading[inputs] = len(gathers)
            gathers.append(_gather(indices.tolist()))
        if weights not in places:
            places[weights] = len(distinct)
            distinct.append(data)
        kinds.append((reading[inputs], places[weights]))
    numbers, exponent = to_integers(np.concatenate(distinct))
    ends = np.cumsum([len(part) for part in distinct]).tolist()
    lists = [numbers[end - len(part) : end] for part, end in zip(distinct, ends, strict=True)]
    return gathers, [(i, lists[place]) for i, place in kinds], lists[0], exponent


def _gather(indices: list[int]) -> Gather:
    """Return a function that selects these values of a sequence, as a sequence also for a single index."""
    if len(indices) >= 2:
        return itemgetter(*indices)
    return itemgetter(slice(indices[0], indices[0] + 1) if indices else slice(0))


def _common_divisor(divisor: npt.NDArray[np.float64]) -> tuple[list[int], int, int]:
    """Return (f, e, M) with 1 / divisor_j = f_j * 2**-e / M in integers, e >= 0, M odd."""
    numbers, exponent = to_integers(divisor)
    zeros = [(n & -n).bit_length() - 1 for n in numbers]
    odd = [n >> t for n, t in zip(numbers, zeros, strict=True)]
    common, shift = lcm(*odd), max(0, *(t - exponent for t in zeros))
    return [common // o << shift + exponent - t for o, t in zip(odd, zeros, strict=True)], shift, common
