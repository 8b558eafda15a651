"""The goal as the search sees it: functions of the outputs, a weighted mean of each disjunct's atoms.

A bound of the mean closes the disjunct. The weights are whole shares, so that they are exact numbers of a file. At
first the mean is the atom with the least bound; where the phases of all ReLUs are known, a linear program finds the
best one.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import OfDisjunct
from vnnbench.prover.relaxed import Functions

SHARES = 1 << 14
"""The sum of the shares of a disjunct's atoms."""
_MOST_ATOMS = 2_000
"""The most atoms of a goal: each starts as a function whose shares are of all atoms."""
ShareArray = npt.NDArray[np.int16]
"""Shares (m, a) of all atoms, in m functions; those of one disjunct are not 0."""


class SearchGoal:
    """The atoms of a question, through all disjuncts."""

    def __init__(self, question: Question, chain: Chain) -> None:
        """Raises `PropertyError`: the goal has too many atoms."""
        atoms = [atom for disjunct in question.disjuncts for atom in disjunct]
        if len(atoms) > _MOST_ATOMS:
            raise PropertyError(f"its goal has {len(atoms)} atoms; the prover takes {_MOST_ATOMS}")
        A, constant = np.zeros((len(atoms), chain.n_outputs)), np.zeros(len(atoms))
        for row, atom in enumerate(atoms):
            for k, coefficient in atom.terms:
                A[row, k] = float(coefficient)
            constant[row] = float(atom.constant)
        self._A, self._constant, self._depth = A.astype(np.float32), constant.astype(np.float32), len(chain.layers)
        self._sizes = [len(disjunct) for disjunct in question.disjuncts]
        self._first_of_clause = [clause.start for clause in question.clauses]
        self._disjunct = np.repeat(np.arange(len(self._sizes)), self._sizes)
        self._first = np.cumsum([0, *self._sizes[:-1]])
        self._single = {i: OfDisjunct(i, [Fraction(1)]) for i, size in enumerate(self._sizes) if size == 1}

    def atoms(self) -> ShareArray:
        """Return the shares of functions that are one atom each."""
        return SHARES * np.eye(len(self._A), dtype=np.int16)

    def least(self, values: Float32Array) -> npt.NDArray[np.intp]:
        """Return the atom of each disjunct that has the least of these values (a,)."""
        return np.array(
            [start + values[start : start + n].argmin() for start, n in zip(self._first, self._sizes, strict=True)]
        )

    def disjuncts(self, shares: ShareArray) -> npt.NDArray[np.intp]:
        """Return the disjuncts (m,) of functions."""
        disjuncts: npt.NDArray[np.intp] = self._disjunct[shares.argmax(axis=1)]
        return disjuncts

    def functions(self, shares: ShareArray) -> Functions:
        """Return the functions with these shares."""
        weights = (shares / np.float32(SHARES)).astype(np.float32)
        return Functions(weights @ self._A, weights @ self._constant, self._depth)

    def mean(self, shares: ShareArray) -> OfDisjunct:
        """Return one function, whose shares are (a,), as a proof has it."""
        disjunct = int(self._disjunct[shares.argmax()])
        if disjunct in self._single:
            return self._single[disjunct]
        own = shares[self._disjunct == disjunct]
        return OfDisjunct(disjunct, [Fraction(share, SHARES) for share in own.tolist()])

    def atoms_of(self, disjunct: int) -> tuple[Float64Array, Float64Array]:
        """Return the atoms of a disjunct: A (a, n_K) and constant (a,)."""
        rows = self._disjunct == disjunct
        return self._A[rows].astype(np.float64), self._constant[rows].astype(np.float64)

    def shares_of(self, disjunct: int, weights: Float64Array) -> ShareArray:
        """Return the function with weights (a,) of a disjunct's atoms, rounded to shares (all atoms,)."""
        shares = np.zeros(len(self._disjunct), dtype=np.int16)
        own = np.rint(weights / weights.sum() * SHARES).astype(np.int16)
        own[own.argmax()] += SHARES - own.sum(dtype=np.int16)
        shares[self._disjunct == disjunct] = own
        return shares

    def values(self, outputs: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return the goal's values (m,) at outputs (m, n_K), and their gradients (m, n_K), up to rounding."""
        atoms = outputs @ self._A.T + self._constant
        of_disjuncts = np.minimum.reduceat(atoms, self._first, axis=1)
        value = np.maximum.reduceat(of_disjuncts, self._first_of_clause, axis=1).min(axis=1)
        return value, self._A[(atoms == value[:, None]).argmax(axis=1)]
