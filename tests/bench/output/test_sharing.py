"""The output of `bundle`, `merge` and `answers`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vnnbench.cli import run_command
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.writer import LEDGER_NAME


@pytest.fixture(scope="module")
def optima(tiny_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of HiGHS's runs to optimality."""
    folder = tmp_path_factory.mktemp("optima") / "results"
    command = ["run", str(tiny_library), "--results", str(folder), "--solver", "highs", "--goal", "optimize"]
    assert run_command(command) == 0
    return folder


def test_answers_are_the_solver_s_optima_where_verified_values_meet_them(optima, capsys):
    assert run_command(["answers", str(optima)]) == 0
    out, err = capsys.readouterr()
    lines = {name: (known, float(value)) for known, name, value in (line.split() for line in out.splitlines())}
    runs = read_runs(optima / LEDGER_NAME)
    assert lines.keys() == set(runs.instance) and set(runs.termination) == {"optimal"}
    for run in runs.itertuples():
        assert lines[run.instance][1] == pytest.approx(-run.claimed_value, abs=1e-5)
    optimal = sum(known == "=opt=" for known, _ in lines.values())
    assert optimal > 0
    solver = f"highs {runs.solver_version[0]}"
    assert err == (f"8 instances: {optimal} opt, the bounds claimed by {solver}; {8 - optimal} best, 0 unkn\n")
    assert run_command(["answers", str(optima), "--format", "json"]) == 0
    found = {row["instance"]: (f"={row['known']}=", row["objective"]) for row in json.loads(capsys.readouterr().out)}
    assert found == lines


def test_bundles_are_merged_one_after_the_other_and_a_broken_one_is_one_line(
    optima, tiny_results, tiny_library, tmp_path, capsys
):
    for folder, name in ((optima, "a.zip"), (tiny_results, "b.zip")):
        assert run_command(["bundle", str(folder), "--out", str(tmp_path / name)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 8 runs, {path.stat().st_size} bytes" for path in (tmp_path / "a.zip", tmp_path / "b.zip")
    ]
    (tmp_path / "broken.zip").write_bytes((tmp_path / "b.zip").read_bytes()[:-1])
    merge = ["merge", str(tmp_path / "mine"), "--library", str(tiny_library)]
    assert run_command([*merge, str(tmp_path / "a.zip"), str(tmp_path / "broken.zip")]) == 2
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'a.zip'}: 8 runs judged again and merged, 0 runs already present, 0 differences\n"
    assert err.splitlines()[-1].startswith(f"Error: {tmp_path / 'broken.zip'}: is not a bundle that can be merged")
    assert run_command([*merge, str(tmp_path / "a.zip"), str(tmp_path / "b.zip")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'a.zip'}: 0 runs judged again and merged, 8 runs already present, 0 differences",
        f"{tmp_path / 'b.zip'}: 8 runs judged again and merged, 0 runs already present, 0 differences",
    ]
    assert len(read_runs(tmp_path / "mine" / LEDGER_NAME)) == 16
