"""The same model with its rows and columns in another order.

A single run of a MILP solver says little, because its time depends on such details; permuting rows and columns is the
cheapest way to vary them. On this variability: Koch et al., MIPLIB 2010, Math. Program. Comp. 3 (2011).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np

from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.randomness import random_permutation


def permuted_file(model: MilpModel, instance_sha256: str, number: int) -> bytes:
    """Return the gzipped MPS file of an instance's permutation `number`, 1 or more: the same bytes on every machine."""
    return compress(mps_text(permuted_model(model, f"permutation/{instance_sha256}/{number}")))


def permuted_model(model: MilpModel, key: str) -> MilpModel:
    """Return the model with its rows and columns in an order that `key` fixes.

    Names, comments and numbers stay, so a solution is decoded and judged by its column names as before. Integer columns
    are no longer contiguous; the writer marks every block of them.
    """
    rows = random_permutation(f"{key}/rows", model.n_rows)
    columns = random_permutation(f"{key}/columns", model.n_columns)
    new_place = np.empty_like(columns)
    new_place[columns] = np.arange(model.n_columns)
    starts, ends = model.indptr[rows], model.indptr[rows + 1]
    entries = np.fromiter(
        chain.from_iterable(map(range, starts.tolist(), ends.tolist())), dtype=np.int64, count=model.n_nonzeros
    )
    return replace(
        model,
        column_names=tuple(model.column_names[j] for j in columns.tolist()),
        lower=model.lower[columns],
        upper=model.upper[columns],
        integer=model.integer[columns],
        objective=model.objective[columns],
        row_names=tuple(model.row_names[i] for i in rows.tolist()),
        senses="".join(model.senses[i] for i in rows.tolist()),
        rhs=model.rhs[rows],
        indptr=np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int64),
        indices=new_place[model.indices[entries]],
        data=model.data[entries],
    )
