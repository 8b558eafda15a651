"""The SQL that creates the views in a ledger, or temporary views for one read-only connection in place of them."""

from __future__ import annotations

from vnnbench.leaderboard.records.views import VIEWS

_ANSWERS = {
    "planted": "instance_sha256 TEXT PRIMARY KEY, answer TEXT, value REAL",
    "proven_answers": "instance_sha256 TEXT, answer TEXT, lower REAL, upper REAL, proof TEXT",
}


def answer_tables() -> str:
    """Return the SQL of temporary tables `planted` and `proven_answers`, with the same columns as the views.

    Fill them before you run `temporary_views`.
    """
    return "\n".join(f"CREATE TEMP TABLE {name} ({columns});" for name, columns in _ANSWERS.items())


def temporary_views() -> str:
    """Return the SQL of temporary views that read the `answer_tables`, in place of the ledger's views.

    The witnesses are computed once for all queries of the connection.
    """
    found = f"""
CREATE TEMP TABLE witnesses AS {VIEWS["witnesses"]};
CREATE UNIQUE INDEX temp.witnesses_key ON witnesses (question, network);
CREATE TEMP TABLE retried AS {VIEWS["retried"]};
"""
    kinds = {name: f"CREATE TEMP VIEW {name} AS{select};" for name, select in VIEWS.items() if name not in _ANSWERS}
    return "\n".join((kinds | {"witnesses": found, "retried": ""}).values())


def some_instances() -> str:
    """Return the SQL of a temporary table in place of `instances`; fill it before you run `temporary_views`.

    The views then show these instances as if there were no others. Their results are right if no other instance has the
    same question or shares a network with them.
    """
    return """
CREATE TEMP TABLE instances AS SELECT * FROM main.instances WHERE 0;
CREATE UNIQUE INDEX temp.instances_key ON instances (instance_sha256);
"""


def create_views() -> str:
    """Return the SQL that replaces every view."""
    drop = [f"DROP VIEW IF EXISTS {name};" for name in VIEWS]
    return "\n".join([*drop, *(f"{sql};" for sql in our_views().values())])


def our_views() -> dict[str, str]:
    """Return the SQL of every view by name."""
    return {name: f"CREATE VIEW {name} AS {' '.join(select.split())}" for name, select in VIEWS.items()}
