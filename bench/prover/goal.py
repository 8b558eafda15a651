"""The goal as the search sees it: one function of the outputs for each disjunct, whose bound below 0 closes it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import OfDisjunct
from vnnbench.prover.relaxed import Functions


class SearchGoal:
    """The atoms of a question, through all disjuncts, less the limit that no value may exceed.

    disjunct (a,): which disjunct each atom is of.
    """

    def __init__(self, question: Question, chain: Chain) -> None:
        atoms = [atom for disjunct in question.disjuncts for atom in disjunct]
        A, constant = np.zeros((len(atoms), chain.n_outputs)), np.zeros(len(atoms))
        for row, atom in enumerate(atoms):
            for k, coefficient in atom.terms:
                A[row, k] = float(coefficient)
            constant[row] = float(atom.constant - Fraction(question.upper or 0))
        self.functions = Functions(A.astype(np.float32), constant.astype(np.float32), len(chain.layers))
        self._sizes = [len(disjunct) for disjunct in question.disjuncts]
        self._first_of_clause = [clause.start for clause in question.clauses]
        self.disjunct = np.repeat(np.arange(len(self._sizes)), self._sizes)
        self._first = np.cumsum([0, *self._sizes[:-1]])

    def single(self, atom: int) -> OfDisjunct:
        """Return the function of a disjunct that is one of its atoms."""
        disjunct = int(self.disjunct[atom])
        weights = [Fraction(0)] * self._sizes[disjunct]
        weights[atom - self._first[disjunct]] = Fraction(1)
        return OfDisjunct(disjunct, weights)

    def least_atoms(self, values: Sequence[float]) -> list[int]:
        """Return the atom of each disjunct that has the least of these values (a,)."""
        ends = np.append(self._first[1:], len(values))
        return [start + int(np.argmin(values[start:end])) for start, end in zip(self._first, ends, strict=True)]

    def values(self, outputs: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return the goal's values (m,) at outputs (m, n_K), less the limit, and their gradients (m, n_K), up to
        rounding."""
        atoms = outputs @ self.functions.A.T + self.functions.constant
        of_disjuncts = np.minimum.reduceat(atoms, self._first, axis=1)
        value = np.maximum.reduceat(of_disjuncts, self._first_of_clause, axis=1).min(axis=1)
        return value, self.functions.A[(atoms == value[:, None]).argmax(axis=1)]
