"""The tables and findings of the report on training networks: means, tests, and what is left out, by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from support.trainings import Trainings
from vnnbench.leaderboard.papers.rosenhahn2023 import Data, network_rows, read_trained, size_rows, time_rows
from vnnbench.leaderboard.papers.rosenhahn2023_findings import LEAST_SPLITS, Difference, find, speedups


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


def add_splits(trainings, accuracies: dict[str, tuple[float | None, ...]], **columns) -> None:
    """Add a run of each variant on split 0, 1, ... with these test accuracies."""
    for variant, own in accuracies.items():
        for split, accuracy in enumerate(own):
            trainings.run(variant, split, accuracy, **columns)


def test_a_variant_is_compared_on_the_same_split_only(ledger, trainings):
    add_splits(trainings, {"000": (0.5, 0.6, 0.7), "110": (0.75, 0.6, 0.625), "001": (None, None, 0.9)})
    trainings.run("110", 3, 1.0)  # 000 has no network there
    (found,) = find(trained(ledger))
    assert found.by_variant == {
        "001": Difference(pytest.approx(0.2), 1, 0, 0),
        "110": Difference(pytest.approx((0.25 + 0 - 0.075) / 3), 1, 1, 1),
    }


def test_all_variants_of_a_split_count_once_with_their_mean(ledger, trainings):
    add_splits(trainings, {"000": (0.5, 0.5), "110": (0.75, 0.25), "011": (0.45, 0.55), "int": (0.45, None)})
    (found,) = find(trained(ledger))
    assert found.sparse == Difference(pytest.approx((0.05 - 0.1) / 2), 1, 0, 1)  # of five pairs, two are above 0


def test_seeds_and_widths_on_one_split_count_once_and_other_data_apart(ledger, trainings):
    for columns in ({}, {"seed": 1}, {"width": 4}, {"dataset": "corner", "features": 2}):
        trainings.run("000", 0, 0.5, **columns)
        trainings.run("100", 0, 0.75, **columns)
    (found,) = find(trained(ledger))
    assert found.sparse == found.by_variant["100"] == Difference(0.25, 2, 0, 0)


@pytest.mark.parametrize(
    ("difference", "p", "is_above"),
    [
        (Difference(0.1, 5, 3, 0), 2 / 2**5, None),
        (Difference(0.1, 6, 2, 0), 2 / 2**6, True),
        (Difference(-0.1, 0, 2, 6), 2 / 2**6, False),
        (Difference(0.1, 7, 0, 1), 2 * 9 / 2**8, None),
        (Difference(0.1, 8, 0, 1), 2 * 10 / 2**9, True),
        (Difference(-0.1, 8, 0, 1), 2 * 10 / 2**9, None),
        (Difference(0.0, 6, 0, 0), 2 / 2**6, None),
        (Difference(0.1, 4, 0, 4), 1, None),
        (Difference(0.0, 0, 3, 0), 1, None),
        (Difference(None, 0, 0, 0), 1, None),
    ],
)
def test_a_finding_needs_the_sign_test_and_the_sign_of_the_mean(difference, p, is_above):
    assert difference.p == pytest.approx(p)
    assert difference.is_above is is_above


def test_with_fewer_splits_than_the_least_the_sign_test_never_decides():
    assert Difference(1.0, LEAST_SPLITS, 0, 0).is_above
    assert Difference(1.0, LEAST_SPLITS - 1, 0, 0).is_above is None


def test_a_term_is_compared_with_the_same_other_terms_without_it(ledger, trainings):
    add_splits(trainings, {"000": (0.5,), "100": (0.9,), "010": (0.7,), "001": (0.55,), "int": (0.1,)})
    (found,) = find(trained(ledger))
    assert found.by_flag == {
        "weights": Difference(pytest.approx(0.4), 1, 0, 0),
        "activations": Difference(pytest.approx(0.2), 1, 0, 0),
        "neurons": Difference(pytest.approx(0.05), 1, 0, 0),
    }
    trainings.run("101", 0, 0.75)  # beside 001, for the weights, and beside 100, for the neurons
    (found,) = find(trained(ledger))
    assert found.by_flag == {
        "weights": Difference(pytest.approx((0.4 + 0.2) / 2), 1, 0, 0),
        "activations": Difference(pytest.approx(0.2), 1, 0, 0),
        "neurons": Difference(pytest.approx((0.05 - 0.15) / 2), 0, 0, 1),
    }


GAIN, LOSS = Difference(0.1, 6, 0, 0), Difference(-0.1, 0, 0, 6)
MORE, UNSURE, UNKNOWN = Difference(0.2, 6, 0, 0), Difference(0.2, 5, 0, 1), Difference(None, 0, 0, 0)


@pytest.mark.parametrize(
    ("weights", "activations", "neurons", "holds"),
    [
        (MORE, GAIN, LOSS, True),
        (UNSURE, GAIN, LOSS, None),  # the largest mean, by chance
        (GAIN, MORE, LOSS, False),
        (GAIN, LOSS, UNSURE, None),  # a larger mean, by chance
        (LOSS, LOSS, LOSS, False),
        (GAIN, GAIN, LOSS, None),
        (MORE, GAIN, UNKNOWN, None),
        (UNKNOWN, MORE, LOSS, None),
    ],
)
def test_the_weights_matter_most_by_their_test_and_the_largest_mean(
    ledger, trainings, weights, activations, neurons, holds
):
    trainings.run("000", 0, 0.5)
    (found,) = find(trained(ledger))
    by_flag = {"weights": weights, "activations": activations, "neurons": neurons}
    assert replace(found, by_flag=by_flag).weights_matter_most is holds


@pytest.mark.parametrize(("plain", "is_above"), [(0.5, True), (0.8, None), (0.9, False)])
def test_overfitting_is_tested_by_the_excess_of_each_split(ledger, trainings, plain, is_above):
    for split in range(6):
        trainings.run("000", split, plain, 1.0)
        trainings.run("111", split, 0.75, 0.9)
        trainings.run("int", split, 0.75, 1.0)
    trainings.run("000", 6, 0.0, 1.0)  # without another variant on its split
    (found,) = find(trained(ledger))
    own = found.overfitting
    assert (own.plain, own.others) == (pytest.approx(1 - plain), pytest.approx((0.15 + 0.25) / 2))
    assert own.difference.mean == pytest.approx(1 - plain - 0.2)
    assert own.difference.splits == 6
    assert own.difference.is_above is is_above


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
