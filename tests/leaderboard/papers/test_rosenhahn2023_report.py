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
    assert first.startswith("None of the problems of the paper's Table 3: all runs are on other data, or on fewer ")


def test_ours_stand_beside_what_the_paper_prints_and_dashes_elsewhere(ledger, trainings):
    trainings.run("111", 0, 0.5)
    trainings.run("111", 1, 0.75)
    lines = text_of(ledger).splitlines()
    for line in (
        "| 111 | highs | tight | ours | 2 | 0 | 62.5 ± 17.7% | 100.0% | 5.0 | 30.0 | 2.0 | 2.00 |",
        "| 111 | – | – | paper | – | – | – | – | – | – | – | – |",
        "| 111 | highs | tight | ours | 2 | 0 | 100 | 100 | 100 | 2 | 100.0% |",
        "| 111 | – | – | paper | – | – | 12000 | – | – | – | 0.1% |",
        "| 111 | tight | ours | 4,000 | 4,000 | 1,000 | 30,000 | 0.500 |",
        "### ovarian: not in these runs",
        "| Figure 6, both models | – | – | paper | – | – | about 95% | – | – | – | – | – |",
        "| 111 | – | – | paper | – | – | 2654 | – | – | – | – |",
        "| up to 8 neurons, 100 x 4000 | – | paper | 68,172 | 73,148 | – | – | – |",
    ):
        assert line in lines
    assert not any(line.startswith("### zoo") for line in lines)


def test_the_model_of_thorbjarnarson_and_yorke_smith_is_marked(ledger, trainings):
    trainings.run("001", 0, 0.5)
    assert "| 001 (Thorbjarnarson and Yorke-Smith) | highs | tight | ours | 1 |" in text_of(ledger)


def test_a_heuristic_has_rows_of_its_own_and_no_times(ledger, trainings):
    trainings.run("111", 0, 0.75, seconds=1.0)
    trainings.run("111", 0, 0.5, solver="perceptron", ranked=0, termination="other")
    text = text_of(ledger)
    assert "| 111 | perceptron, not ranked | tight | ours | 1 | 0 | 50.0% |" in text
    assert "not ranked" not in text.split("## Table 4")[1]
    assert "4096 MiB, a heuristic beside the solvers, not ranked." in text


def test_findings_are_confirmed_contradicted_or_open(ledger, trainings):
    for variant, accuracy in {"000": 0.5, "100": 0.75, "010": 0.25, "001": 0.5}.items():
        trainings.run(variant, 0, accuracy)
    lines = text_of(ledger).splitlines()
    assert "| highs | tight | 100 | 1 | +25.0 | 1 | 0 | 0 | confirmed |" in lines
    assert "| highs | tight | 010 | 1 | -25.0 | 0 | 0 | 1 | contradicted |" in lines
    assert "| highs | tight | 001 (Thorbjarnarson and Yorke-Smith) | 1 | +0.0 | 0 | 1 | 0 | open |" in lines
    assert "| highs | tight | weights | 1 | +25.0 | 1 | 0 | 0 | confirmed |" in lines
    assert "| highs | tight | 000 | 1 | 100.0% | 50.0% | +50.0 | open |" in lines


def test_without_pairs_a_finding_says_so(ledger, trainings):
    trainings.run("111", 0, 0.5)
    text = text_of(ledger)
    assert text.count("These runs have no pair to compare.") == 3


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
            assert len(re.findall(r"(?<!\\)\|", line)) in (8, 9, 10, 12, 13)
