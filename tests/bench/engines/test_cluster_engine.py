"""Runs on a cluster: as on this machine, each once in the ledger, whatever is killed. On a real SLURM, and without."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace

import psutil
import pytest

import vnnbench.engines.cluster_engine as cluster_engine
from support.processes import marked_processes
from support.scripts import LIMITS, scripted_plan
from support.silent import Silent
from support.slurm import NODES
from support.tiny_libraries import BEST, GOOD
from vnnbench.engines.cluster import LOST_SECONDS
from vnnbench.engines.cluster_engine import ClusterEngine
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.exchange import Exchange
from vnnbench.errors import ResultsError, UsageError
from vnnbench.harness import run_plan, run_plan_on
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.confirm import confirm
from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.plan import PlannedRun

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("scripted", "own_solvers")]

LOCAL = ClusterOptions("local", workers_per_node=1)
SLURM = ClusterOptions("slurm", workers_per_node=1, walltime_seconds=600)
FACTS = ["run", "instance", "termination", "ended_by", "verdict", "fault", "best_exact_value", "dual_bound"]


@pytest.fixture(params=["local", "slurm"])
def options(request: pytest.FixtureRequest) -> ClusterOptions:
    if request.param == "local":
        return LOCAL
    request.getfixturevalue("use_slurm")
    return SLURM


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture(autouse=True)
def _no_process_is_left(mark: str) -> Iterator[None]:
    yield
    # Workers notice that a head was killed when they hear nothing from it.
    assert none_left(mark, 2 * LOST_SECONDS), [process.cmdline() for process in marked_processes(mark)]


@pytest.fixture
def slow(library) -> list[PlannedRun]:
    """Twelve runs of half a second."""
    return [run for k in range(12) for run in scripted_plan(library, "rob--tight", [["sleep", 0.5 + k / 1000]])]


def execute(library, results, options, plan, progress=None) -> list[str]:
    """Execute a plan in this process, and return the names of the runs that were committed."""
    progress = progress or Silent()
    engine = ClusterEngine(library, results, options, progress)
    return [done.result.run for done in run_plan_on(engine, plan, library, results, progress)]


def stored(results) -> list[str]:
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        return [run for (run,) in connection.execute("SELECT run FROM results ORDER BY run")]


def names(plan: list[PlannedRun]) -> list[str]:
    return sorted(run.name for run in plan)


class At(Silent):
    """Progress that calls a function, once, when so many runs are committed."""

    def __init__(self, number: int, function: Callable[[], object]) -> None:
        super().__init__()
        self.number, self.function = number, function

    def advance(self, description: str, steps: int = 1) -> None:
        super().advance(description, steps)
        if self.done == self.number:
            self.function()


def with_words(mark: str, words: str) -> list[psutil.Process]:
    """Return the marked processes whose command line contains these words."""
    found = []
    for process in marked_processes(mark):
        with suppress(psutil.Error):
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found


def none_left(mark: str, seconds: float) -> bool:
    """Wait until no marked process is left, at most so long, and return whether that is so."""
    deadline = time.monotonic() + seconds
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not left


def test_runs_are_those_of_this_machine(library, results, tmp_path, options, plan_of, steps):
    s = steps("adv--tight")
    plan = [
        *plan_of("rob--tight", [["bound", 0.1], ["wait_stop", 30]]),
        *plan_of("adv--tight", [s.incumbent(GOOD), ["wait_stop", 30]]),
        *plan_of("adv--tight", [["bound", -1.0], s.result("optimal", BEST, 0.25)]),
        *plan_of("rob--tight", [["raise", "oops"]]),
        *plan_of("rob--tight", [["kill", 9]]),
    ]
    assert sorted(execute(library, results, options, plan)) == names(plan)
    run_plan(plan, library, here := tmp_path / "here", 1, Silent())
    ours, theirs = (read_runs(folder / "ledger.sqlite").sort_values("run")[FACTS] for folder in (results, here))
    assert ours.to_csv(index=False) == theirs.to_csv(index=False)
    assert {path.relative_to(here) for path in here.rglob("*.*z*")} == {
        path.relative_to(results) for path in results.rglob("*.*z*")
    }
    assert confirm(results, LibrarySet((library,)), Silent()) == []
    assert not (results / ".exchange").exists()
    assert execute(library, results, options, plan) == []


@pytest.fixture
def kill_workers(mark: str) -> Callable[[], None]:
    """A function that kills the worker processes."""

    def kill() -> None:
        for server in with_words(mark, "vnnbench.isolation.fork_server"):
            with suppress(psutil.NoSuchProcess, AttributeError):
                server.parent().kill()

    return kill


def test_a_killed_worker_is_replaced(library, results, options, slow, kill_workers):
    progress = At(2, kill_workers)
    assert sorted(execute(library, results, options, slow, progress)) == names(slow) == stored(results)
    told = "1 job running, 0 waiting; {} of 1 worker busy on 1 node"
    assert {told.format(busy) for busy in (0, 1)}.intersection(progress.statuses), progress.statuses


def test_a_cancelled_job_is_replaced(library, results, use_slurm, slow):
    def cancel() -> None:
        subprocess.run(["scancel", "--user=root"], check=True)

    assert sorted(execute(library, results, SLURM, slow, At(2, cancel))) == names(slow) == stored(results)


@pytest.mark.parametrize("shape", [{"blocks": 2}, {"nodes_per_block": 2}], ids=["two jobs", "a job of two nodes"])
def test_nodes_are_machines_of_their_own_with_one_type_of_cpu(library, results, use_slurm, shape):
    plan = [run for k in range(8) for run in scripted_plan(library, "rob--tight", [["sleep", 1.5 + k / 1000]])]
    progress = Silent()
    assert sorted(execute(library, results, replace(SLURM, **shape), plan, progress)) == names(plan)
    runs = read_runs(results / "ledger.sqlite")
    assert set(runs["host"]) == set(NODES) and runs["machine"].nunique() == 2 and runs["cpu"].nunique() == 1
    assert any(text.endswith(" of 2 workers busy on 2 nodes") for text in progress.statuses), progress.statuses


def test_runs_on_several_types_of_cpu_are_noted_once(library, results, slow, monkeypatch):
    collect = Exchange.collect

    def on_another(exchange: Exchange, name: str) -> FinishedRun | None:
        finished = collect(exchange, name)
        return finished and replace(finished, machine=replace(finished.machine, cpu=name))

    monkeypatch.setattr(Exchange, "collect", on_another)
    progress = Silent()
    execute(library, results, LOCAL, slow[:3], progress)
    assert {note.partition(",")[0] for note in progress.notes} >= {"runs are on several types of CPU"}


def test_an_interchange_that_dies_ends_the_head_and_the_next_one_goes_on(library, results, options, slow):
    def kill() -> None:
        (interchange,) = (child for child in psutil.Process().children() if "HTEX interchange" in child.cmdline()[0])
        interchange.kill()

    with pytest.raises(ResultsError, match="the interchange, which passes runs to the workers, has ended"):
        execute(library, results, options, slow, At(2, kill))
    done = stored(results)
    assert 2 <= len(done) < len(slow)
    assert sorted(done + execute(library, results, options, slow)) == names(slow) == stored(results)


HEAD = """
import sys
from pathlib import Path
from support.silent import Silent
from support.scripts import scripted_plan
from vnnbench.engines.cluster_engine import ClusterEngine
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.harness import run_plan_on
from vnnbench.instances.library.library import Library

class Telling(Silent):
    def advance(self, description, steps=1):
        print(description, flush=True)

library, results = Library.open(Path(sys.argv[1])), Path(sys.argv[2])
options = ClusterOptions(sys.argv[3], workers_per_node=1, walltime_seconds=int(sys.argv[4]) or None)
plan = [run for k in range(12) for run in scripted_plan(library, "rob--tight", [["sleep", 0.5 + k / 1000]])]
run_plan_on(ClusterEngine(library, results, options, Telling()), plan, library, results, Telling())
"""


@pytest.mark.parametrize(
    ("options", "by", "next_engine"),
    [
        ("local", signal.SIGKILL, "the same"),
        ("slurm", signal.SIGKILL, "the same"),
        ("slurm", signal.SIGKILL, "this machine"),
        ("slurm", signal.SIGINT, "the same"),
        ("slurm", signal.SIGHUP, "the same"),
    ],
    indirect=["options"],
)
def test_runs_of_a_stopped_head_go_on(library, results, options, slow, mark, by, next_engine):
    words = [str(library.folder), str(results), options.provider, str(options.walltime_seconds or 0)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = ["env", "--default-signal=INT,HUP", sys.executable, "-c", HEAD, *words]  # CI may run with nohup
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as head:
        assert head.stdout is not None
        told = iter(head.stdout.readline, b"")
        while next(told) != b"scripted\n":
            pass
        head.send_signal(by)
        try:
            head.wait(60)
        finally:
            head.kill()
    if by is not signal.SIGKILL:
        assert none_left(mark, 10)  # its jobs are cancelled
    done = stored(results)
    assert 1 <= len(done) < len(slow)
    if next_engine == "the same":
        more = execute(library, results, options, slow)
    else:
        more = [one.result.run for one in run_plan(slow, library, results, 1, Silent())]
    assert sorted(done + more) == names(slow) == stored(results)


def test_no_run_begins_that_its_job_would_cut(library, results, use_slurm, monkeypatch):
    """A job of one minute carries a part of 30 runs of two seconds; the others are in further jobs."""
    monkeypatch.setattr(cluster_engine, "JUDGING_SECONDS", 5.0)
    monkeypatch.setattr(cluster_engine, "STARTING_SECONDS", 5)
    limits = replace(LIMITS, time_limit_seconds=10.0)
    plan = [run for k in range(30) for run in scripted_plan(library, "rob--tight", [["sleep", 2 + k / 1000]], limits)]
    jobs: set[str] = set()

    class Counting(Silent):
        def advance(self, description: str, steps: int = 1) -> None:
            super().advance(description, steps)
            noted = Exchange(results).noted_jobs()
            jobs.update(() if noted is None else noted.ids)

    options = replace(SLURM, walltime_seconds=60)
    assert sorted(execute(library, results, options, plan, Counting())) == names(plan) == stored(results)
    assert len(jobs) >= 2
    assert set(read_runs(results / "ledger.sqlite")["ended_by"]) == {"solver"}


def test_a_walltime_in_which_no_run_would_end_is_refused(library, results, slow):
    with pytest.raises(UsageError, match=r"walltime=00:01:00: too short .* give at least 00:03:00"):
        execute(library, results, replace(SLURM, walltime_seconds=60), slow)
    assert stored(results) == []


def test_workers_of_another_environment_refuse(library, results, slow, monkeypatch):
    """The head has another version of a package than its workers."""
    monkeypatch.setattr("vnnbench.engines.environment.package_versions", lambda: {"highspy": "0.1"})
    with pytest.raises(ResultsError, match=r"highspy is .* here and 0\.1 where the work was planned"):
        execute(library, results, LOCAL, slow)
    assert stored(results) == []


def test_a_solver_of_another_version_is_refused(library, results, slow):
    plan = [replace(run, setting=replace(run.setting, version="0.9")) for run in slow[:1]]
    with pytest.raises(ResultsError, match=r"name does not follow|scripted is 1\.0 here and 0\.9 where"):
        execute(library, results, LOCAL, plan)


def test_a_run_that_loses_too_many_workers_is_given_up_and_the_others_are_done(
    library, results, slow, kill_workers, monkeypatch
):
    monkeypatch.setattr(cluster_engine, "MAX_LOSSES", 1.0)
    with pytest.raises(ResultsError, match=r"run \w+ was given up, because its workers died"):
        execute(library, results, LOCAL, slow, At(2, kill_workers))
    assert len(stored(results)) == len(slow) - 1
    assert len(execute(library, results, LOCAL, slow)) == 1


def test_workers_that_keep_their_runs_end_the_head_in_one_line(library, results, slow, mark, monkeypatch):
    """Their pool is stopped: nothing comes back, and the job runs on."""
    monkeypatch.setattr(cluster_engine, "needed_seconds", lambda run: 0.0)
    monkeypatch.setattr(cluster_engine, "LOST_SECONDS", 2)

    def stop_workers() -> None:
        for server in with_words(mark, "vnnbench.isolation.fork_server"):
            with suppress(psutil.NoSuchProcess, AttributeError):
                server.parent().suspend()

    with pytest.raises(ResultsError, match=r"no worker has ended a run for \d+ s; give the same command again"):
        execute(library, results, LOCAL, slow, At(2, stop_workers))
    assert sorted(stored(results) + execute(library, results, LOCAL, slow)) == names(slow) == stored(results)
