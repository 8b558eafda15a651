"""The ledger's tables. How an older ledger becomes one of today's: `upgrade`.

It stores facts that never change: what the solver said and the harness did (`results`), what the judge measured
(`judgements`, the newest per run counts), and what a file says of a point that refutes a claim made from it
(`liftings`). What follows from them is left to `views`.
"""

from __future__ import annotations

from vnnbench.leaderboard.records.view_scripts import create_views

SCHEMA_VERSION = 7

CONTENT_COLUMNS = ("property_sha256", "network_sha256", "dense_sha256")
"""Of the library's files: what the names of an instance stand for. Null in rows that are older than schema 4, and of
networks where the instance has none."""

FAMILY_COLUMNS = {
    # 1: the value is a column of its own, so that a solution may claim less than its input reaches, never more. 0: the
    # two are equal.
    "value_is_column": "INTEGER NOT NULL",
    "confirmed_verdict": "TEXT NOT NULL",  # of a run with a candidate that answers the problem
    "excluded_verdict": "TEXT",  # of a run whose bound leaves no room for an answer; null: a bound decides nothing
}
"""What an instance's family says of it (`instances.families.base.Problem.ledger_facts`)."""

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
    "network": "TEXT",  # this and the dense one are null where the family has no networks
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
    **dict.fromkeys(CONTENT_COLUMNS, "TEXT"),
    "tolerance_reach": "REAL",  # by how much solvers' tolerances can move the value
    "zero_share": "REAL",  # of the dense network's weights, those that are zero in the instance's own, or gone from it
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
    "attempt": "INTEGER NOT NULL DEFAULT 1",  # at the same plan key; from the second on, `run` ends in -attempt
    "permutation": "INTEGER NOT NULL DEFAULT 0",  # 0: the file as it is, else the seed of its rows and columns
    "cores": "TEXT",  # numbers with commas; '': none of its own; null here and below: not recorded
    "foreign_seconds": "REAL",  # processor time that others took on its cores
    "swapped_bytes": "INTEGER",  # by the machine meanwhile
    "candidates_sha256": "TEXT",  # of the candidates file as written
    "dual_steps": "TEXT",  # JSON [[seconds, dual bound], ...], improvements only, at most 1,000, the last kept
    "counted": "TEXT",  # cgroup | cgroup-cpu | sampling: what counted processor time and memory
    "stalled_seconds": "REAL",  # the longest time for which the harness did not run while the run did
    "ranked": "INTEGER NOT NULL DEFAULT 1",  # 0: the solver is shown beside the ranked ones (`solvers.base.Solver`)
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
    # From here on, of candidates that arrived within the time limit; older versions took all.
    "as_given_violation": "REAL",  # least of a candidate that confirms the problem as it is, unrepaired; null: none
    "repaired_violation": "REAL",  # least before repair of a candidate that confirms it then; null: none
    # Stored candidates, repaired into the set where need be, that answer the problem on the instance's own network,
    # exactly, and how many of these do on the dense one; null: it has no threshold, or they were not counted.
    "own_answers": "INTEGER",
    "transferred_answers": "INTEGER",
}

LIFTING_COLUMNS = {
    "instance_sha256": "TEXT NOT NULL REFERENCES instances",  # whose file was asked about the witness
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
}


SUBMITTED = "submitted-"
"""What the name of a machine begins with whose runs `vnnbench merge` took in: what they say of times, terminations and
bounds is the submitter's word."""


def is_submitted(machine: str) -> bool:
    """Whether this is the name of such a machine."""
    return machine.startswith(SUBMITTED)


def _columns_of(kind: str) -> set[str]:
    tables = (INSTANCE_COLUMNS, RESULT_COLUMNS, JUDGEMENT_COLUMNS)
    return {name for columns in tables for name, own in columns.items() if own.startswith(kind)}


TEXT_COLUMNS = {"verdict", "evidence", "fault", "fault_reason"} | _columns_of("TEXT")
"""Columns of the tables and of the view `runs` that hold text; all others hold numbers."""
REAL_COLUMNS = _columns_of("REAL")
"""Columns of the tables and of the view `runs` that hold real numbers."""


TABLES = {
    "machines": MACHINE_COLUMNS,
    "instances": INSTANCE_COLUMNS,
    "results": RESULT_COLUMNS,
    "judgements": JUDGEMENT_COLUMNS,
}
"""Columns by table, of all that there were from the first; `liftings` came later."""
REFERRING_TABLES = ("results", "judgements", "liftings")
"""Their rows refer to rows of other tables."""


def append_only(table: str) -> str:
    """Triggers that refuse to change or remove what is stored."""
    return "\n".join(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        for action in ("UPDATE", "DELETE")
    )


def table(name: str, columns: dict[str, str]) -> str:
    """The SQL of a table, to which rows can only be added."""
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
