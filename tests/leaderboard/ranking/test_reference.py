"""A reference is shown beside the ranking, and does not change any of its numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.trainings import Trainings
from vnnbench.leaderboard.benchmark_sets.difficulty import Difficulty
from vnnbench.leaderboard.benchmark_sets.selection import SelectionError, select_instances
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer
from vnnbench.leaderboard.tables.render import Format, render


@pytest.fixture
def beside(ledger: Any) -> Any:
    """Runs where highs solves `both` and `solver`, the attack finds `both` and `alone`, and it alone ran `extra`."""
    for name in ("both", "solver", "alone", "extra"):
        ledger.instance(name, problem=name, network=name, dense_network=name)
    ledger.found("h1", "sha-both", 10.0)
    ledger.found("h2", "sha-solver", 20.0)
    ledger.run("h3", "sha-alone")
    for run, name, seconds in (("a1", "both", 1.0), ("a2", "alone", 3.0), ("a3", "extra", 5.0)):
        ledger.found(run, f"sha-{name}", seconds, solver="pgd", termination="interrupted")
    ledger.run("a4", "sha-solver", solver="pgd", termination="unresolved", wall_seconds=4.0)
    return ledger


def test_ranking_is_as_if_the_attack_had_not_run(beside: Any) -> None:
    runs = beside.runs()
    with_it, without_it = build_leaderboard(runs), build_leaderboard(runs[runs["solver"] != "pgd"])
    assert with_it.settings == without_it.settings
    assert with_it.common == without_it.common
    assert [row.setting.label for row in with_it.settings] == ["highs"]
    assert with_it.common[0].triples == 3


def test_reference_counts_what_it_found_alone_and_missed(beside: Any) -> None:
    (row,) = build_leaderboard(beside.runs()).reference
    assert (row.runs, row.counterexamples, row.alone, row.missed, row.errors) == (4, 3, 1, 1, 0)
    assert row.median_first_counterexample_seconds == 3.0


def test_reference_is_grouped_and_each_setting_has_its_row(beside: Any) -> None:
    beside.found("a5", "sha-both", 2.0, solver="pgd", settings='{"restarts": 8}')
    rows = build_leaderboard(beside.runs(), ("problem",)).reference
    assert [(row.group[0], row.setting.label, row.runs) for row in rows] == [
        ("alone", "pgd", 1), ("both", "pgd", 1), ("both", "pgd restarts=8", 1), ("extra", "pgd", 1),
        ("solver", "pgd", 1),
    ]  # fmt: skip


def test_the_attack_is_shown_in_a_table_of_its_own(beside: Any) -> None:
    leaderboard = build_leaderboard(beside.runs())
    text = render(leaderboard, Format.TABLE)
    assert all(len(line) <= 80 for line in text.splitlines())
    ranked, _, approaches = text.partition("Approaches on problems")
    assert "pgd" not in ranked and "pgd (not ranked)" in approaches
    assert "| pgd | 4 | 3 | 1 | 1 | 0 | 3.00 |" in render(leaderboard, Format.MARKDOWN)
    document = json.loads(render(leaderboard, Format.JSON))
    assert [row["setting"] for row in document["reference"]] == ["pgd"]
    assert "pgd" not in render(leaderboard, Format.CSV)


def test_ledger_of_the_attack_alone_has_that_table_and_no_ranking(ledger: Any) -> None:
    ledger.found("a", ledger.instance("i"), 1.0, solver="pgd")
    leaderboard = build_leaderboard(ledger.runs())
    assert leaderboard.settings == ()
    for output in (Format.TABLE, Format.MARKDOWN):
        text = render(leaderboard, output)
        assert "Reference, not ranked" in text
        assert "Answers" not in text and "Times:" not in text
    assert not render(leaderboard, Format.TABLE).endswith("\n\n")


def test_counterexamples_of_the_attack_refute_claims_like_any_other(ledger: Any) -> None:
    sha = ledger.instance("i")
    ledger.robust("claim", sha, 5.0, bound=-0.5)
    ledger.found("a", sha, 1.0, solver="pgd")
    leaderboard = build_leaderboard(ledger.runs())
    assert [(fault.run, fault.fault) for fault in leaderboard.faults] == [("claim", "solver")]
    assert leaderboard.settings[0].below_line


def test_the_attack_does_not_make_an_instance_easy_or_hard(beside: Any) -> None:
    selection = select_instances(beside.runs(), 3)
    words = {chosen.instance: chosen.difficulty for chosen in selection.chosen}
    assert words == {"both": Difficulty.EASY, "solver": Difficulty.EASY, "alone": Difficulty.OPEN}
    assert selection.settings == ("highs",)
    with pytest.raises(SelectionError, match="at most 3: no other instance was measured"):
        select_instances(beside.runs(), 4)


def test_a_run_of_the_attack_at_its_own_limit_stands_in_both_settings(ledger: Any) -> None:
    """The own limits are 10 and 20 s; scip finds both counterexamples, the attack none."""
    for name, own in (("a", 10.0), ("b", 20.0)):
        sha = ledger.instance(name, problem=name, time_limit_seconds=own)
        ledger.found(f"s{name}", sha, 1.0, solver="scip", time_limit_seconds=own)
        for limit in {10.0, own}:
            ledger.run(f"p{name}{limit}", sha, solver="pgd", time_limit_seconds=limit, wall_seconds=limit)
    found = [(row.setting.label, row.runs, row.missed) for row in build_leaderboard(ledger.runs()).reference]
    assert found == [("pgd 10 s", 2, 2), ("pgd own limits", 2, 2)]


def test_the_gap_of_a_heuristic_is_to_the_best_value_of_the_solvers(ledger: Any) -> None:
    trainings = Trainings(ledger)
    trainings.run("000", 0, 0.5, objective=2.0)
    trainings.run("000", 0, 0.5, objective=8.0, solver="scip", formulation="plain")  # the same problem, worse
    trainings.run("000", 1, 0.5, objective=4.0)
    for split, objective in ((0, 8.0), (1, 4.0), (2, 1.0)):  # |8 - 2| / 8, 0, and no solver ran the third
        trainings.run("000", split, 0.5, objective=objective, solver="perceptron", ranked=0, termination="other")
    trainings.run("000", 0, None, solver="perceptron", ranked=0, termination="other", seed=1)
    (row,) = build_leaderboard(ledger.runs()).reference
    assert (row.runs, row.values, row.gap) == (4, 3, (0.75 + 0.0) / 2)


def test_the_gap_of_a_heuristic_that_is_better_than_the_solvers_is_negative(ledger: Any) -> None:
    trainings = Trainings(ledger)
    for split, objective, best in ((0, 2.0, 8.0), (1, 4.0, 4.0), (2, 8.0, 4.0)):  # -|8 - 2| / 8, 0, |8 - 4| / 8
        trainings.run("000", split, 0.5, objective=best)
        trainings.run("000", split, 0.5, objective=objective, solver="perceptron", ranked=0, termination="other")
    leaderboard = build_leaderboard(ledger.runs())
    (row,) = leaderboard.reference
    assert row.gap == pytest.approx((-0.75 + 0.0 + 0.5) / 3, abs=1e-12)
    assert (row.values, row.better) == (3, 1)
    text = render(leaderboard, Format.TABLE)
    assert ["perceptron", "3", "3", "1", "-8.33%", "0"] in [line.split() for line in text.splitlines()]
    assert "negative where its value is better" in " ".join(text.split())


def test_an_attack_has_no_gap(beside: Any) -> None:
    (row,) = build_leaderboard(beside.runs()).reference
    assert (row.gap, row.better) == (None, 0)


@pytest.fixture
def proving(ledger: Any) -> Any:
    """Runs of the prover: a counterexample, two claims of which one is proven, a late one and a refuted one."""
    for name in ("found", "certified", "claimed", "late", "refuted"):
        ledger.instance(name, problem=name, network=name, dense_network=name)
    ledger.found("p1", "sha-found", 1.0, solver="prover", termination="solution_found")
    for run, name, seconds in (("p2", "certified", 2.0), ("p3", "claimed", 3.0), ("p4", "late", 400.0)):
        ledger.robust(run, f"sha-{name}", seconds, solver="prover", termination="bound_reached")
    ledger.robust("p5", "sha-refuted", 2.0, solver="prover", termination="bound_reached")
    ledger.found("h5", "sha-refuted", 2.0)
    return ledger


PROVEN = Proven("sha-certified", ProvenAnswer.ROBUST, None, -0.25, "f" * 64)


def test_a_reference_that_proves_counts_its_certified_and_claimed_answers(proving: Any) -> None:
    (row,) = build_leaderboard(proving.runs(PROVEN)).reference
    assert (row.runs, row.counterexamples, row.robust_certified, row.robust_claimed) == (5, 1, 1, 1)
    (row,) = build_leaderboard(proving.runs()).reference
    assert (row.robust_certified, row.robust_claimed) == (0, 2)


def test_columns_of_proofs_are_there_if_a_reference_proves(proving: Any) -> None:
    leaderboard = build_leaderboard(proving.runs(PROVEN))
    text = render(leaderboard, Format.TABLE).partition("Reference, not ranked")[2]
    assert all(len(line) <= 80 for line in text.splitlines())
    assert text.split()[:9] == ["setting", "runs", "cex", "robust", "cert", "alone", "missed", "err", "first"]
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["prover"][:4] == ["5", "1", "2", "1"]
    assert "cert: robust runs whose claim is certified by a checked proof." in " ".join(text.split())
    assert "| prover | 5 | 1 | 2 | 1 |" in render(leaderboard, Format.MARKDOWN).replace("  ", " ")


def test_columns_of_proofs_are_not_there_for_heuristics(beside: Any) -> None:
    text = render(build_leaderboard(beside.runs()), Format.MARKDOWN).partition("### Reference, not ranked")[2]
    table = text.partition("###")[0]
    assert "robust" not in table and "cert" not in table
    assert "the prover's bounds are claims unless a proof shows them." in table


def test_json_has_the_answers_of_a_reference(proving: Any) -> None:
    (row,) = json.loads(render(build_leaderboard(proving.runs(PROVEN)), Format.JSON))["reference"]
    assert (row["setting"], row["robust_certified"], row["robust_claimed"]) == ("prover", 1, 1)


def test_a_wrong_answer_of_a_reference_is_listed_and_puts_no_setting_below_the_line(ledger: Any) -> None:
    ledger.found("h", ledger.instance("a"), 10.0)
    ledger.robust("p", "sha-a", 1.0, solver="prover")
    board = build_leaderboard(ledger.runs())
    assert [(row.run, row.setting, row.fault) for row in board.faults] == [("p", "prover", "solver")]
    assert [row.below_line for row in board.settings] == [False]
    alone = build_leaderboard(ledger.runs().query("run == 'p'"))
    assert [row.run for row in alone.faults] == ["p"]
