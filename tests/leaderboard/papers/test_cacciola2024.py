"""The report on baseline against pruned network: pairs by hand, first line, the paper's tables beside ours."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from statistics import fmean

import pytest

from support.pairs import add_pairs_of_two_settings
from vnnbench.leaderboard.papers import cacciola2024_report
from vnnbench.leaderboard.papers.cacciola2024 import Outcome, build_sections
from vnnbench.leaderboard.papers.values import CACCIOLA_BASELINES, CACCIOLA_PRUNED


def table_of(sections):
    """Return the lines of the only table of the paper in the report, without its head."""
    lines = cacciola2024_report.render(sections).splitlines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith("## Table")]
    return list(takewhile(lambda line: line, lines[place + 4 :]))


@pytest.fixture
def filled(ledger):
    """Runs on three networks 2x50 at radius 5: baselines found, ruled out, limit; pruned found, neither, refused."""
    for seed in range(3):
        baseline = f"mnist-28x28-2x50-s{seed}"
        facts = {
            "problem": f"{baseline}-r5", "dense_network": baseline, "dataset": "mnist", "input_side": 28, "depth": 2,
            "width": 50, "radius": 5.0, "stable_active": 10, "stable_inactive": 20, "formulation": "tight",
        }  # fmt: skip
        dense = ledger.instance(
            f"{baseline}--tight", network=baseline, accuracy=0.97, unstable=70, binaries=70, **facts
        )
        pruned = ledger.instance(
            f"{baseline}-spr-ft--tight", network=f"{baseline}-spr-ft", accuracy=0.96, unstable=30, binaries=30,
            pruning="spr", structure="structured", finetuned=1, **facts,
        )  # fmt: skip
        if seed == 0:
            ledger.found("d0", dense, 10.0, nodes=100)
        elif seed == 1:
            ledger.robust("d1", dense, 20.0, nodes=200)
        else:
            ledger.run("d2", dense, nodes=600, wall_seconds=101.0)
        if seed == 0:
            ledger.found("s0", pruned, 4.0, nodes=10)
        elif seed == 1:
            ledger.run("s1", pruned, termination="infeasible", wall_seconds=5.0, nodes=11)
        else:
            ledger.run("s2", pruned, termination="license_limit", wall_seconds=0.1)
    return ledger


def test_rows_have_the_pairs_that_both_sides_ran(filled):
    """The third pair is refused, so the baselines are those of seeds 0 and 1 only."""
    (section,) = build_sections(filled.runs())
    (row,) = section.rows
    assert (row.architecture, row.radius, row.in_design) == ((2, 50), 5.0, 2)
    assert (section.refused, section.missing) == (1, 0)
    baselines, pruned = ([getattr(pair, side) for pair in row.pairs] for side in ("baseline", "pruned"))
    assert [(run.seconds, run.nodes, run.hidden, run.outcome) for run in baselines] == [
        (10.0, 100.0, 100.0, Outcome.FOUND), (20.0, 200.0, 100.0, Outcome.RULED_OUT),
    ]  # fmt: skip
    assert [(run.seconds, run.nodes, run.hidden, run.outcome) for run in pruned] == [
        (4.0, 10.0, 60.0, Outcome.FOUND), (5.0, 11.0, 60.0, Outcome.DONE),
    ]  # fmt: skip
    assert [run.accuracy for run in (*baselines, *pruned)] == [0.97, 0.97, 0.96, 0.96]


def test_a_run_to_the_limit_counts_as_the_limit_and_one_without_nodes_leaves_those_of_the_others(filled):
    filled.found("s2b", "sha-mnist-28x28-2x50-s2-spr-ft--tight", 6.0, seed=1)
    filled.run("d2b", "sha-mnist-28x28-2x50-s2--tight", wall_seconds=101.5, seed=1)
    (section,) = build_sections(filled.runs())
    last = section.rows[0].pairs[-1].baseline
    assert (last.outcome, last.seconds, last.nodes) == (Outcome.LIMIT, 100.0, None)
    cells = {line.split(" | ")[1]: line.split(" | ")[3].strip(" |") for line in table_of([section])}
    assert cells["seconds, baseline"] == "43.3 (x2.98)"  # (10 + 20 + 100) / 3, beside 14.53
    assert cells["nodes, baseline"] == "–"  # that of one run is not known
    assert (cells["found, baseline"], cells["limit, baseline"]) == ("1 of 3", "1 of 3")


def test_first_line_says_how_much_smaller_and_how_the_authors_ran(filled):
    text = cacciola2024_report.render(build_sections(filled.runs()))
    assert text.splitlines()[0] == (
        "Smaller than the paper: 2 of its 24 pairs of baseline and pruned network (4 architectures, 3 networks, radii "
        "5 and 20) for each setting and formulation; time limit 100 s, 1 thread (the paper: Gurobi, 1800 s)."
    )


def test_first_line_of_all_pairs_says_so(filled):
    (section,) = build_sections(filled.runs())
    whole = replace(section, rows=tuple(replace(row, in_design=24) for row in section.rows))
    assert cacciola2024_report.first_line([whole]) == (
        "All 24 pairs of the paper, for each setting and formulation; time limit 100 s, 1 thread (the paper: Gurobi, "
        "1800 s)."
    )
    other = replace(section, rows=tuple(replace(row, in_design=0) for row in section.rows))
    assert cacciola2024_report.first_line([other]).startswith(
        "None of the paper's problems: all runs are on other data or networks;"
    )
    assert table_of([other])[0] == "| 2x50 | accuracy, %, baseline | – | 97.00 |"


def test_every_number_of_the_paper_stands_beside_ours_with_the_difference(filled):
    assert table_of(build_sections(filled.runs())) == [
        # (97.55 + 97.47 + 97.25) / 3; (14.88 + 20.65 + 8.07) / 3; (5820 + 12040 + 9497) / 3
        "| 2x50 | accuracy, %, baseline | 97.42 | 97.00 (-0.42) |",
        "|  | neurons, baseline | 100 | 100 (+0) |",
        "|  | seconds, baseline | 14.5 | 15.0 (x1.03) |",
        "|  | nodes, baseline | 9119 | 150 (x0.0164) |",
        "|  | found, baseline | 0 of 3 | 1 of 2 |",
        "|  | limit, baseline | 0 of 3 | 0 of 2 |",
        # (97.77 + 97.49 + 97.73) / 3; (82 + 72 + 81) / 3; (3.29 + 3.93 + 1.96) / 3
        "|  | accuracy, %, pruned | 97.66 | 96.00 (-1.66) |",
        "|  | neurons, pruned | 78 | 60 (-18) |",
        "|  | seconds, pruned | 3.06 | 4.50 (x1.47) |",
        "|  | nodes, pruned | 4601 | 10.5 (x0.00228) |",
        "|  | found, pruned | 0 of 3 | 1 of 2 |",
        "|  | limit, pruned | 0 of 3 | 0 of 2 |",
        "|  | seconds, pruned / baseline | 0.211 | 0.300 |",
    ]


def test_the_table_of_radius_20_leaves_out_what_is_the_same_at_radius_5(ledger, pairs):
    facts = {"radius": 20.0, "depth": 6, "width": 100, "input_side": 28}
    pairs.dense("a", None, **facts)
    pairs.surrogate("a", 1.0, pruning="spr", structure="structured", **facts)
    assert table_of(build_sections(ledger.runs())) == [
        "| 6x100 | seconds, baseline | 1800 | 100 (x0.0556) |",
        "|  | nodes, baseline | 187067 | – |",
        "|  | found, baseline | 0 of 3 | 0 of 1 |",
        "|  | limit, baseline | 3 of 3 | 1 of 1 |",
        "|  | seconds, pruned | 50.9 | 1.00 (x0.0196) |",
        "|  | nodes, pruned | 9016 | – |",
        "|  | found, pruned | 3 of 3 | 1 of 1 |",
        "|  | limit, pruned | 0 of 3 | 0 of 1 |",
        "|  | seconds, pruned / baseline | 0.0283 | 0.0100 |",
    ]


def test_the_printed_tables_hold_three_networks_of_every_architecture():
    for runs in (CACCIOLA_BASELINES, CACCIOLA_PRUNED):
        assert list(runs) == [(2, 50), (2, 100), (2, 200), (6, 100)]
        assert {len(networks) for networks in runs.values()} == {3}
    for (depth, width), networks in CACCIOLA_BASELINES.items():
        assert {run.hidden for run in networks} == {depth * width}
        assert max(run.hidden for run in CACCIOLA_PRUNED[depth, width]) < depth * width


def test_magnitude_pruning_is_left_out_of_this_paper(ledger, pairs):
    pairs.dense("a", 10.0, radius=5.0)
    pairs.surrogate("a", 1.0, radius=5.0)
    assert build_sections(ledger.runs()) == ()


def test_a_pair_at_its_own_limit_stands_under_own_limits_and_under_the_one_given(ledger, pairs):
    add_pairs_of_two_settings(pairs, pruning="spr", structure="structured", radius=5.0)
    given, own = build_sections(ledger.runs())
    assert [section.setting.label for section in (given, own)] == ["highs 100 s", "highs own limits"]
    for section, seconds in ((given, (10.0, 4.0)), (own, (11.0, 5.0))):
        (row,) = section.rows
        assert len(row.pairs) == 2
        means = [fmean(getattr(pair, side).seconds for pair in row.pairs) for side in ("baseline", "pruned")]
        assert means == list(seconds)
