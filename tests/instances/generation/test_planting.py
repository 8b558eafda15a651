"""Planted answers are true, and only the sealed file says where they are."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import vnnbench.instances.generation.planting
from support.solving import optimum_of_file
from vnnbench.instances.bounds.levels import BoundLevel, value_bound
from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.errors import LibraryError, SuiteError
from vnnbench.instances.families import read_problem
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.planting import ACCURACY_LOSS, _Site, plant
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.library.checks import check_files, check_lifting, check_row, check_seal
from vnnbench.instances.library.sealed_answers import PlantedCounterexample, PlantedRobustness, read_seal
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.pruning import prune
from vnnbench.instances.onnx_files.reader import read_perceptron
from vnnbench.instances.properties.property_file import read_property
from vnnbench.instances.suites.sampling import draw_property
from vnnbench.instances.suites.suite_toml import parse_suite
from vnnbench.instances.training.dense import train

SUITE = """
name = "planted"
dataset = "digits"
input_sides = [8]
architectures = ["2x8"]
seeds = [0, 1, 2, 3, 4, 5]
formulations = ["tight"]

[training]
epochs = 40

[[property]]
norm = "l1"
radius = [1.0, 3.0]

[[property]]
norm = "linf"
goal = "untargeted"
radius = [0.02, 0.1]

[planted]
counterexample = 2
robust = 2

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
"""


class Interrupting:
    """Progress that interrupts after the first step."""

    def start(self, total, done): ...

    def advance(self, description):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The library of SUITE, whose answers are drawn by the suite itself."""
    return generate(parse_suite(SUITE, "planted"), tmp_path_factory.mktemp("planted") / "library")


@pytest.fixture(scope="module")
def trained():
    """The networks of SUITE before anything is planted, by seed."""
    suite = parse_suite(SUITE, "planted")
    (group,) = suite.groups()
    results = train(load_dataset("digits", 8), group.hidden_widths, group.seeds, suite.training)
    return {result.seed: result for result in results}


def dense_rows(library, answer):
    """Return the dense rows of the planted problems with this kind of answer, and the answers."""
    rows = {row.problem: row for row in library.rows if row.pruning == "none"}
    return [(rows[p.problem], p.answer) for p in read_seal(library).problems if isinstance(p.answer, answer)]


def centre_value(library, row):
    problem = read_problem(library.property_path(row))
    return problem.evaluate(ExactNetwork(read_perceptron(library.dense_network_path(row))), problem.centre)


def test_as_many_are_planted_as_the_suite_says(planted):
    assert len(dense_rows(planted, PlantedCounterexample)) == len(dense_rows(planted, PlantedRobustness)) == 2
    assert len({row.dense_network for answer in (PlantedCounterexample, PlantedRobustness)
                for row, _ in dense_rows(planted, answer)}) == 4  # fmt: skip


def test_a_planted_counterexample_is_one_in_exact_arithmetic_and_a_narrow_one(planted, tmp_path):
    for row, answer in dense_rows(planted, PlantedCounterexample):
        problem = read_problem(planted.property_path(row))
        point = np.array(answer.point)
        value = problem.evaluate(ExactNetwork(read_perceptron(planted.dense_network_path(row))), point)
        assert problem.violation(point) == 0
        assert 0 < Fraction(answer.value) <= value < Fraction(np.nextafter(answer.value, 1))
        height = value - centre_value(planted, row)
        assert 0.9 < 256 * value / height < 1.1
        assert optimum_of_file("highs", planted.model_path(row), tmp_path) > answer.value - 1e-6


def test_the_clean_input_keeps_its_class(planted):
    assert all(centre_value(planted, row) < 0 for row in planted.rows)


def test_no_solver_finds_more_than_a_planted_bound(planted, tmp_path):
    for row, answer in dense_rows(planted, PlantedRobustness):
        assert answer.bound < 0
        assert optimum_of_file("highs", planted.model_path(row), tmp_path) <= answer.bound + 1e-6
        height = answer.bound - float(centre_value(planted, row))
        assert 0.9 < -256 * answer.bound / height < 1.1


def test_the_bound_is_that_of_the_network_as_stored(planted):
    for row, answer in dense_rows(planted, PlantedRobustness):
        prop = read_property(planted.property_path(row))
        network = read_perceptron(planted.dense_network_path(row))
        assert answer.bound == pytest.approx(value_bound(network, prop, answer.level), rel=1e-12)
        assert value_bound(network, prop, BoundLevel.BACKWARD) >= answer.bound


def test_one_bias_is_all_that_changes_and_in_planted_and_other_networks_alike(planted, trained):
    for row in planted.rows:
        before, after = trained[row.seed], read_perceptron(planted.dense_network_path(row))
        assert all((a == b).all() for a, b in zip(before.network.weights, after.weights, strict=True))
        assert all((a == b).all() for a, b in zip(before.network.biases[:-1], after.biases[:-1], strict=True))
        assert (before.network.biases[-1] != after.biases[-1]).sum() == 1
        assert row.dense_accuracy >= before.test_accuracy - ACCURACY_LOSS


def test_surrogates_are_pruned_from_the_changed_network(planted):
    for row in (row for row in planted.rows if row.pruning == "magnitude"):
        dense, own = (read_perceptron(path(row)) for path in (planted.dense_network_path, planted.network_path))
        expected = prune(dense, structure="unstructured", rate=0.5)
        assert all((a == b).all() for a, b in zip(own.weights, expected.weights, strict=True))
        assert (own.biases[-1] == dense.biases[-1]).all()


def test_a_library_with_planted_answers_passes_its_checks(planted):
    found = [*check_files(planted), *check_seal(planted, planted.rows)]
    found += [f for row in planted.rows for f in (*check_row(planted, row), *check_lifting(planted, row))]
    assert found == []


def test_only_the_sealed_file_says_what_is_planted(planted):
    """Names, catalogue, timings and provenance have the same keys for all, and do not mention what is planted."""
    for name in ("catalog.csv", "timings.csv", "library.json"):
        text = (planted.folder / name).read_text()
        assert "planted" not in text.replace(",planted,", ",,").replace('"suite": "planted"', "")
    provenance = json.loads((planted.folder / "provenance.json").read_bytes())
    assert len({tuple(facts) for facts in provenance["networks"].values()}) == 1
    assert provenance["suite"]["planted"] == {"counterexample": 2, "robust": 2}
    assert read_seal(planted).key not in json.dumps(provenance)
    assert len({tuple(planted.timings(row.instance)) for row in planted.rows}) == 1
    assert len({planted.timings(row.instance)["train_seconds"] for row in planted.rows}) == 1


@pytest.mark.usefixtures("worker_processes")
def test_jobs_threads_and_interruptions_do_not_show(planted, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    suite, folder = parse_suite(SUITE, "planted"), tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        generate(suite, folder, GenerationOptions(jobs=2), progress=Interrupting())
    again = generate(suite, folder, GenerationOptions(jobs=2))
    assert again.hashes == planted.hashes


def test_a_selection_has_the_networks_and_answers_of_the_whole_suite(planted, tmp_path):
    whole = read_seal(planted)
    chosen = whole.problems[0]
    library = generate(parse_suite(SUITE, "planted"), tmp_path / "library", select=[f"{chosen.problem}--*"])
    seal = read_seal(library)
    assert seal.key == whole.key
    assert [(p.problem, p.answer, p.dense_sha256) for p in seal.problems] == [
        (chosen.problem, chosen.answer, chosen.dense_sha256)
    ]
    assert list(check_seal(library, library.rows)) == []


def test_another_key_draws_others_and_the_same_key_the_same(planted, trained, tmp_path):
    suite = parse_suite(SUITE, "planted")
    (group,) = suite.groups()
    networks, dataset = [result.network for result in trained.values()], load_dataset("digits", 8)

    def draw(key):
        return [(made.problem, made.answer) for made in plant(suite, group, networks, dataset, key)]

    draws = [draw(key) for key in ("a", "b", "c")]
    assert len({tuple(problem for problem, _ in drawn) for drawn in draws}) > 1
    assert draw("a") == draws[0]
    by_suite = [made for made in draw(read_seal(planted).key) if made[0] is not None]
    assert sorted(by_suite) == sorted((p.problem, p.answer) for p in read_seal(planted).problems)


def test_a_key_file_decides_and_another_one_is_refused(planted, tmp_path):
    suite, select = parse_suite(SUITE, "planted"), ["*-s0-l1--*"]
    (tmp_path / "key").write_text("correct horse battery staple")
    library = generate(suite, tmp_path / "library", GenerationOptions(key_file=tmp_path / "key"), select=select)
    assert read_seal(library).key != read_seal(planted).key
    assert generate(suite, library.folder, GenerationOptions(key_file=tmp_path / "key"), select=select) == library
    with pytest.raises(LibraryError, match="planted by another --key; name another folder"):
        generate(suite, library.folder, select=select)


def test_a_file_that_is_not_a_key_is_one_line(tmp_path):
    suite, plain = parse_suite(SUITE, "planted"), parse_suite(SUITE.replace("[planted]", "").replace(
        "counterexample = 2\nrobust = 2\n", ""), "plain")  # fmt: skip
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "key").write_text("k")
    for asked, name, message in (
        (suite, "empty", "empty: is empty"),
        (suite, "nowhere", "nowhere: cannot be read"),
        (plain, "key", "plants no answers; leave --key"),
    ):
        with pytest.raises(SuiteError, match=message):
            generate(asked, tmp_path / "library", GenerationOptions(key_file=tmp_path / name))
        assert not (tmp_path / "library").exists()


def test_networks_of_another_library_bring_their_answers(planted, tmp_path):
    suite = parse_suite(SUITE, "planted")
    copy = generate(suite, tmp_path / "copy", GenerationOptions(networks_from=planted))
    assert copy.hashes == planted.hashes
    (tmp_path / "key").write_text("another")
    other = parse_suite(SUITE.replace("robust = 2", "robust = 1"), "planted")
    for asked, key in ((suite, tmp_path / "key"), (other, None)):
        with pytest.raises(LibraryError, match="--networks must be a library of suite planted with its sealed file"):
            generate(asked, tmp_path / "no", GenerationOptions(networks_from=planted, key_file=key))
    assert not (tmp_path / "no").exists()


def test_more_than_the_networks_can_take_is_one_line(tmp_path):
    # In so large a ball every class wins somewhere: preventing that costs the network its accuracy.
    suite = SUITE.replace("radius = [1.0, 3.0]", "radii = [30.0]").replace("radius = [0.02, 0.1]", "radii = [0.9]")
    suite = suite.replace("[0, 1, 2, 3, 4, 5]", "[0, 1]").replace("epochs = 40", "epochs = 10")
    with pytest.raises(SuiteError, match=r"only \d of 2 answers \(robust\) can be planted in digits-8x8-2x8") as caught:
        generate(parse_suite(suite.replace("counterexample = 2", "counterexample = 0"), "large"), tmp_path / "library")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "library").exists()


def test_a_change_by_which_the_seed_draws_another_problem_is_refused(trained, monkeypatch):
    suite, dataset, seed = parse_suite(SUITE, "planted"), load_dataset("digits", 8), 0
    (group,), plan, network = suite.groups(), suite.properties()[0], trained[seed].network
    site = _Site(group, seed, network, plan, draw_property(network, dataset, seed, plan), dataset)
    monkeypatch.setattr(vnnbench.instances.generation.planting, "ACCURACY_LOSS", 1.0)
    assert site.shifted(0.01) is not None
    assert site.shifted(1000.0) is None  # the image's class never wins, so the seed takes another image
