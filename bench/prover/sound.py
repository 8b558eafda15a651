"""What is recorded: the choices of cases as a proof holds them, and the bounds that they show, rounding included."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float32Array, Float64Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.pass_bounds import PassBounds
from vnnbench.instances.proofs.proof_file import SLOPE_UNIT
from vnnbench.instances.proofs.question import Part, Question
from vnnbench.instances.proofs.reading import Bounds, Fixed, OfDisjunct, OfNeurons, Pass
from vnnbench.instances.proofs.writing import Choices
from vnnbench.prover.cases import Cases

Path = tuple[int, ...]
"""The splits above a case, from the root: neuron + 1 where z >= 0 is fixed, -(neuron + 1) where z <= 0 is."""

_SIGNIFICANT_BITS = 8
"""Those of a multiplier that is not final: more make files larger and hardly a bound better."""


class SoundBounds:
    """The bounds of passes over a part of the set.

    bounds: of the pre-activations there, which may still be added to; what is none yet is infinite.
    """

    def __init__(self, question: Question, chain: Chain) -> None:
        """Over the whole set, where no bounds are known yet."""
        n = len(chain.relu)
        self.chain, self.part = chain, question.whole
        self.bounds = Bounds(np.full(n, -np.inf), np.full(n, np.inf))
        # The checker takes rounding errors from the bounds over the whole set, so that parts must, too.
        self._pass_bounds = PassBounds(question, chain, self.bounds)
        self._no_constraints = np.zeros(len(question.constraints), dtype=np.float32)

    def within(self, part: Part) -> SoundBounds:
        """Return the same over a part of this one, where the bounds hold that are known here."""
        other = copy(self)
        other.part, other.bounds = part, self.bounds.copy()
        return other

    def pass_of(
        self,
        function: OfNeurons | OfDisjunct,
        path: Path,
        choice: Float32Array,
        of_constraints: Float32Array | None = None,
        is_final: bool = False,
        limit: tuple[float, bool] = (0.0, True),
    ) -> Pass:
        """Return the pass of one case and its functions, with its choices (n,) rounded to those that a file can hold.

        of_constraints: the multipliers of the set's constraints; None: all 0. is_final: whether multipliers are kept to
        the last digit.
        """
        depth = function.layer - 1 if isinstance(function, OfNeurons) else len(self.chain.layers)
        n = self.chain.starts[depth]
        split = np.array(path, dtype=np.int64)
        fixed = Fixed(np.abs(split) - 1, split > 0)
        unstable = self.bounds.unstable(self.chain.relu[:n])
        unstable[fixed.neurons] = False
        slopes = np.rint(np.clip(choice[unstable], 0, 1) / SLOPE_UNIT).astype(np.uint8)
        multipliers = choice[fixed.neurons] if is_final else _rounded(choice[fixed.neurons])
        constrained = self._no_constraints if of_constraints is None else of_constraints
        limits, or_equal = np.full(len(function), limit[0]), limit[1]
        choices = slopes, multipliers, constrained
        return Pass(function, depth, self.part, self.bounds, fixed, unstable, *choices, limits, or_equal)

    def default_pass(self, function: OfNeurons) -> Pass:
        """Return the pass without choices of its own."""
        n = self.chain.starts[function.layer - 1]
        return self.pass_of(function, (), self.default_slopes(n))

    def undivided(self, m: int, n: int) -> Cases:
        """Return m cases of the first n neurons, whose passes are those without choices of their own."""
        return Cases.undivided(m, self.default_slopes(n), len(self._no_constraints))

    def default_slopes(self, n: int) -> Float32Array:
        """Return the lower slopes of the first n neurons in a pass without choices of its own."""
        slopes = np.zeros(n, dtype=np.float32)
        slopes[self.bounds.upper[:n] > -self.bounds.lower[:n]] = 1
        return slopes

    def of(self, passes: Sequence[Pass]) -> Float64Array:
        """Return upper bounds of all functions of passes of one depth, infinite where float64 overflows."""
        return self._pass_bounds.above(passes)

    def shown(self, passes: Sequence[Pass]) -> tuple[Float64Array, BoolArray]:
        """Return the bounds of all functions of passes of one depth, and whether each is shown to meet its limit."""
        return self._pass_bounds.shown(passes)


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
