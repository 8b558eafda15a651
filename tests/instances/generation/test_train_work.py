"""The generation of training problems: the same bytes in every way, rows that say what the files hold, and repair."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.folders import contents
from support.progress import StepRecorder
from support.suites import SMALL_SUITE, TRAIN_SUITE
from vnnbench.cli import run_command
from vnnbench.instances.errors import LibraryError, PropertyError, SuiteError
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.generation.generate import generate, work_of
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.layout import CATALOG, INSTANCES, STATE, model_file, property_file
from vnnbench.instances.library.checks import check_files, check_row
from vnnbench.instances.library.library import Library
from vnnbench.instances.suites.suite_toml import parse_suite

SUITE = parse_suite(TRAIN_SUITE, "train")
PROBLEMS = ["corner-2n-f101-s0", "corner-2n-f101-s3", "corner-2n-int-s0", "corner-2n-int-s3"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A library of the suite; do not change it."""
    return generate(SUITE, tmp_path_factory.mktemp("whole") / "library").folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of `whole` that a test may damage."""
    return shutil.copytree(whole, tmp_path / "library")


def test_a_library_holds_problems_and_models_and_no_networks(whole):
    library = Library.open(whole)
    assert (library.suite, library.suite_sha256, library.seeds) == (SUITE.name, SUITE.sha256, (0, 3))
    assert [row.instance for row in library.rows] == [instance.name for instance in SUITE.instances()]
    files = {path for instance in SUITE.instances() for path in instance.files()}
    assert set(library.hashes) == files | {CATALOG, INSTANCES}
    assert {path.name for path in whole.iterdir() if path.is_dir()} == {"models", "properties"}


def test_rows_say_what_the_files_hold(whole):
    library = Library.open(whole)
    for row in library.rows:
        model, problem = read_mps(library.model_path(row)), library.read_problem(row)
        assert isinstance(problem, TrainProblem)
        prop = problem.property
        assert (row.family, row.dataset, row.seed) == ("train", "corner", prop.split.number)
        assert (row.depth, row.width, row.bounds, row.pruning) == (1, 2, "none", "none")
        assert (row.network, row.dense_network, row.accuracy, row.unstable) == (None, None, None, None)
        assert (row.variant, row.samples, row.features) == (prop.variant.name, 8, 2)
        assert row.equality_rows == model.senses.count("E") > 0
        assert row.centre_value == -8.0  # the network without weights errs once for each sample
        assert model.name == row.instance
        assert row.instance.startswith(row.problem) and row.instance.endswith(f"--{row.formulation}")
    assert {row.variant for row in library.rows} == {"101", "int"}


def test_the_integer_variant_has_integer_inputs(whole):
    library = Library.open(whole)
    largest = {}
    for row in library.rows:
        inputs = library.read_problem(row).property.training.inputs
        largest[row.variant] = inputs.max()
        if row.variant == "int":
            assert (inputs == np.rint(inputs)).all()
    assert largest == {"101": 1.0, "int": 10.0}


def test_check_finds_nothing_in_a_fresh_library(whole):
    library = Library.open(whole)
    assert list(check_files(library)) == []
    assert [finding for row in library.rows for finding in check_row(library, row)] == []


def test_check_counts_the_equations(whole):
    library = Library.open(whole)
    wrong = replace(library.rows[0], equality_rows=1)
    (finding,) = check_row(library, wrong)
    assert "equality_rows is 1, but" in finding.what


def test_files_do_not_depend_on_jobs_selection_or_interruptions(whole, tmp_path, worker_processes):
    hashes = Library.open(whole).hashes
    assert generate(SUITE, tmp_path / "jobs", GenerationOptions(jobs=2)).hashes == hashes
    with pytest.raises(KeyboardInterrupt):
        generate(SUITE, tmp_path / "stopped", progress=StepRecorder(interrupt_after=2))
    steps = StepRecorder()
    assert generate(SUITE, tmp_path / "stopped", progress=steps).hashes == hashes
    assert (steps.total, steps.done) == (4, 2) and steps.descriptions == PROBLEMS[2:]
    assert not (tmp_path / "stopped" / STATE).exists()


def test_a_selection_makes_its_own_files_alone(whole, tmp_path):
    library = generate(SUITE, tmp_path / "one", select=["*-int-s3--tight"])
    assert [row.instance for row in library.rows] == ["corner-2n-int-s3--tight"]
    for relative in (model_file("corner-2n-int-s3--tight"), property_file("corner-2n-int-s3")):
        assert (library.folder / relative).read_bytes() == (whole / relative).read_bytes()


@pytest.mark.parametrize(
    ("lost", "made"),
    [
        ([model_file(f"{PROBLEMS[1]}--tight")], PROBLEMS[1:2]),
        ([property_file(PROBLEMS[0]), model_file(f"{PROBLEMS[3]}--plain")], [PROBLEMS[0], PROBLEMS[3]]),
        ([CATALOG], PROBLEMS),
        ([INSTANCES], []),
    ],
)
def test_lost_files_are_made_again_with_as_little_work_as_possible(folder, whole, lost, made):
    (folder / lost[0]).unlink()
    for relative in lost[1:]:
        (folder / relative).write_bytes(b"altered")
    steps = StepRecorder()
    generate(SUITE, folder, progress=steps)
    assert contents(folder) == contents(whole)
    assert (steps.n_mended, steps.descriptions) == (len(lost), made)


def test_a_library_of_another_version_of_the_suite_is_left_alone(folder, whole):
    other = parse_suite(TRAIN_SUITE.replace("training_samples = 8", "training_samples = 9"), "train")
    with pytest.raises(LibraryError, match="complete library of another version of suite tiny-train"):
        generate(other, folder)
    assert contents(folder) == contents(whole)


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("--data", GenerationOptions(data_folder=Path("data"))),
        ("--key", GenerationOptions(key_file=Path("key"))),
        ("--device", GenerationOptions(device="cuda")),
    ],
)
def test_options_about_trained_networks_are_refused(tmp_path, option, options):
    with pytest.raises(SuiteError, match=f"^{option}: suite tiny-train trains no networks .*leave {option} out$"):
        generate(SUITE, tmp_path / "library", options)
    assert not (tmp_path / "library").exists()


def test_networks_of_another_library_are_refused(tmp_path):
    networks = generate(parse_suite(SMALL_SUITE, "small"), tmp_path / "networks")
    with pytest.raises(SuiteError, match="--networks: suite tiny-train trains no networks"):
        work_of(SUITE, (), GenerationOptions(networks_from=networks))


def test_what_is_too_large_for_solvers_is_one_line_and_leaves_no_library(tmp_path):
    text = TRAIN_SUITE.replace("neurons = 2", "neurons = 2\nweight_limit = 100").replace('"101", ', "")
    wide = text.replace('"corner"\ntraining_samples = 8', '"digits-pair"')
    with pytest.raises(PropertyError, match="digits-pair: an integer network needs a big-M"):
        generate(parse_suite(wide, "wide"), tmp_path / "library")
    assert not (tmp_path / "library").exists()


def test_a_dry_run_counts_instances_and_writes_nothing(tmp_path, capsys):
    (tmp_path / "suite.toml").write_text(TRAIN_SUITE)
    command = ["generate", str(tmp_path / "suite.toml"), "--out", str(tmp_path / "library"), "--dry-run"]
    assert run_command([*command, "--select", "*--tight"]) == 0
    printed = capsys.readouterr().out
    assert "instances       4     0      4" in printed
    assert not any(word in printed for word in ("trained", "finetuned", "batch"))
    assert not (tmp_path / "library").exists()
