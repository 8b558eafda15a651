"""Hostile solvers, at both levels of enforcement: each run ends as it should, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

import vnnbench.isolation.supervisor
from support.plays import log_of
from support.silent import Silent
from support.tiny_libraries import BEST, CENTRE, GOOD
from vnnbench.isolation.fork_server import NAMESPACE
from vnnbench.ledger.confirm import confirm

N_CORES = len(os.sched_getaffinity(0))


@pytest.fixture
def harmless(play, steps, survivors, enforcement: str) -> Iterator[None]:
    """After the test, check that nothing survives, and that an honest run in the folder ends well at that level."""
    yield
    assert not survivors()
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(GOOD), s.result("optimal", BEST, 0.25)], "optimize")
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("solver", "optimal", "adversarial")
    assert (row["evidence"], row["fault"], row["best_exact_value"]) == ("exact", "none", 0.25)
    if row["enforcement"] != enforcement:
        pytest.skip(f"{enforcement} is not permitted here (privilege): it was {row['enforcement']}")


pytestmark = pytest.mark.usefixtures("harmless")

DEAF = [["ignore", name] for name in ("SIGTERM", "SIGINT", "SIGHUP")]


def outcome(row) -> tuple[object, ...]:
    return row["ended_by"], row["termination"], row["verdict"], row["evidence"], row["fault"]


# -- processes ---------------------------------------------------------------------------------------------------


def test_daemon_dies_with_an_honest_looking_run(play, tmp_path):
    row = play("rob--tight", [["daemon", str(tmp_path / "pid")], ["result", "unresolved"]])
    assert outcome(row) == ("solver", "unresolved", "unknown", "none", "none")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("ending", [["hang"], ["exit", 0], ["segfault"]])
def test_daemon_dies_with_a_run_that_ends_badly(play, tmp_path, ending):
    ended_by, limit = ("time", 0.8) if ending == ["hang"] else ("crash", 20.0)
    row = play("rob--tight", [["daemon", str(tmp_path / "pid")], ending], time_limit_seconds=limit)
    assert outcome(row) == (ended_by, None, "unknown", "none", "none")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.alone
def test_two_hundred_and_fifty_six_deaf_processes_die_at_the_time_limit(play):
    row = play("rob--tight", [*DEAF, ["fork", 8], ["hang"]], time_limit_seconds=1.5)
    assert outcome(row) == ("time", None, "unknown", "none", "none")
    assert row["wall_seconds"] < 1.5 + vnnbench.isolation.supervisor.GRACE_SECONDS + 15


@pytest.mark.alone
def test_deaf_solver_is_killed_after_the_grace_period_and_counts_as_a_timeout(play):
    overruns = []
    for limit in (0.5, 0.6, 0.7, 0.8):  # a busy machine may delay any one of them
        row = play("rob--tight", [*DEAF, ["hang"]], time_limit_seconds=limit)
        assert outcome(row) == ("time", None, "unknown", "none", "none")
        overruns.append(row["wall_seconds"] - limit - vnnbench.isolation.supervisor.GRACE_SECONDS)
        if overruns[-1] < 1:
            break
    assert min(overruns) < 1


def test_finish_within_the_grace_period_counts_as_a_timeout(play, steps, monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.supervisor, "GRACE_SECONDS", 10.0)
    s = steps("adv--tight")
    row = play("adv--tight", [["sleep", 0.7], s.result("optimal", BEST, 0.25)], "optimize", time_limit_seconds=0.4)
    assert (row["ended_by"], row["termination"]) == ("time", "optimal")
    assert row["wall_seconds"] > 0.4  # the tables do not count it as solved: see test_outcomes
    assert (row["best_exact_value"], row["as_given_violation"], row["repaired_violation"]) == (0.25, None, None)
    assert (row["own_answers"], row["transferred_answers"]) == (0, 0)


@pytest.mark.alone
def test_spinning_on_all_cores_is_ended_by_processor_time(play):
    if N_CORES == 1:
        pytest.skip("one core: processor time cannot run ahead of the clock (device)")
    row = play("rob--tight", [["fork", 3], ["spin"]], time_limit_seconds=4.0)
    assert row["ended_by"] in ("cpu", "time")  # time, where others leave it no more than one core
    assert (row["termination"], row["verdict"], row["fault"]) == (None, "unknown", "none")
    if row["ended_by"] == "cpu":
        assert (
            row["wall_seconds"] < 4.0 + vnnbench.isolation.supervisor.GRACE_SECONDS + 15
        )  # it was asked to stop before, and did not
        assert row["cpu_seconds"] >= 4.0


def test_abort_and_segfault_differ_from_an_exit_without_a_result(play):
    words = {}
    for step in (["abort"], ["segfault"], ["exit", 0], ["kill", signal.SIGKILL]):
        row = play("rob--tight", [step])
        assert outcome(row) == ("crash", None, "unknown", "none", "none")
        words[step[0]] = row["message"]
    assert [re.search(r"\((.*)\)$", word)[1] for word in words.values()] == [
        "killed by SIGABRT", "killed by SIGSEGV", "exit code 0", "killed by SIGKILL",
    ]  # fmt: skip


def test_memory_of_many_processes_is_summed(play):
    row = play("rob--tight", [["fork", 2], ["allocate"]], memory_limit_bytes=400 << 20, time_limit_seconds=60.0)
    assert outcome(row) == ("memory", None, "unknown", "none", "none")
    assert 400 << 20 < row["peak_memory_bytes"] < 1600 << 20


def test_ten_gigabytes_of_output_are_cut_off(play, monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.supervisor, "MAX_OUTPUT_BYTES", 8 << 20)
    row = play("rob--tight", [["print"]], time_limit_seconds=60.0)
    assert outcome(row) == ("output", None, "unknown", "none", "none")
    assert (play.results / "logs" / f"{row['run']}.log.gz").stat().st_size < 1 << 20


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL", "SIGSTOP", "SIGCHLD"])
def test_worker_cannot_end_the_init_of_its_namespace(play, enforcement, name):
    if enforcement != NAMESPACE or play("rob--tight", [])["enforcement"] != NAMESPACE:
        pytest.skip("namespaces are not permitted here (privilege)")
    row = play("rob--tight", [["signal_init", name], ["sleep", 0.2], ["result", "unresolved"]])
    assert outcome(row) == ("solver", "unresolved", "unknown", "none", "none")


# -- files of others ---------------------------------------------------------------------------------------------


def test_candidates_of_another_run_that_a_solver_puts_in_place_of_its_own_are_noticed(play, library_set, steps):
    """It claims another run's counterexample: the judgement in the ledger stays, and `confirm` names the file."""
    s = steps("adv--tight")
    honest = play("adv--tight", [s.incumbent(BEST), ["wait_stop", 20]], "find")
    forged = play.results / "candidates" / f"{honest['run']}.npz"
    row = play("adv--tight", [["overwrite", str(forged), "mine"], ["result", "unresolved"]])
    assert outcome(row) == ("solver", "unresolved", "unknown", "none", "none")
    assert play.row(honest["run"])["verdict"] == "adversarial"
    found = confirm(play.results, library_set, Silent())
    assert {difference.run for difference in found} == {honest["run"]}
    assert any("candidates" in difference.field for difference in found)


def test_folders_deeper_than_a_path_can_say_are_removed(play):
    row = play("rob--tight", [["nest", 1500], ["sleep", 0.3], ["exit", 0]])
    assert outcome(row) == ("crash", None, "unknown", "none", "none")
    assert not (play.results / ".work").exists()


@pytest.mark.parametrize("ending", [["exit", 0], ["raise", "no folder"]])
def test_solver_that_removes_its_own_folder_harms_itself_alone(play, ending):
    row = play("rob--tight", [["vanish"], ending])
    assert row["ended_by"] == ("crash" if ending == ["exit", 0] else "solver")
    assert row["message"].startswith("rob--tight.mps.gz: changed or removed during the run")
    assert "solver.log: replaced or removed during the run" in log_of(play.results, row["run"])


# -- floods ---------- ----------------------------------------------------------------------------------------


def test_hundred_thousand_incumbents_neither_stall_nor_hide_the_answer(play, steps):
    s = steps("adv--tight")
    start = time.monotonic()
    script = [["flood", 50_000, s.columns(CENTRE)], s.incumbent(GOOD, -10.0),
              ["flood", 50_000, s.columns(CENTRE)], ["wait_stop", 60]]  # fmt: skip
    row = play("adv--tight", script, "find", time_limit_seconds=100.0)
    assert (row["ended_by"], row["verdict"], row["best_exact_value"]) == ("judge", "adversarial", 0.125)
    assert row["incumbents"] <= 100_001
    assert row["first_success_seconds"] <= time.monotonic() - start
