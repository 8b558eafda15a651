"""The tables of a ledger. `upgrade` turns an older ledger into one of the present schema.

The ledger stores facts that never change: the solver's report and the harness's actions (`results`), the judge's
measurements (`judgements`, the newest per run counts), and the liftings of a point that refutes a claim into the
claim's file (`liftings`). `views` derives everything else.
"""

from __future__ import annotations

from vnnbench.leaderboard.records.view_scripts import create_views

SCHEMA_VERSION = 11

CONTENT_COLUMNS = ("property_sha256", "network_sha256", "dense_sha256")
"""The columns with the sha256 of the files that the names of an instance stand for. They are null in rows older than
schema 4, and for networks that an instance does not have."""

FAMILY_COLUMNS = {
    # 1: the value is a column of its own, so a solution may claim less than its input reaches, never more. 0: the two
    # are equal.
    "value_is_column": "INTEGER NOT NULL",
    "confirmed_verdict": "TEXT NOT NULL",  # the verdict of a run with a candidate that answers the problem
    "excluded_verdict": "TEXT",  # the verdict of a run whose bound excludes an answer; null: a bound decides nothing
}
"""The columns from an instance's family (`instances.families.base.Problem.ledger_facts`)."""

INSTANCE_NAMES = {"seed": "network_seed", "time_limit_seconds": "default_time_limit_seconds"}
"""The names under which readers of runs show columns of instances that results have too."""

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
    "network": "TEXT",  # this and the dense one are null if the family does not have networks
    "dense_network": "TEXT",
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
    "threshold": "REAL",  # a value beyond it answers the problem; null: none, so only the goal `optimize` makes sense
    "centre_value": "REAL",  # of the instance's own network at the set's centre: a witness that every run has
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
    **dict.fromkeys(CONTENT_COLUMNS, "TEXT"),
    "tolerance_reach": "REAL",  # how far solvers' tolerances can move the value
    "zero_share": "REAL",  # share of the dense network's weights that are zero in the instance's own, or removed
    "time_limit_seconds": "REAL",  # the limit of a run to which none was given; null: `ranges.DEFAULT_SECONDS`
    "variant": "TEXT",  # the terms of the objective of a problem about data; null here and below: not of such a problem
    "samples": "INTEGER",  # of the data
    "features": "INTEGER",
    "equality_rows": "INTEGER",  # of the model, among its rows
    **FAMILY_COLUMNS,
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
    "attempt": "INTEGER NOT NULL DEFAULT 1",  # its number at a plan key; from the second on, `run` ends in -attempt
    "permutation": "INTEGER NOT NULL DEFAULT 0",  # 0: the file as it is, else the seed of its rows and columns
    "cores": "TEXT",  # numbers separated by commas; '': no cores of its own; null here and below: not recorded
    "foreign_seconds": "REAL",  # processor time of other processes on its cores
    "swapped_bytes": "INTEGER",  # by the machine during the run
    "candidates_sha256": "TEXT",  # sha256 of the candidates file as written
    "dual_steps": "TEXT",  # JSON [[seconds, dual bound], ...], improvements only, at most 1,000 with the last one
    "counted": "TEXT",  # cgroup | cgroup-cpu | sampling: what measured processor time and memory
    "stalled_seconds": "REAL",  # the longest time for which the harness did not run during the run
    "ranked": "INTEGER NOT NULL DEFAULT 1",  # 0: the solver is shown beside the ranked ones (`solvers.base.Solver`)
    "submission": "TEXT",  # of a merged run: the machine after which its submission is named; null: its own machine
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
    "primal_steps": "TEXT",  # JSON [[seconds, exact value on the dense network], ...], improvements only
    # From here on, only candidates that arrived within the time limit count; older versions took all.
    "as_given_violation": "REAL",  # the least violation of a candidate that confirms the problem as given; null: none
    "repaired_violation": "REAL",  # the least before repair, of a candidate that confirms it after repair; null: none
    # The number of stored candidates, repaired into the set if necessary, that answer the problem on the instance's own
    # network, exactly, and of these on the dense one; null: no threshold, or they were not counted.
    "own_answers": "INTEGER",
    "transferred_answers": "INTEGER",
    "measures": "TEXT",  # JSON, sorted keys: numbers about the best candidate beside its value; null: there are none
}

LIFTING_COLUMNS = {
    "instance_sha256": "TEXT NOT NULL REFERENCES instances",  # the instance into whose file the witness is lifted
    "witness": "TEXT NOT NULL",  # a run, or the centre of the set
    "witness_value": "REAL NOT NULL",  # the instance's own network at the witness
    "lifted_at": "TEXT NOT NULL",
    "file_violation": "REAL",  # of the file's rows and bounds by the lifted point; null: it cannot be lifted
    "file_value": "REAL",  # minus the file's objective there
}

MACHINE_COLUMNS = {
    "machine": "TEXT PRIMARY KEY",
    "cpu": "TEXT NOT NULL",
    "cores": "INTEGER NOT NULL",
    "memory_bytes": "INTEGER NOT NULL",
    "kernel": "TEXT NOT NULL",
    "python": "TEXT NOT NULL",
    "packages": "TEXT NOT NULL",  # JSON
    "host": "TEXT",  # null: not recorded
}


def _columns_of(kind: str) -> set[str]:
    tables = (INSTANCE_COLUMNS, RESULT_COLUMNS, JUDGEMENT_COLUMNS)
    return {name for columns in tables for name, own in columns.items() if own.startswith(kind)}


TEXT_COLUMNS = {"verdict", "evidence", "fault", "fault_reason"} | _columns_of("TEXT")
"""Columns of the tables and of the view `runs` that hold text; all others hold numbers."""
REAL_COLUMNS = {"default_time_limit_seconds", "setting_limit_seconds"} | _columns_of("REAL")
"""Columns of the tables and of `reader.read_runs` that hold real numbers."""


TABLES = {
    "machines": MACHINE_COLUMNS,
    "instances": INSTANCE_COLUMNS,
    "results": RESULT_COLUMNS,
    "judgements": JUDGEMENT_COLUMNS,
}
"""The columns of the tables that every schema has; `liftings` came later."""
REFERRING_TABLES = ("results", "judgements", "liftings")
"""The tables whose rows refer to rows of other tables."""


def append_only(table: str) -> str:
    """Return the SQL of triggers that refuse to change or remove stored rows."""
    return "\n".join(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        for action in ("UPDATE", "DELETE")
    )


def table(name: str, columns: dict[str, str]) -> str:
    """Return the SQL of a table to which rows can only be added."""
    made = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"CREATE TABLE {name} ({made}) STRICT;\n{append_only(name)}"


LIFTINGS = "\n".join(
    [
        table("liftings", LIFTING_COLUMNS),
        "CREATE UNIQUE INDEX liftings_key ON liftings (instance_sha256, witness, witness_value);",
    ]
)
JUDGEMENTS_BY_RUN = "CREATE INDEX judgements_run ON judgements (run);"
RESULTS_BY_INSTANCE = "CREATE INDEX results_instance ON results (instance_sha256);"
VIEWS_OF_TODAY = f"{create_views()}\nPRAGMA user_version = {SCHEMA_VERSION};"

SCHEMA = "\n".join(
    [
        *(table(name, columns) for name, columns in TABLES.items()),
        LIFTINGS,
        JUDGEMENTS_BY_RUN,
        RESULTS_BY_INSTANCE,
        VIEWS_OF_TODAY,
    ]
)
