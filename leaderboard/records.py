"""Run records: the words of a judged run, the ledger's SQL schema, and its reader.

The ledger stores facts that never change: what the solver said and the harness did (`results`), and what the judge
measured (`judgements`, the newest per run counts). Verdict, evidence and fault are derived from them by the view
`runs`, so that a witness found by one run can refute the claim of another without rewriting either.

All values and bounds are in the sense of the problem's value (DESIGN 2): value = -objective of the file.
"""

from __future__ import annotations

import os
import re
import sqlite3
from enum import StrEnum
from pathlib import Path

import pandas as pd

SCHEMA_VERSION = 3


class LedgerError(Exception):
    """The ledger cannot be used; the message says which file and why, in one line."""


class EndedBy(StrEnum):
    """What the harness did to end the run."""

    SOLVER = "solver"
    JUDGE = "judge"
    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASH = "crash"
    OPERATOR = "operator"


class Enforcement(StrEnum):
    """How the limits of a run were held.

    NAMESPACE: in a PID namespace; the kernel ends every process in it with its first one, and that with the harness.
    SUBREAPER: what the run leaves behind falls to a process that looks for it and kills it. PROCESS_GROUP: of older
    ledgers, the process group and the descendants that were seen.
    """

    NAMESPACE = "namespace"
    SUBREAPER = "subreaper"
    PROCESS_GROUP = "process-group"


class Verdict(StrEnum):
    """What is known about the problem, on the dense network, from this run."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    VALUE = "value"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """What the verdict rests on."""

    EXACT = "exact"
    REPAIRED = "repaired"
    CERTIFICATE = "certificate"
    CLAIMED = "claimed"
    NONE = "none"


class Fault(StrEnum):
    """Who was wrong. `SOLVER` and `FORMULATION` are called wrong; `TOLERANCE` is shown, never ranked down."""

    NONE = "none"
    SOLVER = "solver"
    FORMULATION = "formulation"
    TOLERANCE = "tolerance"


# Thresholds of DESIGN 7, relative to max(1, |value|) where a value is compared.
BOUND_TOLERANCE = 1e-6
CLAIM_TOLERANCE = 1e-4
ROW_TOLERANCE = 1e-5
REPAIR_TOLERANCE = 1e-5
# Deviations up to the solvers' own default feasibility tolerance are nobody's fault at all; a bound has no such
# tolerance, only the rounding of its last digits.
QUIET_TOLERANCE = 1e-6
QUIET_BOUND_TOLERANCE = 1e-9

INSTANCE_COLUMNS = {
    "instance_sha256": "TEXT PRIMARY KEY",
    "instance": "TEXT NOT NULL",
    "problem": "TEXT NOT NULL",
    "family": "TEXT NOT NULL",
    "suite": "TEXT",
    "dataset": "TEXT",
    "input_side": "INTEGER",
    "depth": "INTEGER",
    "width": "INTEGER",
    "seed": "INTEGER",
    "network": "TEXT NOT NULL",
    "dense_network": "TEXT NOT NULL",
    "pruning": "TEXT",
    "structure": "TEXT",
    "rate": "REAL",
    "finetuned": "INTEGER",
    "formulation": "TEXT",
    "bounds": "TEXT",
    "norm": "TEXT",
    "radius": "REAL",
    "sample": "INTEGER",
    "source": "INTEGER",
    "target": "INTEGER",
    "accuracy": "REAL",
    "dense_accuracy": "REAL",
    "rows": "INTEGER",
    "columns": "INTEGER",
    "nonzeros": "INTEGER",
    "binaries": "INTEGER",
    "stable_active": "INTEGER",
    "stable_inactive": "INTEGER",
    "unstable": "INTEGER",
    "constant_rounding": "REAL NOT NULL",
    "model": "TEXT",
    "property": "TEXT",
    "strict": "INTEGER NOT NULL",
    "threshold": "REAL",  # a value beyond it answers the problem; null: there is none, only `optimize` makes sense
    "centre_value": "REAL",  # of the instance's own network at the set's centre: a witness every run has for free
    "train_seconds": "REAL",
    "prune_seconds": "REAL",
    "finetune_seconds": "REAL",
    "bounds_seconds": "REAL",
    "export_seconds": "REAL",
    "batch_size": "INTEGER",
    "alone_train_seconds": "REAL",
    "alone_finetune_seconds": "REAL",
    "coefficient_min": "REAL",  # of the matrix, absolute, nonzero
    "coefficient_max": "REAL",
    "big_m_min": "REAL",  # the same of the integer columns
    "big_m_max": "REAL",
}

RESULT_COLUMNS = {
    "run": "TEXT PRIMARY KEY",
    "instance_sha256": "TEXT NOT NULL REFERENCES instances",
    "solver": "TEXT NOT NULL",
    "solver_version": "TEXT NOT NULL",
    "settings": "TEXT NOT NULL",  # JSON, sorted keys: the solver's own options
    "seed": "INTEGER NOT NULL",
    "threads": "INTEGER NOT NULL",
    "time_limit_seconds": "REAL NOT NULL",
    "memory_limit_bytes": "INTEGER NOT NULL",
    "goal": "TEXT NOT NULL",
    "termination": "TEXT",
    "raw_status": "TEXT",
    "message": "TEXT NOT NULL",
    "ended_by": "TEXT NOT NULL",
    "claimed_value": "REAL",
    "dual_bound": "REAL",
    "wall_seconds": "REAL NOT NULL",
    "read_seconds": "REAL",
    "cpu_seconds": "REAL",
    "peak_memory_bytes": "INTEGER",
    "nodes": "INTEGER",
    "incumbents": "INTEGER NOT NULL",
    "machine": "TEXT NOT NULL REFERENCES machines",
    "enforcement": "TEXT NOT NULL",
    "started_at": "TEXT NOT NULL",
}

JUDGEMENT_COLUMNS = {
    "judgement": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "run": "TEXT NOT NULL REFERENCES results",
    "judged_at": "TEXT NOT NULL",
    "confirmed": "INTEGER NOT NULL",  # 1: a candidate answers the problem on the dense network, exactly
    "evidence": "TEXT NOT NULL",  # exact | repaired | none, of the best candidate
    "best_exact_value": "REAL",  # dense network, best candidate, exactly in the set
    "own_value": "REAL",  # the instance's own network, best candidate, exactly in the set: a witness
    "replayed_value": "REAL",  # the instance's own network at the final incumbent, as decoded
    "file_value": "REAL",  # the file's objective at the final incumbent's columns
    "row_violation": "REAL",  # of the file's rows and bounds by the final incumbent's columns, absolute
    "float32_value": "REAL",  # ONNX Runtime on the dense network at the best candidate
    "float32_beats_all": "INTEGER",  # 1: there the target beats every class
    "raw_violation": "REAL",  # of the input set by the best candidate, before repair
    "judge_seconds": "REAL NOT NULL",
    "first_success_seconds": "REAL",  # arrival of the first candidate confirmed within REPAIR_TOLERANCE
}

MACHINE_COLUMNS = {
    "machine": "TEXT PRIMARY KEY",
    "cpu": "TEXT NOT NULL",
    "cores": "INTEGER NOT NULL",
    "memory_bytes": "INTEGER NOT NULL",
    "kernel": "TEXT NOT NULL",
    "python": "TEXT NOT NULL",
    "packages": "TEXT NOT NULL",  # JSON
}


def _append_only(table: str) -> str:
    """Triggers that refuse to change or remove what is stored."""
    return "\n".join(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        for action in ("UPDATE", "DELETE")
    )


def _table(name: str, columns: dict[str, str]) -> str:
    return f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())}) STRICT;"


# Where the value is a column of its own, as of several targets or a distance, a solution may claim less than its input
# reaches, never more; elsewhere the two are equal.
_REPLAY_GAP = """
    CASE WHEN i.family = 'closest' OR (i.family = 'verify' AND i.target IS NULL)
    THEN r.claimed_value - j.replayed_value ELSE abs(r.claimed_value - j.replayed_value) END
"""

# The newest judgement is looked up by run through the index: a list of all newest ones would be walked once per run.
# A witness is a value that some point of the input set provably reaches on a network. It refutes any dual bound below
# it that was claimed for the same problem on the same network, in whichever formulation.
_VIEWS = f"""
CREATE VIEW latest_judgements AS
SELECT * FROM judgements j
WHERE judgement = (SELECT max(newest.judgement) FROM judgements newest WHERE newest.run = j.run);

CREATE VIEW witnesses AS
SELECT problem, network, value, run FROM (
    SELECT problem, network, value, run,
           row_number() OVER (PARTITION BY problem, network ORDER BY value DESC, run) AS place
    FROM (
        SELECT i.problem, i.network, j.own_value AS value, j.run
        FROM latest_judgements j JOIN results r USING (run) JOIN instances i USING (instance_sha256)
        WHERE j.own_value IS NOT NULL
        UNION ALL
        SELECT i.problem, i.dense_network, j.best_exact_value, j.run
        FROM latest_judgements j JOIN results r USING (run) JOIN instances i USING (instance_sha256)
        WHERE j.best_exact_value IS NOT NULL
        UNION ALL
        SELECT problem, network, centre_value, 'the centre of the set' FROM instances
        WHERE centre_value IS NOT NULL
    )
) WHERE place = 1;

CREATE VIEW faults AS
SELECT r.run, r.instance_sha256, w.value AS witness_value,
    CASE
    WHEN r.termination = 'infeasible' AND w.value IS NOT NULL
        THEN 'solver:claims infeasible, but has the value ' || w.value || ' from ' || w.run
    WHEN r.termination = 'unbounded'
        THEN 'solver:claims unbounded, but the set is bounded'
    WHEN r.dual_bound IS NOT NULL AND w.value > r.dual_bound
            + {BOUND_TOLERANCE} * max(1.0, abs(w.value)) + i.constant_rounding
        THEN 'solver:claims the bound ' || r.dual_bound || ', refuted by ' || w.value || ' from ' || w.run
    WHEN abs(r.claimed_value - j.file_value) > {CLAIM_TOLERANCE} * max(1.0, abs(r.claimed_value))
        THEN 'solver:claims the value ' || r.claimed_value || ', its columns give ' || j.file_value || ' in the file'
    WHEN j.row_violation > {ROW_TOLERANCE}
        THEN 'solver:final columns violate the file by ' || j.row_violation
    WHEN j.row_violation IS NOT NULL AND j.file_value IS NOT NULL
            AND {_REPLAY_GAP} > {CLAIM_TOLERANCE} * max(1.0, abs(r.claimed_value))
        THEN 'formulation:file satisfied with value ' || r.claimed_value || ', its network replays ' || j.replayed_value
    WHEN r.dual_bound IS NOT NULL AND w.value > r.dual_bound
            + {QUIET_BOUND_TOLERANCE} * max(1.0, abs(w.value)) + i.constant_rounding
        THEN 'tolerance:bound ' || r.dual_bound || ' exceeded within tolerance by ' || w.value || ' from ' || w.run
    WHEN j.row_violation > {QUIET_TOLERANCE}
        THEN 'tolerance:final columns violate the file by ' || j.row_violation
    WHEN j.raw_violation > {QUIET_TOLERANCE}
        THEN 'tolerance:best candidate is outside the set by ' || j.raw_violation
    WHEN abs(r.claimed_value - j.file_value) > {QUIET_TOLERANCE} * max(1.0, abs(r.claimed_value))
        THEN 'tolerance:claims ' || r.claimed_value || ', its columns give ' || j.file_value || ' in the file'
    WHEN {_REPLAY_GAP} > {QUIET_TOLERANCE} * max(1.0, abs(r.claimed_value))
        THEN 'tolerance:claims ' || r.claimed_value || ', its network replays ' || j.replayed_value
    ELSE 'none:'
    END AS finding
FROM results r
JOIN instances i USING (instance_sha256)
LEFT JOIN latest_judgements j USING (run)
LEFT JOIN witnesses w ON w.problem = i.problem AND w.network = i.network;

CREATE VIEW runs AS
SELECT r.run, i.instance, r.instance_sha256, i.problem, i.family, r.solver, r.solver_version, r.settings, r.seed,
    r.threads, r.time_limit_seconds, r.memory_limit_bytes, r.goal, r.termination, r.raw_status, r.ended_by,
    r.claimed_value, r.dual_bound, j.replayed_value, j.best_exact_value, j.float32_value, j.raw_violation,
    r.wall_seconds, r.read_seconds, j.judge_seconds, r.cpu_seconds, r.peak_memory_bytes, r.nodes, r.incumbents,
    j.first_success_seconds,
    CASE
    WHEN j.confirmed = 1 AND i.threshold IS NOT NULL THEN 'adversarial'
    WHEN i.threshold IS NULL AND j.best_exact_value IS NOT NULL THEN 'value'
    WHEN {{robust}} THEN 'robust'
    ELSE 'unknown'
    END AS verdict,
    CASE
    WHEN j.confirmed = 1 OR (i.threshold IS NULL AND j.best_exact_value IS NOT NULL) THEN j.evidence
    WHEN {{robust}} THEN 'claimed'
    ELSE 'none'
    END AS evidence,
    substr(f.finding, 1, instr(f.finding, ':') - 1) AS fault,
    nullif(substr(f.finding, instr(f.finding, ':') + 1), '') AS fault_reason,
    r.machine, r.enforcement, r.started_at, r.message, j.float32_beats_all
FROM results r
JOIN instances i USING (instance_sha256)
JOIN faults f USING (run)
LEFT JOIN latest_judgements j USING (run);
"""  # noqa: S608 (constants of this module only)

# A dense run's dual bound rules a counterexample out; a surrogate's never does, nor a claim that was refuted: by a
# fault of this run, or by a counterexample of any run, even one so small that the bound is off within tolerance only.
_ROBUST = """(i.threshold IS NOT NULL AND i.network = i.dense_network AND r.dual_bound IS NOT NULL
        AND (r.dual_bound + i.constant_rounding < i.threshold
             OR (i.strict = 1 AND r.dual_bound + i.constant_rounding <= i.threshold))
        AND (f.witness_value IS NULL OR f.witness_value < i.threshold
             OR (i.strict = 1 AND f.witness_value <= i.threshold))
        AND f.finding NOT LIKE 'solver:%' AND f.finding NOT LIKE 'formulation:%')"""

SCHEMA = "\n".join(
    [
        _table("machines", MACHINE_COLUMNS),
        _table("instances", INSTANCE_COLUMNS),
        _table("results", RESULT_COLUMNS),
        _table("judgements", JUDGEMENT_COLUMNS),
        "CREATE INDEX judgements_run ON judgements (run);",
        *(_append_only(table) for table in ("machines", "instances", "results", "judgements")),
        _VIEWS.replace("{robust}", _ROBUST),
        f"PRAGMA user_version = {SCHEMA_VERSION};",
    ]
)


def upgrade(version: int) -> str:
    """The SQL that makes a ledger of this older schema one of today's; no row is touched."""
    new_columns = {
        1: ("alone_train_seconds", "alone_finetune_seconds"),
        2: ("coefficient_min", "coefficient_max", "big_m_min", "big_m_max"),
    }
    return "\n".join(
        [
            *(f"DROP VIEW IF EXISTS {name};" for name in re.findall(r"CREATE VIEW (\w+)", _VIEWS)),
            *(
                f"ALTER TABLE instances ADD COLUMN {column} {INSTANCE_COLUMNS[column]};"
                for older in range(version, SCHEMA_VERSION)
                for column in new_columns[older]
            ),
            _VIEWS.replace("{robust}", _ROBUST),
            f"PRAGMA user_version = {SCHEMA_VERSION};",
        ]
    )


def open_ledger_for_reading(path: Path) -> sqlite3.Connection:
    """Connect read-only to RESULTS/ledger.sqlite. Raises `LedgerError`: it is absent, broken or of another schema."""
    if not path.is_file():
        raise LedgerError(f"{path}: no ledger here; `vnnbench run` writes one")
    # A reader of a WAL ledger makes files beside it; where it cannot and nobody writes, the file alone is complete.
    resting = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro" + ("&immutable=1" if resting else ""), uri=True
        )
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        connection.close()
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    if version != SCHEMA_VERSION:
        connection.close()
        found = f"ledger schema {version}" if version else "not a ledger of vnnbench"
        older = "; the next `vnnbench run` there brings it up to date" if 0 < version < SCHEMA_VERSION else ""
        raise LedgerError(f"{path}: {found}; this version reads schema {SCHEMA_VERSION}{older}")
    return connection


def read_runs(path: Path) -> pd.DataFrame:
    """Every run of a ledger, one row each: the columns of the view `runs`, then those of `instances` it lacks, then
    `planted`; faults and verdicts are also held against planted answers, see `planted`.

    The instance's own `seed` (of network and image) is renamed `network_seed`. Raises `LedgerError`.
    """
    connection = open_ledger_for_reading(path)
    try:
        runs = pd.read_sql_query("SELECT * FROM runs ORDER BY started_at, run", connection)
        instances = pd.read_sql_query("SELECT * FROM instances", connection)
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    finally:
        connection.close()
    instances = instances.rename(columns={"seed": "network_seed"})
    extra = ["instance_sha256", *(column for column in instances.columns if column not in runs.columns)]
    runs = runs.merge(instances[extra], on="instance_sha256", how="left", validate="many_to_one")
    from leaderboard.planted import apply_planted  # it takes its words from here

    return apply_planted(runs, path.parent)
