"""Bounds beyond any relaxation of single neurons: case splits on a few earlier ReLUs.

A functional is bounded in both cases of one unstable ReLU, z >= 0 with h = z and z <= 0 with h = 0, and the larger of
the two bounds holds. The cases are split again, each on the ReLU whose relaxation adds most to its bound.
Source: Wang et al. 2021, arXiv:2103.06624 (the cases' constraints by multipliers).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.relaxation import Choice, Relaxation
from vnnbench.instances.bounds.slopes import ITERATIONS, descend

ROUNDS = 3
"""The number of successive splits; they give up to 2**ROUNDS cases for each functional."""
_CASE_ITERATIONS = 3
"""The number of steps per case; few are enough, because a case starts from its parent's choices."""


def split_maximum(relaxation: Relaxation, A: Float64Array, constant: Float64Array) -> Float64Array:
    """Return upper bounds (m,) of A h + constant over the set, sound in exact arithmetic.

    A case whose bound is at most 0 is not split again: it decides the sign, which is the purpose of the bounds.
    """
    if not any(relaxed.unstable.any() for relaxed in relaxation.relaxed):
        return relaxation.maximum(A, constant)  # there is neither a ReLU to split nor a slope to choose
    values = np.full(len(A), -np.inf)
    origin = np.arange(len(A))
    choices = descend(relaxation, A, constant, relaxation.choices(len(A)), ITERATIONS)
    for _ in range(ROUNDS):
        layer, neuron, is_open = _worst(relaxation, A, constant, choices)
        closed = np.flatnonzero(~is_open)
        kept = [choice.rows(closed) for choice in choices]
        np.maximum.at(values, origin[closed], relaxation.maximum(A[closed], constant[closed], kept))
        parents = np.repeat(np.flatnonzero(is_open), 2)
        phases = np.tile(np.array([1, -1], dtype=np.int8), len(parents) // 2)
        choices = [_cases(choice, parents, phases, layer == k, neuron) for k, choice in enumerate(choices)]
        A, constant, origin = A[parents], constant[parents], origin[parents]
        choices = descend(relaxation, A, constant, choices, _CASE_ITERATIONS)
    np.maximum.at(values, origin, relaxation.maximum(A, constant, choices))
    return values


def _worst(
    relaxation: Relaxation, A: Float64Array, constant: Float64Array, choices: list[Choice]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return (layer, neuron, is_open), (m,) each: the ReLU whose relaxation adds most to each functional's bound.

    is_open: whether there is such a ReLU and the bound is above 0.
    """
    descent = relaxation.descent(A, constant, choices)
    ends = np.cumsum([gap.shape[1] for gap in descent.gap])
    gap = np.concatenate(descent.gap, axis=1)
    worst = gap.argmax(axis=1)
    layer = np.searchsorted(ends, worst, side="right")
    starts = np.concatenate([[0], ends])
    is_open = (gap[np.arange(len(gap)), worst] > 0) & (descent.value > 0)
    return layer, worst - starts[layer], is_open


def _cases(
    choice: Choice,
    parents: npt.NDArray[np.intp],
    phases: npt.NDArray[np.int8],
    here: npt.NDArray[np.bool_],
    neuron: npt.NDArray[np.intp],
) -> Choice:
    """Return the choices of new cases in one layer: those of their parents, with `phases` fixed at `neuron` where the
    split is in this layer."""
    case = choice.rows(parents)
    phase = np.zeros(case.slope.shape, dtype=np.int8) if case.phase is None else case.phase
    multiplier = np.zeros(case.slope.shape) if case.multiplier is None else case.multiplier
    split = here[parents]
    phase[split, neuron[parents][split]] = phases[split]
    return Choice(case.slope, phase, multiplier)
