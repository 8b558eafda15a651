"""The report on baseline against pruned network: means by hand, outcomes, first line, the authors' files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.pairs import add_pairs_of_two_settings
from vnnbench.leaderboard.papers import cacciola2024_report
from vnnbench.leaderboard.papers.cacciola2024 import build_sections
from vnnbench.leaderboard.papers.values import CACCIOLA_BASELINES, CACCIOLA_PRUNED


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


def test_rows_are_means_over_the_pairs_that_both_sides_ran(filled):
    (section,) = build_sections(filled.runs())
    (row,) = section.rows
    assert (row.architecture, row.radius, row.pairs, row.in_design) == ((2, 50), 5.0, 2, 2)
    assert (section.refused, section.missing) == (1, 0)
    # the third pair is refused, so the baselines are those of seeds 0 and 1 only
    baseline, pruned = row.baseline, row.pruned
    assert (baseline.seconds, baseline.nodes, baseline.hidden, baseline.binaries) == (15.0, 150.0, 100.0, 70.0)
    assert (baseline.found, baseline.ruled_out, baseline.limit, baseline.neither) == (1, 1, 0, 0)
    assert (pruned.seconds, pruned.nodes, pruned.hidden, pruned.accuracy) == pytest.approx((4.5, 10.5, 60.0, 0.96))
    assert (pruned.found, pruned.ruled_out, pruned.limit, pruned.neither) == (1, 0, 0, 1)


def test_a_run_to_the_limit_counts_as_the_limit_and_one_without_nodes_leaves_those_of_the_others(filled):
    filled.found("s2b", "sha-mnist-28x28-2x50-s2-spr-ft--tight", 6.0, seed=1)
    filled.run("d2b", "sha-mnist-28x28-2x50-s2--tight", wall_seconds=101.5, seed=1)
    (section,) = build_sections(filled.runs())
    baseline = section.rows[0].baseline
    assert (baseline.limit, baseline.seconds) == (1, pytest.approx((10 + 20 + 100) / 3))
    assert (baseline.nodes, baseline.known) == (
        150.0, {"accuracy": 3, "hidden": 3, "binaries": 3, "seconds": 3, "nodes": 2},
    )  # fmt: skip
    text = cacciola2024_report.render([section])
    assert "| 2x50 | 5 | no | ours | 3 | 97.00% | 100 | 70 | 43.3 | 150 (2) | 1 found, 1 ruled out, 1 limit |" in text


def test_first_line_says_how_much_smaller_and_how_the_authors_ran(filled):
    text = cacciola2024_report.render(build_sections(filled.runs()))
    assert text.splitlines()[0] == (
        "Smaller than the paper: 2 of its 24 pairs of baseline and pruned network (4 architectures, 3 networks, radii "
        "5 and 20) for each setting and formulation; time limit 100 s, 1 thread (shorter than in the authors' files: "
        "Gurobi 10.0.1, 180 s, up to 32 threads, AMD EPYC 7402)."
    )


def test_first_line_of_all_pairs_still_says_what_is_shorter(filled):
    (section,) = build_sections(filled.runs())
    whole = replace(section, rows=tuple(replace(row, in_design=24) for row in section.rows))
    assert cacciola2024_report.first_line([whole]) == (
        "All 24 pairs of the paper, for each setting and formulation; time limit 100 s, 1 thread (shorter than in the "
        "authors' files: Gurobi 10.0.1, 180 s, up to 32 threads, AMD EPYC 7402)."
    )
    other = replace(section, rows=tuple(replace(row, in_design=0) for row in section.rows))
    assert cacciola2024_report.first_line([other]).startswith(
        "None of the paper's problems: all runs are on other data or networks;"
    )
    assert "authors' files |" not in cacciola2024_report.render([other])
    long = replace(whole, setting=replace(whole.setting, time_limit_seconds=180.0))
    assert "time limit 180 s, 1 thread (the authors' files: " in cacciola2024_report.first_line([long])


def test_ours_stand_beside_a_dash_for_the_paper_and_the_authors_files(filled):
    lines = cacciola2024_report.render(build_sections(filled.runs())).splitlines()
    place = lines.index("### Table 1: radius 5")
    assert lines[place + 4 : place + 10] == [
        "| 2x50 | 5 | no | ours | 2 | 97.00% | 100 | 70 | 15.0 | 150 | 1 found, 1 ruled out |",
        "| 2x50 | 5 | no | paper | – | – | – | – | – | – | – |",
        # (97.55 + 97.47 + 97.25) / 3, (15.232 + 20.807 + 8.043) / 3, (5820 + 12040 + 9497) / 3
        "| 2x50 | 5 | no | authors' files | 3 | 97.42% | 100 | – | 14.7 | 9119 | 3 found or ruled out |",
        "| 2x50 | 5 | yes | ours | 2 | 96.00% | 60 | 30 | 4.50 | 10 | 1 found, 1 neither |",
        "| 2x50 | 5 | yes | paper | – | – | – | – | – | – | – |",
        # (97.77 + 97.49 + 97.73) / 3, (82 + 72 + 81) / 3, (2.777 + 3.718 + 1.791) / 3, (6024 + 6277 + 882) / 3
        "| 2x50 | 5 | yes | authors' files | 3 | 97.66% | 78 | – | 2.76 | 4394 | 3 found or ruled out |",
    ]
    assert lines[lines.index("### Table 2: radius 20") + 2] == "These runs have no pair of this radius."


def test_authors_files_hold_three_networks_of_every_architecture():
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
        assert (row.pairs, row.baseline.seconds, row.pruned.seconds) == (2, *seconds)
