"""A library made by hand, whose answers are known by hand, and a solver that does what a script says.

The networks have four inputs, two hidden neurons and three outputs; source 0, target 1:

    h_0 = max(0, x_0 + x_1 - 0.5)    h_1 = max(0, x_2 - x_3)    value = y_1 - y_0 = h_0 + h_1 - b

centre (0.5, 0.25, 0.5, 0.5), L1 radius 1, box [0, 1]: value at the centre 0.25 - b, at most 1.25 - b. The surrogate
lacks the weight of x_3: 0.75 - b at the centre, at most 1.75 - b.

    problem `adv`: b = 1, largest value 0.25 (surrogate: 0.75), so there are counterexamples
    problem `rob`: b = 2, largest value -0.75 (surrogate: -0.25), so there are none
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import vnnbench.isolation.supervisor
from vnnbench.harness import run_plan
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.families import problem_of, read_problem
from vnnbench.instances.families.maximize import unit_box_property
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.networks.pruning import prune
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, Property, VerifyProperty, property_json
from vnnbench.instances.training.untrained import untrained_network
from vnnbench.isolation.fork_client import Prepared, PreparedSolvers
from vnnbench.isolation.fork_server import NAMESPACE, SUBREAPER
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.schema import LIFTING_COLUMNS, TABLES
from vnnbench.leaderboard.records.upgrade import columns_of, tables_of
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.plan import PlannedRun, RunLimits, SolverSetting, plan_runs
from vnnbench.solvers import registry

FAKES = Path(__file__).parent / "fakes"

MAX_KEPT_SOLVERS = 8

CENTRE = [0.5, 0.25, 0.5, 0.5]
BEST = [1.0, 0.75, 0.5, 0.5]
"""On the sphere and in the box's corner: dense value 0.25 (adv)."""
GOOD = [0.875, 0.75, 0.5, 0.5]
"""Inside: distance 0.875, dense value 0.125 (adv)."""
EVEN = [0.75, 0.75, 0.5, 0.5]
"""Inside: dense value exactly 0 (adv)."""


def tiny_network(bias: float, pruned: bool = False) -> Network:
    """The network of the module's docstring."""
    W1 = [[1, 1, 0, 0], [0, 0, 1, 0 if pruned else -1]]
    layers = [(W1, [-0.5, 0]), ([[0, 0], [1, 1], [0, 0]], [bias, 0, -10])]
    return Network(*(tuple(np.array(layer[k], dtype=np.float32) for layer in layers) for k in (0, 1)))


def tiny_property(strict: bool = True, norm: Norm = Norm.L1, targets: tuple[int, ...] = (1,)) -> VerifyProperty:
    """The property of the module's docstring, or another norm or other targets."""
    box = InputSet(norm, np.array(CENTRE), 1.0, np.zeros(4), np.ones(4))
    return VerifyProperty(box, 0, targets, strict, None, None)


def write_library(folder: Path, biases: dict[str, float] | None = None, **asked: Any) -> Library:
    """A complete library of the problems `adv` and `rob`, dense and surrogate, formulation `tight`."""
    return pack(
        folder,
        [
            Asked(problem, tiny_property(**asked), tiny_network(bias), tiny_network(bias, pruned=True))
            for problem, bias in (biases or {"adv": 1.0, "rob": 2.0}).items()
        ],
        side=2,
    )


@dataclass(frozen=True)
class Asked:
    """A problem by name, with its networks."""

    problem: str
    prop: Property
    dense: Network
    pruned: Network


def pack(folder: Path, questions: Sequence[Asked], side: int | None = None) -> Library:
    """A complete library of these problems, dense and surrogate (-mag-u10), formulation `tight`."""
    files: dict[str, str] = {}
    rows = []

    def put(relative: str, data: bytes) -> str:
        write_atomic(folder / relative, data)
        files[relative] = sha256(data)
        return relative

    for asked in questions:
        problem, prop, dense = problem_of(asked.prop), property_json(asked.prop), onnx_bytes(asked.dense)
        property_path = put(f"properties/{asked.problem}.json", prop)
        for suffix, network in (("", asked.dense), ("-mag-u10", asked.pruned)):
            name = f"{asked.problem}{suffix}--tight"
            encoding = encode_tight(
                network,
                asked.prop,
                bound_layers(asked.prop.goal.chain(network), asked.prop.input_set, BoundLevel.BACKWARD),
                name,
            )
            model, text = encoding.model, mps_text(encoding.model)
            centre_value = problem.evaluate(ExactNetwork(network), problem.centre)
            put(f"networks/{asked.problem}{suffix}.onnx", onnx_bytes(network))
            data = {"network": onnx_bytes(network), "dense_network": dense}
            rows.append(
                CatalogRow(
                    instance=name, instance_sha256=instance_sha256(text, data, prop),
                    problem=asked.problem, suite="tiny", input_side=side, depth=1, width=2, seed=0,
                    network=f"{asked.problem}{suffix}", dense_network=asked.problem,
                    pruning="magnitude" if suffix else "none", structure="unstructured" if suffix else "none",
                    rate=0.1 if suffix else None, finetuned=0, formulation="tight", bounds="backward",
                    accuracy=None, dense_accuracy=None, rows=model.n_rows, columns=model.n_columns,
                    nonzeros=model.n_nonzeros, binaries=int(model.integer.sum()),
                    stable_active=encoding.stable_active, stable_inactive=encoding.stable_inactive,
                    unstable=encoding.unstable, constant_rounding=encoding.constant_rounding,
                    model=put(f"models/{name}.mps.gz", compress(text)), property=property_path,
                    centre_value=None if centre_value is None else float(centre_value), **problem.facts(),
                )
            )  # fmt: skip
    put("catalog.csv", catalog_bytes(rows))
    write_atomic(folder / "library.json", manifest_bytes("tiny", None, [0], files))
    return Library.open(folder)


@pytest.fixture(params=[NAMESPACE, SUBREAPER])
def enforcement(request: pytest.FixtureRequest, scripted: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The level of enforcement; the lower one by having namespaces refused."""
    if request.param == SUBREAPER:
        monkeypatch.setenv("VNNBENCH_TEST_NO_NAMESPACE", "1")
    return str(request.param)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The library of the module's docstring."""
    return write_library(tmp_path_factory.mktemp("tiny") / "library")


@pytest.fixture(scope="session")
def library_set(library: Library) -> LibrarySet:
    """That library alone."""
    return LibrarySet((library,))


@pytest.fixture(scope="session")
def make_library() -> Callable[..., Library]:
    """Other libraries of the same kind."""
    return write_library


@pytest.fixture(scope="session")
def make_pack() -> Callable[..., Library]:
    """A library of problems by name: property, dense network, surrogate."""
    return lambda folder, asked: pack(folder, [Asked(problem, *what) for problem, what in asked.items()])


def columns_at(library: Library, row: CatalogRow, x: Sequence[float]) -> list[float]:
    """The file's columns that belong to the input x, as an honest solver reports them."""
    centre = read_problem(library.property_path(row)).centre
    lifter = Lifter(read_mps(library.model_path(row)), centre)
    return [float(value) for value in lifter.columns(np.array(x))]


class Steps:
    """Steps of a script for one instance, from inputs instead of columns."""

    def __init__(self, library: Library, row: CatalogRow) -> None:
        self.library, self.row = library, row
        self.judge = Judge.of_instance(library, row)

    def columns(self, x: Sequence[float]) -> list[float]:
        return columns_at(self.library, self.row, x)

    def objective(self, x: Sequence[float]) -> float:
        return self.judge.model.objective_value(np.array(self.columns(x)))

    def incumbent(self, x: Sequence[float], objective: float | None = None) -> list[Any]:
        return ["incumbent", self.objective(x) if objective is None else objective, self.columns(x)]

    def result(self, termination: str, x: Sequence[float] | None = None, bound: float | None = None) -> list[Any]:
        """`bound` is a dual bound on the value."""
        dual = None if bound is None else -bound
        if x is None:
            return ["result", termination, None, None, dual]
        return ["result", termination, self.objective(x), self.columns(x), dual]


class Silent:
    """Progress that only counts; may raise when the n-th run is done."""

    def __init__(self, raise_at: int | None = None, error: BaseException | None = None) -> None:
        self.total = self.before = self.done = 0
        self.raise_at, self.error = raise_at, error

    def start(self, total: int, done: int = 0) -> None:
        self.total, self.before = total, done

    def advance(self, description: str, steps: int = 1) -> None:
        self.done += steps
        if self.raise_at == self.done and self.error is not None:
            raise self.error


@pytest.fixture
def silent() -> type[Silent]:
    return Silent


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fake distribution is installed, here and in children; a stubborn child is given 0.5 s."""
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
    """A child that is asked to stop is given time, as it may need on a busy machine."""
    monkeypatch.setattr(vnnbench.isolation.supervisor, "GRACE_SECONDS", 20.0)


@pytest.fixture
def steps(library: Library) -> Callable[[str], Steps]:
    """Steps for an instance by name."""
    return lambda instance: Steps(library, library.row(instance))


@pytest.fixture(scope="session")
def make_steps() -> type[Steps]:
    """Steps for an instance of any library."""
    return Steps


@pytest.fixture(scope="session")
def values(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The problem `top`: how large does the network of [T] with 3 inputs, width 5 and seed 50 get over [0, 1]^3?"""
    dense = untrained_network(3, [5], 50)
    asked = Asked("top", unit_box_property(3), dense, prune(dense, structure="unstructured", rate=0.2))
    return pack(tmp_path_factory.mktemp("values") / "library", [asked])


@pytest.fixture(scope="session")
def distances(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The problem `near`: how near, in L1, does class 1 lead class 0 by 1/4 on the network of the module's docstring,
    b = 1? Every unit of distance adds one to the value -3/4 at the centre, so at 1; on the surrogate at 1/2."""
    box = InputSet(Norm.L1, np.array(CENTRE), 2.0, np.zeros(4), np.ones(4))
    prop = ClosestProperty(box, 0, (1,), Fraction(1, 4), None, None)
    asked = Asked("near", prop, tiny_network(1.0), tiny_network(1.0, pruned=True))
    return pack(tmp_path_factory.mktemp("distances") / "library", [asked], side=2)


def scripted_plan(library: Library, instance: str, script: Sequence[Any], limits: RunLimits) -> list[PlannedRun]:
    setting = SolverSetting("scripted", "1.0", (("script", json.dumps(list(script))),))
    return plan_runs([library.row(instance)], [setting], [0], limits)


@pytest.fixture
def limits() -> RunLimits:
    return RunLimits(StopGoal.DECIDE, time_limit_seconds=20.0, memory_limit_bytes=2 << 30)


class Play:
    """Runs scripts into one results folder; a call returns the run's row as the leaderboard reads it."""

    def __init__(self, library: Library, results: Path, limits: RunLimits) -> None:
        self.library, self.results, self.limits = library, results, limits
        self.finished: list[FinishedRun] = []

    def __call__(self, instance: str, script: Sequence[Any], goal: str = "decide", **limits: Any) -> dict[str, Any]:
        chosen = replace(self.limits, goal=StopGoal(goal), **limits)
        plan = scripted_plan(self.library, instance, script, chosen)
        self.finished = run_plan(plan, self.library, self.results, 1, Silent())
        return self.row(plan[0].run)

    def once(self, kept: Path, plays: Callable[[], None]) -> Path:
        """The results folder after these plays, or a copy of `kept`, where the first test of its module has put it."""
        if kept.exists():
            shutil.copytree(kept, self.results)
        else:
            plays()
            shutil.copytree(self.results, kept)
        return self.results

    def row(self, run: str) -> dict[str, Any]:
        runs = read_runs(self.results / "ledger.sqlite").set_index("run", drop=False)
        return {key: None if value != value else value for key, value in runs.loc[run].to_dict().items()}


Rows = dict[str, list[dict[str, Any]]]


def older_ledger(path: Path, version: int) -> Rows:
    """Make a ledger one of this older schema; returns its rows by table, as they stay."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {**{name: columns_of(name, version) for name in TABLES}, "liftings": LIFTING_COLUMNS}
        rows = {
            name: [dict(row) for row in connection.execute(f"SELECT {', '.join(columns)} FROM {name}")]  # noqa: S608
            for name, columns in tables.items()
            if name != "liftings" or version >= 4
        }
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{tables_of(version)} PRAGMA user_version = {version};")
        for name, stored in rows.items():
            for row in stored:
                marks = ", ".join("?" for _ in row)
                connection.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", [*row.values()])  # noqa: S608
        connection.commit()
    return rows


@pytest.fixture(scope="session")
def make_older() -> Callable[[Path, int], Rows]:
    """Makes ledgers of older schemas: see `older_ledger`."""
    return older_ledger


@pytest.fixture(scope="session")
def log_of() -> Callable[[Path, str], str]:
    """The stored log of a run: results folder, run."""
    return lambda results, run: gzip.decompress((results / "logs" / f"{run}.log.gz").read_bytes()).decode()


@pytest.fixture
def play(library: Library, tmp_path: Path, limits: RunLimits, scripted: None) -> Play:
    return Play(library, tmp_path / "results", limits)


@pytest.fixture(scope="module")
def kept_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a module keeps the results that its tests begin with."""
    return tmp_path_factory.mktemp("kept") / "results"


@pytest.fixture
def play_in(tmp_path: Path, limits: RunLimits, scripted: None) -> Callable[[Library], Play]:
    """Play on another library."""
    return lambda library: Play(library, tmp_path / "other-results", limits)


@pytest.fixture
def play_values(values: Library, tmp_path: Path, limits: RunLimits, scripted: None) -> Play:
    return Play(values, tmp_path / "values-results", limits)


@pytest.fixture
def play_distances(distances: Library, tmp_path: Path, limits: RunLimits, scripted: None) -> Play:
    return Play(distances, tmp_path / "distances-results", limits)


@pytest.fixture
def plan_of(library: Library, limits: RunLimits, scripted: None) -> Callable[..., list[PlannedRun]]:
    """A plan of one run: instance, script."""
    return lambda instance, script, **changes: scripted_plan(library, instance, script, replace(limits, **changes))


@pytest.fixture
def workers(own_solvers: None, kept_solvers: KeptSolvers) -> Callable[[], list[psutil.Process]]:
    """The processes of prepared solvers and their runs that this test has started, zombies included."""
    others = kept_solvers.processes()

    def is_ours(child: psutil.Process) -> bool:
        try:
            return bool(
                {"vnnbench.isolation.fork_server", "vnnbench.isolation.worker"}
                & set(child.cmdline() or ["vnnbench.isolation.worker"])
            )
        except psutil.ZombieProcess:
            return True
        except psutil.NoSuchProcess:  # reaped since the children were listed
            return False

    return lambda: [
        child for child in psutil.Process().children(recursive=True) if child.pid not in others and is_ours(child)
    ]


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Whether a process runs: neither gone nor a zombie."""

    def ask(pid: int) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return False

    return ask


class KeptSolvers:
    """Prepared solvers that wait for the next test when a harness is done with them, so that each is imported once.

    Called as the local engine calls `PreparedSolvers`. A process serves those alone who would have started the same
    one: of the same solver, threads, folder and environment. Described programs are prepared anew, for their files may
    change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[tuple[object, ...], Prepared] = {}

    def __call__(self, solvers: Iterable[str], threads: int, folder: Path) -> AbstractContextManager[Mapping[str, Any]]:
        return self._lend(set(solvers), threads, folder)

    @contextlib.contextmanager
    def _lend(self, solvers: set[str], threads: int, folder: Path) -> Iterator[Mapping[str, Prepared]]:
        own = {name for name in solvers if not name.isidentifier()}
        if threading.current_thread() is not threading.main_thread():  # with it its processes end
            own = solvers
        with PreparedSolvers(own, threads, folder) as prepared:
            lent = {name: self._start(name, threads) for name in solvers - own}
            yield lent | {name: prepared[name] for name in own}

    def _start(self, solver: str, threads: int) -> Prepared:
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        key = (solver, threads, Path.cwd(), tuple(sorted(environment.items())))
        prepared = self._kept.pop(key, None) or Prepared(solver, threads, self._folder)
        self._kept[key] = prepared  # the last that is given up
        while len(self._kept) > MAX_KEPT_SOLVERS:
            self._kept.pop(next(iter(self._kept))).close()
        prepared.start()
        return prepared

    def processes(self) -> set[int]:
        """The numbers of the processes that wait."""
        return {prepared._process.pid for prepared in self._kept.values() if prepared._process is not None}

    def close(self) -> None:
        for prepared in self._kept.values():
            prepared.close()


@pytest.fixture(scope="session")
def kept_solvers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptSolvers]:
    """Prepared solvers for the tests that do not ask how these begin and end."""
    solvers = KeptSolvers(tmp_path_factory.mktemp("prepared"))
    yield solvers
    solvers.close()


@pytest.fixture(autouse=True)
def _harness_with_kept_solvers(request: pytest.FixtureRequest, kept_solvers: KeptSolvers) -> Iterator[None]:
    """The local engine borrows its prepared solvers, but in tests that ask for `own_solvers`."""
    with pytest.MonkeyPatch.context() as patch:
        if "own_solvers" not in request.fixturenames:
            patch.setattr("vnnbench.engines.local.PreparedSolvers", kept_solvers)
        yield


@pytest.fixture
def own_solvers() -> None:
    """For tests of which processes and files a harness leaves."""


@pytest.fixture
def prepared(scripted: None, tmp_path: Path) -> Iterator[Prepared]:
    """The scripted solver, prepared."""
    with PreparedSolvers(["scripted"], 1, tmp_path) as solvers:
        yield solvers["scripted"]


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word in the environment of everything that is started from now on."""
    word = uuid.uuid4().hex
    monkeypatch.setenv("VNNBENCH_TEST_MARK", word)
    return word


@pytest.fixture
def survivors(mark: str, own_solvers: None) -> Callable[[], list[psutil.Process]]:
    """The processes that carry the mark, wherever they have hidden; the dead do not count."""

    def find() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("VNNBENCH_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    return find


@pytest.fixture
def never() -> threading.Event:
    """Nobody cancels."""
    return threading.Event()


@pytest.fixture
def points() -> dict[str, list[float]]:
    """Inputs with known values, see their docstrings."""
    return {"centre": CENTRE, "best": BEST, "good": GOOD, "even": EVEN}


@pytest.fixture
def command_line(
    library: Library, tmp_path: Path, scripted: None, drop_capabilities: Callable[[], None]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Have `vnnbench run` play a script on an instance, or with other words, into the folder `results`, as a process of
    its own: without the rights of root, unless they are asked for."""

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
