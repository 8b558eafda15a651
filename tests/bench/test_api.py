"""`import vnnbench`: the functions return what the commands print, and say in one line what is wrong."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import vnnbench
from vnnbench.cli import KNOWN_ERRORS, run_command
from vnnbench.instances.library.findings import Severity


def test_a_script_generates_checks_runs_and_ranks(tiny_suite, tmp_path):
    generated, ran = [], []
    library = vnnbench.generate(
        tiny_suite, tmp_path / "library", select=["*-s0-*--tight"], progress=lambda *step: generated.append(step)
    )
    assert generated[0][:2] == (0, len(generated) - 1) and generated[-1][0] == generated[-1][1]
    assert vnnbench.open_library(str(tmp_path / "library")) == library
    assert vnnbench.check(library, solvers=["highs"]) == []
    results = vnnbench.run(
        library, tmp_path / "results", ["highs", "highs:presolve=off"], time_limit_seconds=30.0, seeds=[0, 1],
        progress=lambda *step: ran.append(step),
    )  # fmt: skip
    n_runs = 4 * len(library.rows)
    assert ran[0] == (0, n_runs, "") and ran[-1] == (n_runs, n_runs, "highs")
    assert len(results.runs()) == n_runs
    assert set(results.instances()["instance"]) == {row.instance for row in library.rows}
    ranking = vnnbench.rank(vnnbench.open_results(tmp_path / "results"))
    assert len(ranking) == 2 * ranking["role"].nunique() and set(ranking["solver"]) == {"highs"}


def test_rank_has_the_numbers_of_the_command(tiny_results, capsys):
    assert run_command(["leaderboard", str(tiny_results), "--format", "csv", "--by", "formulation"]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    ranking = vnnbench.rank(vnnbench.open_results(tiny_results), by=["formulation"])
    assert [*ranking] == [*printed]
    numbers = [name for name in printed if pd.api.types.is_numeric_dtype(printed[name])]
    assert len(numbers) > 20
    np.testing.assert_array_equal(ranking[numbers].astype(float), printed[numbers].astype(float))


def test_candidates_of_a_run_are_those_that_are_judged(tiny_results, tiny_library):
    results, library = vnnbench.open_results(tiny_results), vnnbench.open_library(tiny_library)
    runs = results.runs()
    run = runs[runs["verdict"] == "adversarial"].iloc[0]
    candidates = results.candidates(run["run"])
    assert [*candidates][:3] == ["seconds", "claimed_value", "x0"] and candidates.shape == (run["incumbents"], 66)
    points = candidates.filter(regex="^x").to_numpy()
    judged = [judgement for point in points for judgement in vnnbench.judge(library, run["instance"], point)]
    assert max(float(one.value) for one in judged if one.value is not None) == run["best_exact_value"]
    assert any(one.confirmed for one in judged)
    path = tiny_results / "candidates" / f"{run['run']}.npz"
    assert [one.value for one in vnnbench.judge(library, run["instance"], path)] == [one.value for one in judged]


def test_a_run_that_the_ledger_holds_is_not_made_again(tiny_library, tiny_results, tmp_path):
    folder = shutil.copytree(tiny_results, tmp_path / "results")
    before, steps = vnnbench.open_results(folder).runs(), []
    vnnbench.run(
        tiny_library, folder, ["highs"], time_limit_seconds=30.0, progress=lambda *step: steps.append(step)
    )  # by the library's folder
    assert steps == [(len(before), len(before), "")]
    pd.testing.assert_frame_equal(vnnbench.open_results(folder).runs(), before)


def test_check_finds_an_altered_file(tiny_library, tmp_path):
    library = vnnbench.open_library(shutil.copytree(tiny_library, tmp_path / "library"))
    (library.folder / library.rows[0].model).write_bytes(b"altered")
    (finding, *_) = vnnbench.check(library, solvers=["highs"], select=[library.rows[0].instance])
    assert finding.severity is Severity.WRONG and library.rows[0].model in f"{finding.where} {finding.what}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"goal": "win"}, "goal='win': must be one of find, decide, optimize"),
        ({"retry": ["luck"]}, "retry='luck': must be one of "),
        ({"time_limit_seconds": 0.0}, "time_limit_seconds=0.0: must be above 0"),
        ({"time_limit_seconds": float("nan")}, "time_limit_seconds=nan: must be above 0"),
        ({"memory_limit_bytes": 1}, "memory_limit_bytes=1: must be from "),
        ({"threads": 0}, "threads=0: must be from 1"),
        ({"seeds": []}, "seeds: give different whole numbers"),
        ({"seeds": [1, 1]}, "seeds: give different whole numbers"),
        ({"solvers": []}, "solvers: name at least one, as in ['highs']"),
        ({"solvers": ["nosuch"]}, "nosuch"),
        ({"permutations": -1}, "permutations=-1: must be from 0 to 1000"),
        ({"permutations": 1001}, "permutations=1001: must be from 0 to 1000"),
        ({"select": ["nosuch*"]}, "nosuch"),
    ],
)
def test_a_wrong_argument_is_one_line_and_nothing_is_written(tiny_library, tmp_path, arguments, line):
    with pytest.raises(KNOWN_ERRORS) as caught:
        vnnbench.run(vnnbench.open_library(tiny_library), tmp_path / "results", **({"solvers": ["highs"]} | arguments))
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_importing_vnnbench_imports_nothing_else_until_a_name_is_used():
    code = (
        "import sys, vnnbench\n"
        "print(sorted(name for name in sys.modules if name.startswith('vnnbench.')))\n"
        "print('rank' in dir(vnnbench), vnnbench.rank.__module__, 'torch' in sys.modules)\n"
        "try: vnnbench.nosuch\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True vnnbench.api False", "module 'vnnbench' has no attribute 'nosuch'"]


def test_every_name_of_the_api_is_documented():
    for name in vnnbench.__all__:
        assert (getattr(vnnbench, name).__doc__ or "").split("\n")[0].endswith("."), name
