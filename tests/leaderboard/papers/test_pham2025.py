"""The figures of [P] as data: percentages by hand, finetuning time, and what is kept apart and left out."""

from __future__ import annotations

import pytest

from support.pairs import add_pairs_of_two_settings
from vnnbench.leaderboard.papers.pham2025 import Scatter, build_sections, pairs_of

LIMIT = 100.0


def only_figure(ledger, number) -> Scatter:
    (section,) = build_sections(*pairs_of(ledger.runs()))
    return next(figure for figure in section.figures if figure.number == number)


def test_percentages_are_shares_of_all_pairs_and_ties_are_neither(ledger, pairs):
    # dense / surrogate: faster, faster, slower, tie at the limit, and one that only the surrogate solves:
    # 3 of 5 below the diagonal, 1 of 5 above
    for problem, dense, surrogate in (
        ("a", 10.0, 1.0), ("b", 10.0, 9.0), ("c", 1.0, 10.0), ("d", None, None), ("e", None, 50.0)
    ):  # fmt: skip
        pairs.dense(problem, dense)
        pairs.surrogate(problem, surrogate)
    (row,) = only_figure(ledger, 1).rows
    assert [panel.rate for panel in row.panels] == [0.3, 0.5, 0.8, 0.9, 0.95]
    panel = row.panels[1]
    assert (panel.surrogate_faster, panel.dense_faster, panel.ties) == (0.6, 0.2, 1)
    assert sorted(panel.dense_seconds) == [1.0, 10.0, 10.0, LIMIT, LIMIT]
    assert (panel.dense_found, panel.surrogate_found, int(panel.at_limit.sum())) == (3, 4, 2)
    assert (panel.dense_accuracy, panel.surrogate_accuracy) == pytest.approx((0.95, 0.6))
    empty = row.panels[0]
    assert (empty.pairs, empty.surrogate_faster, empty.dense_accuracy) == (0, None, None)


def test_figure_3_adds_the_time_of_finetuning_alone(ledger, pairs):
    pairs.dense("a", 10.0)
    pairs.surrogate("a", 4.0, finetuned=1, finetune_seconds=1.0, alone_finetune_seconds=7.0)
    assert only_figure(ledger, 2).rows[0].panels[1].surrogate_faster == 1.0  # 4 < 10
    figure = only_figure(ledger, 3)
    assert figure.rows[0].panels[1].surrogate_seconds.tolist() == [11.0]  # 4 + 7 > 10
    assert figure.rows[0].panels[1].dense_faster == 1.0
    assert figure.shared_time == 0


def test_figure_3_falls_back_to_the_share_of_the_batch_and_counts_it(ledger, pairs):
    for problem, share in (("a", 1.0), ("b", None)):
        pairs.dense(problem, 10.0)
        pairs.surrogate(problem, 4.0, finetuned=1, finetune_seconds=share)
    figure = only_figure(ledger, 3)
    assert figure.rows[0].panels[1].surrogate_seconds.tolist() == [5.0]
    assert (figure.pairs, figure.shared_time, figure.untimed) == (1, 1, 1)
    assert only_figure(ledger, 2).pairs == 2


def test_finetuning_that_uses_up_the_limit_has_found_nothing(ledger, pairs):
    pairs.dense("a", None)
    pairs.surrogate("a", 60.0, finetuned=1, alone_finetune_seconds=50.0)
    panel = only_figure(ledger, 3).rows[0].panels[1]
    assert panel.surrogate_seconds.tolist() == [LIMIT]
    assert (panel.surrogate_found, panel.surrogate_faster, panel.at_limit.tolist()) == (0, 0.0, [True])


def test_settings_formulations_data_sets_and_kinds_are_kept_apart(ledger, pairs):
    for solver in ("highs", "scip"):
        for formulation in ("surrogatelib", "tight"):
            pairs.dense("a", 10.0, solver=solver, formulation=formulation)
            pairs.surrogate("a", 1.0, solver=solver, formulation=formulation)
            pairs.surrogate("a", 20.0, solver=solver, formulation=formulation, pruning="random")
    sections = build_sections(*pairs_of(ledger.runs()))
    assert [(s.setting.solver, s.formulation) for s in sections] == [
        ("highs", "surrogatelib"), ("highs", "tight"), ("scip", "surrogatelib"), ("scip", "tight")
    ]  # fmt: skip
    for section in sections:
        rows = section.figures[0].rows
        assert [(row.kind, row.panels[1].surrogate_faster) for row in rows] == [
            ("magnitude unstructured", 1.0), ("random unstructured", 0.0)
        ]  # fmt: skip
        assert section.in_design == (2, 0)


def test_refused_pairs_are_left_out_and_counted(ledger, pairs):
    pairs.dense("a", 10.0)
    pairs.surrogate("a", 1.0)
    pairs.surrogate("a", None, rate=0.8, termination="license_limit", wall_seconds=0.1)
    pairs.dense("b", None, termination="license_limit")
    pairs.surrogate("b", 1.0)
    pairs.surrogate("c", 1.0)  # its dense network was not run
    (section,) = build_sections(*pairs_of(ledger.runs()))
    assert (section.figures[0].pairs, section.refused, section.missing) == (1, 2, 1)
    assert (section.dense_problems, section.networks) == (1, ("2x32 at 18x18",))
    assert len(section.cpus) == 1


def test_a_dense_run_without_its_surrogate_run_is_missing(ledger, pairs):
    pairs.dense("a", 10.0)
    pairs.surrogate("a", 1.0)
    pairs.dense("a", 10.0, solver="scip")
    counts = {
        section.setting.solver: (section.missing, len(section.figures))
        for section in build_sections(*pairs_of(ledger.runs()))
    }
    assert counts == {"highs": (0, 1), "scip": (1, 0)}


def test_networks_with_few_facts_in_the_catalogue_are_compared_too(ledger, pairs):
    unknown = dict.fromkeys(("dataset", "input_side", "depth", "width", "accuracy", "dense_accuracy", "formulation"))
    pairs.dense("a", 10.0, **unknown)
    pairs.surrogate("a", 1.0, **unknown)
    (section,) = build_sections(*pairs_of(ledger.runs()))
    assert (section.dataset, section.formulation, section.networks) == ("none", "none", ("others",))
    assert section.in_design == (0, 0)
    assert section.figures[0].rows[0].panels[1].dense_accuracy is None


def test_other_rates_and_other_pruning_are_left_out_of_this_paper(ledger, pairs):
    pairs.dense("a", 10.0)
    pairs.surrogate("a", 1.0, rate=0.42)
    pairs.surrogate("a", 1.0, pruning="spr", structure="structured")
    assert build_sections(*pairs_of(ledger.runs())) == ()


def test_an_empty_ledger_and_dense_runs_alone_give_no_figure(ledger, pairs):
    assert build_sections(*pairs_of(ledger.runs())) == ()
    pairs.dense("a", 1.0)
    assert build_sections(*pairs_of(ledger.runs())) == ()


def test_a_pair_at_its_own_limit_stands_under_own_limits_and_under_the_one_given(ledger, pairs):
    add_pairs_of_two_settings(pairs)
    given, own = build_sections(*pairs_of(ledger.runs()))
    assert [section.setting.label for section in (given, own)] == ["highs 100 s", "highs own limits"]
    for section, seconds in ((given, [10.0, 10.0]), (own, [10.0, 12.0])):
        assert section.missing == 0
        assert sorted(section.figures[0].rows[0].panels[1].dense_seconds) == seconds
