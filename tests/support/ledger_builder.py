"""A ledger written row by row with the real schema, so that every test reads what the leaderboard reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd

from support.proven_answers import only_proven
from vnnbench.leaderboard.records import reader, schema
from vnnbench.leaderboard.records.proven import Proven
from vnnbench.leaderboard.words import SUBMITTED
from vnnbench.references.adapters import REFERENCES


class LedgerBuilder:
    """Writes a ledger and reads it back: facts in, derived runs out.

    Every argument is a column of the table; the defaults make a row that claims nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path)
        self.connection.executescript(schema.SCHEMA)
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.execute("PRAGMA synchronous = OFF")  # no test survives a crash of the machine
        self.machine("m1")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _insert(self, table: str, **row: Any) -> None:
        marks = ", ".join("?" for _ in row)
        self.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # noqa: S608
        self.connection.commit()

    def machine(self, machine: str, **columns: Any) -> None:
        """Add a machine, with a CPU of its own that has its name; all runs are on "m1" unless they say otherwise."""
        facts = {"cores": 2, "memory_bytes": 8, "kernel": "6", "python": "3.11", "packages": "{}"}
        self._insert("machines", **(facts | {"machine": machine, "cpu": machine.removeprefix(SUBMITTED)} | columns))

    def instance(self, name: str, problem: str = "p", network: str = "net", **columns: Any) -> str:
        """Add an instance, dense unless `network` differs from `dense_network`; return its hash."""
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

    def surrogate(self, problem: str, **columns: Any) -> str:
        """Add an instance on a surrogate, pruned by magnitude at rate 0.9, of a dense network; return its hash."""
        kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9} | columns
        return self.instance(f"{problem}-mag", problem=problem, network="net-mag", **kind)

    def run(self, run: str, instance: str, **columns: Any) -> None:
        """Add a result: by default `decide` by highs 1.0, at its 100 s limit, with nothing claimed. All are ranked but
        the references', unless they say otherwise."""
        row = {
            "run": run, "instance_sha256": instance, "solver": "highs", "solver_version": "1.0", "settings": "{}",
            "seed": 0, "threads": 1, "time_limit_seconds": 100.0, "memory_limit_bytes": 2**32, "goal": "decide",
            "termination": "time_limit", "message": "", "ended_by": "solver", "wall_seconds": 100.0, "incumbents": 0,
            "machine": "m1", "enforcement": "rlimit", "started_at": "2026-01-01T00:00:00Z",
        } | columns  # fmt: skip
        self._insert("results", **({"ranked": int(row["solver"] not in REFERENCES)} | row))

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
        """Add a run whose candidate of that value was confirmed after that many seconds, and ended it."""
        ended = {"termination": "interrupted", "ended_by": "judge", "wall_seconds": seconds}
        self.run(run, instance, **(ended | columns))
        self.judge(run, confirmed=1, evidence="exact", best_exact_value=value, first_success_seconds=seconds)

    def robust(self, run: str, instance: str, seconds: float, bound: float = -0.5, **columns: Any) -> None:
        """Add a run whose dual bound rules a counterexample out."""
        ended = {"termination": "bound_reached", "wall_seconds": seconds, "dual_bound": bound}
        self.run(run, instance, **(ended | columns))

    def runs(self, *proven: Proven) -> pd.DataFrame:
        """Return what the leaderboard reads, where these are the proven answers."""
        only_proven(self.path.parent, proven)
        return reader.read_runs(self.path)

    def row(self, run: str, *proven: Proven) -> dict[str, Any]:
        """Return the row of a run as the leaderboard reads it, where these are the proven answers."""
        return {str(name): value for name, value in self.runs(*proven).set_index("run").loc[run].to_dict().items()}

    def one(self, run: str) -> dict[str, Any]:
        """Return one row of the view `runs`, SQL null as None."""
        cursor = self.connection.execute("SELECT * FROM runs WHERE run = ?", [run])
        names = [column[0] for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))

    def derived(self, run: str) -> tuple[str, str, str]:
        """Return verdict, evidence and fault of a run, as the view `runs` derives them."""
        row = self.one(run)
        return row["verdict"], row["evidence"], row["fault"]
