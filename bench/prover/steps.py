"""Steps towards the best choices of each case, and the ReLU that should be split next.

The bound is convex in the choices (`instances.bounds.slopes`). Steps are Adam's; a case takes over the mean squares of
its parent, so that three steps are as good as six (measured on the dense networks of `pham2025-mnist`). The multiplier
of the split that makes a case starts at 0 and may move further at a time.
Source: Kingma and Ba 2015, arXiv:1412.6980; Wang et al. 2021, arXiv:2103.06624 (multipliers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array
from vnnbench.prover.cases import Cases
from vnnbench.prover.device import functions_of
from vnnbench.prover.relaxed import Functions, Lines, Relaxed, RelaxedNetwork

_MEAN, _SQUARE, _TINY = 0.5, 0.9, 1e-12
_OF_MULTIPLIERS, _OF_THE_NEW_ONE = np.float32(3), np.float32(3)
"""Steps of multipliers, in units of the function's largest coefficient; and how much longer a new one's are."""
_GAIN_OF_BETTER_CASE = np.float32(4)
"""The weight of the gain in the better case of a split, beside that of the gain in both."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The number of steps, the length of the first, and the ratio of successive ones."""

    steps: int
    length: float = 0.25
    ratio: float = 0.85


AT_FIRST = Schedule(20, ratio=0.9)
"""For the case that fixes nothing."""
OF_CASE = Schedule(3)
"""For a case that starts from its parent's choices."""


def descend(
    network: RelaxedNetwork, functions: Functions, lines: Lines, cases: Cases, schedule: Schedule
) -> tuple[Cases, Relaxed]:
    """Return the cases with the best choices found from theirs, and what is attained there.

    lines: of the neurons without fixed phases. `cases.split` must be the ReLU whose split made each case, or -1. Where
    float32 overflows, a bound is infinite.
    """
    fixed = cases.phase != 0
    phase, of_case = cases.phase.astype(np.float32), lines.fixed(cases.phase)
    free = of_case.free.astype(np.float32)
    scale = _scales(functions, cases, fixed)
    start = _Start(functions, of_case, phase, free, scale, cases.choice, cases.square)
    device = network.device
    with np.errstate(over="ignore", invalid="ignore"), device.computing():
        end = device.fetch(_steps(network.on_device(), device.put(start), schedule))
        best = end.best
        split = _best_split(best, of_case)
    value = np.where(np.isnan(best.value), np.float32(np.inf), best.value)
    of_split = best.A[np.arange(len(split)), split]
    return replace(cases, choice=end.choice, square=end.square, value=value, split=split, of_split=of_split), best


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """What steps start from: the functions, the lines of their cases, and (m, n) each: phases and what is free as
    numbers, the units of steps, choices, and the mean squares of derivatives."""

    functions: Functions
    lines: Lines
    phase: Float32Array
    free: Float32Array
    scale: Float32Array
    choice: Float32Array
    square: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """The best that was attained, with its choices (m, n), and the mean squares (m, n) after the last step."""

    best: Relaxed
    choice: Float32Array
    square: Float32Array


def _steps(network: RelaxedNetwork, start: _Start, schedule: Schedule) -> _End:
    """Take the steps, where the arrays are."""
    functions, lines, phase, free = start.functions, start.lines, start.phase, start.free
    choice, square, xp = start.choice, start.square, functions_of(start.choice)
    mean = xp.zeros_like(choice)
    relaxed = network.relax(functions, lines, lines.slope_below + free * choice, phase * choice)
    best, best_choice = relaxed, choice
    for i in range(1, schedule.steps + 1):
        derivative = (phase + free * relaxed.A.clip(max=0)) * relaxed.z
        mean = _MEAN * mean + (1 - _MEAN) * derivative
        square = _SQUARE * square + (1 - _SQUARE) * derivative * derivative
        length = schedule.length * schedule.ratio**i / (1 - _MEAN**i)
        if schedule is AT_FIRST:
            length *= math.sqrt(1 - _SQUARE**i)  # the squares start from 0
        moved = choice - length * start.scale * mean / (xp.sqrt(square) + _TINY)
        choice = xp.where(phase != 0, moved.clip(min=0), moved.clip(0, 1))
        relaxed = network.relax(functions, lines, lines.slope_below + free * choice, phase * choice)
        better = relaxed.value < best.value
        best, best_choice = best.improved(relaxed, better), xp.where(better[:, None], choice, best_choice)
    return _End(best, best_choice, square)


def _scales(functions: Functions, cases: Cases, fixed: npt.NDArray[np.bool_]) -> Float32Array:
    """Return the units (m, n) of the steps' lengths."""
    largest = np.abs(functions.A).max(axis=1, initial=0)[:, None]
    scale = np.where(fixed, _OF_MULTIPLIERS * largest, np.float32(1))
    made = np.flatnonzero(cases.split >= 0)
    scale[made, cases.split[made]] *= _OF_THE_NEW_ONE
    return scale


def _best_split(relaxed: Relaxed, lines: Lines) -> npt.NDArray[np.intp]:
    """Return the ReLU (m,) whose split is estimated to gain most; -1 where all are fixed or stable.

    At the maximizer of the relaxation, the case z <= 0 lowers c h to 0, and z >= 0 to c z. The worse case gains the
    gap c (h - max(z, 0)), the better one c (h - min(z, 0)). ReLUs with a gap come first.
    """
    gap = relaxed.A * (relaxed.h - np.maximum(relaxed.z, 0))
    better = relaxed.A * (relaxed.h - np.minimum(relaxed.z, 0))
    score = np.where(gap > 0, gap + _GAIN_OF_BETTER_CASE * better, 0)
    score = np.where(lines.free, score, -np.inf)
    return np.where(lines.free.any(axis=1), score.argmax(axis=1), -1)
