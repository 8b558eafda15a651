"""Planted answers from the suite to the leaderboard: real digits, every installed solver, and one that lies."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from support.scripts import Steps
from vnnbench.cli import run_command
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.sealed_answers import PlantedCounterexample, PlantedRobustness, read_seal
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.solvers.registry import installed_solvers

CENTRE_VALUE_IS_BELOW = -0.1
"""A claim just above the clean input's value is refuted by planted answers alone."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The dense half of the built-in suite."""
    folder = tmp_path_factory.mktemp("planted") / "library"
    assert run_command(["generate", "digits-planted", "--out", str(folder), "--select", "*-l1--tight"]) == 0
    return Library.open(folder)


def instance_of(library, kind):
    """Return the dense instance of the first planted problem of this kind, with its answer."""
    (first, *_) = [p for p in read_seal(library).problems if isinstance(p.answer, kind)]
    (name,) = first.instances
    return name, first.answer


def test_every_solver_gives_the_planted_answers(planted, tmp_path, capsys):
    names = [instance_of(planted, kind)[0] for kind in (PlantedCounterexample, PlantedRobustness)]
    solvers = installed_solvers()
    command = ["run", str(planted.folder), "--results", str(tmp_path), "--time-limit", "60"]
    command += [word for name in names for word in ("--select", name)]
    command += [word for name in solvers for word in ("--solver", name)]
    assert run_command(command) == 0
    runs = read_runs(tmp_path / "ledger.sqlite")
    runs = runs[runs.termination != "license_limit"]
    assert len(runs) >= 2 * 2
    assert dict(zip(runs.instance, runs.verdict, strict=True)) == {names[0]: "adversarial", names[1]: "robust"}
    assert set(runs.planted) == {"found"}
    assert set(runs.fault) <= {"none", "tolerance"}
    capsys.readouterr()
    assert run_command(["leaderboard", str(tmp_path), "--format", "markdown"]) == 0
    assert f"Planted answers: 2 problems, {2 * len(solvers)} runs: " in capsys.readouterr().out


def test_a_liar_is_at_fault_by_the_sealed_file_alone(planted, play_in, capsys):
    name, answer = instance_of(planted, PlantedCounterexample)
    play, steps = play_in(planted), Steps(planted, planted.row(name))
    assert planted.row(name).centre_value < CENTRE_VALUE_IS_BELOW
    run = play(name, [steps.result("optimal", bound=-0.05)])
    assert (run["verdict"], run["evidence"], run["fault"], run["planted"]) == ("unknown", "none", "solver", "missed")
    assert run["fault_reason"] == (
        f"{run['run']} claims the bound -0.05, refuted by {answer.value:.15g} from the planted counterexample"
    )
    assert run_command(["leaderboard", str(play.results)]) == 1
    assert "planted counterexample" in capsys.readouterr().out
    board = build_leaderboard(read_runs(play.results / "ledger.sqlite"))
    assert [row.below_line for row in board.settings] == [True]

    shutil.rmtree(play.results / "sealed")
    run = play.row(run["run"])
    assert (run["verdict"], run["evidence"], run["fault"], run["planted"]) == ("robust", "claimed", "none", None)


def test_the_line_after_a_run_says_the_same(planted, play_in, capsys):
    from vnnbench.output.run_outcomes import report_runs

    name, _ = instance_of(planted, PlantedCounterexample)
    play, steps = play_in(planted), Steps(planted, planted.row(name))
    run = play(name, [steps.result("optimal", bound=-0.05)])
    assert report_runs(play.results, [run["run"]]) == 1
    assert "1 unknown; 0 failed, 1 wrong" in (said := capsys.readouterr().err)
    assert "from the planted counterexample" in said


def test_the_planted_point_is_confirmed_by_the_judge(planted, tmp_path, capsys):
    name, answer = instance_of(planted, PlantedCounterexample)
    np.savez(tmp_path / "point.npz", inputs=np.array([answer.point]))
    assert run_command(["judge", str(planted.folder), name, str(tmp_path / "point.npz"), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["evidence"], facts["raw_violation"]) == ("exact", 0.0)
    assert 0 <= facts["exact_value"] - answer.value < 1e-15


def test_a_judge_that_confirms_the_impossible_is_accused(planted, play_in, monkeypatch):
    """The judge is broken: it takes the clean input for a counterexample to the problem that is proven robust."""
    from vnnbench.judging.judge import Judge
    from vnnbench.leaderboard.words import Evidence

    name, answer = instance_of(planted, PlantedRobustness)
    honest = Judge.judge

    def broken(self, candidate):
        return replace(honest(self, candidate), value=honest(self, candidate).value + 100, confirmed=True,
                       evidence=Evidence.EXACT)  # fmt: skip

    monkeypatch.setattr(Judge, "judge", broken)
    play, steps = play_in(planted), Steps(planted, planted.row(name))
    centre = steps.judge.problem.centre.tolist()
    run = play(name, [steps.incumbent(centre), ["wait_stop", 5]])
    assert (run["verdict"], run["fault"], run["planted"]) == ("adversarial", "formulation", "missed")
    assert (
        f"by a planted answer no value exceeds {answer.bound:.15g}: judge or construction is broken"
        in run["fault_reason"]
    )


def test_no_inspecting_command_shows_what_is_planted(planted, capsys):
    instances = {row.instance: instance_of(planted, PlantedCounterexample)[0] == row.instance for row in planted.rows}
    sealed = read_seal(planted)
    told = []
    for command in (["suites", "digits-planted"], ["suites", "digits-planted", "--format", "json"],
                    ["show", str(planted.folder)], ["show", str(planted.folder), "--format", "json"]):  # fmt: skip
        assert run_command(command) == 0
        told.append(capsys.readouterr().out)
    keys = set()
    for name in instances:
        assert run_command(["show", str(planted.folder), name, "--format", "json"]) == 0
        told.append(capsys.readouterr().out)
        keys.add(tuple(json.loads(told[-1])))
    assert len(keys) == 1
    for text in told:
        assert sealed.key not in text
        assert "sealed" not in text
        assert all(repr(p.answer.value) not in text for p in sealed.problems if hasattr(p.answer, "value"))


def test_check_opens_the_seal(planted, tmp_path, capsys):
    folder = tmp_path / "library"
    shutil.copytree(planted.folder, folder)
    (folder / "sealed.json").unlink()
    select = ["--select", instance_of(planted, PlantedCounterexample)[0]]
    solver = ["--solver", installed_solvers()[0]]
    assert run_command(["check", str(folder), *select, *solver]) == 0
    assert "warning: sealed.json: is withheld" in capsys.readouterr().out
    (folder / "sealed.json").write_bytes(
        (planted.folder / "sealed.json").read_bytes().replace(b"adversarial", b"robust")
    )
    assert run_command(["check", str(folder), *select, *solver]) == 1
    assert "sealed.json: is not the file that library.json knows" in capsys.readouterr().out


def test_the_key_is_named_on_the_command_line(planted, tmp_path, capsys):
    (tmp_path / "key").write_text("only I know")
    key = ["--key", str(tmp_path / "key")]
    assert run_command(["generate", "digits-planted", *key, "--out", str(planted.folder)]) == 2
    assert "is complete, with answers planted by another --key" in capsys.readouterr().err
    assert run_command(["generate", "quickstart", *key, "--out", str(tmp_path / "other")]) == 2
    assert "Error: suite quickstart plants no answers" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
