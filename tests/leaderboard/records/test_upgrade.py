"""The upgrade of older ledgers: what their rows are given, and older schemas, which stay what they were."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from vnnbench.instances.families import problem_of
from vnnbench.instances.families.maximize import unit_box_property
from vnnbench.instances.properties.goals import any_target
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, LinearProperty, VerifyProperty
from vnnbench.leaderboard.records.schema import FAMILY_COLUMNS, SCHEMA, SCHEMA_VERSION
from vnnbench.leaderboard.records.upgrade import ranked_before_7, tables_of, upgrade
from vnnbench.references.pgd import Pgd
from vnnbench.solvers.highs import Highs

SET = InputSet(Norm.LINF, np.zeros(2), 0.5, np.zeros(2), np.ones(2))
SAMPLE = {"input_set": SET, "dataset": None, "sample": None}
PROPERTIES = {
    "verify, one target": VerifyProperty(source=0, targets=(1,), strict=True, **SAMPLE),
    "verify, several targets": VerifyProperty(source=0, targets=(1, 2), strict=False, **SAMPLE),
    "verify, from VNN-LIB": LinearProperty(goal=any_target((1,), 0), strict=False, **SAMPLE),
    "maximize": unit_box_property(2),
    "closest, one target": ClosestProperty(source=0, targets=(1,), margin=0.25, **SAMPLE),
    "closest, several targets": ClosestProperty(source=0, targets=(1, 2), margin=0.25, **SAMPLE),
}


@pytest.fixture
def older() -> Iterator[sqlite3.Connection]:
    """An empty ledger of schema 6."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(tables_of(6))
        yield connection


def insert(connection: sqlite3.Connection, table: str, **row: object) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])  # noqa: S608


def insert_instance(connection: sqlite3.Connection, digest: str, **facts: object) -> None:
    row = {"family": "verify", "strict": 1, "threshold": 0.0} | facts
    names = {"instance": digest, "problem": "p", "network": "n", "dense_network": "n", "constant_rounding": 0.0}
    insert(connection, "instances", instance_sha256=digest, **names, **row)


@pytest.mark.parametrize("kind", PROPERTIES)
def test_an_older_instance_is_given_what_its_family_says_today(older, kind):
    problem = problem_of(PROPERTIES[kind])
    insert_instance(older, "a", **problem.facts())
    older.executescript(upgrade(6))
    found = older.execute(f"SELECT {', '.join(FAMILY_COLUMNS)} FROM instances").fetchone()  # noqa: S608
    assert dict(zip(FAMILY_COLUMNS, found, strict=True)) == problem.ledger_facts()


def test_older_results_are_ranked_but_the_attacks(older):
    insert(older, "machines", machine="m", cpu="", cores=1, memory_bytes=1, kernel="", python="", packages="{}")
    insert_instance(older, "a")
    result = {
        "instance_sha256": "a", "solver_version": "1", "settings": "{}", "seed": 0, "threads": 1,
        "time_limit_seconds": 1.0, "memory_limit_bytes": 1, "goal": "decide", "message": "", "ended_by": "solver",
        "wall_seconds": 1.0, "incumbents": 0, "machine": "m", "enforcement": "namespace", "started_at": "now",
    }  # fmt: skip
    for solver in (Highs, Pgd):
        insert(older, "results", run=solver.name, solver=solver.name, **result)
        assert ranked_before_7(solver.name) == solver.ranked
    older.executescript(upgrade(6))
    assert dict(older.execute("SELECT run, ranked FROM results")) == {Highs.name: 1, Pgd.name: 0}


def test_rows_keep_their_numbers(older):
    for digest in ("i0", "i1", "i2"):
        insert_instance(older, digest)
    older.executescript("DROP TRIGGER instances_no_delete; DELETE FROM instances WHERE instance_sha256 = 'i1';")
    older.executescript(upgrade(6))
    assert older.execute("SELECT rowid, instance_sha256 FROM instances").fetchall() == [(1, "i0"), (3, "i2")]


def test_an_instance_of_schema_7_keeps_what_its_family_says_and_has_no_time_limit():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(tables_of(7))
        said = {"value_is_column": 1, "confirmed_verdict": "found", "excluded_verdict": "none"}
        insert_instance(connection, "a", **said)
        connection.executescript(upgrade(7))
        found = connection.execute(f"SELECT {', '.join(said)}, time_limit_seconds FROM instances").fetchone()  # noqa: S608
    assert found == (*said.values(), None)


def test_an_instance_and_a_judgement_of_schema_8_have_neither_data_nor_measures():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(tables_of(8))
        said = {"value_is_column": 0, "confirmed_verdict": "value", "time_limit_seconds": 60.0}
        insert_instance(connection, "a", **said)
        insert(connection, "judgements", run="r", judged_at="now", confirmed=1, evidence="exact", judge_seconds=0.5)
        connection.executescript(upgrade(8))
        found = connection.execute(
            "SELECT time_limit_seconds, variant, samples, features, equality_rows FROM instances"
        )
        assert found.fetchone() == (60.0, None, None, None, None)
        assert connection.execute("SELECT judge_seconds, measures FROM judgements").fetchone() == (0.5, None)


def test_a_machine_of_schema_9_has_no_host():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(tables_of(9))
        insert(connection, "machines", machine="m", cpu="c", cores=1, memory_bytes=1, kernel="", python="", packages="")
        connection.executescript(upgrade(9))
        assert connection.execute("SELECT machine, cpu, host FROM machines").fetchall() == [("m", "c", None)]


TABLES_AS_THEY_WERE = {
    1: "67727cd4d714fda6",
    2: "51b21d55e440c8fa",
    3: "f8011d519cdfc06f",
    4: "de2772d697bf8e36",
    5: "891eeabf5d27d2ad",
    6: "fabc570c74bd3059",
    7: "baa8cd085b1976e3",
    8: "26412191b7c5f42a",
    9: "b51539a19541472d",
    10: "14051b11fd1ee194",
}
"""The first digits of the sha256 of `tables_of`, which were compared with what these versions wrote."""


def test_older_schemas_stay_what_they_were():
    """A column that is added without its place in the upgrade would appear in all older schemas."""
    assert TABLES_AS_THEY_WERE.keys() == set(range(1, SCHEMA_VERSION))
    found = {version: hashlib.sha256(tables_of(version).encode()).hexdigest()[:16] for version in TABLES_AS_THEY_WERE}
    assert found == TABLES_AS_THEY_WERE


def test_tables_of_today_are_those_of_a_new_ledger():
    assert all(line in SCHEMA for line in tables_of(SCHEMA_VERSION).splitlines())
