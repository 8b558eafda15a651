"""The generation of training problems: the same bytes in every way, rows that say what the files hold, and repair."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.command_lines import one_error_line
from support.folders import contents
from support.progress import StepRecorder
from support.suites import SMALL_SUITE, TRAIN_SUITE
from vnnbench.cli import run_command
from vnnbench.instances.errors import DataError, LibraryError, PropertyError, SuiteError
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.generation.generate import generate, work_of
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.layout import CATALOG, INSTANCES, STATE, model_file, property_file
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.library import Library
from vnnbench.instances.suites.suite_toml import load_suite, parse_suite

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


def test_check_finds_nothing_where_samples_are_merged(tmp_path):
    (tmp_path / "same.csv").write_text("x,class\n" + "0,a\n1,b\n2,a\n" * 6)
    text = TRAIN_SUITE.replace('dataset = "corner"', 'csv = "same.csv"\ntarget = "class"').replace("101", "010")
    library = generate(parse_suite(text, str(tmp_path / "suite.toml")), tmp_path / "library")
    assert {row.formulation for row in library.rows if 0 < row.constant_rounding < 1e-15} == {"tight"}
    assert [finding for row in library.rows for finding in check_lifting(library, row)] == []


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
    with pytest.raises(PropertyError, match=r"digits-pair: a big-M of .* needs an epsilon"):
        generate(parse_suite(wide, "wide"), tmp_path / "library")
    assert not (tmp_path / "library").exists()


def test_a_folder_of_data_sets_is_refused_where_no_data_set_is_read_from_it(tmp_path):
    with pytest.raises(DataError, match=r"--data .*: the folder is not needed"):
        generate(SUITE, tmp_path / "library", GenerationOptions(data_folder=tmp_path))


ZOO_SUITE = TRAIN_SUITE.replace('"corner"', '"zoo"').replace("neurons = 2", "neurons = 3")


def write_zoo(folder, first=0):
    """Write a table of the form of zoo, whose numbers count up from `first`."""
    table = np.arange(first, first + 101 * 16).reshape(101, 16)
    lines = [f"animal{i}," + ",".join(map(str, row)) + f",type{i % 7}" for i, row in enumerate(table.tolist())]
    header = ",".join(["animal", *(f"has{j}" for j in range(16)), "type"])
    (folder / "zoo.csv").write_text("\n".join([header, *lines]))


def test_a_table_of_openml_is_read_from_the_folder_of_data_sets(tmp_path):
    write_zoo(tmp_path)
    (tmp_path / "suite.toml").write_text(ZOO_SUITE)
    command = ["generate", str(tmp_path / "suite.toml"), "--out", str(tmp_path / "library"), "--data", str(tmp_path)]
    assert run_command([*command, "--select", "zoo-3n-f101-s0--*"]) == 0
    row = Library.open(tmp_path / "library").rows[0]
    assert (row.dataset, row.samples, row.features, row.width) == ("zoo", 8, 16, 3)


def test_a_generation_is_not_continued_with_another_table_of_openml(tmp_path):
    write_zoo(tmp_path)
    suite, options = parse_suite(ZOO_SUITE, "zoo"), GenerationOptions(data_folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        generate(suite, tmp_path / "library", options, progress=StepRecorder(interrupt_after=2))
    write_zoo(tmp_path, first=7)
    for other in (options, GenerationOptions()):
        with pytest.raises(LibraryError, match="unfinished generation with tables_sha256"):
            generate(suite, tmp_path / "library", other)
    write_zoo(tmp_path)
    assert len(generate(suite, tmp_path / "library", options).rows) == 8


# -- CSV files ---------------------------------------------------------------------------------------------------

CSV = "size,weight,class\n" + "".join(f"{i},{i * i},{'abc'[i % 3]}\n" for i in range(20))


def write_suite(folder, csv=CSV, name="own.csv"):
    """Write a suite on a CSV file beside it, and return the suite's path."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(csv)
    suite = folder / "suite.toml"
    suite.write_text(TRAIN_SUITE.replace('dataset = "corner"', f'csv = "{name}"\ntarget = "class"'))
    return suite


def test_a_csv_file_beside_the_suite_makes_a_library_from_any_folder(tmp_path, monkeypatch):
    suite = write_suite(tmp_path / "mine")
    first = generate(load_suite(suite), tmp_path / "first")
    monkeypatch.chdir(suite.parent)
    assert generate(load_suite("suite.toml"), tmp_path / "second").hashes == first.hashes
    assert {(row.dataset, row.samples, row.features) for row in first.rows} == {("own", 8, 2)}
    assert first.read_problem(first.rows[0]).property.split.classes == ("a", "b", "c")


def test_a_changed_csv_file_is_another_version_of_the_suite(tmp_path):
    suite = write_suite(tmp_path / "mine")
    generate(load_suite(suite), tmp_path / "library")
    write_suite(tmp_path / "mine", CSV.replace("19,361", "19,360"))
    with pytest.raises(LibraryError, match="is a complete library of another version of suite tiny-train"):
        generate(load_suite(suite), tmp_path / "library")


def test_a_csv_file_that_changes_after_the_suite_was_read_is_noticed(tmp_path):
    suite = load_suite(write_suite(tmp_path / "mine"))
    write_suite(tmp_path / "mine", CSV.replace("19,361", "19,360"))
    with pytest.raises(DataError, match=r"own\.csv: was changed since the suite was read"):
        generate(suite, tmp_path / "library")
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        (CSV.replace("class", "kind"), "own.csv, line 1: has no target column 'class'"),
        (CSV.replace("3,9,", "3,,"), "own.csv, line 5, column 'weight': "),
        (CSV.replace("3,9,", "3,nine,"), "own.csv, line 5, column 'weight': "),
        (CSV.replace(",b", ",a").replace(",c", ",a"), "own.csv"),
        (CSV.replace("0,0,a", "0,0,d").replace("19,361,b", "19,361,e"), "own.csv, line 21, column 'class': class 'e'"),
    ],
)
def test_a_csv_file_that_cannot_be_trained_on_is_one_line(tmp_path, capsys, csv, message):
    suite = write_suite(tmp_path / "mine", csv)
    assert message in one_error_line(capsys, ["generate", str(suite), "--out", str(tmp_path / "library")])
    assert not (tmp_path / "library").exists()


def test_a_broken_csv_file_is_refused_before_work_is_announced(tmp_path, capsys):
    suite = write_suite(tmp_path / "mine", CSV.replace("3,9,", "3,nine,"))
    for more in ([], ["--dry-run"]):
        assert run_command(["generate", str(suite), "--out", str(tmp_path / "library"), *more]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.startswith("Error: ") and "own.csv, line 5" in printed.err


def test_a_csv_file_of_which_no_instance_is_selected_may_be_broken(tmp_path):
    suite = write_suite(tmp_path / "mine", CSV.replace("3,9,", "3,nine,"))
    suite.write_text(suite.read_text() + '[[data]]\ndataset = "corner"\n')
    work = work_of(load_suite(suite), ["corner-2n-*-s0--plain"], GenerationOptions())
    assert [instance.data.name for instance in work.instances] == ["corner-2n", "corner-2n"]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            "training_samples = 20",
            "own.csv, column 'class': training_samples is 20, it must be at least 3, one for eac",
        ),
        ("training_samples = 2", "training_samples is 2, it must be at least 3, one for each class, and at most 19, "),
        ("", "own.csv, column 'class': has 20 samples, half of them for training; these must be at least 20, one for"),
    ],
)
def test_the_number_of_training_samples_is_named_by_its_key(tmp_path, capsys, samples, message):
    classes = CSV if samples else "size,class\n" + "".join(f"{i},c{i}\n" for i in range(20))
    suite = write_suite(tmp_path / "mine", classes)
    suite.write_text(suite.read_text().replace("training_samples = 8", samples).replace("neurons = 2", "neurons = 5"))
    assert message in one_error_line(capsys, ["generate", str(suite), "--out", str(tmp_path / "library")])


# -- before it starts --------------------------------------------------------------------------------------------


def test_a_dry_run_counts_instances_and_writes_nothing(tmp_path, capsys):
    (tmp_path / "suite.toml").write_text(TRAIN_SUITE)
    command = ["generate", str(tmp_path / "suite.toml"), "--out", str(tmp_path / "library"), "--dry-run"]
    assert run_command([*command, "--select", "*--tight"]) == 0
    printed = capsys.readouterr().out
    assert "instances       4     0      4" in printed
    assert not any(word in printed for word in ("trained", "finetuned", "batch"))
    assert not (tmp_path / "library").exists()
