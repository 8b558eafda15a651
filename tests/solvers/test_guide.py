"""The guide of the adapters: its sessions run as printed, its package works, its tables say what the code does."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import vnnbench
from support.guides import ROOT, SOLVERS, blocks, read_guide, run_as_printed
from support.milps import Problem
from support.solving import Recorder
from vnnbench.common.toml_table import REQUIRED, Table
from vnnbench.references.adapters import adapter_names, get_adapter
from vnnbench.solvers import options
from vnnbench.solvers.base import OptionError, Solver, SolveRequest, SolveResult, Termination
from vnnbench.solvers.command_line.description import (
    GROUP,
    PATTERN,
    REWRITE_WORDS,
    SOLVE_WORDS,
    packaged_files,
    read_command_file,
)
from vnnbench.solvers.registry import get_solver, installed_solvers

GUIDE = read_guide(SOLVERS)


def block_with(language: str, text: str) -> str:
    """Return the one code block in this language that has this text."""
    (block,) = [block for block in blocks(GUIDE, language) if text in block]
    return block


def table(head: str) -> list[list[str]]:
    """Return the cells, row by row, of the one table whose first column has this head."""
    (rows,) = re.findall(rf"^\| {re.escape(head)} \|.*\n\| ---.*\n((?:\|.*\n)+)", GUIDE, flags=re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows.splitlines()]


def quoted(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]*)`", cell)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the guide's sessions run, with its library."""
    folder = tmp_path_factory.mktemp("guide")
    run_as_printed(block_with("console", "vnnbench generate"), folder)
    return folder


# -- the solvers that come along ---------------------------------------------------------------------------------------


def test_table_of_solvers_has_every_adapter() -> None:
    printed = {quoted(name)[0]: cells for name, *cells in table("`--solver`")}
    assert sorted(printed) == sorted(adapter_names())
    for name, (title, needs, licence, reports) in printed.items():
        solver = get_adapter(name)
        assert [title, *quoted(needs)] == [solver.title, solver.needs()]
        assert reports == ("while it solves" if solver.streams else "at its end")
        if solver.installed() and name != "gurobi":  # Gurobi's depends on the machine
            assert licence == solver.licence().text


def test_table_of_options_names_what_an_error_names_instead() -> None:
    told = {options.TIME_LIMIT, options.THREADS, options.SEED, options.MIP_GAP, options.NODE_LIMIT}
    printed = " ".join(cell for row in table("what") for cell in quoted(row[1]))
    assert {phrase for phrase in told if phrase.split()[-1] not in printed} == set()


def test_printed_error_of_an_option_is_the_one_that_is_raised() -> None:
    pytest.importorskip("gurobipy")
    with pytest.raises(OptionError) as caught:
        get_solver("gurobi").validate_options({"Threads": "2"})
    assert block_with("text", "Error: gurobi") == f"Error: {caught.value}\n"


# -- a solver that is a program ----------------------------------------------------------------------------------------


def test_session_with_programs_runs_as_printed_without_a_fault(folder: Path) -> None:
    missing = {"cbc", "glpk"} - set(installed_solvers())
    if missing:
        pytest.skip(f"{' and '.join(sorted(missing))} not installed")
    toml, session = block_with("toml", "program ="), block_with("console", "--solver glpk-cuts.toml")
    (folder / "glpk-cuts.toml").write_text(toml)
    run_as_printed(session, folder)
    assert f"toml={hashlib.sha256(toml.encode()).hexdigest()[:12]}" in GUIDE
    runs = vnnbench.open_results(folder / "programs").runs()
    assert set(runs["solver"]) == {"cbc", "glpk", "glpk-cuts"}
    assert set(runs["fault"]) == {"none"} and "error" not in set(runs["termination"])


def keys_that_are_read(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, str, Any]]:
    """Return the check, the description and the default of every key, as the reader of a TOML takes them."""
    found = {}
    take = Table.take

    def take_and_note(self: Table, key: str, check: Any, right: str, default: Any = REQUIRED) -> Any:
        found[f"{self.prefix}{key}"] = (check, right, default)
        return take(self, key, check, right, default)

    monkeypatch.setattr(Table, "take", take_and_note)
    for path in packaged_files():
        read_command_file(path)
    return found


def test_every_kind_of_table_is_in_a_packaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that `keys_that_are_read` misses none."""
    tables = {key for key, (_, right, _) in keys_that_are_read(monkeypatch).items() if "table" in right}
    text = "\n".join(path.read_text() for path in packaged_files())
    assert {key for key in tables if not re.search(rf"^\[+{key}\]+$", text, flags=re.MULTILINE)} == set()


def test_table_of_keys_has_every_key_with_its_value_and_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    read, printed = keys_that_are_read(monkeypatch), {quoted(key)[0]: cells for key, *cells in table("key")}
    assert sorted(printed) == sorted(read)
    shorter = {f"one of {', '.join(Termination)}": "a termination"}
    for key, (check, right, default) in read.items():
        value, printed_default, meaning = printed[key]
        right = right.replace(GROUP, "a pattern with one group").replace(PATTERN, "a pattern")
        assert value == re.sub(" with placeholders of .*", "", shorter.get(right, right)), key
        assert meaning, key
        if quoted(printed_default):
            assert check(tomllib.loads(f"value = {quoted(printed_default)[0]}")["value"]) == default, key
        else:
            assert printed_default == ("required" if default is REQUIRED else "none"), key
            assert default is REQUIRED or not default, key


def test_table_of_placeholders_has_every_one_where_it_may_stand() -> None:
    rows = table("placeholder")
    for place, known in (("solve", SOLVE_WORDS), ("rewrite", REWRITE_WORDS)):
        assert sorted(quoted(row[0])[0] for row in rows if place in quoted(row[1])) == [
            f"{{{n}}}" for n in sorted(known)
        ]


# -- a solver that is a Python package ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the guide's example package is installed."""
    sources, target = tmp_path_factory.mktemp("vnnbench-scipy"), tmp_path_factory.mktemp("packages")
    (sources / "pyproject.toml").write_text(block_with("toml", "[build-system]"))
    (sources / "vnnbench_scipy.py").write_text(block_with("python", "scipy.optimize"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(sources)], check=True)
    return target


def test_session_with_the_example_package_runs_as_printed_and_answers_as_highs_does(
    folder: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(package), prepend=os.pathsep)
    run_as_printed(block_with("console", "--solver scipy"), folder)
    runs = vnnbench.open_results(folder / "with-scipy").runs()
    verdicts = runs.pivot(index="instance", columns="solver", values="verdict")
    assert set(verdicts["scipy"]) == {"adversarial", "robust"}
    assert verdicts["scipy"].tolist() == verdicts["highs"].tolist()
    assert set(runs["fault"]) == {"none"}


def test_example_package_is_listed_among_the_solvers(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(package), prepend=os.pathsep)
    command = [sys.executable, "-m", "vnnbench", "solvers"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^scipy +\d+\.\d+\.\d+\S*, adapter 1 +BSD 3 ", listed, flags=re.MULTILINE)
    assert re.search(
        r"^scipy +\d+\.\d+\.\d+\S*, adapter 1 +BSD 3 ", block_with("console", "--solver scipy"), flags=re.MULTILINE
    )


@pytest.fixture
def example(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Solver]:
    """The adapter of the example package."""
    monkeypatch.syspath_prepend(str(package))
    yield importlib.import_module("vnnbench_scipy").ScipyMilp()
    del sys.modules["vnnbench_scipy"]


@pytest.mark.parametrize("name", ["milp", "lp", "infeasible", "unbounded"])
def test_example_adapter_has_the_known_answer(
    name: str, example: Solver, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    problem: Problem = request.getfixturevalue(name)
    heard = Recorder()
    result = example.solve(SolveRequest(problem.write(tmp_path), tmp_path / "log", 20.0), heard)
    assert result.termination in problem.terminations
    assert (result.primal_bound, result.dual_bound) == (pytest.approx(problem.optimum),) * 2
    assert len(heard.incumbents) == (result.primal_bound is not None)
    assert result.raw_status in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("limit", "termination"),
    [({"time_limit_seconds": 0.5}, Termination.TIME_LIMIT), ({"node_limit": 5}, Termination.NODE_LIMIT)],
)
def test_example_adapter_keeps_a_limit(
    limit: dict[str, Any], termination: Termination, example: Solver, hopeless: Problem, tmp_path: Path
) -> None:
    request = SolveRequest(hopeless.write(tmp_path), tmp_path / "log", **{"time_limit_seconds": 20.0, **limit})
    result = example.solve(request, Recorder())
    assert (result.termination, result.primal_bound, result.columns) == (termination, None, None)


def test_example_adapter_refuses_an_option_that_vnnbench_sets(example: Solver) -> None:
    assert example.validate_options({"presolve": "off"}) == {"presolve": False}
    with pytest.raises(OptionError, match="scipy: option disp cannot be set here"):
        example.validate_options({"disp": "1"})


def test_test_files_that_are_named_exist() -> None:
    named = re.findall(r"tests/[\w/]+\.py", GUIDE)
    assert named and [path for path in named if not (ROOT / path).is_file()] == []


# -- what happens in a run ---------------------------------------------------------------------------------------------


def test_table_of_the_result_has_every_field() -> None:
    assert sorted(name for row in table("`SolveResult`") for name in quoted(row[0])) == sorted(
        field.name for field in fields(SolveResult)
    )


def test_table_of_terminations_has_every_one() -> None:
    assert sorted(name for row in table("termination") for name in quoted(row[0])) == sorted(Termination)
