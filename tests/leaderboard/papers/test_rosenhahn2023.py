"""The tables and findings of the report on training networks: means, pairs, and what is left out, by hand."""

from __future__ import annotations

import json

import pytest

from support.trainings import Trainings
from vnnbench.leaderboard.papers.rosenhahn2023 import Data, network_rows, read_trained, size_rows, time_rows
from vnnbench.leaderboard.papers.rosenhahn2023_findings import Difference, find, speedups


@pytest.fixture
def trainings(ledger) -> Trainings:
    return Trainings(ledger)


def trained(ledger):
    return read_trained(ledger.runs())


# -- tables --------------------------------------------------------------------------------------------------------


def test_a_row_has_means_over_the_networks_and_counts_runs_without_one(ledger, trainings):
    for split, accuracy in enumerate((0.8, 0.9, None)):
        trainings.run("101", split, accuracy, 0.95, seconds=1.0, objective=3.0 + split)
    (row,) = network_rows(trained(ledger))
    assert (row.data, row.variant, row.formulation) == (Data("wine", 89, 13, 8), "101", "tight")
    assert (row.runs, row.without, row.ranked) == (3, 1, True)
    assert row.test_accuracy == pytest.approx(0.85)
    assert row.deviation == pytest.approx(0.1 / 2**0.5)  # of a sample of two
    assert (row.train_accuracy, row.weights, row.activations, row.neurons) == (0.95, 5.0, 30.0, 2.0)
    assert row.objective == 3.5


def test_one_network_has_no_deviation_and_none_has_no_numbers(ledger, trainings):
    trainings.run("000", 0, 0.75)
    trainings.run("001", 0, None)
    one, none = network_rows(trained(ledger))
    assert (one.test_accuracy, one.deviation) == (0.75, None)
    assert (none.runs, none.without, none.test_accuracy, none.objective) == (1, 1, None, None)


def test_a_network_that_came_after_the_limit_does_not_count(ledger, trainings):
    sha = trainings.instance("000", 0)
    ledger.run("late", sha, goal="optimize", wall_seconds=101.0)
    measures = dict.fromkeys(("activations", "neurons", "test_accuracy", "train_accuracy", "weights"), 1.0)
    ledger.judge(
        "late", confirmed=1, evidence="exact", best_exact_value=-1.0, first_success_seconds=10.0,
        primal_steps="[[10.0, -2.0], [100.5, -1.0]]", measures=json.dumps(measures),
    )  # fmt: skip
    (row,) = network_rows(trained(ledger))
    assert (row.runs, row.without) == (1, 1)


@pytest.mark.parametrize("text", ["nonsense", "{}", '{"test_accuracy": 1.0}', '{"test_accuracy": "x"}'])
def test_measures_that_cannot_be_read_are_none(ledger, trainings, text):
    run = trainings.run("000", 0, 0.5)
    ledger.judge(run, confirmed=1, evidence="exact", best_exact_value=-2.0, first_success_seconds=0.1, measures=text)
    (row,) = network_rows(trained(ledger))
    assert (row.runs, row.without, row.test_accuracy) == (1, 1, None)


def test_rows_of_other_data_neurons_formulations_and_solvers_are_never_pooled(ledger, trainings):
    for columns in (
        {},
        {"dataset": "corner", "features": 2},
        {"width": 4},
        {"formulation": "plain"},
        {"solver": "scip"},
    ):
        trainings.run("000", 0, 0.5, **columns)
    assert [row.runs for row in network_rows(trained(ledger))] == [1] * 5


def test_a_heuristic_has_networks_but_neither_times_nor_findings(ledger, trainings):
    trainings.run("000", 0, 0.5, solver="perceptron", ranked=0, termination="other")
    found = trained(ledger)
    (row,) = network_rows(found)
    assert (row.ranked, row.setting.solver) == (False, "perceptron")
    assert (list(time_rows(found)), find(found), list(speedups(found))) == ([], (), [])


def test_refused_runs_are_counted_and_left_out_and_other_problems_ignored(ledger, trainings):
    trainings.run("000", 0, None, termination="license_limit")
    ledger.found("other", ledger.instance("adv"), 1.0)
    found = trained(ledger)
    assert (found.refused, len(found.runs), list(network_rows(found))) == (1, 0, [])


def test_times_are_at_most_the_limit_and_their_gap_is_that_of_the_stopped_runs(ledger, trainings):
    trainings.run("000", 0, 0.5, seconds=10.0)
    trainings.run("000", 1, 0.5, bound=1.5)  # value -2, bound -1.5: |2 - 1.5| / 2
    trainings.run("000", 2, 0.5)  # without a bound the gap is 1
    (row,) = time_rows(trained(ledger))
    assert (row.runs, row.solved, row.at_limit) == (3, 1, 2)
    assert (row.mean, row.shortest, row.longest) == (70.0, 10.0, 100.0)
    assert row.gap == (0.25 + 1) / 2


def test_sizes_are_ranges_over_the_splits_without_equality_rows_among_the_inequalities(ledger, trainings):
    trainings.run("000", 0, 0.5)
    trainings.run("000", 1, 0.5, rows=6000, export_seconds=1.5)
    trainings.run("000", 1, 0.5, solver="scip")  # the same instance
    trainings.run("000", 0, 0.5, formulation="plain", equality_rows=None, export_seconds=None)
    plain, tight = size_rows(trained(ledger))
    assert (tight.inequalities, tight.equalities, tight.columns) == ((4000, 5000), (1000, 1000), (4000, 4000))
    assert tight.encode_seconds == 1.0
    assert (plain.inequalities, plain.equalities, plain.encode_seconds) == (None, None, None)


def test_problems_of_the_paper_are_counted_once_whatever_their_seeds(ledger, trainings):
    trainings.run("000", 0, 0.5)
    trainings.run("000", 0, 0.5, seed=1)
    trainings.run("int", 9, 0.5)
    for columns in ({"split": 10}, {"width": 4}, {"samples": 20}, {"dataset": "corner"}, {"variant": "00x"}):
        facts = {"variant": "000", "split": 1} | columns
        trainings.run(facts.pop("variant"), facts.pop("split"), 0.5, **facts)
    assert trained(ledger).in_design == [2]


# -- findings ------------------------------------------------------------------------------------------------------


def test_a_variant_is_compared_on_the_same_split_only(ledger, trainings):
    for variant, accuracies in {"000": (0.5, 0.6, 0.7), "110": (0.75, 0.6, 0.625), "001": (None, None, 0.9)}.items():
        for split, accuracy in enumerate(accuracies):
            trainings.run(variant, split, accuracy)
    trainings.run("110", 3, 1.0)  # 000 has no network there
    (found,) = find(trained(ledger))
    assert found.sparse["110"] == Difference(pytest.approx((0.25 + 0 - 0.075) / 3), 1, 1, 1)
    assert found.sparse["001"] == Difference(pytest.approx(0.2), 1, 0, 0)
    assert found.sparse[None] == Difference(pytest.approx((0.175 + 0.2) / 4), 2, 1, 1)
    assert "101" not in found.sparse


@pytest.mark.parametrize(
    ("difference", "improves"),
    [
        (Difference(0.1, 2, 5, 1), True),
        (Difference(-0.1, 1, 0, 2), False),
        (Difference(0.1, 1, 0, 2), None),
        (Difference(0.1, 1, 0, 1), None),
        (Difference(0.0, 0, 3, 0), None),
        (Difference(None, 0, 0, 0), None),
    ],
)
def test_a_finding_needs_the_mean_and_most_splits(difference, improves):
    assert difference.improves is improves


@pytest.mark.parametrize(("weights", "holds"), [(0.9, True), (0.7, None), (0.6, False)])
def test_a_term_is_compared_with_the_same_other_terms_without_it(ledger, trainings, weights, holds):
    for variant, accuracy in {"000": 0.5, "100": weights, "010": 0.7, "001": 0.55, "int": 0.1}.items():
        trainings.run(variant, 0, accuracy)
    (found,) = find(trained(ledger))
    assert found.by_flag["weights"] == Difference(pytest.approx(weights - 0.5), 1, 0, 0)
    assert found.by_flag["neurons"] == Difference(pytest.approx(0.05), 1, 0, 0)
    assert found.weights_matter_most is holds
    trainings.run("101", 0, 1.0)  # beside 001, for the weights, and beside 100, for the neurons
    (found,) = find(trained(ledger))
    assert (found.by_flag["weights"].pairs, found.by_flag["neurons"].pairs, found.by_flag["activations"].pairs) == (
        2, 2, 1,
    )  # fmt: skip


@pytest.mark.parametrize(("others", "overfits"), [(0.9, True), (0.5, False), (None, None)])
def test_overfitting_is_the_accuracy_that_is_lost_on_test_samples(ledger, trainings, others, overfits):
    trainings.run("000", 0, 0.75, 1.0)
    trainings.run("111", 0, others, 0.95)
    (found,) = find(trained(ledger))
    assert (found.plain.networks, found.plain.excess) == (1, 0.25)
    assert found.overfits is overfits


def test_plain_over_tight_is_over_problems_run_in_both(ledger, trainings):
    trainings.run("000", 0, 0.5, formulation="plain", seconds=9.9)
    trainings.run("000", 0, 0.5, seconds=0.4)
    trainings.run("000", 1, 0.5, formulation="plain")  # at the limit of 100 s
    trainings.run("000", 1, 0.5, seconds=0.9)
    trainings.run("000", 2, 0.5, seconds=1.0)
    trainings.run("000", 2, 0.5, formulation="plain", solver="scip")
    (found,) = speedups(trained(ledger))
    assert (found.setting.solver, found.pairs, found.solved) == ("highs", 2, (1, 2))
    # (9.9 + 0.1)(100 + 0.1) and (0.4 + 0.1)(0.9 + 0.1), roots less 0.1
    assert found.seconds == pytest.approx((1001**0.5 - 0.1, 0.5**0.5 - 0.1))
    assert found.ratio == pytest.approx((1001**0.5 - 0.1) / (0.5**0.5 - 0.1))
