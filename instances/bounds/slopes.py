"""The optimization of lower slopes and multipliers, which narrows backward bounds, by projected descent.

The bound of every functional is a convex function of its own choices (it is the Lagrange dual of the linear program of
the relaxation), so all functionals descend independently, in one batch. Nothing here needs to be exact:
`Relaxation.maximum` turns any choice into a sound bound.
Source: Xu et al. 2021, arXiv:2011.13824, section 3; steps: Kingma and Ba 2015, arXiv:1412.6980.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.relaxation import Choice, Relaxation

ITERATIONS = 12
"""The number of steps. On 4x64 networks of MNIST, 12 leave 0.1 % more neurons unstable than 200."""
_FIRST_STEP, _DECAY = 0.25, 0.85
_MEAN, _SQUARE, _TINY = 0.5, 0.9, 1e-30


def optimized_maximum(relaxation: Relaxation, A: Float64Array, constant: Float64Array) -> Float64Array:
    """Return the upper bounds (m,) of `Relaxation.maximum` for A h + constant, with lower slopes optimized for each."""
    choices = descend(relaxation, A, constant, relaxation.choices(len(A)), ITERATIONS)
    return relaxation.maximum(A, constant, choices)


def descend(
    relaxation: Relaxation, A: Float64Array, constant: Float64Array, choices: Sequence[Choice], iterations: int
) -> list[Choice]:
    """Return the best choices found for each functional A h + constant, starting from `choices`; phases are kept."""
    current = list(choices)
    best = [choice.rows(slice(None)) for choice in choices]
    found = relaxation.descent(A, constant, current)
    least = found.value
    slopes = [_Steps(1.0, 1.0) for _ in choices]
    multipliers = [_Steps(np.inf, np.abs(A).max(axis=1, keepdims=True, initial=0.0)) for _ in choices]
    for iteration in range(1, iterations + 1):
        length = _FIRST_STEP * _DECAY**iteration
        for k, choice in enumerate(current):
            current[k] = replace(choice, slope=slopes[k].step(choice.slope, found.by_slope[k], length))
            if choice.multiplier is not None:
                multiplier = multipliers[k].step(choice.multiplier, found.by_multiplier(choice, k), length)
                current[k] = replace(current[k], multiplier=multiplier)
        found = relaxation.descent(A, constant, current)
        better = found.value < least
        least = np.where(better, found.value, least)
        for choice, kept in zip(current, best, strict=True):
            kept.take(choice, better)
    return best


class _Steps:
    """Adam's steps for one array of choices, between 0 and `upper`; `scale` is the unit of their length."""

    def __init__(self, upper: float, scale: Float64Array | float) -> None:
        self.upper, self.scale = upper, scale
        self.mean: Float64Array | float = 0.0
        self.square: Float64Array | float = 0.0
        self.count = 0

    def step(self, value: Float64Array, derivative: Float64Array, length: float) -> Float64Array:
        """Return the next value as a new array."""
        self.count += 1
        self.mean = _MEAN * self.mean + (1 - _MEAN) * derivative
        self.square = _SQUARE * self.square + (1 - _SQUARE) * derivative**2
        size = np.sqrt(self.square / (1 - _SQUARE**self.count)) + _TINY
        direction = self.mean / (1 - _MEAN**self.count) / size
        return np.clip(value - length * self.scale * direction, 0.0, self.upper)
