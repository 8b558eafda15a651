"""The report on training networks as text: first line, paper beside ours, heuristics, hostile names."""

from __future__ import annotations

import re

import pytest

from support.trainings import Trainings
from vnnbench.leaderboard.papers.report import ReportError, make_report
from vnnbench.leaderboard.words import Paper

HOSTILE = "[x](http://e) \x1b[31m| <script> `code` *b* \u202egnp\n# title ![i](j)"


@pytest.fixture
def trainings(ledger) -> Trainings:
    return Trainings(ledger)


def text_of(ledger) -> str:
    return make_report(ledger.runs(), Paper.ROSENHAHN2023).text


def test_first_line_says_how_much_smaller_and_shorter(ledger, trainings):
    trainings.run("000", 0, 0.5)
    trainings.run("111", 0, 0.5, solver="scip")
    trainings.run("001", 0, 0.5, solver="scip")
    trainings.run("000", 0, 0.5, dataset="corner", features=2)
    assert text_of(ledger).splitlines()[0] == (
        "Smaller than the paper: 1 to 2 of its 360 problems (4 data sets, 9 variants, 10 splits, 8 neurons), for each "
        "setting and formulation; data that its Table 3 lacks: corner; time limit 100 s, 1 thread (shorter than the "
        "paper's: Gurobi 9.1.2, 12,000 s, 10 cores, Xeon Gold 5120)."
    )


def test_first_line_of_other_data_says_so(ledger, trainings):
    trainings.run("000", 0, 0.5, samples=20)
    first = text_of(ledger).splitlines()[0]
    assert first.startswith(
        "Smaller than the paper: none of its 360 problems (4 data sets, 9 variants, 10 splits, 8 neurons), but similar "
        "ones (other data, fewer samples or other networks); time limit 100 s"
    )


def test_ours_stand_beside_what_the_paper_prints(ledger, trainings):
    trainings.run("111", 0, 0.5)
    trainings.run("111", 1, 0.75)
    trainings.run("int", 0, 0.5)
    lines = text_of(ledger).splitlines()
    for line in (
        "| 111 | highs | tight | 2 | 0 | 62.5 ± 17.7% | 100.0% | 5.0 | 30.0 | 2.0 | 2.00 |",
        "| 111 | tight | 4,000 | 4,000 | 1,000 | 30,000 | 0.500 |",
        "### ovarian, 100 training samples, 8 neurons: only in the paper",
        "| Figure 6, both models | paper | – | – | – | about 95% | – | – | – | – | – |",
        "| 111 | paper | – | – | – | 2654 | – | – | – | – |",
        "| paper: up to 8 neurons, 100 x 4000 | – | 68,172 | 73,148 | – | – | – |",
    ):
        assert line in lines
    ours = lines.index("| 111 | highs | tight | 2 | 0 | 100 | 100 | 100 | 2 | 100.0% |")
    assert lines[ours + 1] == "| 111 | paper | – | – | – | 12000 | – | – | – | 0.1% |"
    assert not any(line.startswith(("### zoo", "### wine, 89")) for line in lines)


def test_values_that_the_paper_does_not_print_have_no_rows(ledger, trainings):
    for variant in ("000", "111", "int"):
        trainings.run(variant, 0, 0.5)
    rows = [line for line in text_of(ledger).splitlines() if line.startswith("|") and "paper" in line]
    assert len(rows) == 4  # one accuracy, two times, one size
    assert all(re.search(r"\d{2}", row) for row in rows)


def test_what_the_paper_prints_stands_apart_from_smaller_data(ledger, trainings):
    trainings.run("111", 0, 0.5, width=2)
    lines = text_of(ledger).splitlines()
    ours = lines.index("| 111 | highs | tight | 1 | 0 | 100 | 100 | 100 | 1 | 100.0% |")
    paper = lines.index("| 111 | paper | – | – | – | 12000 | – | – | – | 0.1% |")
    assert lines[ours + 2] == lines[paper - 4] == "### wine, 89 training samples, 8 neurons: only in the paper"


def test_the_model_of_thorbjarnarson_and_yorke_smith_is_marked(ledger, trainings):
    trainings.run("001", 0, 0.5)
    assert "| 001 (Thorbjarnarson and Yorke-Smith) | highs | tight | 1 |" in text_of(ledger)


def test_a_heuristic_has_rows_of_its_own_and_no_times(ledger, trainings):
    trainings.run("111", 0, 0.75, seconds=1.0)
    trainings.run("111", 0, 0.5, solver="perceptron", ranked=0, termination="other")
    text = text_of(ledger)
    assert "| 111 | perceptron, not ranked | tight | 1 | 0 | 50.0% |" in text
    assert "not ranked" not in text.split("## Table 4")[1]
    assert "4096 MiB, a heuristic beside the solvers, not ranked." in text


def add_findings(trainings) -> None:
    """Add six splits where weights improve the test accuracy, activations reduce it, and neurons do neither."""
    for split in range(6):
        for variant, accuracy in {"000": 0.5, "100": 0.75, "010": 0.25, "001": 0.5, "int": 0.9}.items():
            trainings.run(variant, split, accuracy)


def test_findings_are_confirmed_contradicted_or_open_with_their_p(ledger, trainings):
    add_findings(trainings)
    lines = text_of(ledger).splitlines()
    for line in (
        "| highs | tight | 100 | 6 | +25.0 | 6 | 0 | 0 | 0.031 | confirmed |",
        "| highs | tight | 010 | 6 | -25.0 | 0 | 0 | 6 | 0.031 | contradicted |",
        "| highs | tight | 001 (Thorbjarnarson and Yorke-Smith) | 6 | +0.0 | 0 | 6 | 0 | 1 | open |",
        "| highs | tight | all | 6 | +10.0 | 6 | 0 | 0 | 0.031 | confirmed |",
        "| highs | tight | +50.0 | +40.0 | 6 | +10.0 | 6 | 0 | 0 | 0.031 | confirmed |",
        "| highs | tight | weights | 6 | +25.0 | 6 | 0 | 0 | 0.031 | confirmed |",
        "| highs | tight | activations | 6 | -25.0 | 0 | 0 | 6 | 0.031 |  |",
    ):
        assert line in lines


def test_the_first_table_is_a_summary_of_each_setting_and_formulation(ledger, trainings):
    add_findings(trainings)
    trainings.run("000", 0, 0.75, formulation="plain")
    trainings.run("010", 0, 0.5, formulation="plain")
    text = text_of(ledger)
    first = [line for line in text.splitlines() if line.startswith("|")][:4]
    assert first == [
        "| setting | formulation | Sparsity improves test accuracy over 000 | 000 overfits more than the others | "
        "The weights' sparsity matters most |",
        "| --- | --- | --- | --- | --- |",
        "| highs | plain | open (-25.0) | open (-25.0) | – |",
        "| highs | tight | confirmed (+10.0) | confirmed (+10.0) | confirmed (+25.0) |",
    ]
    assert "two-sided exact sign test over the splits has p at most 0.05\nand the mean difference" in text


def test_without_pairs_a_finding_says_so(ledger, trainings):
    trainings.run("111", 0, 0.5)
    text = text_of(ledger)
    assert text.count("These runs have no pair to compare.") == 4
    assert "| highs | tight | – | – | – |" in text


def test_left_out_and_wrong_runs_are_counted(ledger, trainings):
    trainings.run("000", 0, 0.5)
    trainings.run("000", 1, None, termination="license_limit")
    trainings.run("000", 2, None, termination="unbounded")
    made = make_report(ledger.runs(), Paper.ROSENHAHN2023)
    assert (made.wrong, made.figures) == (1, {})
    assert (
        "Left out: 1 run refused by a licence or interrupted. Wrong (fault solver or formulation): 1 run" in made.text
    )


def test_a_ledger_of_refused_runs_says_how_many(ledger, trainings):
    trainings.run("000", 0, None, termination="license_limit")
    with pytest.raises(ReportError, match=r"has no problem of training a network.* \(1 run refused or interrupted\)"):
        text_of(ledger)


def test_hostile_names_stay_names(ledger, trainings):
    trainings.run(HOSTILE, 0, 0.5, dataset=HOSTILE, formulation=HOSTILE, solver=HOSTILE)
    text = text_of(ledger)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)`code", text)
    assert not re.search(r"^# title", text, re.MULTILINE)
    assert re.findall(r"(?<!\\)\]\(([^)]*)\)", text) == ["https://doi.org/10.1007/s10957-023-02317-x"]
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (6, 7, 8, 10, 11, 12)
