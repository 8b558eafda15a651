"""`--dry-run` says what a plan takes, by the limits and by the runs that a ledger has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.folders import contents
from support.older_ledgers import make_older
from vnnbench.cli import run_command
from vnnbench.instances.library.library import Library
from vnnbench.isolation.supervisor import GRACE_SECONDS
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.schema import SCHEMA_VERSION
from vnnbench.ledger.run_identity import Retry, StopGoal
from vnnbench.ledger.writer import LEDGER_NAME, Ledger
from vnnbench.runs.forecast import forecast_runs
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs

LIMITS = RunLimits(StopGoal.DECIDE, 30.0)


@pytest.fixture
def plan(tiny_library):
    """A function that plans runs of these settings on `tiny_library`, with the limits of `tiny_results`."""

    def make(*settings, seeds=(0,)):
        return plan_runs(Library.open(tiny_library).rows, [parse_setting(text) for text in settings], seeds, LIMITS)

    return make


def test_without_a_ledger_only_the_limits_are_known(plan, tmp_path):
    told = forecast_runs(plan("highs"), tmp_path / "results", jobs=2)
    assert (told.planned, told.before, told.left, told.instances) == (8, 0, 8, 8)
    assert told.worst_seconds == 8 * (30.0 + GRACE_SECONDS) / 2
    assert (told.expected_seconds, told.unmeasured, told.n_bytes) == (None, 8, None)
    assert not (tmp_path / "results").exists()


def test_runs_of_the_ledger_are_not_made_again_and_forecast_the_others(plan, tiny_results):
    done = forecast_runs(plan("highs"), tiny_results, jobs=1)
    assert (done.planned, done.before, done.left, done.worst_seconds) == (8, 8, 0, 0.0)
    told = forecast_runs(plan("highs", "highs:presolve=off", seeds=(0, 1)), tiny_results, jobs=1)
    mean = read_runs(tiny_results / LEDGER_NAME)["wall_seconds"].mean()
    assert (told.planned, told.left, told.unmeasured, told.instances) == (32, 24, 16, 8)
    assert told.expected_seconds == pytest.approx(8 * mean + 16 * 30.0)
    assert told.worst_seconds == 24 * (30.0 + GRACE_SECONDS)
    stored = [path.stat().st_size for part in ("logs", "candidates") for path in (tiny_results / part).iterdir()]
    assert told.n_bytes == pytest.approx(sum(stored) / 8 * 24)


def test_neither_a_running_harness_nor_an_older_ledger_is_touched(plan, tiny_results, tmp_path):
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    with Ledger(results):
        assert forecast_runs(plan("highs"), results, jobs=1).left == 0
    make_older(results / LEDGER_NAME, SCHEMA_VERSION - 1)
    before = contents(results)
    assert forecast_runs(plan("highs"), results, jobs=1).left == 0
    assert contents(results) == before


def test_retried_runs_count(plan, tiny_results):
    disturbed = (read_runs(tiny_results / LEDGER_NAME)["disturbed"] == 1).sum()
    assert forecast_runs(plan("highs"), tiny_results, jobs=1, retry=[Retry.DISTURBED]).left == disturbed


def test_the_command_prints_and_runs_nothing(tiny_library, tiny_results, tmp_path, capsys):
    before = sorted(tiny_results.rglob("*.*z"))
    words = ["run", str(tiny_library), "--solver", "highs", "--time-limit", "30", "--seeds", "0,1", "--dry-run"]
    assert run_command([*words, "--results", str(tiny_results), "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    assert "16 runs planned, of which 8 are in the ledger: 8 to do on 8 instances." in out
    at_most = "At most 2.3 min with 2 jobs, if every run takes its whole time limit (30 s) and 5 s to stop."
    assert at_most in " ".join(out.split())
    assert "Expected time: " in out and "kB of candidates" in out
    assert len(read_runs(tiny_results / LEDGER_NAME)) == 8
    assert sorted(tiny_results.rglob("*.*z")) == before
    assert run_command([*words, "--results", str(tmp_path / "none")]) == 0
    assert "Expected time: unknown until" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]


def test_generate_says_what_it_makes_and_with_dry_run_makes_nothing(tiny_suite, tmp_path, capsys):
    words = ["generate", str(tiny_suite), "--out", str(tmp_path / "library"), "--select", "*-s0-l1--tight"]
    assert run_command([*words, "--dry-run"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["trained", "1", "2", "0", "2", "–"] in rows and ["instances", "1", "1", "0", "1", "–"] in rows
    assert not [*tmp_path.iterdir()]
    assert run_command(words) == 0
    assert "generate: 2 steps: 2 networks (whole batches; 1 needed), 1 instance\n" in capsys.readouterr().err
    assert run_command(words) == 0
    assert "steps" not in capsys.readouterr().err
