"""The forecast of generating counts the very networks and instances that are then made."""

import pytest

from support.progress import StepRecorder
from support.suites import SMALL_SUITE
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.generation.forecast import forecast
from vnnbench.instances.generation.generate import generate, work_of
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.layout import STATE
from vnnbench.instances.library.library import Library
from vnnbench.instances.suites.suite_toml import parse_suite

TEXT = (
    SMALL_SUITE.replace('["1x6"]', '["1x4", "1x6"]')
    .replace("[0, 1]", "[0, 1, 2]")
    .replace("epochs = 12", "epochs = 30")
    + "finetuned = [true]\n\n[finetuning]\nrounds = 2\nepochs = 1\n"
)
"""Six networks, each with a finetuned surrogate."""
SELECT = ["digits-8x8-1x6-s1-l1-mag-u50-ft--tight"]


@pytest.fixture
def suite():
    return parse_suite(TEXT, "foretold")


def plan_of(suite, select=()):
    return work_of(suite, select, GenerationOptions()).plan()


def counts(work):
    return work.batches.wanted, work.batches.made, work.before, work.left


def test_a_whole_suite_is_forecast(suite, tmp_path):
    told = forecast(plan_of(suite), tmp_path / "library")
    assert (counts(told.trained), counts(told.finetuned)) == ((6, 6, 0, 6), (6, 6, 0, 6))
    assert counts(told.instances) == (suite.n_instances, suite.n_instances, 0, suite.n_instances)
    assert (told.hours_left, told.bytes_in_all) == (None, None)
    assert not (tmp_path / "library").exists()


def test_one_instance_needs_whole_batches(suite, tmp_path):
    told = forecast(plan_of(suite, SELECT), tmp_path / "library")
    assert (counts(told.trained), counts(told.finetuned)) == ((1, 3, 0, 3), (1, 3, 0, 3))
    assert counts(told.instances) == (1, 1, 0, 1)


def test_networks_of_another_library_are_not_trained(suite, tmp_path, tiny_library):
    options = GenerationOptions(networks_from=Library.open(tiny_library))
    told = forecast(work_of(suite, (), options).plan(), tmp_path / "library")
    assert (counts(told.trained), counts(told.finetuned)) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_existing_instances_count_and_their_times_forecast_the_rest(suite, tmp_path):
    folder = tmp_path / "library"
    steps = 2 + 2 + 1  # trained groups, finetuned ones, a network's instances
    with pytest.raises(KeyboardInterrupt):
        generate(suite, folder, progress=StepRecorder(interrupt_after=steps))
    assert (folder / STATE).is_dir()
    told = forecast(plan_of(suite), folder)
    assert (told.trained.left, told.finetuned.left) == (0, 0)
    of_a_network = suite.n_instances // 6
    assert told.instances.left in range(of_a_network, suite.n_instances, of_a_network)
    assert told.instances.seconds is not None and told.hours_left == told.instances.seconds_left / 3600 > 0
    generate(suite, folder)
    n_bytes = sum(path.stat().st_size for part in ("models", "networks") for path in (folder / part).iterdir())
    assert told.bytes_in_all == pytest.approx(n_bytes, rel=0.5)


def test_a_complete_library_needs_nothing(suite, tmp_path):
    generate(suite, tmp_path / "library", select=SELECT)
    told = forecast(plan_of(suite, SELECT), tmp_path / "library")
    assert (told.trained.left, told.finetuned.left, told.instances.left, told.hours_left) == (0, 0, 0, 0.0)


def test_a_selection_of_nothing_is_refused(suite):
    with pytest.raises(LibraryError, match="nosuch"):
        plan_of(suite, ["nosuch*"])
