"""The first screen of the overview: what is wrong or not comparable, and who is first in how many rankings."""

from __future__ import annotations

import pytest

from support.tiny_sites import source_of
from vnnbench.leaderboard.site.content import gather
from vnnbench.leaderboard.site.summary import count_first, remarks, winners


def remarks_of(ledger):
    return [(remark.text, remark.href, remark.is_bad) for remark in remarks(gather(source_of(ledger)))]


def test_a_comparison_without_blemish_has_no_remarks(ledger):
    digest = ledger.instance("a")
    for solver in ("highs", "scip"):
        ledger.found(solver, digest, 1.0, solver=solver)
    assert remarks_of(ledger) == []


def test_what_is_wrong_comes_first_and_then_what_failed_and_what_is_not_comparable(ledger):
    digest = ledger.instance("a")
    ledger.found("h", digest, 1.0, cores="0", foreign_seconds=5.0, swapped_bytes=0)
    ledger.robust("s", digest, 1.0, solver="scip")
    ledger.run("c", digest, solver="cbc", termination="error", wall_seconds=0.1)
    ledger.run("only", ledger.instance("b", problem="q"))
    found = remarks_of(ledger)
    assert found[0] == (
        "Wrong answers in 1 run: scip 1. Such a setting has no rank.", "contradictions.html", True,
    )  # fmt: skip
    assert [(text.split(" ")[0], href, is_bad) for text, href, is_bad in found[1:]] == [
        ("Runs", "", False), ("1", "", False), ("Runs", "", False), ("Left", "", False),
    ]  # fmt: skip
    assert found[1][0] == "Runs failed (cbc 1): their logs say why."
    assert found[4][0] == "Left out of all times: 1 of 2 triples (1 not run by all)."


def test_machines_and_limits_are_remarked(ledger):
    ledger.machine("m2")
    digest = ledger.instance("b", problem="q")
    ledger.found("l", digest, 1.0, solver="scip", time_limit_seconds=10.0)
    ledger.found("n", digest, 1.0, machine="m2")
    ledger.found("k", digest, 1.0)
    assert [text for text, _, _ in remarks_of(ledger)][-2:] == [
        "Time limits differ (10 to 100 s): every run is cut at the shortest of those compared.",
        "The runs come from 2 machines: times and ranks are within each type of CPU.",
    ]


def test_the_first_of_several_rankings_are_counted(ledger):
    for formulation, fast in (("tight", "scip"), ("surrogatelib", "scip"), ("other", "highs")):
        digest = ledger.instance(formulation, problem=formulation, formulation=formulation)
        for solver in ("highs", "scip"):
            ledger.found(f"{solver}-{formulation}", digest, 1.0 if solver == fast else 9.0, solver=solver)
    contents = gather(source_of(ledger))
    found = count_first(winners(contents, contents.rankings))
    assert [(page.setting.label, words) for (page,), words in found] == [
        ("scip", "in 2 of 3 rankings, too few problems to tell"),
        ("highs", "in 1 of 3 rankings, too few problems to tell"),
    ]


@pytest.mark.parametrize(
    ("ties", "words"),
    [
        ({}, "in all 2 rankings"),
        ({"tight": 5}, "in all 2 rankings, separated from the second in 1"),
        ({"tight": 5, "other": 5}, "in all 2 rankings, not separated from highs"),
    ],
)
def test_the_first_of_several_rankings_is_hedged_where_no_test_separates_it_from_the_second(ledger, ties, words):
    """scip is sooner on all of six problems, or on one with five ties."""
    for formulation in ("tight", "other"):
        for number in range(6):
            digest = ledger.instance(f"{formulation}{number}", problem=f"p{number}", formulation=formulation)
            slower = 1.0 if number < ties.get(formulation, 0) else 9.0
            ledger.found(f"h{digest}", digest, slower)
            ledger.found(f"s{digest}", digest, 1.0, solver="scip")
    contents = gather(source_of(ledger))
    assert [own for _, own in count_first(winners(contents, contents.rankings))] == [words]
