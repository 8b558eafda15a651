"""The reports: their first line, their contents, what they refuse, and hostile names."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from vnnbench.leaderboard.papers import pham2025, pham2025_figures, pham2025_report
from vnnbench.leaderboard.papers.report import ReportError, make_report
from vnnbench.leaderboard.papers.values import PHAM_RATES
from vnnbench.leaderboard.words import LedgerError, Paper

HOSTILE = "[x](http://e) \x1b[31m| <script> `code` *b* \u202egnp\n# title ![i](j)"


@pytest.fixture
def two_pairs(pairs):
    """Pairs of HiGHS, one below the diagonal and one at both limits; SCIP was refused its only surrogate."""
    for problem, dense, surrogate in (("a", 10.0, 1.0), ("b", None, None)):
        pairs.dense(problem, dense)
        pairs.surrogate(problem, surrogate)
    pairs.dense("a", 5.0, solver="scip")
    pairs.surrogate("a", None, solver="scip", termination="license_limit", wall_seconds=0.1)


@pytest.fixture
def undrawn(monkeypatch):
    """Give figures their names without drawing them, which takes a second for each; drawing has tests of its own."""
    monkeypatch.setattr(pham2025_figures, "draw_scatter", lambda *_: {"png": b"", "svg": b""})


def report(ledger, paper=Paper.PHAM2025):
    return make_report(ledger.runs(), paper)


@pytest.mark.usefixtures("undrawn")
def test_first_line_says_what_is_smaller(ledger, two_pairs):
    text = report(ledger).text
    assert text.splitlines()[0] == (
        "Smaller than the paper: of its 1,600 pairs without and 1,600 with finetuning per data set, for each setting "
        "and formulation: mnist 2 and 0, fashion-mnist 0 and 0; networks 2x32 at 18x18; time limit 100 s, 1 thread "
        "(the paper: Gurobi 10.0.1, 300 s, Intel Xeon Gold 6442Y)."
    )


@pytest.mark.usefixtures("undrawn")
def test_first_line_gives_the_range_over_sections_and_names_other_data(ledger, two_pairs, pairs):
    pairs.dense("c", 1.0, solver="scip", dataset="digits")
    pairs.surrogate("c", 1.0, solver="scip", dataset="digits")
    pairs.dense("d", 1.0, solver="scip")
    pairs.surrogate("d", 1.0, solver="scip")
    first = report(ledger).text.splitlines()[0]
    assert "mnist 1 to 2 and 0, fashion-mnist 0 and 0" in first
    assert "data not in the paper: digits" in first


def test_first_line_of_all_pairs_says_so(ledger, two_pairs):
    whole = [
        replace(section, dataset=dataset, in_design=(1600, 1600))
        for section in pham2025.build_sections(*pham2025.pairs_of(ledger.runs()))
        for dataset in ("mnist", "fashion-mnist")
    ]
    assert pham2025_report.first_line(whole).startswith(
        "All pairs of the paper; networks 2x32 at 18x18; time limit 100 s"
    )
    less = [*whole, replace(whole[0], formulation="surrogatelib", in_design=(1600, 1599))]
    counted = "mnist 1600 and 1599 to 1600, fashion-mnist 0 to 1600 and 0 to 1600"  # it has no run of the second one
    assert counted in pham2025_report.first_line(less)


def test_a_report_has_its_figures_beside_it(ledger, two_pairs):
    made = report(ledger)
    assert made.wrong == 0
    assert sorted(made.figures) == ["figure-1-highs-tight-mnist.png", "figure-1-highs-tight-mnist.svg"]


@pytest.mark.usefixtures("undrawn")
def test_tables_put_the_percentages_beside_a_dash_for_the_paper(ledger, two_pairs):
    lines = report(ledger).text.splitlines()
    place = lines.index("## How often each side is faster")
    assert lines[place + 4 : place + 8] == [
        "| setting | formulation | data set | pruned | figure | pairs | 0.3 | 0.5 | 0.8 | 0.9 | 0.95 |",
        "| --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| highs | tight | mnist | magnitude unstructured | 1: without finetuning | 2 | – / – | 50 / 0 | – / – | – / – "
        "| – / – |",
        "| Pham et al. | – | mnist | magnitude unstructured | 1: without finetuning | – | – / – | – / – | – / – "
        "| 93.5 / – | – / – |",
    ]
    place = lines.index("## Accuracy and counterexamples of pruned networks")
    # speed-up: the geometric mean of 10 / 1 and 100 / 100
    assert (
        lines[place + 6]
        == "| highs | tight | mnist | magnitude unstructured 0.5 | 2 | 95.0 | 60.0 | 1 | 1 | 1 | 3.16 |"
    )


@pytest.mark.usefixtures("undrawn")
def test_the_papers_tables_stand_beside_ours_with_differences(ledger, two_pairs):
    """One of two pairs is sooner on the surrogate at rate 0.5; SCIP's were refused."""
    lines = report(ledger).text.splitlines()
    place = lines.index("## Table 1 of the paper beside these runs: tight")
    assert lines[place + 4 : place + 10] == [
        "| pairs of | rate | paper | highs, mnist | pairs |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| unstructured | 0.3 | 67.5 | – | 0 |",
        "| not finetuned | 0.5 | 71.3 | 50.0 (-21.3) | 2 |",
        "|  | 0.8 | 89.4 | – | 0 |",
        "|  | 0.9 | 92.5 | – | 0 |",
    ]
    place = lines.index("## Table 2 of the paper beside these runs: tight")
    ours = [line for line in lines[place + 6 : place + 36] if not line.endswith("| – | 0 |")]
    assert ours == [
        "| 18x18 | 0.5 | 80.6 | 50.0 (-30.6) | 2 |",
        "| 2 | 0.5 | 84.4 | 50.0 (-34.4) | 2 |",
        "| 32 | 0.5 | 78.8 | 50.0 (-28.8) | 2 |",
    ]


@pytest.mark.usefixtures("undrawn")
def test_formulations_have_tables_of_their_own_and_settings_columns(ledger, pairs):
    for solver, formulation in (("highs", "tight"), ("scip", "tight"), ("scip", "surrogatelib")):
        for problem in "ab" if solver == "highs" else "a":
            pairs.dense(problem, 10.0, solver=solver, formulation=formulation)
            pairs.surrogate(problem, 1.0, solver=solver, formulation=formulation)
    for name in ("dense", "surrogate"):  # as fast as each other
        getattr(pairs, name)("c", 1.0, solver="scip", formulation="tight", dataset="fashion-mnist")
    lines = report(ledger).text.splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith("## Table 1")]
    assert [lines[place + 4] for place in places] == [
        "| pairs of | rate | paper | highs, mnist | scip | pairs |", "| pairs of | rate | paper | scip, mnist | pairs |"
    ]  # fmt: skip
    assert "| not finetuned | 0.5 | 71.3 | 100.0 (+28.7) | 50.0 (-21.3) | 2 |" in lines


@pytest.mark.usefixtures("undrawn")
def test_the_observations_come_first_with_their_verdicts_and_later_their_claims(ledger, pairs):
    for image in range(9):
        pairs.dense(str(image), 10.0, sample=image)
        for rate in PHAM_RATES:
            for finetuned in (0, 1):
                pairs.surrogate(str(image), 20.0, rate, finetuned=finetuned, sample=image)
    lines = report(ledger).text.splitlines()
    place = lines.index("## The paper's observations in these runs")
    table = lines[place + 7 : place + 27]
    assert table[0] == "|  | observation | conf. | contr. | open | too few |"
    assert table[2] == "| i | Surrogates are sooner on most problems. | 0 | 1 | 0 | 0 |"
    assert table[15] == "| I | Surrogates save time and solve more. | 0 | 1 | 0 | 0 |"
    numbers = [line.split(" | ")[0].removeprefix("| ") for line in table[2:]]
    assert " ".join(numbers) == "i ii iii iv v vi vii viii ix x xi xii xiii I II III IV V"
    assert (
        "| highs tight | i | contradicted | sooner on more than half: rate 0.9, finetuned | -50.0 | 9 | 9 | 0.0039 |"
        in lines
    )
    assert "| highs tight | xii | too few | magnitude more often sooner | – | 0 | 0 | – |" in lines
    of_factor = [line for line in lines if "dense / surrogate time, 0.95 / 0.3, finetuned" in line]
    assert of_factor == [
        "| highs tight | iv | open | dense / surrogate time, 0.95 / 0.3, finetuned | 1.00x | 9 | 9 | 1 |"
    ]


@pytest.mark.usefixtures("undrawn")
def test_sections_embed_their_figures_and_count_what_is_left_out(ledger, two_pairs):
    text = report(ledger).text
    highs, scip = text.split("\n## highs, tight, mnist\n")[1].split("\n## scip, tight, mnist\n")
    assert "![Figure 1: highs, tight, mnist, surrogates without finetuning](figure-1-highs-tight-mnist.png)" in highs
    assert "[SVG](figure-1-highs-tight-mnist.svg)" in highs
    assert "highs 1.0, options {}, goal find, time limit 100 s, 1 thread, 4096 MiB." in highs
    assert "No pair left out." in highs
    assert "No pair is there for Figure 2 (with finetuning) and Figure 3 (with finetuning and its time)." in highs
    assert "Left out: 1 pair with a side refused by its licence or interrupted." in scip
    assert "![" not in scip


@pytest.mark.usefixtures("undrawn")
def test_figure_3_says_where_its_time_is_from(ledger, pairs):
    for problem, alone, share in (("a", 2.0, 1.0), ("b", None, 1.0), ("c", None, None)):
        pairs.dense(problem, 10.0)
        pairs.surrogate(problem, 1.0, finetuned=1, alone_finetune_seconds=alone, finetune_seconds=share)
    text = report(ledger).text
    assert (
        "That was measured for 1 of these 2 pairs. For the other 1 it is the network's share of its batch's time. "
        "1 pair without either time is left out." in text
    )
    assert len(report(ledger).figures) == 2 * 2


@pytest.mark.usefixtures("undrawn")
def test_wrong_runs_are_counted_and_mentioned(ledger, two_pairs):
    ledger.connection.execute("DROP TRIGGER results_no_update")
    ledger.connection.execute("UPDATE results SET termination = 'unbounded' WHERE run = 'r1'")
    ledger.connection.commit()
    made = report(ledger)
    assert made.wrong == 1
    assert "Wrong (fault solver or formulation): 1 run, see the leaderboard." in made.text


@pytest.mark.parametrize("paper", Paper)
def test_nothing_to_report_is_one_line(ledger, paper):
    for _ in range(2):
        with pytest.raises(ReportError, match=f"--paper {paper}: this ledger has no problem") as refused:
            report(ledger, paper)
        assert isinstance(refused.value, LedgerError)
        assert "\n" not in str(refused.value)
        sha = ledger.instance(f"dense-{_}")
        ledger.run(f"r{_}", sha)


def test_a_ledger_of_refused_pairs_says_how_many(ledger, pairs):
    pairs.dense("a", None, termination="license_limit")
    pairs.surrogate("a", 1.0)
    with pytest.raises(ReportError, match=r"\(1 pairs refused or interrupted, 0 with one side not run\)"):
        report(ledger)


def test_hostile_names_stay_names(ledger, pairs):
    facts = {"solver": HOSTILE, "formulation": HOSTILE, "dataset": HOSTILE}
    pairs.dense(HOSTILE, 10.0, **facts)
    pairs.surrogate(HOSTILE, 1.0, **facts)
    text = report(ledger).text
    assert text.isprintable() or not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)`code", text)
    assert not re.search(r"^# title", text, re.MULTILINE)
    links = re.findall(r"(?<!\\)\]\(([^)]*)\)", text)
    assert [link for link in links if not link.startswith("https://arxiv.org/")] == [
        name for name in links if re.fullmatch(r"figure-[a-z0-9.=-]+\.(png|svg)", name)
    ]
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (6, 8, 9, 12, 13)


@pytest.mark.usefixtures("undrawn")
def test_settings_whose_names_look_alike_have_figures_of_their_own(ledger, pairs):
    for solver in ("a b", "a-b"):
        pairs.dense("p", 10.0, solver=solver)
        pairs.surrogate("p", 1.0, solver=solver)
    assert len(report(ledger).figures) == 2 * 2
