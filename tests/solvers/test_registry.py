"""The registry knows every solver and imports none; every status of every vendor has its termination."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support.solving import Recorder
from vnnbench.solvers.base import Licence, NotInstalledError, SolverError, Termination, UnknownSolverError
from vnnbench.solvers.gurobi import Gurobi
from vnnbench.solvers.highs import Highs
from vnnbench.solvers.registry import get_solver, installed_solvers, solver_names
from vnnbench.solvers.scip import Scip


def test_names_are_sorted_and_each_gives_its_adapter():
    assert solver_names() == ("cbc", "glpk", "gurobi", "highs", "scip")
    assert [get_solver(name).name for name in solver_names()] == list(solver_names())
    assert set(installed_solvers()) <= set(solver_names())


def test_unknown_solver_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UnknownSolverError, match=r"'cplex'.*gurobi, highs, scip, or the path of a TOML"):
        get_solver("cplex")


def test_importing_the_registry_imports_no_vendor():
    code = (
        "import sys, vnnbench.solvers.registry; "
        "print(sorted({'gurobipy', 'highspy', 'pyscipopt', 'numpy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("adapter", [Gurobi, Highs, Scip])
def test_missing_package_is_one_clear_line(adapter, monkeypatch):
    monkeypatch.setattr(adapter, "module", "no_such_package")
    assert not adapter.installed()
    with pytest.raises(NotInstalledError, match="pip install"):
        adapter().version()


def test_version_and_licence_are_reported(solver):
    assert 1 <= solver.version().count(".") <= 2
    licence = solver.licence()
    assert licence.text and "\n" not in licence.text


def test_size_limited_licence_states_its_limits(monkeypatch):
    pytest.importorskip("gurobipy")
    licence = Gurobi().licence()
    if "size-limited" not in licence.text:
        pytest.skip(f"gurobi: another licence: {licence.text}")
    assert (licence.max_columns, licence.max_rows) == (2000, 2000)
    assert "expires 20" in licence.text


def test_without_a_licence_gurobi_says_so(monkeypatch, lp, tmp_path, capfd):
    pytest.importorskip("gurobipy")
    from vnnbench.solvers.base import SolveRequest

    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "no.lic"))
    adapter = Gurobi()
    licence = adapter.licence()
    assert isinstance(licence, Licence) and licence.text.startswith("none usable")
    request = SolveRequest(lp.write(tmp_path), tmp_path / "solver.log", time_limit_seconds=5.0)
    result = adapter.solve(request, Recorder())
    assert result.termination is Termination.LICENSE_LIMIT
    assert result.message and "\n" not in result.message
    with pytest.raises(SolverError, match="licence"):
        adapter.read_model(request.model_path)
    assert adapter.validate_options({"MIPFocus": "1"}) == {"MIPFocus": 1}
    assert capfd.readouterr() == ("", "")


def test_every_gurobi_status_is_mapped():
    gurobipy = pytest.importorskip("gurobipy")
    assert set(Gurobi.statuses) == {name for name in dir(gurobipy.GRB.Status) if not name.startswith("_")}
    errors = {name for name in dir(gurobipy.GRB.Error) if not name.startswith("_")}
    assert set(Gurobi.error_terminations) <= errors


def test_every_highs_status_is_mapped():
    highspy = pytest.importorskip("highspy")
    assert set(Highs.statuses) == set(highspy.HighsModelStatus.__members__)


def test_every_scip_status_is_mapped():
    pyscipopt = pytest.importorskip("pyscipopt")
    names = {name.lower() for name in dir(pyscipopt.SCIP_STATUS) if not name.startswith("_")}
    assert set(Scip.statuses) == names


def test_every_termination_in_a_map_is_one_of_ours():
    for adapter in (Gurobi, Highs, Scip):
        assert all(isinstance(termination, Termination) for termination in adapter.statuses.values())
        assert Termination.INTERRUPTED in adapter.statuses.values()
        assert Termination.TIME_LIMIT in adapter.statuses.values()


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (
            "from solvers.base import Solver",
            "imports solvers, which is now vnnbench.solvers; install a newer version of its package, or remove it",
        ),
        (
            "import tyme",
            "cannot be imported (ModuleNotFoundError: No module named 'tyme'); "
            "mend or update its package, or remove it",
        ),
        (
            "raise RuntimeError('two\\nlines')",
            "cannot be imported (RuntimeError: two\\nlines); mend or update its package, or remove it",
        ),
    ],
)
def test_an_adapter_that_cannot_be_imported_is_one_line_and_hides_no_other(module, why, tmp_path):
    (tmp_path / "broken_adapter.py").write_text(f"{module}\n")
    folder = tmp_path / "broken_adapter-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken_adapter\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[vnnbench.solvers]\nbroken = broken_adapter:Broken\n")

    def vnnbench(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-m", "vnnbench", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)

    listed = vnnbench("solvers", "--format", "json")
    rows = {row["solver"]: row for row in json.loads(listed.stdout)}
    said = f"solver broken (broken_adapter:Broken): {why}"
    assert (listed.returncode, listed.stderr) == (0, "")
    assert rows["broken"]["licence"] == f"not usable: {said}" and rows["highs"]["version"]
    asked = vnnbench("check", "library", "--solver", "broken")
    assert (asked.returncode, asked.stdout) == (2, "") and "Traceback" not in asked.stderr
