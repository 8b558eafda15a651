"""Prepared processes: what one run does does not affect the next, and they are replaced when they die."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import vnnbench.isolation.supervisor
from support.children import Bystander, request_for
from support.tiny_libraries import Question, write_library
from vnnbench.instances.families.maximize import unit_box_property
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.pruning import prune
from vnnbench.instances.training.untrained import untrained_network
from vnnbench.isolation.fork_client import Prepared, PreparedSolvers
from vnnbench.isolation.supervisor import ChildOutcome, Limits, run_child
from vnnbench.leaderboard.words import EndedBy, Enforcement
from vnnbench.solvers.registry import get_solver

ITERATIONS = {
    "gurobi": r"\((\d+) simplex iterations\)",
    "highs": r"LP iterations\s+(\d+)",
    "scip": r"LP Iterations\s*:\s*(\d+)|^\s*[a-zA-Z*]?\s*[\d.]+s\|\s*\d+\s*\|\s*\d+\s*\|\s*(\d+)",
}


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Two maximization problems that take solvers a few nodes."""
    networks = {f"net{seed}": untrained_network(6, [14, 14], seed) for seed in (1, 2)}
    questions = {
        name: Question(unit_box_property(6), network, prune(network, structure="unstructured", rate=0.2))
        for name, network in networks.items()
    }
    return write_library(tmp_path_factory.mktemp("larger") / "library", questions)


def run(prepared: Prepared, model_path: Path, folder: Path, **options: str) -> tuple[ChildOutcome, Bystander]:
    folder.mkdir()
    heard = Bystander()
    request = request_for(model_path, folder, **options)
    return run_child(prepared, request, Limits(60.0, 2 << 30), heard, folder / "output", threading.Event()), heard


@pytest.mark.parametrize("solver", ["gurobi", "highs", "scip"])
def test_a_run_leaves_no_trace_in_the_next(larger, tmp_path, solver):
    """Runs A, B and A: both of A have the same nodes, iterations and incumbents."""
    if not get_solver(solver).installed():
        pytest.skip(f"{solver} is not installed: {get_solver(solver).needs()}")
    a, b = (larger.model_path(larger.row(f"{name}--tight")) for name in ("net1", "net2"))
    told = []
    with PreparedSolvers([solver], 1, tmp_path) as prepared:
        for number, path in enumerate([a, b, a]):
            folder = tmp_path / str(number)
            outcome, heard = run(prepared[solver], path, folder)
            assert outcome.result is not None and outcome.ended_by is EndedBy.SOLVER
            iterations = re.findall(ITERATIONS[solver], (folder / "solver.log").read_text(), re.MULTILINE)
            header = {key: value for key, value in outcome.result.header.items() if key != "read_seconds"}
            told.append((header, outcome.result.floats.tobytes(), heard.incumbents, iterations))
    assert told[0] == told[2]
    assert told[0][0]["termination"] == "optimal" and told[0][0]["nodes"] is not None
    assert told[0][2] and told[0][3]
    assert told[0][0]["primal_bound"] != told[1][0]["primal_bound"]


def test_prepared_process_that_dies_is_replaced(prepared, library, tmp_path):
    model = library.model_path(library.row("rob--tight"))
    before, _ = run(prepared, model, tmp_path / "before")
    assert prepared._process is not None
    os.kill(prepared._process.pid, signal.SIGKILL)
    prepared._process.wait(60)
    after, _ = run(prepared, model, tmp_path / "after")
    assert (before.ended_by, after.ended_by) == (EndedBy.SOLVER, EndedBy.SOLVER)


def test_import_that_hangs_costs_one_run(scripted, library, tmp_path, monkeypatch):
    model, hang = library.model_path(library.row("rob--tight")), tmp_path / "hang"
    hang.touch()
    monkeypatch.setenv("VNNBENCH_TEST_HANG_ONCE", str(hang))
    with PreparedSolvers(["scripted"], 1, tmp_path) as solvers:
        while hang.exists():
            time.sleep(0.01)
        monkeypatch.setattr(vnnbench.isolation.supervisor, "START_SECONDS", 1.0)
        first, _ = run(solvers["scripted"], model, tmp_path / "first")
        monkeypatch.setattr(vnnbench.isolation.supervisor, "START_SECONDS", 60.0)
        second, _ = run(solvers["scripted"], model, tmp_path / "second")
    assert first.ended_by is EndedBy.CRASH and "not ready within 1 s" in first.failure
    assert second.ended_by is EndedBy.SOLVER


def test_adapter_with_threads_is_run_in_new_interpreters(prepared, library, tmp_path, monkeypatch):
    """A fork would lose the threads and keep the locks they held."""
    monkeypatch.setenv("VNNBENCH_TEST_THREAD", "1")
    model, script = library.model_path(library.row("rob--tight")), '[["tell_threads"], ["result", "unresolved"]]'
    alone, _ = run(prepared, model, tmp_path / "alone", script=script)
    with PreparedSolvers(["scripted"], 1, tmp_path) as other:
        threaded, _ = run(other["scripted"], model, tmp_path / "threaded", script=script)
    assert (alone.ended_by, threaded.ended_by) == (EndedBy.SOLVER, EndedBy.SOLVER)
    assert (tmp_path / "alone" / "output").read_text() == "1 vnnbench.isolation.fork_server\n"
    assert (tmp_path / "threaded" / "output").read_text() == "2 vnnbench.isolation.worker\n"


def test_programs_that_a_solver_starts_while_it_is_imported_have_exit_codes(scripted, library, tmp_path, monkeypatch):
    monkeypatch.setenv("VNNBENCH_TEST_PROGRAM", "1")
    with PreparedSolvers(["scripted"], 1, tmp_path) as solvers:
        outcome, _ = run(solvers["scripted"], library.model_path(library.row("rob--tight")), tmp_path / "work")
        assert outcome.ended_by is EndedBy.SOLVER
        assert solvers["scripted"].last_words() == "exit code 3\n"


UNPRIVILEGED = """
import sys, threading
from pathlib import Path
from vnnbench.isolation.fork_client import PreparedSolvers
from vnnbench.isolation.supervisor import Limits, run_child
from support.children import Bystander, request_for
folder = Path(sys.argv[2])
request = request_for(Path(sys.argv[1]), folder, script='[["fork", 1], ["sleep", 0.2], ["result", "unresolved"]]')
with PreparedSolvers(["scripted"], 1, folder) as prepared:
    outcome = run_child(
        prepared["scripted"], request, Limits(60.0, 2 << 30), Bystander(), folder / "output", threading.Event()
    )
print(outcome.enforcement, outcome.ended_by, outcome.peak_memory_bytes, Path("/proc/self/status").read_text())
"""


def test_run_of_an_unprivileged_user_is_held_as_well(scripted, library, tmp_path, drop_capabilities):
    """The run is in a namespace where users may have one of their own; else a subreaper holds it."""
    model = library.model_path(library.row("rob--tight"))
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(model), str(tmp_path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, preexec_fn=drop_capabilities,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    enforcement, ended_by, peak_memory_bytes, status = done.stdout.split(maxsplit=3)
    assert re.search(r"CapEff:\s+0+$", status, re.MULTILINE)
    assert (enforcement, ended_by) in [("namespace", "solver"), ("subreaper", "solver")]
    assert int(peak_memory_bytes) > 1 << 20


def test_files_in_the_current_folder_and_temporary_ones_go_with_the_run(prepared, library, tmp_path):
    script = '[["litter"], ["result", "unresolved"]]'
    run(prepared, library.model_path(library.row("rob--tight")), tmp_path / "work", script=script)
    assert {path.name for path in (tmp_path / "work").iterdir()} >= {"litter-here", "litter-tmp"}
    assert Path.cwd() != tmp_path / "work"


def test_enforcement_is_recorded(prepared, library, tmp_path):
    outcome, _ = run(prepared, library.model_path(library.row("rob--tight")), tmp_path / "work")
    assert outcome.enforcement in (Enforcement.NAMESPACE, Enforcement.SUBREAPER)
