"""Instances of a family without networks: no reader of a ledger takes networks for granted.

The family of these rows is one that the code does not know. Its value is minus a loss, an answer is a value that is
reached, and a bound decides nothing.
"""

from __future__ import annotations

import pytest

from support.tiny_sites import source_of
from vnnbench.leaderboard.benchmark_sets.best_known import read_answers
from vnnbench.leaderboard.benchmark_sets.selection import select_instances
from vnnbench.leaderboard.papers.report import ReportError, make_report
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer
from vnnbench.leaderboard.records.query_columns import is_dense
from vnnbench.leaderboard.records.views import REFUTED_CLAIMS_OF_PROBLEM
from vnnbench.leaderboard.site.folder import write_folder
from vnnbench.leaderboard.site.pages import site_files
from vnnbench.leaderboard.tables.render import Format, render
from vnnbench.leaderboard.words import Paper


def fitting(ledger, name, problem="fit", **columns):
    """Add an instance without networks, and return its hash."""
    none = dict.fromkeys(("network", "dense_network", "pruning", "structure", "finetuned", "source", "target"))
    facts = {"family": "fitting", "threshold": None, **none, **columns}
    return ledger.instance(name, problem=problem, **facts)


def optimal(ledger, run, digest, value, **columns):
    """Add a run that claims the optimum, and a judgement that confirms this value."""
    said = {"termination": "optimal", "goal": "optimize", "claimed_value": value, "dual_bound": value}
    ledger.run(run, digest, **({**said, "wall_seconds": 1.0} | columns))
    ledger.judge(run, confirmed=1, evidence="exact", best_exact_value=value, own_value=value, first_success_seconds=1.0)


def test_a_confirmed_candidate_has_the_verdict_that_its_family_gives(ledger):
    optimal(ledger, "r", fitting(ledger, "a"), -1.0)
    row = ledger.one("r")
    assert (row["verdict"], row["evidence"], row["fault"]) == ("value", "exact", "none")
    asked = {"threshold": -2.0, "confirmed_verdict": "value", "excluded_verdict": None}
    optimal(ledger, "s", fitting(ledger, "b", problem="q", **asked), -1.0)
    assert ledger.one("s")["verdict"] == "value"
    ledger.run("t", fitting(ledger, "c", problem="r", **asked), dual_bound=-3.0)
    assert ledger.one("t")["verdict"] == "unknown"


def test_a_bound_that_excludes_an_answer_has_the_verdict_that_its_family_gives(ledger):
    asked = {"threshold": -2.0, "confirmed_verdict": "adversarial", "excluded_verdict": "robust"}
    ledger.run("r", fitting(ledger, "a", **asked), dual_bound=-3.0)
    assert ledger.one("r")["verdict"] == "robust"


def test_only_the_problem_identifies_the_question(ledger):
    """Across formulations, a value refutes a bound; a value of another problem, or on a network, does not."""
    optimal(ledger, "low", fitting(ledger, "a--tight"), -1.0)
    optimal(ledger, "high", fitting(ledger, "a--plain", formulation="plain"), -0.5)
    optimal(ledger, "other", fitting(ledger, "b", problem="q"), -0.25)
    ledger.found("elsewhere", ledger.instance("c", problem="fit"), 1.0, value=3.0)
    assert ledger.one("low")["fault_reason"] == "low claims the bound -1.0, refuted by -0.5 from high"
    assert [ledger.one(run)["fault"] for run in ("high", "other", "elsewhere")] == ["none"] * 3


@pytest.mark.parametrize(("contents", "fault"), [("P", "solver"), ("Q", "none")])
def test_the_contents_of_the_property_identify_a_problem_of_another_name(ledger, contents, fault):
    mine, theirs = fitting(ledger, "a", property_sha256="P"), fitting(ledger, "b", "q", property_sha256=contents)
    optimal(ledger, "low", mine, -1.0)
    optimal(ledger, "high", theirs, -0.5)
    assert ledger.one("low")["fault"] == fault
    claims = ledger.connection.execute(REFUTED_CLAIMS_OF_PROBLEM, [theirs]).fetchall()
    assert claims == ([(mine, "high", -0.5)] if fault == "solver" else [])


def test_proven_answers_are_about_the_problem(ledger):
    digest = fitting(ledger, "a")
    ledger.run("low", digest, dual_bound=-1.0)
    ledger.run("over", fitting(ledger, "b", formulation="plain"), claimed_value=1.0)
    runs = ledger.runs(Proven(digest, ProvenAnswer.OPEN, -0.5, -0.25, "0" * 64)).set_index("run")
    assert runs["fault_reason"].to_dict() == {
        "low": "low claims the bound -1.0, refuted by -0.5 from the proven answer",
        "over": "claims the value 1.0, but proof 0000000000000000 shows that no value exceeds -0.25",
    }


@pytest.fixture
def mixed(ledger):
    """A ledger with both kinds of instances, runs of two solvers and of the attack, and a wrong one."""
    for number in range(4):
        digest = fitting(
            ledger, f"fit{number}--tight", problem=f"fit{number}", suite="fits", property_sha256=f"F{number}"
        )
        optimal(ledger, f"h{number}", digest, -1.0)
        optimal(ledger, f"s{number}", digest, -1.0, solver="scip", wall_seconds=2.0)
        net = ledger.instance(f"net{number}", problem=f"p{number}", suite="nets", centre_value=-0.5)
        ledger.found(f"n{number}", net, 1.0)
        ledger.found(f"m{number}", net, 2.0, solver="scip")
        ledger.found(f"a{number}", net, 0.5, solver="pgd")
    pruned = ledger.instance("pruned", problem="p0", network="net-mag-u50", suite="nets", pruning="magnitude", rate=0.5)
    ledger.found("p", pruned, 0.5)
    optimal(ledger, "wrong", fitting(ledger, "fit0--plain", problem="fit0", suite="fits", property_sha256="F0"), -2.0)
    return ledger


def test_runs_without_networks_are_on_no_surrogate(mixed):
    runs = mixed.runs()
    assert runs.loc[~is_dense(runs), "run"].tolist() == ["p"]


def test_instances_without_networks_are_ranked_among_the_others(mixed):
    board = build_leaderboard(mixed.runs())
    counted: dict[tuple[object, str], tuple[int, ...]] = {}
    for row in board.settings:
        key, own = (row.group[0], row.setting.solver), (row.runs, row.solved, row.values, row.wrong)
        counted[key] = tuple(map(sum, zip(counted.get(key, (0, 0, 0, 0)), own, strict=True)))
    assert counted == {
        ("decide", "highs"): (5, 5, 0, 0), ("decide", "scip"): (4, 4, 0, 0),
        ("optimize", "highs"): (5, 4, 5, 1), ("optimize", "scip"): (4, 4, 4, 0),
    }  # fmt: skip
    for form in Format:
        assert render(board, form)
    grouped = build_leaderboard(mixed.runs(), ["network"])
    assert (None, "highs") in {(row.group[-1], row.setting.solver) for row in grouped.settings}


def test_best_known_values_of_instances_without_networks_are_written(mixed):
    answers = {answer.instance: answer for answer in read_answers(mixed.path)}
    assert (answers["fit1--tight"].known.value, answers["fit1--tight"].objective) == ("opt", 1.0)


def test_instances_without_networks_are_selected_like_others(mixed):
    assert len(select_instances(mixed.runs(), 4).chosen) == 4


def test_reports_of_papers_leave_out_instances_without_networks(mixed, pairs):
    pairs.dense("p9", 3.0)
    pairs.surrogate("p9", 1.0)
    runs = mixed.runs()
    with_networks = runs[runs["network"].notna()].reset_index(drop=True)
    assert make_report(runs, Paper.PHAM2025) == make_report(with_networks, Paper.PHAM2025)
    with pytest.raises(ReportError):
        make_report(runs, Paper.CACCIOLA2024)  # no run fits its design


def test_pages_of_instances_without_networks_name_no_network(mixed, tmp_path):
    write_folder(tmp_path / "site", site_files(source_of(mixed)))
    (page,) = (tmp_path / "site" / "instances").glob("fit1--tight*.html")
    text = page.read_text()
    assert "None" not in text and "nan" not in text
    assert "<dt>network</dt>" not in text and "<dt>pruning</dt>" not in text
