"""Libraries with known answers, the scripted solver, and the processes that tests start.

`support.tiny_libraries` says what the libraries hold, `support.scripts` what a script is.

"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import pytest

import vnnbench.isolation.supervisor
from support.kept_solvers import KeptSolvers
from support.plays import Play
from support.processes import MARK, marked_processes, solver_processes
from support.scripts import LIMITS, Steps, scripted_plan
from support.tiny_libraries import Question, tiny_box, tiny_network, write_library, write_tiny_library
from vnnbench.instances.families.maximize import unit_box_property
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.networks.pruning import prune
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.instances.training.untrained import untrained_network
from vnnbench.isolation.fork_client import Prepared, PreparedSolvers
from vnnbench.isolation.fork_server import NAMESPACE, SUBREAPER
from vnnbench.runs.plan import PlannedRun
from vnnbench.solvers import registry

FAKES = Path(__file__).parent / "fakes"

# -- libraries ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The library of the problems `adv` and `rob`."""
    return write_tiny_library(tmp_path_factory.mktemp("tiny") / "library")


@pytest.fixture(scope="session")
def library_set(library: Library) -> LibrarySet:
    """The set of that library alone."""
    return LibrarySet((library,))


@pytest.fixture(scope="session")
def values(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The problem `top`: how large does the network of [T] with 3 inputs, width 5 and seed 50 get over [0, 1]^3?"""
    dense = untrained_network(3, [5], 50)
    question = Question(unit_box_property(3), dense, prune(dense, structure="unstructured", rate=0.2))
    return write_library(tmp_path_factory.mktemp("values") / "library", {"top": question})


@pytest.fixture(scope="session")
def distances(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The problem `near`: how near, in L1, does class 1 lead class 0 by 1/4 on the tiny network, b = 1? Every unit of
    distance adds one to the value -3/4 at the centre, so the answer is 1; on the surrogate it is 1/2."""
    prop = ClosestProperty(tiny_box(radius=2.0), 0, (1,), Fraction(1, 4), None, None)
    question = Question(prop, tiny_network(1.0), tiny_network(1.0, pruned=True))
    return write_library(tmp_path_factory.mktemp("distances") / "library", {"near": question}, input_side=2)


# -- the scripted solver -----------------------------------------------------------------------------------------------


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the fake distribution, here and in children, and give a stubborn child 0.5 s."""
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv("PYTHONPATH", str(FAKES), prepend=os.pathsep)
    monkeypatch.setattr(vnnbench.isolation.supervisor, "GRACE_SECONDS", 0.5)
    registry._entry_points.cache_clear()
    registry._adapter.cache_clear()
    yield
    registry._entry_points.cache_clear()
    registry._adapter.cache_clear()


@pytest.fixture
def patient(scripted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a child that is asked to stop more time, as it may need on a busy machine."""
    monkeypatch.setattr(vnnbench.isolation.supervisor, "GRACE_SECONDS", 20.0)


@pytest.fixture(params=[NAMESPACE, SUBREAPER])
def enforcement(request: pytest.FixtureRequest, scripted: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The level of enforcement; for the lower one, namespaces are refused."""
    if request.param == SUBREAPER:
        monkeypatch.setenv("VNNBENCH_TEST_NO_NAMESPACE", "1")
    return str(request.param)


@pytest.fixture
def steps(library: Library) -> Callable[[str], Steps]:
    """A function that returns the steps of a script for an instance of `library`, by name."""
    return lambda instance: Steps(library, library.row(instance))


@pytest.fixture
def plan_of(library: Library, scripted: None) -> Callable[..., list[PlannedRun]]:
    """A function that plans one run on `library` from an instance, a script, and limits that differ."""
    return lambda instance, script, **changes: scripted_plan(library, instance, script, replace(LIMITS, **changes))


@pytest.fixture
def play(library: Library, tmp_path: Path, scripted: None) -> Play:
    """A function that runs scripts on `library`."""
    return Play(library, tmp_path / "results")


@pytest.fixture
def play_values(values: Library, tmp_path: Path, scripted: None) -> Play:
    """A function that runs scripts on `values`."""
    return Play(values, tmp_path / "values-results")


@pytest.fixture
def play_distances(distances: Library, tmp_path: Path, scripted: None) -> Play:
    """A function that runs scripts on `distances`."""
    return Play(distances, tmp_path / "distances-results")


@pytest.fixture
def play_in(tmp_path: Path, scripted: None) -> Callable[[Library], Play]:
    """A function that returns what runs scripts on another library."""
    return lambda library: Play(library, tmp_path / "other-results")


@pytest.fixture(scope="module")
def kept_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the results that the tests of a module begin with."""
    return tmp_path_factory.mktemp("kept") / "results"


@pytest.fixture
def command_line(
    library: Library, tmp_path: Path, scripted: None, drop_capabilities: Callable[[], None]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that starts `vnnbench run` as a process of its own, with a script on an instance or with other words,
    into the folder `results`; it lacks the rights of root, unless a test wants them."""

    def run(script: Sequence[Any], *words: str, privileged: bool = False) -> subprocess.CompletedProcess[str]:
        (tmp_path / "script.json").write_text(json.dumps(script))
        return subprocess.run(
            [
                sys.executable, "-m", "vnnbench", "run", str(library.folder), "--results", str(tmp_path / "results"),
                "--solver", f"scripted:file={tmp_path / 'script.json'}", "--goal", "optimize",
                *(words or ("--select", "rob--tight")),
            ],
            capture_output=True, text=True, timeout=300, preexec_fn=None if privileged else drop_capabilities,
        )  # fmt: skip

    return run


# -- prepared solvers and their processes ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kept_solvers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptSolvers]:
    """Prepared solvers for the tests that do not check how these begin and end."""
    solvers = KeptSolvers(tmp_path_factory.mktemp("prepared"))
    yield solvers
    solvers.close()


@pytest.fixture(autouse=True)
def _harness_with_kept_solvers(request: pytest.FixtureRequest, kept_solvers: KeptSolvers) -> Iterator[None]:
    """Let the local engine borrow its prepared solvers, except in tests that use `own_solvers`."""
    with pytest.MonkeyPatch.context() as patch:
        if "own_solvers" not in request.fixturenames:
            patch.setattr("vnnbench.engines.local.PreparedSolvers", kept_solvers)
        yield


@pytest.fixture
def own_solvers() -> None:
    """Mark a test that checks which processes and files a harness leaves."""


@pytest.fixture
def prepared(scripted: None, tmp_path: Path) -> Iterator[Prepared]:
    """The scripted solver, prepared for runs."""
    with PreparedSolvers(["scripted"], 1, tmp_path) as solvers:
        yield solvers["scripted"]


@pytest.fixture
def workers(own_solvers: None, kept_solvers: KeptSolvers) -> Callable[[], list[psutil.Process]]:
    """A function that returns the solver processes that this test has started, zombies included."""
    others = kept_solvers.processes()
    return lambda: [child for child in solver_processes() if child.pid not in others]


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word in the environment of every process that is started from now on."""
    word = uuid.uuid4().hex
    monkeypatch.setenv(MARK, word)
    return word


@pytest.fixture
def survivors(mark: str, own_solvers: None) -> Callable[[], list[psutil.Process]]:
    """A function that returns the processes that carry the mark, wherever they have hidden; zombies do not count."""
    return lambda: marked_processes(mark)
