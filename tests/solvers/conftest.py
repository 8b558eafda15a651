"""The problems of the conformance suite, each written once with its answer; the adapters, and what they solve."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.milps import Column, Problem, Row, binary, market_split
from support.solving import Recorder
from vnnbench.solvers.base import Solver, SolveRequest, SolveResult, Termination
from vnnbench.solvers.registry import get_solver, solver_names


@pytest.fixture(scope="session")
def milp() -> Problem:
    """A MILP where a, b, c all fit only with y = 2: -5 - 4 - 3 + 2 + 7.25 = -2.75; next best, a and b, is -1.75."""
    return Problem(
        "milp",
        [
            Column("y", 1.0, 0.0, 2.0),
            binary("c", -3.0),
            Column("free", 0.25, -1.0, 4.0),
            binary("b", -4.0),
            binary("a", -5.0),
        ],
        [
            Row("cap", "L", 5.0, {"a": 2.0, "b": 3.0, "c": 1.0, "y": -0.5}),
            Row("low", "G", 0.0, {"free": 1.0, "a": 0.0 + 1e-3}),
        ],
        offset=7.25,
        optimum=-2.75 - 0.25e-3,
    )


@pytest.fixture(scope="session")
def lp() -> Problem:
    """An LP with x >= 1 and y + z = 4: x = 1, z = 4, so the optimum is 1 - 4 - 3.5 = -6.5."""
    return Problem(
        "lp",
        [Column("x", 1.0), Column("y", 2.0), Column("z", -1.0)],
        [
            Row("c1", "L", 10.0, {"x": 1.0, "y": 1.0, "z": 1.0}),
            Row("c2", "G", 1.0, {"x": 1.0}),
            Row("c3", "E", 4.0, {"y": 1.0, "z": 1.0}),
        ],
        offset=-3.5,
        optimum=-6.5,
    )


@pytest.fixture(scope="session")
def big_lp() -> Problem:
    """A covering LP that takes some hundred simplex iterations."""
    random_ = random.Random(3)  # noqa: S311
    columns = [Column(f"x{j}", random_.uniform(1, 2)) for j in range(150)]
    rows = [
        Row(f"r{i}", "G", random_.uniform(5, 9), {column.name: random_.uniform(0.1, 1) for column in columns})
        for i in range(120)
    ]
    return Problem("big_lp", columns, rows)


@pytest.fixture(scope="session")
def infeasible() -> Problem:
    """An infeasible problem: an odd sum of even numbers."""
    return Problem(
        "infeasible",
        [binary(name, 1.0) for name in "abc"],
        [Row("odd", "E", 3.0, dict.fromkeys("abc", 2.0))],
        terminations=(Termination.INFEASIBLE,),
    )


@pytest.fixture(scope="session")
def unbounded() -> Problem:
    """An unbounded problem: x and y may grow together. HiGHS's presolve stops at "infeasible or unbounded"."""
    return Problem(
        "unbounded",
        [Column("x", -1.0, integer=True), Column("y", -1.0)],
        [Row("r", "G", 1.0, {"x": 1.0, "y": -1.0})],
        terminations=(Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED),
    )


@pytest.fixture(scope="session")
def endless() -> Problem:
    """A problem whose incumbents come at once, and whose proof does not come for minutes."""
    return market_split("endless", rows=6, columns=50, slack=True)


@pytest.fixture(scope="session")
def hopeless() -> Problem:
    """A problem for which not even an incumbent comes."""
    return market_split("hopeless", rows=6, columns=50, slack=False)


@pytest.fixture(scope="session")
def knapsacks() -> Problem:
    """A multi-dimensional knapsack: within a few percent at once, optimal only after long; its dual bound moves."""
    random_ = random.Random(11)  # noqa: S311
    columns = [binary(f"x{j}", -float(random_.randint(400, 700))) for j in range(90)]
    rows = []
    for i in range(10):
        weights = {column.name: float(random_.randint(100, 900)) for column in columns}
        rows.append(Row(f"r{i}", "L", float(sum(weights.values()) // 2), weights))
    return Problem("knapsacks", columns, rows, offset=1000.5, terminations=())


@pytest.fixture(scope="session")
def large() -> Problem:
    """A problem with more columns than Gurobi's size-limited licence takes; presolve cannot remove its rows."""
    columns = [binary(f"x{j}", -1.0 - j % 7) for j in range(2100)]
    rows = [
        Row(f"r{i}", "L", 50.0, {column.name: 1.0 + (i * j) % 5 for j, column in enumerate(columns)})
        for i in range(1, 4)
    ]
    return Problem("large", columns, rows)


@pytest.fixture(params=solver_names())
def solver(request: pytest.FixtureRequest) -> Solver:
    """Every adapter in turn; skipped by name where its package or licence is missing."""
    adapter = get_solver(request.param)
    if not adapter.installed():
        pytest.skip(f"{adapter.name} is not installed: {adapter.needs()}")
    licence = adapter.licence()
    if licence.text.startswith("none usable"):
        pytest.skip(f"{adapter.name}: no licence: {licence.text}")
    return adapter


@pytest.fixture
def execute(solver: Solver, tmp_path: Path) -> Callable[..., tuple[SolveResult, Recorder]]:
    """A function that solves a problem with the adapter at hand; keywords go to the request."""

    def run(problem: Problem, recorder: Recorder | None = None, **settings: object) -> tuple[SolveResult, Recorder]:
        recorder = recorder or Recorder()
        settings = {"time_limit_seconds": 20.0, **settings}
        request = SolveRequest(problem.write(tmp_path), tmp_path / "solver.log", **settings)  # type: ignore[arg-type]
        return solver.solve(request, recorder), recorder

    return run


@pytest.fixture(scope="session")
def kept_solves() -> dict[tuple[str, str], tuple[SolveResult, Recorder]]:
    """The results of `solved` by solver and problem."""
    return {}


@pytest.fixture
def solved(
    solver: Solver,
    execute: Callable[..., tuple[SolveResult, Recorder]],
    kept_solves: dict[tuple[str, str], tuple[SolveResult, Recorder]],
) -> Callable[[Problem], tuple[SolveResult, Recorder]]:
    """A function that solves a problem with the adapter at hand, once for all tests that only read the result: to its
    end, or for 1.5 seconds where it has no end."""

    def run(problem: Problem) -> tuple[SolveResult, Recorder]:
        key = (solver.name, problem.name)
        if key not in kept_solves:
            kept_solves[key] = execute(problem, time_limit_seconds=20.0 if problem.terminations else 1.5)
        return kept_solves[key]

    return run
