"""Real children break each limit and each rule; after every one of them the next run is unharmed."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from pathlib import Path

import pytest

import vnnbench.isolation.supervisor
from support.children import Bystander, request_for
from support.plays import log_of
from support.processes import is_alive
from support.tiny_libraries import BEST, GOOD
from vnnbench.errors import ResultsError
from vnnbench.isolation.fork_client import PreparedSolvers
from vnnbench.isolation.protocol import Frame, Kind
from vnnbench.isolation.supervisor import Cancelled, ChildOutcome, Limits, run_child
from vnnbench.leaderboard.words import EndedBy


def open_channels() -> list[str]:
    """Return the sockets, pipes and ledgers that this process holds open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(descriptor.readlink()))
    return sorted(link for link in links if link.startswith(("socket:", "pipe:")) or "results" in link)


@pytest.fixture
def unharmed(play, steps, workers):
    """After the test, check that an honest run in the folder ends well, and that no child or descriptor is left."""
    before = open_channels()
    yield
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(GOOD), s.result("optimal", BEST, 0.25)], "optimize")
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("solver", "optimal", "adversarial")
    assert (row["evidence"], row["fault"], row["best_exact_value"]) == ("exact", "none", 0.25)
    assert not workers()
    assert open_channels() == before
    assert not (play.results / ".work").exists()


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stubborn", [[], [["ignore", "SIGTERM"], ["ignore", "SIGINT"]]])
def test_hanging_solver_is_ended_at_its_time_limit(play, unharmed, stubborn):
    row = play("rob--tight", [*stubborn, ["hang"]], time_limit_seconds=1.0)
    assert (row["ended_by"], row["termination"], row["raw_status"]) == ("time", None, None)
    assert (row["verdict"], row["evidence"], row["fault"]) == ("unknown", "none", "none")
    assert 1.0 <= row["wall_seconds"] < 15
    assert row["incumbents"] == 0 and row["claimed_value"] is None and row["dual_bound"] is None


def test_last_result_of_a_solver_that_stops_at_its_time_limit_is_taken(play, steps, patient):
    s = steps("rob--tight")
    script = [s.incumbent(GOOD), ["wait_stop", 30], s.result("interrupted", GOOD, -0.5)]
    row = play("rob--tight", script, "optimize", time_limit_seconds=0.5)
    assert (row["ended_by"], row["termination"]) == ("time", "interrupted")
    assert 0.5 <= row["wall_seconds"] < 15  # it would wait for 30 s
    assert (row["claimed_value"], row["dual_bound"], row["nodes"]) == (-0.875, -0.5, 7)
    assert (row["verdict"], row["evidence"]) == ("robust", "claimed")


@pytest.mark.alone
def test_memory_without_end_is_ended_at_the_memory_limit(play, unharmed):
    row = play("rob--tight", [["allocate"]], memory_limit_bytes=300 << 20)
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("memory", None, "unknown")
    assert row["fault"] == "none"
    assert 300 << 20 < row["peak_memory_bytes"] < 700 << 20
    assert row["wall_seconds"] < 15


@pytest.mark.alone
def test_memory_of_a_grandchild_counts(play, tmp_path, unharmed):
    script = [["allocate"]]
    row = play("rob--tight", [["grandchild", str(tmp_path / "pid"), False], *script], memory_limit_bytes=300 << 20)
    assert row["ended_by"] == "memory"
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_output_without_end_is_ended(play, unharmed, monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.supervisor, "MAX_OUTPUT_BYTES", 8 << 20)
    row = play("rob--tight", [["print"]])
    assert (row["ended_by"], row["termination"]) == ("output", None)
    assert (play.results / "logs" / f"{row['run']}.log.gz").stat().st_size < 1 << 20


@pytest.mark.alone
def test_memory_limit_does_not_relabel_a_run_that_the_judge_has_ended(play, steps, unharmed):
    s = steps("adv--tight")
    script = [s.incumbent(GOOD), ["wait_stop", 30], ["allocate", 0.005]]
    row = play("adv--tight", script, "find", memory_limit_bytes=200 << 20)
    assert (row["ended_by"], row["verdict"]) == ("judge", "adversarial")


@pytest.mark.alone
def test_peak_memory_is_the_childs_own_not_the_harness(play, steps):
    ballast = bytearray(b"x" * (400 << 20))
    s = steps("rob--tight")
    row = play("rob--tight", [s.result("optimal", GOOD, -0.75)])
    assert ballast[-1] == ord("x")
    assert 1 << 20 < row["peak_memory_bytes"] < 300 << 20


# -- deaths ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (["segfault"], "killed by SIGSEGV"),
        (["kill", signal.SIGKILL], "killed by SIGKILL"),
        (["kill", 40], "killed by signal 40"),
        (["exit", 0], "exit code 0"),
        (["exit", 3], "exit code 3"),
        (["raw", "garbage from here on, not a frame"], "worker process failed: a header of"),
        (["raw", "\0\0\0\2[]"], "a header that is not a message"),
        (["frame", {"kind": "nonsense"}, []], "a header that is not a message"),
        (["frame", {"kind": "ready"}, []], "ready out of turn"),
        (["frame", {"kind": "dual_bound", "dual_bound": None}, []], "a dual bound that is not a number"),
        (["frame", {"kind": "dual_bound", "dual_bound": 10**400}, []], "a dual bound that is not a number"),
        (["frame", {"kind": "columns"}, [], "\xff"], "names that are not UTF-8 text"),
        (["frame", {"kind": "columns"}, [], "p_" + "1" * 5000], "column names of more than 255"),
        (["frame", {"kind": "columns"}, [], "h_1_0"], "none of the input columns"),
        (["frame", {"kind": "columns"}, [], "p\n" * 200], "names, or names more than"),
        (["junk", "[]", 1_000_000, 1], "a header of more than 20000 lists"),
        (["junk", "0", 2_000_000, 1], "a header of 2000066 bytes"),
        (["incumbent", 1.0, [0.5]], "an incumbent that does not fit"),
        (["incumbent", 1.0, []], "an incumbent that does not fit"),
    ],
)
def test_death_or_broken_protocol_is_a_crash(play, step, message):
    row = play("rob--tight", [step, ["wait_stop", 60]])
    assert (row["ended_by"], row["termination"], row["raw_status"]) == ("crash", None, None)
    assert (row["verdict"], row["evidence"], row["fault"]) == ("unknown", "none", "none")
    assert message in row["message"]
    assert message in log_of(play.results, row["run"])
    assert 0 < row["wall_seconds"] < 15


def test_the_end_of_a_long_traceback_arrives(play, unharmed):
    row = play("rob--tight", [["raise", "no luck " * 10_000]])
    assert (row["ended_by"], row["termination"]) == ("solver", "error")
    assert 40_000 < len(log_of(play.results, row["run"])) < 60_000


def test_crash_leaves_the_next_run_and_the_log_unharmed(play, unharmed):
    row = play("rob--tight", [["segfault"]])
    assert "Segmentation fault" in log_of(play.results, row["run"])  # faulthandler's word
    assert "scripted log" in log_of(play.results, row["run"])


def test_exception_of_an_adapter_is_an_error_with_its_traceback_in_the_log(play, unharmed):
    row = play("rob--tight", [["raise", "no \ud800 luck"]])
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("solver", "error", "unknown")
    assert row["message"] == "RuntimeError: no ? luck"
    assert "Traceback" in log_of(play.results, row["run"])


def test_child_that_closes_the_channel_and_goes_on_is_killed(play, unharmed):
    start = time.monotonic()
    row = play("rob--tight", [["ignore", "SIGTERM"], ["close"], ["hang"]])
    assert (row["ended_by"], row["termination"]) == ("crash", None)
    assert "without a result" in row["message"] and "killed by SIGKILL" in row["message"]
    assert time.monotonic() - start < 15


def test_solver_unknown_to_the_child_is_a_crash(play, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    row = play("rob--tight", [])
    assert (row["ended_by"], row["termination"], row["wall_seconds"]) == ("crash", None, 0)
    assert "it ended before it was ready" in row["message"]
    assert "unknown solver 'scripted'" in log_of(play.results, row["run"])


@pytest.mark.parametrize(
    ("field", "value", "column", "stored"),
    [
        ("nodes", 10**30, "nodes", None),
        ("nodes", -1, "nodes", None),
        ("nodes", True, "nodes", None),
        ("nodes", "many", "nodes", None),
        ("primal_bound", 10**400, "claimed_value", None),
        ("primal_bound", float("nan"), "claimed_value", None),
        ("dual_bound", float("-inf"), "dual_bound", None),
        ("read_seconds", [1], "read_seconds", None),
        ("raw_status", "\ud800\0", "raw_status", "??"),
        ("raw_status", "x" * 10**6, "raw_status", "x" * 1000),
        ("raw_status", {"a": 1}, "raw_status", "{'a': 1}"),
        ("message", "\udfff", "message", "?"),
        ("termination", "wonderful", "termination", "error"),
        ("termination", ["optimal"], "termination", "error"),
        ("termination", None, "termination", "error"),
    ],
)
def test_absurd_values_in_a_result_do_no_harm(play, field, value, column, stored):
    header = {"kind": "result", "termination": "unresolved", "raw_status": "s", field: value}
    row = play("rob--tight", [["frame", header, []], ["exit", 0]])
    assert row["ended_by"] == "solver"
    assert row[column] == stored


def test_frames_after_the_result_do_not_change_it(play, steps):
    s = steps("adv--tight")
    header = {"kind": "result", "termination": "infeasible", "raw_status": "s"}
    row = play("adv--tight", [["frame", header, []], s.incumbent(BEST), ["frame", header, []]], "optimize")
    assert (row["ended_by"], row["termination"], row["incumbents"]) == ("solver", "infeasible", 0)
    assert (row["fault"], row["verdict"]) == ("solver", "unknown")


def test_child_that_does_not_exit_after_its_result_is_killed_and_keeps_it(play, unharmed):
    header = {"kind": "result", "termination": "unresolved", "raw_status": "s"}
    row = play("rob--tight", [["frame", header, []], ["hang"]])
    assert (row["ended_by"], row["termination"]) == ("solver", "unresolved")
    assert row["wall_seconds"] < 15  # the result's arrival, not the time limit


# -- descendants -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own_session", [False, True])
@pytest.mark.parametrize("ending", [["exit", 0], ["hang"], ["result", "unresolved"], ["kill", signal.SIGKILL]])
def test_grandchild_dies_with_the_run_and_does_not_prolong_it(play, tmp_path, own_session, ending, unharmed):
    pid_file = tmp_path / "pid"
    start, limit = time.monotonic(), 1.5 if ending == ["hang"] else 20.0
    script = [["grandchild", str(pid_file), own_session], ["sleep", 0.3], ending]
    row = play("rob--tight", script, time_limit_seconds=limit)
    ended_by = {"exit": "crash", "kill": "crash", "hang": "time", "result": "solver"}
    assert row["ended_by"] == ended_by[ending[0]]
    deadline = time.monotonic() + 20
    while is_alive(int(pid_file.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(int(pid_file.read_text()))
    assert time.monotonic() - start < 30  # the grandchild sleeps for ever


# -- the rest ----------------------------------------------------------------------------------------------------


def test_streams_of_incumbents_are_all_counted(play, steps, unharmed):
    s = steps("rob--tight")
    row = play("rob--tight", [["flood", 5000, s.columns(GOOD)]], "optimize")
    assert (row["ended_by"], row["termination"], row["incumbents"]) == ("solver", "unresolved", 5000)
    assert row["verdict"] == "unknown"


def rob(library) -> Path:
    return library.model_path(library.row("rob--tight"))


def only_the_prepared_process_is_left(workers) -> bool:
    """Return whether only the prepared process is left, once the kernel has reaped the others."""
    deadline = time.monotonic() + 20
    while len(workers()) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(workers()) == 1


def test_cancelled_run_is_killed_at_once(prepared, library, tmp_path, workers):
    cancelled = threading.Event()
    threading.Timer(0.7, cancelled.set).start()
    request = request_for(rob(library), tmp_path, script='[["ignore", "SIGTERM"], ["hang"]]')
    start = time.monotonic()
    with pytest.raises(Cancelled):
        run_child(prepared, request, Limits(60, 1 << 30), Bystander(), tmp_path / "output", cancelled)
    assert time.monotonic() - start < 30  # of 60
    assert only_the_prepared_process_is_left(workers)


def test_run_is_cancelled_at_once_while_its_solver_is_being_imported(scripted, library, tmp_path, workers, monkeypatch):
    monkeypatch.setenv("VNNBENCH_TEST_HANG", "1")
    cancelled = threading.Event()
    request, limits = request_for(rob(library), tmp_path), Limits(60, 1 << 30)
    with PreparedSolvers(["scripted"], 1, tmp_path) as solvers:
        threading.Timer(0.3, cancelled.set).start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            run_child(solvers["scripted"], request, limits, Bystander(), tmp_path / "output", cancelled)
        assert time.monotonic() - start < 30
    assert not workers()


def outcome_of(prepared, library, tmp_path, script: list, limits: Limits, plain: bool = False) -> ChildOutcome:
    request = request_for(rob(library), tmp_path, script=json.dumps(script))
    return run_child(prepared, request, limits, Bystander(), tmp_path / "output", threading.Event(), plain)


class FewSeconds(Limits):
    """Limits on processor time far below those on the clock."""

    @property
    def cpu_seconds(self) -> float:
        return 0.5


@pytest.mark.alone
def test_processor_time_of_ended_processes_counts_even_if_they_were_not_waited_for(prepared, library, tmp_path):
    outcome = outcome_of(prepared, library, tmp_path, [["burn_in_orphans", 0.1]], FewSeconds(60, 1 << 30))
    assert outcome.ended_by is EndedBy.CPU
    assert 0.5 < outcome.cpu_seconds < 10


@pytest.mark.alone
def test_processor_time_counts_from_the_request_on(prepared, library, tmp_path, monkeypatch):
    """By then a new interpreter has imported the solver, which takes a second."""
    monkeypatch.setenv("VNNBENCH_TEST_BURN", "1")
    script = [["sleep", 0.1], ["exit", 0]]
    outcome = outcome_of(prepared, library, tmp_path, script, Limits(20, 1 << 30), plain=True)
    assert outcome.cpu_seconds < 0.5


@pytest.mark.alone
def test_peak_memory_does_not_add_what_was_never_there_together(prepared, library, tmp_path):
    """The worker takes 400 MiB for a moment, frees them, and waits for a child that does the same."""
    script = [["up_and_down", 200], ["result", "unresolved"]]
    outcome = outcome_of(prepared, library, tmp_path, script, Limits(20, 1 << 30))
    assert 400 << 20 < outcome.peak_memory_bytes < 500 << 20


@pytest.mark.alone
def test_result_past_the_time_limit_is_a_timeout_however_soon_it_comes(prepared, library, tmp_path, patient):
    script = [["sleep", 0.31], ["result", "optimal"]]
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = outcome_of(prepared, library, folder, script, Limits(0.3, 1 << 30))
        assert outcome.result is not None
        assert outcome.ended_by is EndedBy.TIME


@pytest.mark.alone
def test_time_in_which_the_harness_did_not_run_is_reported(prepared, library, tmp_path):
    class Absent(Bystander):
        def on_frame(self, frame: Frame, seconds: float) -> None:
            time.sleep(1.5)  # as if the harness were stopped: it takes no processor time

    request = request_for(rob(library), tmp_path, script='[["sleep", 0.2], ["result", "unresolved"]]')
    outcome = run_child(prepared, request, Limits(60, 1 << 30), Absent(), tmp_path / "output", threading.Event())
    assert 1.4 < outcome.stalled_seconds < 60


@pytest.mark.alone
def test_work_of_the_harness_and_its_waiting_for_frames_are_not_a_stall(prepared, library, tmp_path, monkeypatch):
    """On this clock, every look comes 1.04 s after the last one, 1 s of which was work."""
    ticks = iter([(1.04 * number, 1.0 * number) for number in range(10_000)])
    monkeypatch.setattr(vnnbench.isolation.supervisor, "_tick", lambda: next(ticks))
    outcome = outcome_of(prepared, library, tmp_path, [["sleep", 0.3]], Limits(60, 1 << 30))
    assert outcome.stalled_seconds == 0.0


def test_observer_that_fails_takes_the_child_with_it(prepared, library, tmp_path, workers):
    class Failing(Bystander):
        def on_frame(self, frame: Frame, seconds: float) -> None:
            raise ZeroDivisionError

    request = request_for(rob(library), tmp_path, script='[["hang"]]')
    with pytest.raises(ZeroDivisionError):
        run_child(prepared, request, Limits(60, 1 << 30), Failing(), tmp_path / "output", threading.Event())
    assert only_the_prepared_process_is_left(workers)


def test_output_that_cannot_be_opened_leaks_nothing(prepared, library, tmp_path):
    before, request = open_channels(), request_for(rob(library), tmp_path)
    with pytest.raises(ResultsError, match="No such file"):
        run_child(prepared, request, Limits(9, 1 << 30), Bystander(), tmp_path / "no" / "o", threading.Event())
    assert open_channels() == before


def test_stop_that_arrives_with_the_request_is_obeyed(prepared, library, tmp_path, patient):
    request = request_for(rob(library), tmp_path, script='[["wait_stop", 30]]')
    outcome = run_child(prepared, request, Limits(0.0, 1 << 30), Bystander(), tmp_path / "output", threading.Event())
    assert outcome.ended_by is EndedBy.TIME
    assert outcome.result is not None  # the solver ended by itself, within the grace period
    assert outcome.wall_seconds < 15  # it would wait for 30 s


def test_many_runs_at_once_do_not_mix_their_channels(prepared, library, tmp_path):
    counts = [3, 50, 7, 20]
    observers = [Bystander() for _ in counts]
    columns = [0.0] * library.row("rob--tight").columns

    def one(i: int) -> None:
        script = f'[["flood", {counts[i]}, {columns}], ["result", "unresolved"]]'
        folder = tmp_path / str(i)
        folder.mkdir()
        request = request_for(rob(library), folder, script=script)
        outcome = run_child(prepared, request, Limits(30, 1 << 30), observers[i], folder / "output", threading.Event())
        assert outcome.ended_by is EndedBy.SOLVER

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = [observer.kinds.count(Kind.INCUMBENT) for observer in observers]
    assert heard == counts
