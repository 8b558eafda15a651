"""Plans are executed, killed and resumed; a ledger has one writer; shards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psutil
import pytest

import vnnbench.engines.local
import vnnbench.runs.execution
from support.processes import is_alive
from support.scripts import LIMITS
from support.silent import Silent
from support.tiny_libraries import write_tiny_library
from vnnbench.errors import ResultsError
from vnnbench.harness import run_plan
from vnnbench.instances.errors import InputError, LibraryError
from vnnbench.instances.library.library import Library
from vnnbench.isolation.cores import reserved
from vnnbench.judging.candidates import read_candidates
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import Retry, StopGoal
from vnnbench.runs.plan import RunLimits, SolverSetting, parse_setting, plan_runs, shard
from vnnbench.solvers.command_line.description import PACKAGED
from vnnbench.solvers.registry import get_solver, installed_solvers

RUNNER = """
import json, sys
from pathlib import Path
from vnnbench.harness import run_plan
from vnnbench.instances.library.library import Library
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.plan import RunLimits, SolverSetting, plan_runs

class Progress:
    def start(self, total, done=0): pass
    def advance(self, description, steps=1): print(description, flush=True)

library = Library.open(Path(sys.argv[1]))
script = [["sleep", 0.6], ["result", "unresolved"]]
setting = SolverSetting("scripted", "1.0", (("script", json.dumps(script)),))
plan = plan_runs(library.rows, [setting], range(3), RunLimits(StopGoal.OPTIMIZE, 20.0, 2 << 30))
run_plan(plan, library, Path(sys.argv[2]), int(sys.argv[3]), Progress())
"""


def start_runner(library: Library, results: Path, jobs: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUNNER, str(library.folder), str(results), str(jobs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def facts(results: Path) -> list[tuple]:
    runs = read_runs(results / "ledger.sqlite")
    columns = ["run", "instance", "solver", "settings", "seed", "goal", "termination", "ended_by", "verdict", "fault"]
    return sorted(runs[columns].itertuples(index=False, name=None))


def files(results: Path) -> dict[str, list[str]]:
    return {folder: sorted(path.name for path in (results / folder).iterdir()) for folder in ("logs", "candidates")}


def test_killed_run_goes_on_where_it_was(library, tmp_path, scripted):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    with start_runner(library, undisturbed) as process:
        assert process.wait(120) == 0

    for _ in range(2):
        with start_runner(library, killed) as process:
            assert process.stdout is not None
            for _ in range(2):
                assert process.stdout.readline()
            until = time.monotonic() + 60
            while not (children := psutil.Process(process.pid).children(recursive=True)):  # between two runs
                assert time.monotonic() < until
            process.send_signal(signal.SIGKILL)
            assert process.wait(60) == -signal.SIGKILL
            _, alive = psutil.wait_procs(children, timeout=30)
            assert not [child for child in alive if is_alive(child.pid)]
    done_before = facts(killed)
    assert 4 <= len(done_before) < 12
    for run in [row[0] for row in done_before]:  # what is committed is whole
        read_candidates(killed / "candidates" / f"{run}.npz")

    with start_runner(library, killed) as process:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(output.splitlines()) == 12 - len(done_before)
    assert facts(killed) == facts(undisturbed)
    assert files(killed) == files(undisturbed)
    assert not (killed / ".work").exists()
    assert not list(killed.rglob("*.tmp"))
    assert set(done_before) <= set(facts(killed))


def test_second_writer_is_refused_with_the_pid_of_the_first(library, tmp_path, scripted, plan_of):
    with start_runner(library, tmp_path / "results", jobs=1) as process:
        assert process.stdout is not None and process.stdout.readline()
        with pytest.raises(ResultsError, match=f"pid {process.pid}\\)"):
            run_plan(plan_of("rob--tight", []), library, tmp_path / "results", 1, Silent())
        assert len(read_runs(tmp_path / "results" / "ledger.sqlite"))  # reading is free
        process.kill()
        process.communicate()
    run_plan(plan_of("rob--tight", []), library, tmp_path / "results", 1, Silent())  # the lock died with the process


def test_ctrl_c_commits_what_has_finished_and_kills_the_rest(library, tmp_path, plan_of, workers):
    plan = [
        *plan_of("rob--tight", [["result", "unresolved"]]),
        *plan_of("adv--tight", [["ignore", "SIGTERM"], ["hang"]]),
        *plan_of("adv-mag-u10--tight", [["hang"]]),
    ]
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, library, tmp_path / "results", 2, Silent(1, KeyboardInterrupt()))
    assert time.monotonic() - start < 15  # of the time limit of 20 s
    assert not workers()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("run")] == []
    assert [row[0] for row in facts(tmp_path / "results")] == [plan[0].run]
    assert list((tmp_path / "results" / "logs").iterdir()) == [tmp_path / "results" / "logs" / f"{plan[0].run}.log.gz"]


def test_sigint_ends_the_command_and_leaves_no_child(library, tmp_path, scripted):
    with start_runner(library, tmp_path / "results") as process:
        assert process.stdout is not None and process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "KeyboardInterrupt" in errors
        assert not [child for child in children if child.is_running() and is_alive(child.pid)]
    n = len(facts(tmp_path / "results"))
    assert 1 <= n < 12
    assert len(files(tmp_path / "results")["logs"]) == n  # each finished run is committed


def test_error_of_one_run_stops_the_plan_and_keeps_the_others(library, tmp_path, plan_of, monkeypatch):
    plan = [*plan_of("rob--tight", [["result", "unresolved"]]), *plan_of("adv--tight", []), *plan_of("rob--tight", [])]
    execute = vnnbench.engines.local.execute

    def failing(planned, *arguments):
        if planned is plan[1]:
            raise LibraryError("disk full")
        return execute(planned, *arguments)

    monkeypatch.setattr(vnnbench.engines.local, "execute", failing)
    with pytest.raises(InputError, match="disk full"):
        run_plan(plan, library, tmp_path / "results", 1, Silent())
    assert [row[0] for row in facts(tmp_path / "results")] == [plan[0].run]


def test_runs_in_the_ledger_are_not_made_again(library, tmp_path, plan_of):
    plan = [*plan_of("rob--tight", []), *plan_of("adv--tight", [])]
    first, second = Silent(), Silent()
    assert len(run_plan(plan[:1], library, tmp_path / "results", 1, first)) == 1
    assert [done.result.run for done in run_plan(plan, library, tmp_path / "results", 1, second)] == [plan[1].run]
    assert (first.total, first.before, first.done) == (1, 0, 1)
    assert (second.total, second.before + second.done) == (2, 2)
    assert run_plan(plan, library, tmp_path / "results", 1, Silent()) == []


@pytest.mark.alone
def test_run_beside_another_process_on_its_core_is_marked_disturbed(library, tmp_path, plan_of):
    stranger = [sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"]
    strangers = [subprocess.Popen(stranger, stdout=subprocess.PIPE) for _ in os.sched_getaffinity(0)]
    try:
        for process in strangers:
            assert process.stdout is not None and process.stdout.readline()
        run_plan(plan_of("rob--tight", [["sleep", 1.5]]), library, tmp_path / "results", 1, Silent())
    finally:
        for process in strangers:
            process.kill()
            process.communicate()
    (run,) = read_runs(tmp_path / "results" / "ledger.sqlite").itertuples()
    assert run.disturbed == 1
    if run.cores:  # otherwise another harness has all cores
        assert int(run.cores) in os.sched_getaffinity(0)
        assert run.foreign_seconds > 0.1 + 0.05 * run.wall_seconds


@pytest.mark.alone
def test_runs_without_cores_of_their_own_are_announced(library, tmp_path, plan_of, capsys):
    plan = [*plan_of("rob--tight", []), *plan_of("adv--tight", [])]
    n = len(os.sched_getaffinity(0))
    cores = "1 core" if n == 1 else f"{n} cores"
    with reserved(n, 1):
        run_plan(plan[:1], library, tmp_path / "results", 5, Silent())
    taken = f"{cores}, {n} of them used by another vnnbench"
    told = f"warning: 1 job x 1 thread on {taken}: too few are left for 1 job, whose runs count as disturbed\n"
    assert capsys.readouterr().err == told
    with reserved(n, 1):
        run_plan(plan[:1], library, tmp_path / "results", 5, Silent())
    assert capsys.readouterr().err == ""  # there was nothing to run
    (run,) = read_runs(tmp_path / "results" / "ledger.sqlite").itertuples()
    assert run.disturbed == 1


@pytest.mark.alone
def test_two_jobs_run_at_once(library, tmp_path, plan_of):
    plan = [*plan_of("rob--tight", [["sleep", 1.5]]), *plan_of("adv--tight", [["sleep", 1.5]])]
    run_plan(plan, library, tmp_path / "results", 2, Silent())
    runs = read_runs(tmp_path / "results" / "ledger.sqlite")
    one, other = map(datetime.fromisoformat, runs.started_at)
    assert abs(one - other).total_seconds() < min(runs.wall_seconds)


def test_another_instance_of_the_same_name_is_refused_and_nothing_is_written(library, tmp_path, plan_of, scripted):
    results = tmp_path / "results"
    run_plan(plan_of("rob--tight", []), library, results, 1, Silent())
    other = write_tiny_library(tmp_path / "other", {"rob": 3.0})
    plan = plan_runs(other.rows, [SolverSetting("scripted", "1.0")], [0], LIMITS)
    with pytest.raises(ResultsError, match="has runs of another instance named rob--tight"):
        run_plan(plan, other, results, 1, Silent())
    assert len(facts(results)) == 1
    with sqlite3.connect(results / "ledger.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM instances").fetchone() == (1,)
    connection.close()
    run_plan(plan_of("rob--tight", [["sleep", 0.0]]), library, results, 1, Silent())  # the folder is not locked


def test_altered_library_is_refused_before_anything_runs(tmp_path, scripted):
    library = write_tiny_library(tmp_path / "library")
    path = library.model_path(library.rows[0])
    path.write_bytes(path.read_bytes() + b"\0")
    plan = plan_runs(library.rows, [SolverSetting("scripted", "1.0")], [0], LIMITS)
    with pytest.raises(LibraryError, match="is not the file"):
        run_plan(plan, library, tmp_path / "results", 1, Silent())
    assert not (tmp_path / "results").exists()


def test_results_that_are_a_file_are_refused(library, tmp_path, plan_of):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(ResultsError, match="is not a folder"):
        run_plan(plan_of("rob--tight", []), library, tmp_path / "results", 1, Silent())
    assert (tmp_path / "results").read_text() == "mine"


@pytest.mark.parametrize("broken", ["logs", "candidates"])
def test_folder_that_cannot_be_made_is_one_line(library, tmp_path, plan_of, broken, workers):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / broken).write_text("in the way")
    with pytest.raises((ResultsError, LibraryError)) as caught:
        run_plan(plan_of("rob--tight", []), library, tmp_path / "results", 1, Silent())
    assert "\n" not in str(caught.value)
    assert not workers()


def test_file_in_the_place_of_the_work_folder_is_moved_aside(library, tmp_path, plan_of, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".work").write_text("in the way")
    assert len(run_plan(plan_of("rob--tight", []), library, tmp_path / "results", 1, Silent())) == 1
    (aside,) = (tmp_path / "results").glob(".work*")
    assert aside.read_text() == "in the way"
    assert capsys.readouterr().err.startswith(f"warning: {aside}: ")


# -- another attempt ---------------------------------------------------------------------------------------------


def attempts(results: Path) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        return connection.execute("SELECT run, attempt FROM results ORDER BY run").fetchall()


@pytest.mark.parametrize(
    ("script", "reason", "others"),
    [
        ([["raise", "oops"]], Retry.ERROR, {Retry.CRASH}),
        ([["result", "error"]], Retry.ERROR, {Retry.CRASH}),
        ([["kill", 9]], Retry.CRASH, {Retry.ERROR}),
        ([["result", "unresolved"]], None, {Retry.ERROR, Retry.CRASH}),
    ],
)
def test_another_attempt_is_made_for_the_given_reason_alone(library, tmp_path, plan_of, script, reason, others):
    results = tmp_path / "results"
    (planned,) = plan = plan_of("adv--tight", script)
    run_plan(plan, library, results, 1, Silent())
    for nothing in ((), others):
        progress = Silent()
        assert run_plan(plan, library, results, 1, progress, nothing) == []
        assert (progress.total, progress.before, progress.done) == (1, 1, 0)
    assert attempts(results) == [(planned.run, 1)]
    if reason is None:
        return
    progress = Silent()
    (again,) = run_plan(plan, library, results, 1, progress, {reason})
    assert (progress.total, progress.before, progress.done) == (1, 0, 1)
    assert again.result.run == f"{planned.run}-2"
    run_plan(plan, library, results, 1, Silent(), {reason, *others})
    assert attempts(results) == [(planned.run, 1), (f"{planned.run}-2", 2), (f"{planned.run}-3", 3)]
    names = [planned.run, f"{planned.run}-2", f"{planned.run}-3"]
    assert files(results) == {
        "logs": sorted(f"{name}.log.gz" for name in names), "candidates": sorted(f"{name}.npz" for name in names)
    }  # fmt: skip
    (run,) = read_runs(results / "ledger.sqlite").itertuples()
    assert (run.run, run.attempt, run.attempts) == (f"{planned.run}-3", 3, 3)


def test_attempt_that_went_well_is_not_repeated(library, tmp_path, plan_of, monkeypatch):
    """The first attempt finds its flag missing and fails; the second finds it."""
    results, flag = tmp_path / "results", tmp_path / "flag"
    plan = plan_of("adv--tight", [["once", str(flag)], ["result", "unresolved"]])
    run_plan(plan, library, results, 1, Silent())
    run_plan(plan, library, results, 1, Silent(), {Retry.ERROR})
    assert run_plan(plan, library, results, 1, Silent(), {Retry.ERROR}) == []
    (run,) = read_runs(results / "ledger.sqlite").itertuples()
    assert (run.run, run.termination, run.attempts) == (f"{plan[0].run}-2", "unresolved", 2)


def test_disturbed_run_is_repeated(library, tmp_path, plan_of, monkeypatch):
    results = tmp_path / "results"
    plan = plan_of("adv--tight", [])
    run_child = vnnbench.runs.execution.run_child
    swapped = iter([4096, 0])

    def measured(*arguments, **keywords):
        outcome = run_child(*arguments, **keywords)
        outcome.cores, outcome.foreign_seconds, outcome.swapped_bytes = (0,), 0.0, next(swapped)
        outcome.stalled_seconds = 0.0
        return outcome

    monkeypatch.setattr(vnnbench.runs.execution, "run_child", measured)
    run_plan(plan, library, results, 1, Silent())
    assert run_plan(plan, library, results, 1, Silent(), {Retry.ERROR, Retry.CRASH}) == []
    assert len(run_plan(plan, library, results, 1, Silent(), {Retry.DISTURBED})) == 1
    assert run_plan(plan, library, results, 1, Silent(), {Retry.DISTURBED}) == []  # the second attempt was undisturbed
    assert attempts(results) == [(plan[0].run, 1), (f"{plan[0].run}-2", 2)]


def test_library_that_was_altered_while_its_runs_wait_is_refused(tmp_path, scripted):
    library = write_tiny_library(tmp_path / "library")
    plan = plan_runs(library.rows, [SolverSetting("scripted", "1.0")], [0], LIMITS)
    path = library.model_path(library.rows[-1])

    class Altering(Silent):
        def advance(self, description, steps=1):
            path.write_bytes(path.read_bytes() + b"\0")

    with pytest.raises(LibraryError, match="is not the file"):
        run_plan(plan, library, tmp_path / "results", 1, Altering())
    assert 1 <= len(facts(tmp_path / "results")) < len(plan)


# -- real solvers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["highs", "scip", "gurobi", "cbc", "glpk"])
def test_real_solvers_find_and_prove(library, tmp_path, solver):
    adapter = get_solver(solver)
    if not adapter.installed() or adapter.licence().text.startswith("none usable"):
        pytest.skip(f"{solver} is not usable here: {adapter.needs()}")
    limits = RunLimits(StopGoal.DECIDE, 20.0, 2 << 30)
    plan = plan_runs(library.rows, [SolverSetting(solver, adapter.version())], [0], limits)
    run_plan(plan, library, tmp_path / "results", 1, Silent())
    runs = read_runs(tmp_path / "results" / "ledger.sqlite").set_index("instance")
    assert dict(runs.fault) == dict.fromkeys(runs.index, "none")
    assert runs.verdict["adv--tight"] == "adversarial"
    assert (runs.verdict["rob--tight"], runs.evidence["rob--tight"]) == ("robust", "claimed")
    assert runs.verdict["rob-mag-u10--tight"] == "unknown"
    assert runs.termination["rob-mag-u10--tight"] == "optimal"
    assert runs.claimed_value["rob-mag-u10--tight"] == pytest.approx(-0.25, abs=1e-6)


@pytest.mark.parametrize("solver", ["highs", "scip", "gurobi", "cbc", "glpk"])
def test_permutations_are_solved_and_judged_as_the_file_itself(library, tmp_path, solver):
    adapter = get_solver(solver)
    if not adapter.installed() or adapter.licence().text.startswith("none usable"):
        pytest.skip(f"{solver} is not usable here: {adapter.needs()}")
    rows = [library.row("adv--tight"), library.row("rob-mag-u10--tight")]
    limits = RunLimits(StopGoal.OPTIMIZE, 20.0, 2 << 30)
    plan = plan_runs(rows, [SolverSetting(solver, adapter.version())], [0], limits, range(3))
    run_plan(plan, library, tmp_path / "results", 2, Silent())
    runs = read_runs(tmp_path / "results" / "ledger.sqlite").set_index("run")
    assert len(plan) == len(runs) == 6
    for planned in plan:
        run = runs.loc[planned.run]
        assert (run.permutation, run.termination, run.fault) == (planned.permutation, "optimal", "none")
        best = {"adv--tight": 0.25, "rob-mag-u10--tight": -0.25}[planned.row.instance]
        assert run.claimed_value == pytest.approx(best, abs=1e-6)


def test_solver_of_a_toml_runs_under_its_name_with_its_content_in_the_settings(library, tmp_path, monkeypatch):
    if "cbc" not in installed_solvers():
        pytest.skip(f"cbc is not usable here: {get_solver('cbc').needs()}")
    (tmp_path / "tomls").mkdir()
    path = tmp_path / "tomls" / "mine.toml"
    path.write_bytes((PACKAGED / "cbc.toml").read_bytes())
    monkeypatch.chdir(tmp_path)
    limits = RunLimits(StopGoal.DECIDE, 20.0, 2 << 30)
    (planned,) = plan_runs([library.row("adv--tight")], [parse_setting("tomls/mine.toml:node_limit=99")], [0], limits)
    run_plan([planned], library, tmp_path / "results", 1, Silent())
    (run,) = read_runs(tmp_path / "results" / "ledger.sqlite").itertuples()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert (run.run, run.solver) == (planned.run, "mine")
    assert json.loads(run.settings) == {"toml": digest, "node_limit": 99}
    assert (run.verdict, run.termination, run.fault) == ("adversarial", "optimal", "none")
    path.rename(tmp_path / "mine.toml")
    (moved,) = plan_runs([planned.row], [parse_setting("mine.toml:node_limit=99")], [0], limits)
    assert moved.run == planned.run
    (tmp_path / "mine.toml").write_text((tmp_path / "mine.toml").read_text() + "# changed\n")
    (other,) = plan_runs([planned.row], [parse_setting("mine.toml:node_limit=99")], [0], limits)
    assert other.run != planned.run


def test_shards_may_follow_each_other_into_one_folder(library, tmp_path, scripted):
    script = json.dumps([["result", "unresolved"]])
    setting = SolverSetting("scripted", "1.0", (("script", script),))
    plan = plan_runs(library.rows, [setting], [0], replace(LIMITS, goal=StopGoal.FIND))
    for part in ("1/2", "2/2"):
        run_plan(shard(plan, part), library, tmp_path / "results", 1, Silent())
    assert {row[0] for row in facts(tmp_path / "results")} == {run.run for run in plan}
