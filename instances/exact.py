"""Exact arithmetic on networks: what a counterexample is judged by.

Every float is a dyadic rational n * 2**-e. Numbers are therefore kept as Python integers over a common exponent;
sums and products of integers do not round, so nothing here does. No float operation touches a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from operator import itemgetter, mul

import numpy as np
import numpy.typing as npt

from instances.network import Network

Gather = Callable[[Sequence[int]], Sequence[int]]


def to_integers(values: npt.ArrayLike) -> tuple[list[int], int]:
    """Integers n_i and the least common exponent e >= 0 with values[i] == n_i * 2**-e, for finite floats (any shape,
    flattened). Raises ValueError for NaN and infinities."""
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


def to_fraction(numerator: int, exponent: int) -> Fraction:
    """numerator * 2**-exponent."""
    return Fraction(numerator, 1 << exponent)


class ExactNetwork:
    """A network prepared for exact evaluation; preparing costs about four evaluations."""

    def __init__(self, network: Network) -> None:
        self.n_inputs = network.n_inputs
        self._layers = [_prepare_layer(W, b) for W, b in zip(network.weights, network.biases, strict=True)]

    def integer_outputs(self, x: npt.ArrayLike) -> tuple[list[int], int]:
        """y(x) as integers over a common exponent: y_k = numerator_k * 2**-exponent. x: (n_0,) finite float64."""
        h, exponent = to_integers(x)
        if len(h) != self.n_inputs:
            raise ValueError(f"{len(h)} inputs for a network of {self.n_inputs}")
        last = len(self._layers) - 1
        for k, (rows, bias, layer_exponent) in enumerate(self._layers):
            z = [
                sum(map(mul, weights, gather(h) if gather else h)) + (b << exponent)
                for (gather, weights), b in zip(rows, bias, strict=True)
            ]
            exponent += layer_exponent
            h = z if k == last else [n if n > 0 else 0 for n in z]
        return h, exponent

    def outputs(self, x: npt.ArrayLike) -> list[Fraction]:
        """y(x), (n_L,), as exact rationals."""
        numerators, exponent = self.integer_outputs(x)
        return [to_fraction(n, exponent) for n in numerators]


def _prepare_layer(
    W: npt.NDArray[np.float32], b: npt.NDArray[np.float32]
) -> tuple[list[tuple[Gather | None, list[int]]], list[int], int]:
    """Rows of integer weights over one exponent, shared with the bias. A sparse row gathers its inputs first."""
    numbers, exponent = to_integers(np.concatenate([W.ravel(), b]))
    n_out, n_in = W.shape
    rows: list[tuple[Gather | None, list[int]]] = []
    for j in range(n_out):
        weights = numbers[j * n_in : (j + 1) * n_in]
        nonzero = np.flatnonzero(W[j]).tolist()
        # itemgetter of one index returns no tuple, so the shortest rows stay dense.
        if 2 <= len(nonzero) < 0.7 * n_in:
            rows.append((itemgetter(*nonzero), [weights[i] for i in nonzero]))
        else:
            rows.append((None, weights))
    return rows, numbers[n_out * n_in :], exponent
