"""Exact sums X W + b of inputs on the grid with any float64 weights, at the speed of float64.

The weights are integers over one power of two. They are cut into limbs so short that a float64 matrix product of the
inputs, which are integers too, with each limb is exact; only the few sums are long integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.networks.exact_evaluation import to_integers

Integers = npt.NDArray[np.object_]
_MANTISSA = 52


@dataclass(frozen=True, slots=True, eq=False)
class ExactSums:
    """Rationals numerators * 2**-exponent, of any shape."""

    numerators: Integers
    exponent: int

    def above(self, threshold: Fraction) -> BoolArray:
        """Return which sums exceed a threshold."""
        limit = threshold * (1 << self.exponent)
        return np.asarray(self.numerators > limit.numerator // limit.denominator, dtype=bool)

    def at_least(self, threshold: Fraction) -> BoolArray:
        """Return which sums reach a threshold."""
        limit = threshold * (1 << self.exponent)
        return np.asarray(self.numerators >= -(-limit.numerator // limit.denominator), dtype=bool)

    def fraction(self, numerator: int) -> Fraction:
        """Return one sum from its numerator."""
        return Fraction(int(numerator), 1 << self.exponent)


def exact_sums(inputs: npt.NDArray[np.int64], grid: int, weights: Float64Array, biases: Float64Array) -> ExactSums:
    """Return inputs / grid @ weights + biases, exactly: (T, k).

    inputs (T, m): non-negative integers, whose sums are below 2**40; grid: a power of two. weights (m, k), biases (k,):
    finite float64.
    """
    m, k = weights.shape
    numbers, exponent = to_integers(np.concatenate([weights.ravel(), biases]))
    rest = np.array(numbers[: m * k], dtype=object).reshape(m, k)
    grid_bits = grid.bit_length() - 1
    sums = np.zeros((len(inputs), k), dtype=object) + (np.array(numbers[m * k :], dtype=object) << grid_bits)
    bits = _MANTISSA - max(1, int(inputs.sum(axis=1).max(initial=0)).bit_length())
    X, shift = inputs.astype(np.float64), 0
    while True:
        is_last = bool((np.abs(rest) < 1 << bits).all())
        limb = rest if is_last else rest & ((1 << bits) - 1)
        sums += (X @ limb.astype(np.float64)).astype(np.int64).astype(object) << shift
        if is_last:
            return ExactSums(sums, exponent + grid_bits)
        rest, shift = rest >> bits, shift + bits


def exact_total(values: Float64Array) -> Fraction:
    """Return the sum of all finite values, exactly."""
    numbers, exponent = to_integers(values)
    return Fraction(sum(numbers), 1 << exponent)
