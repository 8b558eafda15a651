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
        self._n_constraints = len(question.constraints)

    def within(self, part: Part) -> SoundBounds:
        """Return the same over a part of this one, where the bounds hold that are known here."""
        other = copy(self)
        other.part, other.bounds = part, self.bounds.copy()
        return other

    def passes(
        self,
        functions: Sequence[OfNeurons | OfDisjunct],
        fixed: Sequence[Fixed],
        choice: Float32Array,
        of_constraints: Float32Array | None = None,
        is_final: BoolArray | None = None,
        limits: Sequence[tuple[float, bool]] | None = None,
    ) -> list[Pass]:
        """Return the passes of m cases and their functions, all of one depth, with choices rounded to those that a
        file can hold.

        choice (m, ..): of all neurons, or of those in the layers of the passes. of_constraints (m, c): the multipliers
        of the set's constraints; None: all 0. is_final (m,): whether multipliers are kept to the last digit; None: they
        are not. limits: as of `Aim.limit`; None: 0 or less.
        """
        m, function = len(functions), functions[0]
        depth = function.layer - 1 if isinstance(function, OfNeurons) else len(self.chain.layers)
        n = self.chain.starts[depth]
        n_fixed = [len(one.neurons) for one in fixed]
        rows, neurons = np.repeat(np.arange(m), n_fixed), np.concatenate([one.neurons for one in fixed])
        unstable = np.tile(self.bounds.unstable(self.chain.relu[:n]), (m, 1))
        unstable[rows, neurons] = False
        slopes = np.rint(np.clip(choice[:, :n], 0, 1) / SLOPE_UNIT).astype(np.uint8)
        multipliers = _rounded(choice[rows, neurons])
        if is_final is not None:
            multipliers = np.where(is_final[rows], choice[rows, neurons], multipliers)
        if of_constraints is None:
            of_constraints = np.zeros((m, self._n_constraints), dtype=np.float32)
        limits = limits or [(0.0, True)] * m
        of_functions = np.repeat([limit for limit, _ in limits], [len(one) for one in functions])
        passes, end, last = [], 0, 0
        for row, (own, (_, or_equal)) in enumerate(zip(functions, limits, strict=True)):
            start, end, first, last = end, end + n_fixed[row], last, last + len(own)
            choices = slopes[row, unstable[row]], multipliers[start:end], of_constraints[row]
            where = depth, self.part, self.bounds, fixed[row], unstable[row]
            passes.append(Pass(own, *where, *choices, of_functions[first:last], or_equal))
        return passes

    def default_pass(self, function: OfNeurons) -> Pass:
        """Return the pass without choices of its own."""
        return self.passes([function], [Fixed()], self._default_slopes()[None])[0]

    def undivided(self, m: int, neurons: npt.NDArray[np.intp]) -> Cases:
        """Return m cases of these neurons, whose passes are those without choices of their own."""
        return Cases.undivided(m, self._default_slopes()[neurons], self._n_constraints)

    def _default_slopes(self) -> Float32Array:
        """Return the lower slopes of all neurons in a pass without choices of its own."""
        return (self.bounds.upper > -self.bounds.lower).astype(np.float32)

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
