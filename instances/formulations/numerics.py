"""What of a model's numbers a solver would drop or scale badly, from the model alone.

A solver works in float64 with tolerances; a file may be exact and still ask for more than those can hold:

* A matrix coefficient of at most 1e-9 is dropped on reading (HiGHS, SCIP), so another model is solved.
* A range above 1e9 between the largest and the smallest coefficient: with the largest scaled to 1, the smallest is at
  1e-9 and drowns in the feasibility tolerance of 1e-6.
* A big-M above 1e3: a binary counts as 0 up to 1e-6 and then frees its row by 1e-6 * M, above 1e-3 there. The solver
  may call a point feasible whose neuron is neither on nor off; the judge finds out, the dual bound only gets weaker.
* Tolerances that pass on to the value by more than 1e-3 of its size (`sensitivity`): a right solver's claim may be off
  by so much, which is within tolerance.
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
    """Sizes of a model's numbers; None where there are none.

    coefficient_min, coefficient_max: smallest and largest absolute nonzero entry of the matrix.
    big_m_min, big_m_max: the same among the entries of integer columns.
    tolerance_reach: by how much solvers' tolerances can move the value, an estimate.
    """

    coefficient_min: float | None
    coefficient_max: float | None
    big_m_min: float | None
    big_m_max: float | None
    tolerance_reach: float | None

    def concerns(self, constant_rounding: float, value: float | None) -> Iterator[str]:
        """What a solver would drop, scale badly or cannot tell, one line each; see the module. value: at the set's
        centre, None where there is none there."""
        yield from self._concerns_of_coefficients()
        size = max(1.0, abs(value or 0.0))
        if self.tolerance_reach is not None and self.tolerance_reach > MAX_REACH * size:
            yield (
                f"solvers' tolerances of {FEASIBILITY_TOLERANCE:g} can move the value by about "
                f"{self.tolerance_reach:.3g}: claims that are off by so much count as tolerance, not as wrong"
            )
        if constant_rounding > MAX_ROUNDING * size:
            yield (
                f"constants that are rounded, and weights of at most {MIN_COEFFICIENT:g} that are left out, move the "
                f"value by up to {constant_rounding:.3g}"
            )

    def _concerns_of_coefficients(self) -> Iterator[str]:
        if self.coefficient_min is None or self.coefficient_max is None:
            return
        if self.coefficient_min <= MIN_COEFFICIENT:
            yield f"a coefficient of {self.coefficient_min:.3g}: solvers drop those of at most {MIN_COEFFICIENT:g}"
        if self.coefficient_max > MAX_RANGE * self.coefficient_min:
            yield (
                f"coefficients from {self.coefficient_min:.3g} to {self.coefficient_max:.3g}: "
                f"a range above {MAX_RANGE:g} is scaled badly"
            )
        if self.big_m_max is not None and self.big_m_max > MAX_BIG_M:
            freed = 1e-6 * self.big_m_max
            yield (
                f"a big-M of {self.big_m_max:.3g}: a binary at 1e-6, as good as 0, frees its row by {freed:.3g}, "
                "which counts as tolerance"
            )


def numerics(model: MilpModel) -> Numerics:
    """The sizes of a model's numbers, and what tolerances make of them."""
    size = np.abs(model.data)
    big_m = size[model.integer[model.indices]]
    return Numerics(*_ends(size[size > 0]), *_ends(big_m[big_m > 0]), tolerance_reach(model))


def _ends(sizes: Float64Array) -> tuple[float | None, float | None]:
    return (float(sizes.min()), float(sizes.max())) if len(sizes) else (None, None)
