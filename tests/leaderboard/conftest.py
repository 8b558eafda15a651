"""A ledger written row by row with the real schema, so that every test reads what the leaderboard reads."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from vnnbench.attack.inputs import ATTACK
from vnnbench.leaderboard.records import reader, schema
from vnnbench.leaderboard.records.proven import Proven
from vnnbench.leaderboard.site.content import Source
from vnnbench.leaderboard.site.evidence import BestPoint, InstanceEvidence, Outputs
from vnnbench.leaderboard.site.folder import write_site
from vnnbench.leaderboard.site.pages import site_files


class LedgerBuilder:
    """Facts in, derived runs out. Every argument is a column of the table; the defaults make a quiet row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path)
        self.connection.executescript(schema.SCHEMA)
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.machine("m1")

    def _insert(self, table: str, **row: Any) -> None:
        marks = ", ".join("?" for _ in row)
        self.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # noqa: S608
        self.connection.commit()

    def machine(self, machine: str) -> None:
        """Add a machine; all runs are on "m1" unless they say otherwise."""
        facts = {"cpu": "cpu", "cores": 2, "memory_bytes": 8, "kernel": "6", "python": "3.11", "packages": "{}"}
        self._insert("machines", machine=machine, **facts)

    def instance(self, name: str, problem: str = "p", network: str = "net", **columns: Any) -> str:
        """Add an instance, dense unless `network` differs from `dense_network`; returns its hash."""
        row = {
            "instance_sha256": f"sha-{name}", "instance": name, "problem": problem, "family": "verify",
            "network": network, "dense_network": "net", "pruning": "none", "structure": "none", "finetuned": 0,
            "formulation": "tight", "dataset": "digits", "constant_rounding": 0.0, "strict": 1, "threshold": 0.0,
            "source": 0, "target": 1, "value_is_column": 0,
        } | columns  # fmt: skip
        verdicts = ("value", None) if row["threshold"] is None else ("adversarial", "robust")
        of_family = dict(zip(("confirmed_verdict", "excluded_verdict"), verdicts, strict=True))
        self._insert("instances", **(of_family | row))
        return str(row["instance_sha256"])

    def run(self, run: str, instance: str, **columns: Any) -> None:
        """Add a result: by default `decide` by highs 1.0, at its 100 s limit, with nothing claimed. All are ranked but
        the attack's, unless they say otherwise."""
        row = {
            "run": run, "instance_sha256": instance, "solver": "highs", "solver_version": "1.0", "settings": "{}",
            "seed": 0, "threads": 1, "time_limit_seconds": 100.0, "memory_limit_bytes": 2**32, "goal": "decide",
            "termination": "time_limit", "message": "", "ended_by": "solver", "wall_seconds": 100.0, "incumbents": 0,
            "machine": "m1", "enforcement": "rlimit", "started_at": "2026-01-01T00:00:00Z",
        } | columns  # fmt: skip
        self._insert("results", **({"ranked": int(row["solver"] != ATTACK)} | row))

    def judge(self, run: str, **columns: Any) -> None:
        """Add a judgement: by default nothing was confirmed."""
        row = {"run": run, "judged_at": "now", "confirmed": 0, "evidence": "none", "judge_seconds": 0.01} | columns
        self._insert("judgements", **row)

    def lift(self, instance: str, witness: str, value: float, **columns: Any) -> None:
        """Add a lifting: by default the file contains the witness, with its value."""
        row = {
            "instance_sha256": instance, "witness": witness, "witness_value": value, "lifted_at": "now",
            "file_violation": 0.0, "file_value": value,
        } | columns  # fmt: skip
        self._insert("liftings", **row)

    def found(self, run: str, instance: str, seconds: float, value: float = 0.5, **columns: Any) -> None:
        """A run whose candidate of that value was confirmed after that many seconds, and ended it."""
        ended = {"termination": "interrupted", "ended_by": "judge", "wall_seconds": seconds}
        self.run(run, instance, **(ended | columns))
        self.judge(run, confirmed=1, evidence="exact", best_exact_value=value, first_success_seconds=seconds)

    def robust(self, run: str, instance: str, seconds: float, bound: float = -0.5, **columns: Any) -> None:
        """A run whose dual bound rules a counterexample out."""
        ended = {"termination": "bound_reached", "wall_seconds": seconds, "dual_bound": bound}
        self.run(run, instance, **(ended | columns))

    def runs(self, *proven: Proven) -> pd.DataFrame:
        """What the leaderboard reads, where these answers are proven."""
        return reader.read_runs(self.path, proven=proven)

    def one(self, run: str) -> dict[str, Any]:
        """One row of the view, SQL null as None."""
        cursor = self.connection.execute("SELECT * FROM runs WHERE run = ?", [run])
        names = [column[0] for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerBuilder]:
    builder = LedgerBuilder(tmp_path / "ledger.sqlite")
    yield builder
    builder.connection.close()


NETWORK = "mnist-18x18-2x32-s0"


class Pairs:
    """Adds runs with goal find as the suites of [P] have them, each on its instance.

    seconds: until the counterexample; None: the run goes to its limit of 100 s without one.
    """

    def __init__(self, ledger: LedgerBuilder) -> None:
        self.ledger = ledger
        self.numbers = count()
        self.instances: dict[str, str] = {}

    def run(self, sha: str, seconds: float | None, **columns: Any) -> None:
        name = f"r{next(self.numbers)}"
        if seconds is None:
            self.ledger.run(name, sha, goal="find", **columns)
        else:
            self.ledger.found(name, sha, seconds, goal="find", **columns)

    def dense(self, problem: str, seconds: float | None, **columns: Any) -> None:
        self._add(problem, f"{NETWORK}-{problem}", seconds, {"accuracy": 0.95, **columns})

    def surrogate(self, problem: str, seconds: float | None, rate: float = 0.5, **columns: Any) -> None:
        kind = {"pruning": "magnitude", "structure": "unstructured", "finetuned": 0, **columns}
        network = "-".join(map(str, (NETWORK, problem, kind["pruning"], kind["structure"], rate, kind["finetuned"])))
        self._add(problem, network, seconds, {"rate": rate, "accuracy": 0.6, "dense_accuracy": 0.95, **kind})

    def _add(self, problem: str, network: str, seconds: float | None, columns: dict[str, Any]) -> None:
        facts = {"dataset": "mnist", "input_side": 18, "depth": 2, "width": 32, "formulation": "tight", **columns}
        of_run = {key: facts.pop(key) for key in ("solver", "termination", "wall_seconds") if key in facts}
        name = f"{network}--{facts['formulation']}"
        if name not in self.instances:
            dense = f"{NETWORK}-{problem}"
            self.instances[name] = self.ledger.instance(
                name, problem=problem, network=network, dense_network=dense, **facts
            )
        self.run(self.instances[name], seconds, **of_run)


@pytest.fixture
def pairs(ledger: LedgerBuilder) -> Pairs:
    return Pairs(ledger)


# -- sites -----------------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>/../../{{7*7}}&amp;%{x}\u2028\u202e"
"""A name that is markup, a path, a template, and more than one line."""


def png() -> bytes:
    """The smallest picture: a pixel."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1), 128).save(buffer, format="PNG")
    return buffer.getvalue()


def evidence_of(run: str) -> InstanceEvidence:
    """An instance with three classes and a counterexample."""
    clean, best = Outputs((0.0, -0.5, -1.0), (0.0, -0.5, -1.0)), Outputs((0.0, 0.25, -2.0), (0.0, 0.250001, -2.0))
    point = BestPoint(run, 0.25, 3, "L1", 0.75, 0.5, best, png(), png())
    return InstanceEvidence(0, (1,), png(), clean, point)


def source_of(
    ledger: LedgerBuilder, evidence: dict[str, InstanceEvidence], logs: dict[str, str] | None = None
) -> Source:
    """What a site of this ledger is made of."""
    query = "SELECT run, witness, refuted FROM faults WHERE finding LIKE 'solver:%' OR finding LIKE 'formulation:%'"
    machines, witnesses = reader.read_tables(ledger.path, "SELECT * FROM machines", query)
    return Source(ledger.runs(), machines, witnesses, evidence, logs or {}, "2026-01-01 00:00 UTC")


def fill(ledger: LedgerBuilder) -> Source:
    """Two settings on 150 instances of suite `first`, one wrong answer of `scip`, and runs of other
    goals, one with hostile names."""
    for number in range(150):
        digest = ledger.instance(f"easy-{number:03d}--tight", problem=f"p{number}", suite="first", binaries=number)
        ledger.found(f"h{number:03d}", digest, 0.1 * (number + 1), value=0.25)
        if number == 149:
            ledger.robust("wrong", digest, 1.0, solver="scip")
        elif number % 2:
            ledger.found(f"s{number:03d}", digest, 0.2 * (number + 1), solver="scip", value=0.25)
        else:
            ledger.run(f"s{number:03d}", digest, solver="scip")
    strange = ledger.instance(HOSTILE, problem=HOSTILE, suite=HOSTILE, network=HOSTILE, model=HOSTILE)
    ledger.found(
        "strange/../run", strange, 1.0, goal="find", settings=json.dumps({HOSTILE: HOSTILE}), raw_status=HOSTILE
    )
    closest = ledger.instance("closest--tight", problem="closest", suite="first", threshold=None)
    ledger.run("o1", closest, goal="optimize", termination="optimal", claimed_value=0.25, wall_seconds=2.0)
    ledger.judge("o1", confirmed=1, evidence="exact", best_exact_value=0.25)
    evidence = {"sha-easy-000--tight": evidence_of("h000"), strange: evidence_of("strange/../run")}
    return source_of(ledger, evidence, {"wrong": f"SCIP 1.0\n\tpresolve {HOSTILE}\r\nrobust", "h149": "HiGHS"})


@pytest.fixture
def site_source(ledger: LedgerBuilder) -> Source:
    """The source of the site of `fill`."""
    return fill(ledger)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of `fill`, written."""
    folder = tmp_path_factory.mktemp("site")
    builder = LedgerBuilder(folder / "ledger.sqlite")
    write_site(folder / "site", site_files(fill(builder)))
    builder.connection.close()
    return folder / "site"


@pytest.fixture
def make_source() -> Callable[[LedgerBuilder], Source]:
    """The source of the site of a ledger without its library."""
    return lambda builder: source_of(builder, {})
