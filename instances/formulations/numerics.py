"""The numbers of a model that a solver would drop or scale badly, found from the model alone.

A solver works in float64 with tolerances. A file may be exact and still need more precision than that:

* A matrix coefficient of at most 1e-9 is dropped on reading (HiGHS, SCIP), so another model is solved.
* A range above 1e9 between the largest and the smallest coefficient: with the largest scaled to 1, the smallest is at
  1e-9, far below the feasibility tolerance of 1e-6.
* A big-M above 1e3: a binary counts as 0 up to 1e-6 and then relaxes its row by 1e-6 * M, more than 1e-3. The solver
  may accept a point whose neuron is neither on nor off; the judge detects this, and the dual bound only gets weaker.
* Tolerances that move the value by more than 1e-3 of its size (`sensitivity`): the claim of a correct solver may be off
  by this much, which counts as within tolerance.
* Constants that are rounded, and weights too small for a file that were left out, which move the value by more than
  1e-6 (`constant_rounding`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vnnbench.common.tolerances import MAX_REACH
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT, MilpModel
from vnnbench.instances.formulations.sensitivity import FEASIBILITY_TOLERANCE, tolerance_reach

MAX_RANGE = 1e9
MAX_BIG_M = 1e3
MAX_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Numerics:
    """The sizes of a model's numbers; None where there are none.

    coefficient_min, coefficient_max: smallest and largest absolute nonzero entry of the matrix.
    big_m_min, big_m_max: the same among the entries of integer columns.
    tolerance_reach: an estimate of how far solvers' tolerances can move the value.
    """

    coefficient_min: float | None
    coefficient_max: float | None
    big_m_min: float | None
    big_m_max: float | None
    tolerance_reach: float | None

    def concerns(self, constant_rounding: float, value: float | None) -> Iterator[str]:
        """Yield a line for each concern of the module's docstring. value: at the set's centre; None without one."""
        yield from self._concerns_of_coefficients()
        size = max(1.0, abs(value or 0.0))
        if self.tolerance_reach is not None and self.tolerance_reach > MAX_REACH * size:
            yield (
                f"solvers' tolerances of {FEASIBILITY_TOLERANCE:g} can move the value by about "
                f"{self.tolerance_reach:.3g}: claims that are off by this much count as tolerance, not as wrong"
            )
        if constant_rounding > MAX_ROUNDING * size:
            yield (
                f"rounded constants, and weights of at most {MIN_COEFFICIENT:g} that are left out, move the value by "
                f"up to {constant_rounding:.3g}"
            )

    def _concerns_of_coefficients(self) -> Iterator[str]:
        if self.coefficient_min is None or self.coefficient_max is None:
            return
        if self.coefficient_min <= MIN_COEFFICIENT:
            yield f"a coefficient is {self.coefficient_min:.3g}: solvers drop those of at most {MIN_COEFFICIENT:g}"
        if self.coefficient_max > MAX_RANGE * self.coefficient_min:
            yield (
                f"coefficients range from {self.coefficient_min:.3g} to {self.coefficient_max:.3g}: "
                f"solvers scale a range above {MAX_RANGE:g} badly"
            )
        if self.big_m_max is not None and self.big_m_max > MAX_BIG_M:
            freed = 1e-6 * self.big_m_max
            yield (
                f"a big-M is {self.big_m_max:.3g}: a binary at 1e-6, which counts as 0, relaxes its row by "
                f"{freed:.3g}, which counts as tolerance"
            )


def numerics(model: MilpModel) -> Numerics:
    """Return the sizes of a model's numbers, and the estimated effect of tolerances."""
    size = np.abs(model.data)
    big_m = size[model.integer[model.indices]]
    return Numerics(*_ends(size[size > 0]), *_ends(big_m[big_m > 0]), tolerance_reach(model))


def _ends(sizes: Float64Array) -> tuple[float | None, float | None]:
    return (float(sizes.min()), float(sizes.max())) if len(sizes) else (None, None)
