"""The rows of a ledger's tables as records, for all conversions to and from SQL.

A record has a field for each column of its table, by the column's name and in its order; NULL is None. Making a record
does not check its values: they come from a ledger, whose types SQLite has checked, or were checked against `COLUMNS`
before (`vnnbench.ledger.validity`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Self

from vnnbench.leaderboard.records.schema import (
    INSTANCE_COLUMNS,
    JUDGEMENT_COLUMNS,
    LIFTING_COLUMNS,
    MACHINE_COLUMNS,
    RESULT_COLUMNS,
)


class Row:
    """A row of a table. `schema` explains the columns."""

    __slots__ = ()
    TABLE: ClassVar[str]
    COLUMNS: ClassVar[Mapping[str, str]]
    """The SQL types by column, in the order of the fields."""

    @classmethod
    def selected(cls, table: str | None = None) -> str:
        """Return the columns as a list in SQL; if the table has a name in the query, each as TABLE_COLUMN."""
        if table is None:
            return ", ".join(cls.COLUMNS)
        return ", ".join(f"{table}.{name} AS {table}_{name}" for name in cls.COLUMNS)

    @classmethod
    def of(cls, values: Mapping[str, Any], table: str | None = None) -> Self:
        """Make the record from a mapping with all columns, under the names of `selected`, and possibly others."""
        prefix = "" if table is None else f"{table}_"
        return cls(**{name: values[prefix + name] for name in cls.COLUMNS})

    @property
    def values(self) -> tuple[str | int | float | None, ...]:
        """Return the fields in the order of the columns, as SQL takes them."""
        found: tuple[str | int | float | None, ...] = attrgetter(*self.COLUMNS)(self)
        return found

    @property
    def document(self) -> dict[str, str | int | float | None]:
        """Return the fields by column, as JSON takes them and as they are checked."""
        return dict(zip(self.COLUMNS, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class MachineRow(Row):
    """A machine: `machine` is a hash of the other facts that are known."""

    TABLE: ClassVar[str] = "machines"
    COLUMNS: ClassVar[Mapping[str, str]] = MACHINE_COLUMNS

    machine: str
    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    packages: str
    host: str | None


@dataclass(frozen=True, slots=True)
class InstanceRow(Row):
    """An instance: its row of the catalogue, its timings, and the sha256 of the files that its names stand for."""

    TABLE: ClassVar[str] = "instances"
    COLUMNS: ClassVar[Mapping[str, str]] = INSTANCE_COLUMNS

    instance_sha256: str
    instance: str
    problem: str
    family: str
    suite: str | None
    dataset: str | None
    input_side: int | None
    depth: int | None
    width: int | None
    seed: int | None
    network: str | None
    dense_network: str | None
    pruning: str | None
    structure: str | None
    rate: float | None
    finetuned: int | None
    formulation: str | None
    bounds: str | None
    norm: str | None
    radius: float | None
    sample: int | None
    source: int | None
    target: int | None
    accuracy: float | None
    dense_accuracy: float | None
    rows: int | None
    columns: int | None
    nonzeros: int | None
    binaries: int | None
    stable_active: int | None
    stable_inactive: int | None
    unstable: int | None
    constant_rounding: float
    model: str | None
    property: str | None
    strict: int
    threshold: float | None
    centre_value: float | None
    train_seconds: float | None
    prune_seconds: float | None
    finetune_seconds: float | None
    bounds_seconds: float | None
    export_seconds: float | None
    batch_size: int | None
    alone_train_seconds: float | None
    alone_finetune_seconds: float | None
    coefficient_min: float | None
    coefficient_max: float | None
    big_m_min: float | None
    big_m_max: float | None
    property_sha256: str | None
    network_sha256: str | None
    dense_sha256: str | None
    tolerance_reach: float | None
    zero_share: float | None
    time_limit_seconds: float | None
    variant: str | None
    samples: int | None
    features: int | None
    equality_rows: int | None
    value_is_column: int
    confirmed_verdict: str
    excluded_verdict: str | None


@dataclass(frozen=True, slots=True)
class ResultRow(Row):
    """One attempt at a run: the solver's report and the harness's actions."""

    TABLE: ClassVar[str] = "results"
    COLUMNS: ClassVar[Mapping[str, str]] = RESULT_COLUMNS

    run: str
    instance_sha256: str
    solver: str
    solver_version: str
    settings: str
    seed: int
    threads: int
    time_limit_seconds: float
    memory_limit_bytes: int
    goal: str
    termination: str | None
    raw_status: str | None
    message: str
    ended_by: str
    claimed_value: float | None
    dual_bound: float | None
    wall_seconds: float
    read_seconds: float | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    nodes: int | None
    incumbents: int
    machine: str
    enforcement: str
    started_at: str
    attempt: int
    permutation: int
    cores: str | None
    foreign_seconds: float | None
    swapped_bytes: int | None
    candidates_sha256: str | None
    dual_steps: str | None
    counted: str | None
    stalled_seconds: float | None
    ranked: int
    submission: str | None


@dataclass(frozen=True, slots=True)
class JudgementRow(Row):
    """The judge's measurements of one attempt, without the judgement's number in the ledger."""

    TABLE: ClassVar[str] = "judgements"
    COLUMNS: ClassVar[Mapping[str, str]] = {
        name: kind for name, kind in JUDGEMENT_COLUMNS.items() if name != "judgement"
    }

    run: str
    judged_at: str
    confirmed: int
    evidence: str
    best_exact_value: float | None
    own_value: float | None
    replayed_value: float | None
    file_value: float | None
    row_violation: float | None
    float32_value: float | None
    float32_beats_all: int | None
    raw_violation: float | None
    judge_seconds: float
    first_success_seconds: float | None
    primal_steps: str | None
    as_given_violation: float | None
    repaired_violation: float | None
    own_answers: int | None
    transferred_answers: int | None
    measures: str | None


@dataclass(frozen=True, slots=True)
class LiftingRow(Row):
    """The lifting of a witness into a file."""

    TABLE: ClassVar[str] = "liftings"
    COLUMNS: ClassVar[Mapping[str, str]] = LIFTING_COLUMNS

    instance_sha256: str
    witness: str
    witness_value: float
    lifted_at: str
    file_violation: float | None
    file_value: float | None
