"""The attributes `ranked` and `reads_model` of a solver from another package are obeyed, whatever its name is.

The package has two solvers, of which one reads no model. Both report the same of a run: the columns of the file, all of
them 0, which violates its rows.

"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.plays import log_of
from support.scripts import LIMITS
from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.harness import run_plan
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.references.adapters import REFERENCES
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers import registry

PLUGIN = """
from array import array

from vnnbench.instances.formulations.mps import read_mps
from vnnbench.solvers.base import Incumbent, Licence, Solver, SolveResult, Termination, UnreadableModelError


class Beside(Solver):
    name, title, module = "beside", "Beside", "two_plugins"
    ranked, reads_model = False, False

    def version(self):
        return "1.0"

    def licence(self):
        return Licence("none")

    def validate_options(self, options):
        return dict(options)

    def read_model(self, path):
        raise UnreadableModelError(f"{path}: {self.name} reads no model")

    def solve(self, request, listener):
        print("given:", *sorted(path.name for path in request.model_path.parent.iterdir()))
        names = read_mps(request.model_path).column_names
        listener.on_columns(names)
        columns = array("d", [0.0] * len(names))
        listener.on_incumbent(Incumbent(0.0, columns))
        return SolveResult(Termination.UNRESOLVED, "done", 0.0, None, columns, None, 0.0, 0.0)


class Reading(Beside):
    name, title, reads_model = "reading", "Reading", True

    @classmethod
    def installed(cls):
        return False
"""


@pytest.fixture
def two_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the package, here and in children."""
    folder = tmp_path / "packages"
    metadata = folder / "two_plugins-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "two_plugins.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: two_plugins\nVersion: 1.0\n")
    entries = "[vnnbench.solvers]\nbeside = two_plugins:Beside\nreading = two_plugins:Reading\n"
    (metadata / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    registry._entry_points.cache_clear()
    registry._adapter.cache_clear()
    yield
    registry._entry_points.cache_clear()
    registry._adapter.cache_clear()


def test_solver_that_reads_no_model_is_run_on_no_permutation_of_it(library: Library, two_plugins: None) -> None:
    settings = [parse_setting("beside"), parse_setting("reading")]
    plan = plan_runs([library.row("adv--tight")], settings, [0, 1], RunLimits(), range(3))
    permutations = [(run.setting.solver, run.permutation) for run in plan if run.seed == 1]
    assert permutations == [("beside", 0), ("reading", 0), ("reading", 1), ("reading", 2)]


def test_solver_that_reads_no_model_gets_the_question_and_its_columns_are_not_checked_against_the_file(
    library: Library, two_plugins: None, tmp_path: Path
) -> None:
    row = library.row("adv--tight")
    plan = plan_runs([row], [parse_setting("beside"), parse_setting("reading")], [0], LIMITS)
    finished = run_plan(plan, library, tmp_path / "results", 1, Silent())
    given = {}
    for one in finished:
        log = log_of(tmp_path / "results", one.result.run)
        (line,) = [line for line in log.splitlines() if line.startswith("given: ")]
        given[one.result.solver] = line.split()[1:]
    model = Path(row.model).name
    assert set(given["beside"]) - set(given["reading"]) == {"network.onnx", "property.json"}
    assert model in given["beside"] and model in given["reading"]
    held = {one.result.solver: one.judgement.row_violation for one in finished}
    assert held["beside"] is None and held["reading"] > 0.1
    runs = read_runs(tmp_path / "results" / "ledger.sqlite").set_index("solver")
    assert (runs.fault["beside"], runs.fault["reading"]) == ("none", "solver")


def test_solvers_says_which_are_not_ranked_and_why(two_plugins: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["solvers", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["solver"] for row in rows if not row["ranked"]] == ["beside", "reading", *REFERENCES]
    assert run_command(["solvers"]) == 0
    legend = capsys.readouterr().out.splitlines()
    assert "reading: not ranked." in legend
    for line in ("beside: Beside", "pgd: projected gradient ascent"):
        assert any(shown.startswith(f"{line}, not ranked. It reads the network and the") for shown in legend)


def test_check_rereads_in_no_solver_that_reads_no_model(
    library: Library, two_plugins: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check", str(library.folder), "--select", "adv--tight"]) == 0
    assert "re-read in " in (told := capsys.readouterr().out)
    assert "highs" in told and "beside" not in told
    assert run_command(["check", str(library.folder), "--solver", "beside"]) == 2
    assert "beside does not read models" in capsys.readouterr().err
