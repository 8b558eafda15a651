"""The work of `PackageSolver` for an adapter, shown with the adapter of a made-up vendor that gives the hooks alone.

The vendor's models are boxes: min sum_j cost_j x_j over lower <= x <= upper; each line of a file is
`name cost lower upper`. Its infinity is 1e30. Its parameters say how a solve goes.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from support.solving import Recorder
from vnnbench.solvers.base import (
    Licence,
    ModelAsRead,
    NotInstalledError,
    OptionError,
    OptionValue,
    SolveRequest,
    SolverError,
    Termination,
    UnreadableModelError,
)
from vnnbench.solvers.options import SEED, TIME_LIMIT
from vnnbench.solvers.package_solver import PackageSolver, VendorError
from vnnbench.solvers.relay import Answer, Relay


class BoxModel:
    """The whole of the vendor's package. The set `open_models` has those that were not closed."""

    open_models: ClassVar[list[BoxModel]] = []

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {"seconds": inf, "seed": 7, "nodes": 10, "sense": "min", "fail": ""}
        self.columns: list[tuple[str, float, float, float]] = []
        self.open_models.append(self)

    def read(self, path: Path) -> None:
        if self.parameters["fail"] == "licence":
            raise RuntimeError("licence server is down")
        lines = path.read_text().splitlines()
        self.columns = [(name, *map(float, numbers)) for name, *numbers in map(str.split, lines)]  # type: ignore[misc]

    def optimize(self, on_solution: Any) -> list[float]:
        if self.parameters["fail"] == "numbers":
            raise RuntimeError("numerical trouble")
        if self.parameters["fail"] == "memory":
            raise MemoryError
        best = [lower if cost > 0 else upper for _, cost, lower, upper in self.columns]
        on_solution(sum(column[1] * value for column, value in zip(self.columns, best, strict=True)), best)
        return best

    def close(self) -> None:
        self.open_models.remove(self)


class Box(PackageSolver):
    """The adapter, which consists of the hooks alone."""

    name: ClassVar[str] = "box"
    title: ClassVar[str] = "Box"
    module: ClassVar[str] = "made_up_vendor"
    infinity: ClassVar[float] = 1e30
    infinite_bound: ClassVar[float] = 1e30
    statuses: ClassVar[Mapping[str, Termination]] = {"solved": Termination.OPTIMAL, "late": Termination.TIME_LIMIT}
    owned: ClassVar[Mapping[str, str]] = {"seconds": TIME_LIMIT, "seed": SEED}

    def version(self) -> str:
        return "1.0"

    def licence(self) -> Licence:
        return Licence("none needed")

    @contextmanager
    def blank(self) -> Iterator[Any]:
        model = self.package.BoxModel()
        try:
            yield model
        finally:
            model.close()

    def option_kinds(self, blank: Any) -> dict[str, type]:
        return {name: type(value) for name, value in blank.parameters.items()}

    def refusal(self, blank: Any, name: str, value: OptionValue) -> str | None:
        return "must be 0 or more" if isinstance(value, int) and value < 0 else None

    def settings(self, request: SolveRequest) -> dict[str, OptionValue | None]:
        return {"seed": request.seed, "nodes": request.node_limit}

    @contextmanager
    def opened(self, path: Path, settings: Mapping[str, OptionValue], log: Path | None) -> Iterator[Any]:
        with self.blank() as model:
            model.parameters.update(settings)
            try:
                model.read(path)
            except RuntimeError as error:
                raise VendorError(str(error), "E_LICENCE", Termination.LICENSE_LIMIT) from error
            except (OSError, ValueError) as error:
                raise UnreadableModelError(f"box cannot read {path}: {error}") from error
            if log is not None:
                log.write_text(repr(model.parameters))
            yield model

    def minimizes(self, model: Any) -> bool:
        return bool(model.parameters["sense"] == "min")

    def column_names(self, model: Any) -> list[str]:
        return [name for name, *_ in model.columns]

    def contents(self, model: Any, path: Path) -> ModelAsRead:
        names, costs, lower, upper = map(list, zip(*model.columns, strict=True))
        integer = [False] * len(names)
        return ModelAsRead(True, 0.0, names, lower, upper, integer, costs, ["r"], [-1e30], [4.0], [])

    def optimize(self, model: Any, seconds: float, relay: Relay) -> Answer:
        model.parameters["seconds"] = seconds

        def on_solution(objective: float, values: list[float]) -> None:
            with relay.guard():
                relay.incumbent(objective, lambda: values)

        try:
            best = model.optimize(on_solution)
        except RuntimeError as error:
            raise VendorError(str(error), "E_NUMBERS") from error
        status = "solved" if seconds > 0 else "late"
        return Answer(self.statuses[status], status, -5.0, array("d", best), -5.0)


TEXT = "x 1 0 1e30\ny -2.5 -1e31 2\n"
"""min x - 5/2 y over x >= 0, y <= 2: x = 0, y = 2, value -5."""


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    package = ModuleType("made_up_vendor")
    package.BoxModel = BoxModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_up_vendor", package)
    yield Box()
    assert BoxModel.open_models == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.box"
    path.write_text(TEXT)
    return path


def asked(path: Path, **settings: Any) -> SolveRequest:
    return SolveRequest(path, path.with_name("solver.log"), **{"time_limit_seconds": 9.0, **settings})


def test_recipe_names_every_hook_there_is():
    recipe = PackageSolver.__doc__ or ""
    assert {hook for hook in PackageSolver.__abstractmethods__ if f"`{hook}`" not in recipe} == set()


def test_solve_announces_columns_passes_incumbents_on_and_returns_the_answer(box, path):
    heard = Recorder()
    result = box.solve(asked(path), heard)
    assert heard.names == ["x", "y"]
    assert [(one.objective, list(one.columns)) for one in heard.incumbents] == [(-5.0, [0.0, 2.0])]
    assert heard.dual_bounds == [-5.0]
    assert (result.termination, result.raw_status, result.primal_bound) == (Termination.OPTIMAL, "solved", -5.0)
    assert 0 <= result.read_seconds <= result.wall_seconds


def test_settings_and_options_reach_the_vendor_and_a_limit_that_is_not_set_does_not(box, path):
    box.solve(asked(path, seed=3), Recorder())
    assert "'seed': 3, 'nodes': 10, 'sense': 'min'" in path.with_name("solver.log").read_text()
    box.solve(asked(path, node_limit=5, options={"fail": "never"}), Recorder())
    assert "'nodes': 5, 'sense': 'min', 'fail': 'never'" in path.with_name("solver.log").read_text()


def test_vendor_gets_what_is_left_of_the_time_limit(box, path, monkeypatch):
    given = []
    monkeypatch.setattr(Box, "optimize", lambda self, model, seconds, relay: given.append(seconds) or Answer(
        Termination.TIME_LIMIT, "late"))  # fmt: skip
    box.solve(asked(path, time_limit_seconds=60.0), Recorder())
    box.solve(asked(path, time_limit_seconds=0.0), Recorder())
    assert 30 < given[0] < 60 and given[1] == 0.0


def test_columns_are_announced_before_the_solve_and_what_a_listener_raises_is_raised(box, path):
    heard = Recorder()

    def fail(_names):
        raise BrokenPipeError("gone")

    heard.on_columns = fail
    with pytest.raises(BrokenPipeError, match="gone"):
        box.solve(asked(path), heard)
    assert heard.incumbents == []


@pytest.mark.parametrize(
    ("fail", "termination", "raw_status", "message"),
    [
        ("licence", Termination.LICENSE_LIMIT, "E_LICENCE", "licence server is down"),
        ("numbers", Termination.ERROR, "E_NUMBERS", "numerical trouble"),
        ("memory", Termination.MEMORY_LIMIT, "MemoryError", "out of memory"),
    ],
)
def test_errors_of_the_vendor_are_terminations(fail, termination, raw_status, message, box, path):
    result = box.solve(asked(path, options={"fail": fail}), Recorder())
    assert (result.termination, result.raw_status, result.message) == (termination, raw_status, message)
    assert (result.primal_bound, result.dual_bound, result.columns) == (None, None, None)


def test_model_that_maximizes_is_refused_before_its_columns_are_announced(box, path):
    heard = Recorder()
    with pytest.raises(UnreadableModelError, match=r"^box: .*model\.box maximizes; vnnbench files minimize$"):
        box.solve(asked(path, options={"sense": "max"}), heard)
    assert heard.names == []


def test_bounds_beyond_the_vendor_s_infinity_are_infinite_and_the_rest_is_as_the_vendor_says(box, path):
    read = box.read_model(path)
    assert (read.column_lower, read.column_upper) == ([0.0, -inf], [inf, 2.0])
    assert (read.row_lower, read.row_upper) == ([-inf], [4.0])
    assert (read.column_names, read.objective) == (["x", "y"], [1.0, -2.5])


def test_unreadable_file_is_refused_when_it_is_read_and_when_it_is_solved(box, path):
    path.write_text("x one 0 1\n")
    with pytest.raises(UnreadableModelError, match=r"model\.box"):
        box.read_model(path)
    with pytest.raises(UnreadableModelError, match=r"model\.box"):
        box.solve(asked(path), Recorder())


@pytest.mark.parametrize(
    ("termination", "line"),
    [(Termination.LICENSE_LIMIT, "box: no usable licence: gone"), (Termination.ERROR, "box: gone")],
)
def test_vendor_that_fails_while_a_model_is_read_is_one_line(termination, line, box, path, monkeypatch):
    def fail(*_):
        raise VendorError("gone", "E_GONE", termination)

    monkeypatch.setattr(Box, "contents", fail)
    with pytest.raises(SolverError) as caught:
        box.read_model(path)
    assert str(caught.value) == line


def test_options_are_typed_and_the_rest_is_refused(box):
    assert box.validate_options({"nodes": "4", "sense": "max"}) == {"nodes": 4, "sense": "max"}
    for options, line in [
        ({"seed": "1"}, f"box: option seed cannot be set here: {SEED}"),
        ({"node": "1"}, "box: no option 'node'; did you mean nodes"),
        ({"nodes": "many"}, "box: the option nodes takes a whole number, not 'many'"),
        ({"nodes": "-1"}, "box: the option nodes does not take '-1': must be 0 or more"),
    ]:
        with pytest.raises(OptionError) as caught:
            box.validate_options(options)
        assert str(caught.value).startswith(line)


def test_missing_package_is_one_line_before_anything_is_read(path):
    with pytest.raises(NotInstalledError, match="pip install made_up_vendor"):
        Box().solve(asked(path), Recorder())
