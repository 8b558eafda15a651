"""The bounds that passes show, and whether they meet their limits: in float64 where that decides, else exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.exact_bounds import ExactBounds
from vnnbench.instances.proofs.float_bounds import FloatBounds
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds, Pass
from vnnbench.instances.rationals import float_above

_NUMBERS_AT_A_TIME = 1 << 20
"""The coefficients of all functions that are bounded together, which keeps their arrays in the processor's cache."""


class PassBounds:
    """The bounds of passes on one network. root: the bounds over the whole set, as far as they are known."""

    def __init__(self, question: Question, chain: Chain, root: Bounds) -> None:
        self._chain = chain
        self._floats, self._exact = FloatBounds(question, chain, root), ExactBounds(question, chain)

    def above(self, passes: Sequence[Pass]) -> Float64Array:
        """Return upper bounds of all functions of passes of one depth, infinite where float64 overflows."""
        found = [np.nextafter(value + error, np.inf) for _, value, error in self._in_batches(passes)]
        bounds = np.concatenate([np.empty(0), *found])
        bounds[np.isnan(bounds)] = np.inf
        return bounds

    def shown(self, passes: Sequence[Pass]) -> tuple[Float64Array, BoolArray]:
        """Return the bounds of all functions of passes of one depth, and whether each is shown to meet its limit.

        A bound that does is rounded up, any other to nearest.
        """
        bounds, shown = [np.empty(0)], [np.empty(0, dtype=bool)]
        for together, value, error in self._in_batches(passes):
            bound = value + error
            limit = np.concatenate([one.limits for one in together])
            or_equal = np.repeat([one.or_equal for one in together], [len(one.function) for one in together])
            # Where float64 overflowed, all comparisons fail.
            holds = (bound < limit) | (or_equal & (bound == limit))
            is_close = ~holds & ~(value - error > limit)
            bounds.append(np.where(holds, bound, value))
            shown.append(holds)
            for row in np.flatnonzero(is_close).tolist():
                bounds[-1][row], holds[row] = self._exactly(together, row)
        return np.concatenate(bounds), np.concatenate(shown)

    def _exactly(self, passes: Sequence[Pass], row: int) -> tuple[float, bool]:
        """Return the same for one of the functions, computed exactly."""
        for one in passes:
            if row < len(one.function):
                break
            row -= len(one.function)
        exact, limit = self._exact.of(one, row), float(one.limits[row])
        try:
            bound = float_above(exact)
        except OverflowError:
            bound = float("inf") if exact > 0 else -float("inf")
        return bound, exact < limit or (one.or_equal and exact == limit)

    def _in_batches(self, passes: Sequence[Pass]) -> Iterator[tuple[list[Pass], Float64Array, Float64Array]]:
        """Yield the passes, some of their functions at a time, with the value and the error of each function."""
        if not any(len(one.function) for one in passes):
            return
        most = max(1, _NUMBERS_AT_A_TIME // (self._chain.n_inputs + self._chain.starts[passes[0].depth]))
        together: list[Pass] = []
        n_functions = 0
        for one in passes:
            for start in range(0, len(one.function), most):
                piece = one if len(one.function) <= most else one.rows(slice(start, start + most))
                if n_functions + len(piece.function) > most:
                    yield together, *self._floats.of(together)
                    together, n_functions = [], 0
                together.append(piece)
                n_functions += len(piece.function)
        yield together, *self._floats.of(together)
