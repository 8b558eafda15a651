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
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.networks.network import Layer, Layered

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

    A sparse row gathers its inputs first. relu: by neuron; None where none has one.
    """

    rows: list[tuple[Gather | None, list[int]]]
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
            h = [
                sum(map(mul, weights, gather(h) if gather else h)) + b * one
                for (gather, weights), b in zip(layer.rows, layer.bias, strict=True)
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
    W, n_out, n_in = layer.W, layer.n_outputs, layer.n_inputs
    rows: list[tuple[Gather | None, list[int]]] = []
    if isinstance(W, np.ndarray):
        numbers, exponent = to_integers(np.concatenate([W.ravel(), layer.b]))
        for j in range(n_out):
            rows.append(_prepare_row(np.flatnonzero(W[j]).tolist(), numbers[j * n_in : (j + 1) * n_in]))
    else:
        numbers, exponent = to_integers(np.concatenate([W.data, layer.b]))
        for start, end in pairwise(W.indptr.tolist()):
            rows.append((_gather(W.indices[start:end].tolist()), numbers[start:end]))
    bias = numbers[len(numbers) - n_out :]
    relu = layer.relu.tolist() if layer.relu.any() else None
    if layer.divisor is None:
        return _IntegerLayer(rows, bias, exponent, 1, relu)
    factors, shift, denominator = _common_divisor(layer.divisor)
    rows = [(gather, [w * f for w in weights]) for (gather, weights), f in zip(rows, factors, strict=True)]
    bias = [b * f for b, f in zip(bias, factors, strict=True)]
    return _IntegerLayer(rows, bias, exponent + shift, denominator, relu)


def _prepare_row(nonzero: list[int], weights: list[int]) -> tuple[Gather | None, list[int]]:
    """Return a row of a dense matrix, with its inputs gathered where that saves time."""
    if len(nonzero) < 0.7 * len(weights):
        return _gather(nonzero), [weights[i] for i in nonzero]
    return None, weights


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
