"""Ledgers with numbers and texts that no run leaves, as an earlier version merged them: every command still reads them,
with no warning (they are errors here), no traceback, and no number that JSON does not have."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.sharing.bundle import write_bundle

LARGEST = 1.7976931348623157e308
STEPS = json.dumps([[0.0, -LARGEST], [1e308, LARGEST]])
CONTROLS = "=\x1b[31m\r\n\x7f\x85\u202e@"
INTEGERS = (
    "results.nodes", "results.seed", "results.memory_limit_bytes", "results.threads", "results.peak_memory_bytes",
    "judgements.own_answers", "judgements.transferred_answers", "instances.rows", "instances.unstable",
    "instances.depth",
)  # fmt: skip
TEXTS = (
    "results.message", "results.raw_status", "results.solver", "results.solver_version", "machines.cpu",
    "machines.kernel", "instances.suite", "instances.dataset",
)  # fmt: skip
POISONS: dict[str, dict[str, object]] = {
    "a limit whose tenfold overflows": {"results.time_limit_seconds": 1e308},
    "limits that overflow when there are many": {
        "results.time_limit_seconds": 1e306, "results.wall_seconds": 1e306, "judgements.first_success_seconds": 1e306,
        "instances.finetune_seconds": 1e306, "judgements.primal_steps": STEPS, "results.dual_steps": STEPS,
    },
    "infinite numbers": {
        "results.time_limit_seconds": math.inf, "results.wall_seconds": math.inf, "judgements.judge_seconds": math.inf,
        "results.claimed_value": math.inf, "results.dual_bound": -math.inf, "judgements.best_exact_value": math.inf,
        "judgements.own_value": math.inf, "judgements.raw_violation": math.inf, "instances.constant_rounding": math.inf,
        "instances.train_seconds": math.inf,
    },
    "no time at all": {"results.time_limit_seconds": 0.0, "results.wall_seconds": 0.0},
    "times before the start, infinite bounds": {
        "results.time_limit_seconds": -1e308, "results.wall_seconds": -1e308, "results.dual_bound": math.inf,
        "judgements.best_exact_value": -math.inf,
    },
    "values that overflow in a difference": {
        "results.claimed_value": LARGEST, "results.dual_bound": -LARGEST, "judgements.best_exact_value": -LARGEST,
        "judgements.own_value": LARGEST, "instances.centre_value": LARGEST,
    },
    "the largest integers": dict.fromkeys(INTEGERS, 2**63 - 1),
    "the smallest integers": dict.fromkeys(INTEGERS, -(2**63)),
    "brackets": dict.fromkeys(
        ("machines.packages", "results.settings", "results.dual_steps", "judgements.primal_steps"), "[" * 100_000
    ),
    "long texts": {
        "results.settings": json.dumps({"a": "\U0001f600" * 75_000}), "machines.packages": "1" * 5_000,
        "results.started_at": "2026-11-28<00:00:00",
    },
    "half a character and an infinite option": {"results.settings": '{"a": "\\ud800", "b": Infinity}'},
    "control characters and formulas": dict.fromkeys(TEXTS, CONTROLS),
}  # fmt: skip


@pytest.fixture
def poisoned(tiny_results: Path, tmp_path: Path) -> Callable[[dict[str, object]], Path]:
    """Results like `tiny_results` with other values in all rows of a table, in `results` in every other row."""

    def poison(values: dict[str, object]) -> Path:
        folder = Path(shutil.copytree(tiny_results, tmp_path / "results"))
        with closing(sqlite3.connect(folder / LEDGER_NAME)) as connection, connection:
            for table in ("machines", "instances", "results", "judgements"):
                connection.execute(f"DROP TRIGGER {table}_no_update")
            for name, value in values.items():
                table, column = name.split(".")
                rows = "WHERE rowid % 2" if table == "results" else ""
                connection.execute(f"UPDATE {table} SET {column} = ? {rows}", (value,))  # noqa: S608
        return folder

    return poison


def no_constant(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


@pytest.mark.parametrize("kind", POISONS)
def test_every_command_reads_a_poisoned_ledger(poisoned, tiny_library, tmp_path, capsys, kind):
    results, library = str(poisoned(POISONS[kind])), ["--library", str(tiny_library)]
    begun = time.process_time()
    for command in (
        *(["leaderboard", results, "--format", form] for form in ("table", "markdown", "csv", "json", "latex")),
        ["leaderboard", results, "--by", "pruning"],
        ["answers", results],
        ["answers", results, "--format", "json"],
        ["select", results, "--size", "1", "--out", str(tmp_path / "chosen"), "--format", "json"],
        ["report", results, "--paper", "pham2025", "--out", str(tmp_path / "report")],
        ["publish", results, *library, "--out", str(tmp_path / "site")],
        ["bundle", results, "--out", str(tmp_path / "out.zip")],
        ["confirm", results, *library, "--format", "json"],
    ):
        code = run_command(command)
        out, err = capsys.readouterr()
        refused = err.splitlines()[-1:] if code == 2 else []
        assert code in (0, 1) or (command[0] in ("bundle", "select") and refused[0].startswith("Error: ")), err
        assert all(line.isprintable() for line in out.split("\n")), command
        if "json" in command and code != 2:
            json.loads(out, parse_constant=no_constant)
    assert json.loads((tmp_path / "site" / "downloads" / "leaderboard.json").read_text(), parse_constant=no_constant)
    assert time.process_time() - begun < 60


def test_a_poisoned_ledger_is_merged_into_and_goes_on(poisoned, tiny_results, tiny_library, tmp_path, capsys):
    write_bundle(tiny_results, tmp_path / "b.zip", Silent())
    results = str(poisoned({"results.time_limit_seconds": 1e308, "machines.packages": "[" * 100_000}))
    assert run_command(["merge", results, str(tmp_path / "b.zip"), "--library", str(tiny_library)]) in (0, 1)
    assert run_command(["run", str(tiny_library), "--results", results, "--retry", "error"]) == 0
