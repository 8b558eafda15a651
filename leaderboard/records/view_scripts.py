"""The SQL that puts the views into a ledger; or before those of a ledger, for one connection that only reads."""

from __future__ import annotations

from vnnbench.leaderboard.records.views import VIEWS

_ANSWERS = {
    "planted": "instance_sha256 TEXT PRIMARY KEY, answer TEXT, value REAL",
    "proven_answers": "instance_sha256 TEXT, answer TEXT, lower REAL, upper REAL, proof TEXT",
}


def answer_tables() -> str:
    """The SQL of tables `planted` and `proven_answers`, of the same columns as the views, for one connection; fill them
    before `temporary_views`."""
    return "\n".join(f"CREATE TEMP TABLE {name} ({columns});" for name, columns in _ANSWERS.items())


def temporary_views() -> str:
    """The SQL that puts views that read the `answer_tables` before those of the ledger, for one connection; the
    witnesses are found once, for as many queries as it makes."""
    found = f"""
CREATE TEMP TABLE witnesses AS {VIEWS["witnesses"]};
CREATE UNIQUE INDEX temp.witnesses_key ON witnesses (question, network);
CREATE TEMP TABLE retried AS {VIEWS["retried"]};
"""
    kinds = {name: f"CREATE TEMP VIEW {name} AS{select};" for name, select in VIEWS.items() if name not in _ANSWERS}
    return "\n".join((kinds | {"witnesses": found, "retried": ""}).values())


def some_instances() -> str:
    """The SQL of a table that stands before `instances`, for one connection; fill it before `temporary_views`, which
    then tell of these instances as if there were no others. That is true of them where they are all that are asked the
    same or share a network."""
    return """
CREATE TEMP TABLE instances AS SELECT * FROM main.instances WHERE 0;
CREATE UNIQUE INDEX temp.instances_key ON instances (instance_sha256);
"""


def create_views() -> str:
    """The SQL that makes every view anew."""
    drop = [f"DROP VIEW IF EXISTS {name};" for name in VIEWS]
    return "\n".join([*drop, *(f"{sql};" for sql in our_views().values())])


def our_views() -> dict[str, str]:
    """The SQL of every view by name."""
    return {name: f"CREATE VIEW {name} AS {' '.join(select.split())}" for name, select in VIEWS.items()}
