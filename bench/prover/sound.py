"""What is recorded: the choices of cases as a proof holds them, and the bounds that they show, rounding included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.exact_bounds import ExactBounds
from vnnbench.instances.proofs.float_bounds import FloatBounds
from vnnbench.instances.proofs.proof_file import SLOPE_UNIT
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds, Fixed, OfDisjunct, OfNeuron, Pass
from vnnbench.instances.proofs.writing import Choices
from vnnbench.instances.rationals import float_above
from vnnbench.prover.cases import Cases

Path = tuple[int, ...]
"""The splits above a case, from the root: neuron + 1 where z >= 0 is fixed, -(neuron + 1) where z <= 0 is."""

_NUMBERS_AT_A_TIME = 1 << 20
"""The coefficients of all passes that are bounded together."""
_SIGNIFICANT_BITS = 8
"""Those of a multiplier that is not final: more make files larger and hardly a bound better."""


class SoundBounds:
    """The bounds of passes over the whole set. bounds: of the pre-activations, which may still be added to."""

    def __init__(self, question: Question, chain: Chain, bounds: Bounds) -> None:
        self._question, self._chain, self._bounds = question, chain, bounds
        self._floats, self._exact = FloatBounds(question, chain, bounds), ExactBounds(question, chain)
        self._no_constraints = np.zeros(len(question.constraints), dtype=np.float32)

    def pass_of(
        self,
        function: OfNeuron | OfDisjunct,
        path: Path,
        choice: Float32Array,
        of_constraints: Float32Array | None = None,
        is_final: bool = False,
        limit: tuple[float, bool] = (0.0, True),
    ) -> Pass:
        """Return the pass of one case, with its choices (n,) rounded to those that a file can hold.

        of_constraints: the multipliers of the set's constraints; None: all 0. is_final: whether multipliers are kept to
        the last digit.
        """
        depth = function.layer - 1 if isinstance(function, OfNeuron) else len(self._chain.layers)
        n = self._chain.starts[depth]
        split = np.array(path, dtype=np.int64)
        fixed = Fixed(np.abs(split) - 1, split > 0)
        unstable = self._bounds.unstable(n) & self._chain.relu[:n]
        unstable[fixed.neurons] = False
        slopes = np.rint(np.clip(choice[unstable], 0, 1) / SLOPE_UNIT).astype(np.uint8)
        multipliers = choice[fixed.neurons] if is_final else _rounded(choice[fixed.neurons])
        constrained = self._no_constraints if of_constraints is None else of_constraints
        whole = self._question.whole
        return Pass(function, depth, whole, self._bounds, fixed, unstable, slopes, multipliers, constrained, *limit)

    def default_pass(self, function: OfNeuron) -> Pass:
        """Return the pass without choices of its own."""
        n = self._chain.starts[function.layer - 1]
        return self.pass_of(function, (), self.default_slopes(n))

    def undivided(self, m: int, n: int) -> Cases:
        """Return m cases of the first n neurons, whose passes are those without choices of their own."""
        return Cases.undivided(m, self.default_slopes(n), len(self._no_constraints))

    def default_slopes(self, n: int) -> Float32Array:
        """Return the lower slopes of the first n neurons in a pass without choices of its own."""
        slopes = np.zeros(n, dtype=np.float32)
        slopes[self._bounds.upper[:n] > -self._bounds.lower[:n]] = 1
        return slopes

    def of(self, passes: Sequence[Pass]) -> Float64Array:
        """Return upper bounds (m,) of passes of one depth, infinite where float64 overflows."""
        value, error = self._floats_of(passes)
        bounds = np.nextafter(value + error, np.inf)
        bounds[np.isnan(bounds)] = np.inf
        return bounds

    def shown(self, passes: Sequence[Pass]) -> list[float | None]:
        """Return the bounds that passes of one depth show, rounded up; None where one does not meet its limit, which is
        decided exactly where it is close."""
        found: list[float | None] = []
        for one, value, error in zip(passes, *(numbers.tolist() for numbers in self._floats_of(passes)), strict=True):
            if one.holds(value + error):
                found.append(value + error)
            elif value - error <= one.limit and one.holds(exact := self._exact.of(one)):
                found.append(float_above(exact))
            else:
                found.append(None)
        return found

    def _floats_of(self, passes: Sequence[Pass]) -> tuple[Float64Array, Float64Array]:
        """Return `FloatBounds.of`, some passes at a time."""
        if not passes:
            return np.empty(0), np.empty(0)
        at_a_time = max(1, _NUMBERS_AT_A_TIME // (self._chain.n_inputs + self._chain.starts[passes[0].depth]))
        parts = [self._floats.of(passes[start : start + at_a_time]) for start in range(0, len(passes), at_a_time)]
        return np.concatenate([value for value, _ in parts]), np.concatenate([error for _, error in parts])


def choices_of(one: Pass) -> Choices:
    """Return the choices of a pass."""
    return Choices(one.slopes, one.multipliers, one.constraint_multipliers)


def _rounded(numbers: Float32Array) -> npt.NDArray[np.float32]:
    """Return the numbers rounded to a few significant bits, so that files compress well."""
    mantissa, exponent = np.frexp(numbers)
    rounded: npt.NDArray[np.float32] = np.ldexp(
        np.rint(np.ldexp(mantissa, _SIGNIFICANT_BITS)), exponent - _SIGNIFICANT_BITS
    ).astype(np.float32)
    return rounded
