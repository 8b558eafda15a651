"""What generating takes is foretold: the very networks and instances that are then made."""

import pytest

from support.progress import ToldSteps
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.generation.forecast import forecast
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.layout import STATE
from vnnbench.instances.suites.suite_toml import parse_suite

TEXT = """
name = "foretold"
description = "two architectures, finetuned surrogates"
dataset = "digits"
input_sides = [8]
architectures = ["1x4", "1x6"]
seeds = [0, 1, 2]
formulations = ["tight"]

[training]
epochs = 30

[finetuning]
rounds = 2
epochs = 1

[property]
norm = "l1"
radius = [1.0, 4.0]

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
finetuned = [true]
"""
SELECT = ["digits-8x8-1x6-s1-l1-mag-u50-ft--tight"]


@pytest.fixture
def suite():
    return parse_suite(TEXT, "foretold")


def counts(work):
    return work.wanted, work.made, work.before, work.left


def test_a_whole_suite_is_foretold(suite, tmp_path):
    told = forecast(suite, tmp_path / "library")
    assert (counts(told.trained), counts(told.finetuned)) == ((6, 6, 0, 6), (6, 6, 0, 6))
    assert counts(told.instances) == (suite.n_instances, suite.n_instances, 0, suite.n_instances)
    assert (told.hours_left, told.bytes_in_all) == (None, None)
    assert not (tmp_path / "library").exists()


def test_one_instance_needs_whole_batches(suite, tmp_path):
    told = forecast(suite, tmp_path / "library", SELECT)
    assert (counts(told.trained), counts(told.finetuned)) == ((1, 3, 0, 3), (1, 3, 0, 3))
    assert counts(told.instances) == (1, 1, 0, 1)


def test_networks_of_another_library_are_not_trained(suite, tmp_path):
    told = forecast(suite, tmp_path / "library", networks_given=True)
    assert (counts(told.trained), counts(told.finetuned)) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_what_is_there_counts_and_tells_how_long_the_rest_takes(suite, tmp_path):
    folder = tmp_path / "library"
    steps = 2 + 2 + 1  # trained groups, finetuned ones, a network's instances
    with pytest.raises(KeyboardInterrupt):
        generate(suite, folder, progress=ToldSteps(interrupt_after=steps))
    assert (folder / STATE).is_dir()
    told = forecast(suite, folder)
    assert (told.trained.left, told.finetuned.left) == (0, 0)
    of_a_network = suite.n_instances // 6
    assert told.instances.left in range(of_a_network, suite.n_instances, of_a_network)
    assert told.instances.seconds is not None and told.hours_left == told.instances.seconds_left / 3600 > 0
    generate(suite, folder)
    n_bytes = sum(path.stat().st_size for part in ("models", "networks") for path in (folder / part).iterdir())
    assert told.bytes_in_all == pytest.approx(n_bytes, rel=0.5)


def test_of_a_complete_library_nothing_is_left(suite, tmp_path):
    generate(suite, tmp_path / "library", select=SELECT)
    told = forecast(suite, tmp_path / "library", SELECT)
    assert (told.trained.left, told.finetuned.left, told.instances.left, told.hours_left) == (0, 0, 0, 0.0)


def test_a_selection_of_nothing_is_refused(suite, tmp_path):
    with pytest.raises(LibraryError, match="nosuch"):
        forecast(suite, tmp_path / "library", ["nosuch*"])
