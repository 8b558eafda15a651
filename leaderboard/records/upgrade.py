"""The upgrade of a ledger of an older schema to the present one.

Stored values stay as they are. Before schema 7 a ledger identified families of problems and the attack only by their
names. The columns about them that were added since then are filled in older rows by these names; only this module uses
such names.
"""
# ruff: noqa: S608 (the SQL is made of constants of this module and of `schema`)

from __future__ import annotations

from vnnbench.leaderboard.records.schema import (
    CONTENT_COLUMNS,
    FAMILY_COLUMNS,
    INSTANCE_COLUMNS,
    JUDGEMENTS_BY_RUN,
    LIFTINGS,
    RESULTS_BY_INSTANCE,
    SCHEMA_VERSION,
    TABLES,
    VIEWS_OF_TODAY,
    append_only,
    table,
)

# The columns by the schema that added them.
_NEW_COLUMNS: dict[int, dict[str, tuple[str, ...]]] = {
    2: {"instances": ("alone_train_seconds", "alone_finetune_seconds")},
    3: {"instances": ("coefficient_min", "coefficient_max", "big_m_min", "big_m_max")},
    4: {
        "instances": CONTENT_COLUMNS,
        "results": (
            "attempt", "permutation", "cores", "foreign_seconds", "swapped_bytes", "candidates_sha256", "dual_steps",
        ),
        "judgements": ("primal_steps", "as_given_violation", "repaired_violation"),
    },
    5: {"judgements": ("own_answers", "transferred_answers")},
    6: {"instances": ("tolerance_reach", "zero_share"), "results": ("counted", "stalled_seconds")},
    7: {"instances": tuple(FAMILY_COLUMNS), "results": ("ranked",)},
    8: {"instances": ("time_limit_seconds",)},
    9: {"instances": ("variant", "samples", "features", "equality_rows"), "judgements": ("measures",)},
    10: {"machines": ("host",)},
    11: {"results": ("submission",)},
}  # fmt: skip
_OPTIONAL_SINCE_7 = ("network", "dense_network")
_VIEW_UNTIL_6 = "proven"

_FACTS_OF_OLDER_INSTANCES = {
    "value_is_column": "family = 'closest' OR (family = 'verify' AND target IS NULL)",
    "confirmed_verdict": "CASE WHEN threshold IS NULL THEN 'value' ELSE 'adversarial' END",
    "excluded_verdict": "CASE WHEN threshold IS NOT NULL THEN 'robust' END",
}
_UNRANKED_BEFORE_7 = "pgd"


def ranked_before_7(solver: object) -> int:
    """Return the value of column `ranked` for a result that was stored without it."""
    return int(solver != _UNRANKED_BEFORE_7)


def columns_of(name: str, version: int) -> dict[str, str]:
    """Return the columns that a table has in this schema, the present or an older one, with their SQL types."""
    later = [_NEW_COLUMNS[newer].get(name, ()) for newer in range(version + 1, SCHEMA_VERSION + 1)]
    since = {column for columns in later for column in columns}
    needed = _OPTIONAL_SINCE_7 if name == "instances" and version < 7 else ()
    return {
        column: f"{kind} NOT NULL" if column in needed else kind
        for column, kind in TABLES[name].items()
        if column not in since
    }


def tables_of(version: int) -> str:
    """Return the SQL of the tables of this schema, with their triggers and indices, as `upgrade` expects them."""
    liftings = [LIFTINGS, RESULTS_BY_INSTANCE] if version >= 4 else []
    return "\n".join([*(table(name, columns_of(name, version)) for name in TABLES), JUDGEMENTS_BY_RUN, *liftings])


def upgrade(version: int) -> str:
    """Return the SQL that upgrades a ledger of this older schema, within a transaction; foreign keys must be off.
    It must be a ledger of that schema (`tables_of`, `integrity.foreign_object`), because foreign triggers would be run.
    """
    return "\n".join(
        [
            _instances_of_today(version),
            *_added_columns(version),
            *([_ranked_results()] if version < 7 else []),
            *([LIFTINGS, RESULTS_BY_INSTANCE] if version < 4 else []),
            f"DROP VIEW IF EXISTS {_VIEW_UNTIL_6};",
            VIEWS_OF_TODAY,
        ]
    )


def _instances_of_today(version: int) -> str:
    """Return the SQL that replaces table `instances`, keeping row numbers: SQLite cannot make a column optional."""
    kept = ["rowid", *columns_of("instances", version)]
    facts = dict(zip(kept, kept, strict=True)) | (_FACTS_OF_OLDER_INSTANCES if version < 7 else {})
    return f"""
CREATE TEMP TABLE older_instances AS SELECT {", ".join(kept)} FROM instances;
DROP TABLE instances;
{table("instances", INSTANCE_COLUMNS)}
INSERT INTO instances ({", ".join(facts)}) SELECT {", ".join(facts.values())} FROM older_instances;
DROP TABLE older_instances;
"""


def _added_columns(version: int) -> list[str]:
    return [
        f"ALTER TABLE {name} ADD COLUMN {column} {TABLES[name][column]};"
        for newer in range(version + 1, SCHEMA_VERSION + 1)
        for name, columns in _NEW_COLUMNS[newer].items()
        if name != "instances"
        for column in columns
    ]


def _ranked_results() -> str:
    return f"""
DROP TRIGGER results_no_update;
DROP TRIGGER results_no_delete;
UPDATE results SET ranked = 0 WHERE solver = '{_UNRANKED_BEFORE_7}';
{append_only("results")}
"""
