"""Proven answers from a library with real proofs, through runs of a scripted solver, to the leaderboard's rows.

The largest value of the dense network of `adv` is 1/4, and that of `rob` is -3/4 (`support.tiny_libraries`).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import pytest

from support.proofs import HALF_BALL, add_proofs, break_proof, excluded_proof, upper_proof, witness_proof
from support.scripts import Steps, scripted_plan
from support.silent import Silent
from support.tiny_libraries import BEST, CENTRE, Question, tiny_box, tiny_network, write_library, write_tiny_library
from vnnbench.cli import run_command
from vnnbench.errors import ResultsError
from vnnbench.harness import run_plan
from vnnbench.instances.files import sha256
from vnnbench.instances.library.answer_copies import copy_answers
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.ranking.leaderboard import read_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.words import Evidence
from vnnbench.ledger.confirm import confirm
from vnnbench.output import rankings
from vnnbench.sharing.bundle import write_bundle
from vnnbench.sharing.merge import merge


@pytest.fixture
def unproven(tmp_path):
    return write_tiny_library(tmp_path / "library")


@pytest.fixture
def proven(unproven):
    """The library with the optimum of `adv` as far as its witness shows it, and -1/8 as the bound of `rob`."""
    prove(unproven)
    return unproven


def prove(library):
    add_proofs(library, witness_proof(library, "adv", BEST), upper_proof(library, "rob", -0.125))


def run(play_in, library, instance, *steps, goal="decide"):
    """Run a script on the instance; each step is a termination with arguments of `Steps.result`."""
    play, asked = play_in(library), Steps(library, library.row(instance))
    return play(instance, [asked.result(*step) if isinstance(step, tuple) else step for step in steps], goal)


def facts(row):
    return row["verdict"], row["evidence"], row["fault"]


def ranked(results):
    (setting,) = read_leaderboard(results / "ledger.sqlite").settings
    return setting


@pytest.fixture
def results(tmp_path):
    return tmp_path / "other-results"


# -- evidence and faults -----------------------------------------------------------------------------------------------


def test_a_robust_claim_is_certified_by_the_proof(play_in, proven, results, capsys):
    assert facts(run(play_in, proven, "rob--tight", ("optimal", None, -0.5))) == ("robust", "certificate", "none")
    assert (ranked(results).robust_certified, ranked(results).robust_claimed) == (1, 0)
    assert run_command(["leaderboard", str(results)]) == 0
    assert "cert" in capsys.readouterr().out


def test_without_a_proof_the_claim_is_a_claim(play_in, unproven, results, capsys):
    assert facts(run(play_in, unproven, "rob--tight", ("optimal", None, -0.5))) == ("robust", "claimed", "none")
    assert not (results / "proven").exists()
    assert run_command(["leaderboard", str(results)]) == 0
    assert "cert" not in capsys.readouterr().out


def test_a_bound_below_a_proven_value_is_the_solvers_fault(play_in, proven, results, capsys):
    row = run(play_in, proven, "adv--tight", ("optimal", None, -0.5))
    assert facts(row) == ("unknown", "none", "solver")
    assert row["fault_reason"] == f"{row['run']} claims the bound -0.5, refuted by 0.25 from the proven answer"
    assert ranked(results).below_line
    assert run_command(["leaderboard", str(results)]) == 1
    assert "the proven answer" in " ".join(capsys.readouterr().out.split())


def test_infeasible_where_there_is_a_witness_is_the_solvers_fault(play_in, distances, tmp_path):
    """How near does class 1 lead? The clean input does not show that it leads anywhere."""
    library = Library.open(shutil.copytree(distances.folder, tmp_path / "distances"))
    assert facts(run(play_in, library, "near--tight", ("infeasible",), goal="optimize"))[2] == "none"
    add_proofs(library, witness_proof(library, "near", BEST))
    row = run(play_in, library, "near--tight", ("infeasible",), goal="optimize")
    assert facts(row) == ("unknown", "none", "solver")
    assert row["fault_reason"] == f"{row['run']} claims infeasible, refuted by -1.0 from the proven answer"


def test_a_claimed_value_above_the_proven_bound_is_the_solvers_fault(play_in, proven, results):
    row = run(play_in, proven, "rob--tight", ["result", "time_limit", -0.5, None, None])
    assert facts(row) == ("unknown", "none", "solver")
    assert row["fault_reason"].startswith("claims the value 0.5, but proof ")
    assert row["fault_reason"].endswith(" shows that no value exceeds -0.125")
    assert ranked(results).below_line


def test_a_reached_value_above_the_proven_bound_accuses_judge_and_proof(play_in, proven, monkeypatch):
    """The judge is broken: it takes the clean input for a counterexample."""
    honest = Judge.judge

    def broken(self, candidate):
        judged = honest(self, candidate)
        return replace(judged, value=judged.value + 2, confirmed=True, evidence=Evidence.EXACT)

    monkeypatch.setattr(Judge, "judge", broken)
    steps = Steps(proven, proven.row("rob--tight"))
    row = run(play_in, proven, "rob--tight", steps.incumbent(CENTRE), ["wait_stop", 5])
    assert facts(row) == ("adversarial", "exact", "formulation")
    assert row["fault_reason"].endswith(" shows that no value exceeds -0.125: judge or proof is broken")


def test_an_answer_about_the_dense_network_says_nothing_about_its_surrogate(play_in, proven, results):
    """The surrogate of `rob` reaches -1/4 and that of `adv` 3/4, above what is proven of the dense networks."""
    assert facts(run(play_in, proven, "rob-mag-u10--tight", ("optimal", BEST, -0.25)))[1:] == ("none", "none")
    assert facts(run(play_in, proven, "adv-mag-u10--tight", ("time_limit", None, 0.125)))[1:] == ("none", "none")
    assert len([*(results / "proven").iterdir()]) == 2
    assert {row.robust_certified for row in read_leaderboard(results / "ledger.sqlite").settings} == {0}


def test_a_distance_that_no_input_of_the_set_has_is_infeasible_by_its_proof(play_in, results, tmp_path, capsys):
    """Within 1/2 of the centre no input has a value above -1/4, so none reaches the margin of 1/4."""
    prop = ClosestProperty(tiny_box(radius=0.5), 0, (1,), Fraction(1, 4), None, None)
    question = Question(prop, tiny_network(1.0), tiny_network(1.0, pruned=True))
    library = write_library(tmp_path / "far", {"far": question}, input_side=2)
    run(play_in, library, "far--tight", ("infeasible",), goal="optimize")
    assert run_command(["answers", str(results)]) == 0
    assert capsys.readouterr().out == "=unkn= far--tight\n"
    add_proofs(library, replace(excluded_proof(library, "far", HALF_BALL), radius=0.5))
    run(play_in, library, "far--tight", ("infeasible",), goal="optimize")
    assert run_command(["answers", str(results)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("=inf= far--tight\n", "1 instance: 0 opt; 0 best, 1 inf, 0 unkn\n")


# -- when the answers are copied ---------------------------------------------------------------------------------------


def test_a_broken_proof_stops_no_run_and_one_line_says_so(proven, results, scripted):
    add_proofs(proven, witness_proof(proven, "rob", CENTRE))
    for problem in ("adv", "rob"):
        break_proof(proven, problem, witness=[9.0, 9.0, 9.0, 9.0])
    plans = [
        one
        for name in ("adv--tight", "rob--tight")
        for one in scripted_plan(proven, name, [Steps(proven, proven.row(name)).result("optimal", None, 0.5)])
    ]
    finished = run_plan(plans, proven, results, 1, progress := Silent())
    assert len(finished) == 2
    (note,) = progress.notes
    assert note == (
        f"{proven.folder}/proofs/adv.npz: the witness is not in the set; this proof and 1 more are "
        f"ignored: see vnnbench check {proven.folder}"
    )
    assert not (results / "proven").exists()


def test_a_changed_file_beside_the_ledger_is_refused_before_anything_is_run(play_in, proven, results):
    run(play_in, proven, "rob--tight", ("optimal", None, -0.5))
    (path,) = (results / "proven").iterdir()
    path.write_bytes(path.read_bytes().replace(b"robust", b"open"))
    plan = scripted_plan(proven, "adv--tight", [["bound", 0.5]])
    with pytest.raises(ResultsError, match="is not the file of proven answers that its name says"):
        run_plan(plan, proven, results, 1, progress := Silent())
    assert progress.total == 0
    path.unlink()
    assert len(run_plan(plan, proven, results, 1, Silent())) == 1


def test_the_same_command_again_copies_what_was_proven_meanwhile(play_in, unproven, results):
    script = [Steps(unproven, unproven.row("rob--tight")).result("optimal", None, -0.5)]
    assert run(play_in, unproven, "rob--tight", *script)["evidence"] == "claimed"
    prove(unproven)
    assert run_plan(scripted_plan(unproven, "rob--tight", script), unproven, results, 1, Silent()) == []
    assert read_runs(results / "ledger.sqlite")["evidence"].tolist() == ["certificate"]


def test_confirm_copies_what_was_proven_after_the_runs_and_reports_no_difference(play_in, unproven, results, capsys):
    run(play_in, unproven, "rob--tight", ("optimal", None, -0.5))
    prove(unproven)
    command = ["confirm", str(results), "--library", str(unproven.folder)]
    assert run_command(command) == 0
    assert read_runs(results / "ledger.sqlite")["evidence"].tolist() == ["certificate"]
    assert ranked(results).robust_certified == 1
    (path,) = (results / "proven").iterdir()
    assert [problem["problem"] for problem in json.loads(path.read_bytes())["problems"]] == ["rob"]
    assert run_command(command) == 0
    assert [*(results / "proven").iterdir()] == [path]


def test_confirm_reports_each_answer_whose_proof_is_rejected(play_in, proven, results, capsys):
    run(play_in, proven, "rob--tight", ("optimal", None, -0.5))
    break_proof(proven, "rob")
    (found,) = confirm(results, LibrarySet((proven,)), Silent())
    assert str(found).startswith("rob: proof was proofs/rob.npz, is rejected (")
    assert "is not shown" in str(found)
    assert run_command(["confirm", str(results), "--library", str(proven.folder)]) == 1
    assert "1 difference" in capsys.readouterr().out


def test_confirm_reports_an_answer_that_no_proof_shows(play_in, proven, results, tmp_path):
    """A copy of a better proof, or of one that was removed, counts for readers; a weaker one is implied."""
    run(play_in, proven, "rob--tight", ("optimal", None, -0.5))
    command = ["confirm", str(results), "--library"]
    assert run_command([*command, str(proven.folder)]) == 0
    (path,) = (results / "proven").iterdir()
    copy = json.loads(path.read_bytes())
    for upper, differs in ((0.0, False), (-0.7, True)):
        path.unlink()
        copy["problems"][0] |= {"upper": upper, "proof": "0" * 64}
        data = json.dumps(copy).encode()
        path = results / "proven" / f"{sha256(data)}.json"
        path.write_bytes(data)
        found = confirm(results, LibrarySet((proven,)), Silent())
        assert [difference.field for difference in found] == ["proven"] * differs
    assert str(found[0]).startswith("rob--tight: proven was robust (lower None, upper -0.7), is shown by no proof of")
    found = confirm(results, LibrarySet((write_tiny_library(tmp_path / "without"),)), Silent())
    assert [difference.field for difference in found] == ["proven", "proven"]  # and the one of the library with proofs


def test_merging_copies_the_answers_of_the_libraries_that_are_named(play_in, proven, results, tmp_path):
    """A bundle holds no proofs: those of the library here count, and the library there had none."""
    there = write_tiny_library(tmp_path / "there")
    run(play_in, there, "rob--tight", ("optimal", None, -0.5))
    assert not (results / "proven").exists()
    write_bundle(results, tmp_path / "bundle.zip", Silent())
    mine = tmp_path / "mine"
    merge(mine, tmp_path / "bundle.zip", LibrarySet((there, proven)), Silent())
    assert read_runs(mine / "ledger.sqlite")["evidence"].tolist() == ["certificate"]
    merge(tmp_path / "theirs", tmp_path / "bundle.zip", LibrarySet((there,)), Silent())
    assert read_runs(tmp_path / "theirs" / "ledger.sqlite")["evidence"].tolist() == ["claimed"]


def test_a_leaderboard_that_is_watched_is_drawn_again_when_proofs_were_checked(play_in, unproven, results, monkeypatch):
    monkeypatch.setattr(rankings, "WATCH_SECONDS", 0.0)
    run(play_in, unproven, "rob--tight", ("optimal", None, -0.5))
    drawn = rankings._leaderboards(results / "ledger.sqlite", ())
    assert next(drawn).certified == 0
    prove(unproven)
    row = unproven.row("rob--tight")
    assert copy_answers(unproven, [row], results / "proven", frozenset(), Silent()).rejected == []
    assert next(drawn).certified == 1
