import json
import os
import signal
import subprocess
import sys
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from support.networks import make_network
from support.progress import StepRecorder
from support.suites import SMALL_SUITE
from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.errors import DataError, DeviceError, LibraryError, SuiteError
from vnnbench.instances.families import read_problem
from vnnbench.instances.files import write_atomic
from vnnbench.instances.generation import network_work
from vnnbench.instances.generation.checkpoint import load_record
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.instance_tasks import NetworkTask, make_instances
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.summary import grid_summary
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import accuracy
from vnnbench.instances.onnx_files.reader import read_perceptron
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.property_file import read_property
from vnnbench.instances.suites.suite_toml import load_suite, parse_suite
from vnnbench.instances.training import batched
from vnnbench.instances.training.plan import ONE_THREAD

BOTH = SMALL_SUITE.replace('"tight"', '"tight", "surrogatelib"')
FINETUNED = (
    SMALL_SUITE.replace("rates = [0.5]", "rates = [0.5]\nfinetuned = [false, true]")
    + """
[[pruning]]
method = "random"
structure = "structured"
rates = [0.5]
finetuned = [false, true]

[finetuning]
rounds = 2
epochs = 3
"""
)


def manifest(library):
    """Return the bytes of the library's manifest, which has the hash of every file."""
    return (library.folder / "library.json").read_bytes()


def findings(library):
    return [f for row in library.rows for f in (*check_row(library, row), *check_lifting(library, row))]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The library of the small suite in both formulations, made by one job."""
    return generate(parse_suite(BOTH, "both"), tmp_path_factory.mktemp("both") / "library")


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """The library of the small suite, made by one job."""
    return generate(parse_suite(SMALL_SUITE, "tight"), tmp_path_factory.mktemp("tight") / "library")


def test_a_library_has_the_instances_of_its_plan(both):
    assert [row.instance for row in both.rows] == [i.name for i in parse_suite(BOTH, "").instances()]
    assert both.suite == "small"
    assert both.seeds == (0, 1)
    assert not (both.folder / ".generation").exists()
    assert {path.name for path in both.folder.iterdir()} == {
        "library.json", "catalog.csv", "instances.csv", "timings.csv", "provenance.json", "networks", "properties",
        "models", "pictures",
    }  # fmt: skip


def test_a_network_is_stored_once(both):
    assert len(list((both.folder / "networks").iterdir())) == 2 * 2
    assert len(list((both.folder / "properties").iterdir())) == 2
    assert len(list((both.folder / "models").iterdir())) == 2 * 2 * 2


DYADIC = """
name = "dyadic"
family = "maximize"
inputs = [2]
architectures = ["1x4"]
seeds = [0]
formulations = ["tight", "surrogatelib"]
bounds = "interval"

[property]
norm = "box"

[[pruning]]
method = "random"
structure = "unstructured"
rates = [0.5]

[[pruning]]
method = "magnitude"
structure = "structured"
rates = [0.5]
"""


def test_instances_of_a_network_that_no_processor_rounds_are_these_forever(tmp_path):
    """The weights have few binary digits, so that every sum is exact: whatever else changes here makes other instances
    of every suite. Of its 12 weights one is zero; six more are pruned; two neurons go with six, the zero among them."""
    dense = make_network(
        ([[1, -0.5], [0.25, 0], [-1, 0.5], [0.5, 0.5]], [-0.25, 0, 0.5, -0.5]), ([[1, -1, 0.5, 0.25]], [0.125])
    )
    suite = parse_suite(DYADIC, "dyadic")
    planned = tuple(suite.instances())
    write_atomic(tmp_path / f"networks/{planned[0].dense_network}.onnx", onnx_bytes(dense))
    facts = {"test_accuracy": None, "train_seconds": None, "batch_size": None}
    task = NetworkTask(tmp_path, None, suite, planned, facts, {}, {}, threads=1)
    make_instances(task)
    rows = load_record(tmp_path, task.name).rows
    assert {(row["network"], row["formulation"]): row["instance_sha256"] for row in rows} == {
        (f"untrained-2-1x4-s0{suffix}", formulation): digest
        for suffix, *digests in (
            ("", "10d4112a6cdd0cf14135e5b8c4636a96edfc67c69b72bf35903404d67aba1c7f",
             "d648782d60d31f6e1eb502630251eb0fed347a83a65249f61e32890391cc7bef"),
            ("-rnd-u50", "918d4769c0a01e465142a3478d60f3c75b5dee60982cf564b9fc9d2b0004ae56",
             "ab798483761ae5e359c98cc13ebb749f844d67360d34ff083f16406b0ae0a9e9"),
            ("-mag-n50", "588857d1dea74e0d2d84207e710d2add3745801f0ccc7278fb0fac310fe6ab18",
             "30f40cc1dc2d0e563e0eeb31c17ccc8695c9b2ff85db48274097a4b145095e24"),
        )
        for formulation, digest in zip(("tight", "surrogatelib"), digests, strict=True)
    }  # fmt: skip
    assert [row["zero_share"] for row in rows[::2]] == [1 / 12, 7 / 12, 6 / 12]


def test_a_generated_library_passes_its_checks(both):
    assert list(check_files(both)) == []
    assert findings(both) == []


def test_the_catalogue_says_what_the_networks_do(both):
    digits = load_dataset("digits", 8)
    for row in both.rows:
        own, dense = read_perceptron(both.network_path(row)), read_perceptron(both.dense_network_path(row))
        assert row.accuracy == accuracy(own, digits.test_images, digits.test_labels)
        assert row.dense_accuracy == accuracy(dense, digits.test_images, digits.test_labels)
        problem = read_problem(both.property_path(row))
        assert row.centre_value == float(problem.evaluate(ExactNetwork(own), problem.centre))
        assert problem.evaluate(ExactNetwork(dense), problem.centre) < 0  # correctly classified
        assert (row.threshold, row.strict) == (0.0, 1)
        assert row.bounds == {"tight": "split", "surrogatelib": "box"}[row.formulation]
        assert row.stable_active + row.stable_inactive + row.unstable == 6
        assert row.zero_share == sum(int((W == 0).sum()) for W in own.weights) / (64 * 6 + 6 * 10)
    dense_row, surrogate_row = both.rows[0], both.rows[2]
    assert (dense_row.pruning, dense_row.structure, dense_row.rate) == ("none", "none", None)
    assert (surrogate_row.pruning, surrogate_row.structure, surrogate_row.rate) == ("magnitude", "unstructured", 0.5)


def test_the_picture_is_the_clean_input(both):
    row = both.rows[0]
    centre = read_property(both.property_path(row)).input_set.centre
    with Image.open(both.picture_path(row)) as image:
        assert image.mode == "L"
        assert (np.asarray(image).ravel() == np.rint(centre * 255)).all()


def test_timings_are_those_of_the_instance(both):
    dense, surrogate = both.timings(both.rows[0].instance), both.timings(both.rows[2].instance)
    assert dense["train_seconds"] == surrogate["train_seconds"] > 0
    assert dense["batch_size"] == 2
    assert dense["prune_seconds"] is None
    assert surrogate["prune_seconds"] > 0
    assert dense["finetune_seconds"] is None
    assert dense["bounds_seconds"] > 0
    assert both.timings(both.rows[1].instance)["bounds_seconds"] is None
    assert dense["export_seconds"] > 0
    assert dense["alone_train_seconds"] == surrogate["alone_train_seconds"] > 0
    assert dense["alone_finetune_seconds"] is None


def test_provenance_says_with_what_it_was_made(both):
    provenance = json.loads((both.folder / "provenance.json").read_bytes())
    assert {"numpy", "torch", "python"} <= set(provenance["versions"])
    assert provenance["suite"]["training"]["epochs"] == 12
    assert 0 < provenance["networks"]["digits-8x8-1x6-s1"]["train_accuracy"] <= 1


def test_the_grid_is_summed_up(both):
    summary = grid_summary(both)
    assert [(row.pruning, row.formulation, row.instances) for row in summary] == [
        ("none", "tight", 2),
        ("none", "surrogatelib", 2),
        ("magnitude", "tight", 2),
        ("magnitude", "surrogatelib", 2),
    ]
    assert {row.architecture for row in summary} == {"digits-8x8-1x6"}
    assert all(0 <= row.unstable_share <= 1 and row.model_bytes > 100 for row in summary)


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory):
    """The library of the small suite with random pruning and finetuning, made by one job."""
    return generate(parse_suite(FINETUNED, "ft"), tmp_path_factory.mktemp("ft") / "library")


def test_finetuned_surrogates_are_in_the_library(finetuned, tight):
    names = [row.instance for row in finetuned.rows if row.seed == 1]
    assert names == [
        f"digits-8x8-1x6-s1-l1{surrogate}--tight"
        for surrogate in ("", "-mag-u50", "-mag-u50-ft", "-rnd-n50", "-rnd-n50-ft")
    ]
    kinds = [(row.pruning, row.structure, row.rate, row.finetuned) for row in finetuned.rows if row.seed == 1]
    assert kinds[2:] == [
        ("magnitude", "unstructured", 0.5, 1), ("random", "structured", 0.5, 0), ("random", "structured", 0.5, 1),
    ]  # fmt: skip
    digits = load_dataset("digits", 8)
    for row in finetuned.rows:
        own = read_perceptron(finetuned.network_path(row))
        assert row.accuracy == accuracy(own, digits.test_images, digits.test_labels)
        assert own.hidden_widths == ((3,) if row.structure == "structured" else (6,))
        timings = finetuned.timings(row.instance)
        assert timings["batch_size"] == 2
        assert (timings["finetune_seconds"] or 0) > 0 if row.finetuned else timings["finetune_seconds"] is None
        assert ((timings["alone_finetune_seconds"] or 0) > 0) == bool(row.finetuned)
        assert (timings["prune_seconds"] is None) == (row.pruning == "none" or bool(row.finetuned))
    assert {r.instance: r for r in finetuned.rows}.items() >= {r.instance: r for r in tight.rows}.items()
    assert list(check_files(finetuned)) == []
    assert [
        finding for row in finetuned.rows for finding in (*check_row(finetuned, row), *check_lifting(finetuned, row))
    ] == []
    assert [row.finetuned for row in grid_summary(finetuned)] == [0, 0, 1, 0, 1]
    provenance = json.loads((finetuned.folder / "provenance.json").read_bytes())
    assert provenance["suite"]["finetuning"] == {"rounds": 2, "epochs": 3}


def test_one_finetuned_instance_has_the_bytes_of_the_whole_suite(finetuned, tmp_path):
    steps = StepRecorder()
    suite = parse_suite(FINETUNED, "ft")
    one = generate(suite, tmp_path / "one", select=["*-s1-l1-rnd-n50-ft--tight"], progress=steps)
    assert one.rows == (finetuned.row("digits-8x8-1x6-s1-l1-rnd-n50-ft--tight"),)
    assert sorted(path for path in one.hashes if path.startswith("networks/")) == [
        "networks/digits-8x8-1x6-s1-rnd-n50-ft.onnx",
        "networks/digits-8x8-1x6-s1.onnx",
    ]
    assert steps.descriptions == ["digits-8x8-1x6", "digits-8x8-1x6-rnd-n50-ft", "digits-8x8-1x6-s1"]
    assert not (one.folder / ".generation").exists()
    assert list(check_files(one)) == []


def test_instances_without_finetuning_do_not_wait_for_it(finetuned, tmp_path):
    steps = StepRecorder()
    plain = generate(parse_suite(FINETUNED, "ft"), tmp_path / "plain", select=["*-s0-l1-rnd-n50--*"], progress=steps)
    assert [row.instance for row in plain.rows] == ["digits-8x8-1x6-s0-l1-rnd-n50--tight"]
    assert steps.descriptions == ["digits-8x8-1x6", "digits-8x8-1x6-s0"]
    assert plain.rows[0] == finetuned.row(plain.rows[0].instance)


@pytest.mark.parametrize("interrupt_after", [1, 2])
def test_finetuning_goes_on_after_ctrl_c(finetuned, tmp_path, interrupt_after):
    suite, select, folder = parse_suite(FINETUNED, "ft"), ["*-s1-l1-rnd-n50-ft--tight"], tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        generate(suite, folder, select=select, progress=StepRecorder(interrupt_after))
    steps = StepRecorder()
    library = generate(suite, folder, select=select, progress=steps)
    assert (steps.total, steps.done) == (3, interrupt_after)
    assert library.rows == (finetuned.row("digits-8x8-1x6-s1-l1-rnd-n50-ft--tight"),)


def test_a_lost_network_of_an_unselected_seed_is_trained_again(finetuned, tmp_path):
    suite, select, folder = parse_suite(FINETUNED, "ft"), ["*-s1-l1-rnd-n50-ft--tight"], tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        generate(suite, folder, select=select, progress=StepRecorder(interrupt_after=1))
    (folder / ".generation" / "networks" / "digits-8x8-1x6-s0.onnx").write_bytes(b"cut off")
    steps = StepRecorder()
    library = generate(suite, folder, select=select, progress=steps)
    assert steps.done == 0
    assert library.rows == (finetuned.row("digits-8x8-1x6-s1-l1-rnd-n50-ft--tight"),)


def test_finetuned_networks_of_another_library_are_taken_too(finetuned, tight, tmp_path):
    suite, steps = parse_suite(FINETUNED, "ft"), StepRecorder()
    copy = generate(suite, tmp_path / "copy", GenerationOptions(networks_from=finetuned), progress=steps)
    assert manifest(copy) == manifest(finetuned)
    assert steps.done == 3  # the group and its two finetuned prunings
    instance = "digits-8x8-1x6-s0-l1-mag-u50-ft--tight"
    assert copy.timings(instance)["finetune_seconds"] == finetuned.timings(instance)["finetune_seconds"]
    with pytest.raises(LibraryError, match="lacks network digits-8x8-1x6-s0-mag-u50-ft"):
        generate(suite, tmp_path / "none", GenerationOptions(networks_from=tight))
    assert not (tmp_path / "none").exists()


SPR_SUITE = (
    SMALL_SUITE[: SMALL_SUITE.index("[[pruning]]")]
    .replace("epochs = 12", 'epochs = 12\noptimizer = "sgd"\nbatch_size = 32\nlearning_rate = 0.2\nweight_decay = 0.0')
    .replace("radius = [0.5, 1.5]", "radii = [0.5, 2.0]")
    + """
[[pruning]]
method = "spr"

[spr]
lambdas = [0.2, 0.5]
alphas = [0.5]
threshold = 0.05
accuracy_loss = 0.1
finetuning_epochs = 3
"""
)


@pytest.fixture(scope="module")
def regularized(tmp_path_factory):
    """A library of networks pruned by SPR, with two radii, made by one job."""
    return generate(parse_suite(SPR_SUITE, "spr"), tmp_path_factory.mktemp("spr") / "library")


def test_spr_surrogates_are_in_the_library(regularized):
    assert [row.instance for row in regularized.rows if row.seed == 1] == [
        f"digits-8x8-1x6-s1-l1-{rest}--tight" for rest in ("r0.5", "r0.5-spr-ft", "r2", "r2-spr-ft")
    ]
    digits = load_dataset("digits", 8)
    for row in regularized.rows:
        assert row.radius == (0.5 if "-r0.5" in row.instance else 2.0)
        own = read_perceptron(regularized.network_path(row))
        assert row.accuracy == accuracy(own, digits.test_images, digits.test_labels)
        if row.pruning == "spr":
            assert (row.structure, row.rate, row.finetuned) == ("structured", None, 1)
            assert regularized.timings(row.instance)["finetune_seconds"] > 0
    assert len([path for path in regularized.hashes if path.startswith("networks/")]) == 4
    assert list(check_files(regularized)) == []
    assert [
        finding
        for row in regularized.rows
        for finding in (*check_row(regularized, row), *check_lifting(regularized, row))
    ] == []
    networks = json.loads((regularized.folder / "provenance.json").read_bytes())["networks"]
    grid = networks["digits-8x8-1x6-s0-spr-ft"]["grid"]
    assert [(cell["lambda"], cell["alpha"]) for cell in grid] == [(0.2, 0.5), (0.5, 0.5)]
    chosen = [networks[f"digits-8x8-1x6-s{seed}-spr-ft"] for seed in (0, 1)]
    assert chosen[0]["lambda_"] == chosen[1]["lambda_"]  # one choice for both seeds, by their means
    (cell,) = [cell for cell in grid if cell["lambda"] == chosen[0]["lambda_"]]
    assert cell["test_accuracy"] == pytest.approx((chosen[0]["test_accuracy"] + chosen[1]["test_accuracy"]) / 2)
    assert cell["parameters"] == (chosen[0]["parameters"] + chosen[1]["parameters"]) / 2


def test_one_spr_instance_has_the_bytes_of_the_whole_suite(regularized, tmp_path):
    name = "digits-8x8-1x6-s1-l1-r2-spr-ft--tight"
    one = generate(parse_suite(SPR_SUITE, "spr"), tmp_path / "one", select=[name])
    assert one.rows == (regularized.row(name),)
    assert "digits-8x8-1x6-s0" not in (one.folder / "provenance.json").read_text()


def test_spr_networks_of_another_library_are_taken_too(regularized, tmp_path):
    steps = StepRecorder()
    copy = generate(
        parse_suite(SPR_SUITE, "spr"), tmp_path / "copy", GenerationOptions(networks_from=regularized), progress=steps
    )
    assert steps.done == 4  # the group, the grids of its two seeds, the choice
    assert manifest(copy) == manifest(regularized)
    timings = [library.timings("digits-8x8-1x6-s0-l1-r2-spr-ft--tight") for library in (copy, regularized)]
    assert timings[0]["alone_finetune_seconds"] == timings[1]["alone_finetune_seconds"] > 0


def test_untrained_networks_need_no_data(tmp_path):
    suite = parse_suite(
        """
name = "largest"
family = "maximize"
inputs = [5]
architectures = ["2x6"]
seeds = [50, 51]
formulations = ["tight", "surrogatelib"]
[property]
norm = "box"
[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
""",
        "largest.toml",
    )
    library = generate(suite, tmp_path / "library")
    assert len(library.rows) == 2 * 2 * 2
    for row in library.rows:
        assert (row.family, row.norm, row.radius, row.threshold) == ("maximize", "box", None, None)
        assert (row.dataset, row.input_side, row.accuracy, row.dense_accuracy) == (None, None, None, None)
        assert library.picture_path(row) is None
        assert library.timings(row.instance)["train_seconds"] is None
    assert list(check_files(library)) == []
    assert [
        finding for row in library.rows for finding in (*check_row(library, row), *check_lifting(library, row))
    ] == []
    again = generate(suite, tmp_path / "again", GenerationOptions(networks_from=library, jobs=2))
    assert manifest(again) == manifest(library)


def test_a_device_that_is_not_there_is_one_line(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceError, match="--device cuda: torch finds no GPU here"):
        generate(parse_suite(BOTH, "both"), tmp_path / "library", GenerationOptions(device="cuda"))
    assert not (tmp_path / "library").exists()


@pytest.fixture
def gpu_by_cpu(monkeypatch):
    """Options of a generation that is planned for a GPU, while the CPU computes it."""
    monkeypatch.setattr(batched, "check_device", lambda device: None)
    monkeypatch.setattr(network_work, "Compute", lambda device, threads: ONE_THREAD)
    return GenerationOptions(device="cuda")


def test_all_prunings_of_a_group_are_one_stack_on_a_gpu(finetuned, tmp_path, gpu_by_cpu):
    """They are other bytes than in stacks of one pruning each, and a part of the suite has the bytes of the whole."""
    suite, steps = parse_suite(FINETUNED, "finetuned"), StepRecorder()
    library = generate(suite, tmp_path / "whole", gpu_by_cpu, progress=steps)
    assert steps.total == 1 + 1 + 2  # dense networks, surrogates, instances of two seeds
    assert findings(library) == []
    assert [row.instance for row in library.rows] == [row.instance for row in finetuned.rows]
    for row in library.rows:
        if row.finetuned:
            ours, theirs = (read_perceptron(whole.network_path(row)) for whole in (library, finetuned))
            assert ours.hidden_widths == theirs.hidden_widths
            assert library.timings(row.instance)["batch_size"] == 4
    name = "digits-8x8-1x6-s1-l1-rnd-n50-ft--tight"
    one = generate(suite, tmp_path / "one", gpu_by_cpu, [name])
    assert one.rows == (library.row(name),)


def test_a_network_made_on_a_gpu_is_repaired_there(tmp_path, gpu_by_cpu):
    suite = parse_suite(FINETUNED, "finetuned")
    library = generate(suite, tmp_path / "library", gpu_by_cpu)
    before = manifest(library)
    library.network_path(library.row("digits-8x8-1x6-s1-l1-rnd-n50-ft--tight")).unlink()
    assert manifest(generate(suite, tmp_path / "library", gpu_by_cpu)) == before
    assert list(check_files(library)) == []


def test_networks_made_on_a_gpu_are_taken_from_their_library(tmp_path, gpu_by_cpu):
    suite = parse_suite(FINETUNED, "finetuned")
    library = generate(suite, tmp_path / "library", gpu_by_cpu)
    copy = generate(suite, tmp_path / "copy", GenerationOptions(networks_from=library, device="cuda"))
    assert manifest(copy) == manifest(library)


@pytest.mark.usefixtures("worker_processes")
def test_a_gpu_gives_the_same_bytes_twice(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    suite, options = parse_suite(FINETUNED, "finetuned"), GenerationOptions(device="cuda")
    libraries = [generate(suite, tmp_path / name, options) for name in ("once", "twice")]
    assert manifest(libraries[0]) == manifest(libraries[1])
    assert findings(libraries[0]) == []


@pytest.mark.usefixtures("worker_processes")
@pytest.mark.parametrize(("library", "text"), [("both", BOTH), ("finetuned", FINETUNED)])
def test_two_jobs_and_other_thread_variables_give_the_same_bytes(request, tmp_path, monkeypatch, library, text):
    """Worker processes make the same bytes as this process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    again = generate(parse_suite(text, library), tmp_path / "library", GenerationOptions(jobs=2))
    assert manifest(again) == manifest(request.getfixturevalue(library))


def test_a_selection_has_the_bytes_of_the_whole_suite(both, tmp_path):
    steps = StepRecorder()
    one = generate(parse_suite(BOTH, "both"), tmp_path / "one", select=["*-s1-l1-mag-u50--tight"], progress=steps)
    assert [row.instance for row in one.rows] == ["digits-8x8-1x6-s1-l1-mag-u50--tight"]
    assert one.rows[0] == both.row(one.rows[0].instance)
    assert one.hashes.items() - both.hashes.items() == {("catalog.csv", one.hashes["catalog.csv"])}
    assert sorted(path for path in one.hashes if path.startswith("networks/")) == [
        "networks/digits-8x8-1x6-s1-mag-u50.onnx",
        "networks/digits-8x8-1x6-s1.onnx",
    ]
    assert one.seeds == (1,)
    assert list(check_files(one)) == []
    assert (steps.total, steps.done) == (2, 0)
    with pytest.raises(LibraryError, match="complete with 1 of the suite's 8 instances"):
        generate(parse_suite(BOTH, "both"), tmp_path / "one")


def test_a_complete_library_is_left_as_it_is(tight):
    before = {path: path.stat().st_mtime_ns for path in tight.folder.rglob("*")}
    assert generate(parse_suite(SMALL_SUITE, "tight"), tight.folder) == tight
    assert generate(parse_suite(SMALL_SUITE, "tight"), tight.folder, select=["*-s0-*"]) == tight
    assert {path: path.stat().st_mtime_ns for path in tight.folder.rglob("*")} == before


def test_a_complete_library_is_never_overwritten(tight):
    with pytest.raises(LibraryError, match="complete library of another version of suite small"):
        generate(parse_suite(SMALL_SUITE.replace("epochs = 12", "epochs = 13"), "tight"), tight.folder)
    assert list(check_files(tight)) == []


def test_networks_of_another_library_give_the_same_files_without_training(tight, tmp_path):
    steps = StepRecorder()
    copy = generate(
        parse_suite(SMALL_SUITE, "tight"), tmp_path / "copy", GenerationOptions(networks_from=tight), progress=steps
    )
    assert manifest(copy) == manifest(tight)
    assert steps.done == 1  # the group
    assert copy.timings(copy.rows[0].instance)["batch_size"] == 2


def test_networks_of_another_library_must_be_there_and_fit(tight, tmp_path):
    for old, new, message in (
        ("seeds = [0, 1]", "seeds = [0, 1, 2]", "lacks network digits-8x8-1x6-s2"),
        ('["1x6"]', '["1x7"]', "lacks network digits-8x8-1x7-s0"),
    ):
        with pytest.raises(LibraryError, match=message):
            generate(
                parse_suite(SMALL_SUITE.replace(old, new), "other"),
                tmp_path / "copy",
                GenerationOptions(networks_from=tight),
            )
        assert not (tmp_path / "copy").exists()


@pytest.mark.usefixtures("worker_processes")
def test_ctrl_c_ends_the_workers_and_broken_files_are_made_again(tight, tmp_path):
    folder = tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        generate(parse_suite(SMALL_SUITE, "tight"), folder, progress=StepRecorder(interrupt_after=2))
    assert active_children() == []
    assert not (folder / "library.json").exists()
    with pytest.raises(LibraryError, match=r"no library\.json"):
        Library.open(folder)
    with pytest.raises(LibraryError, match="unfinished library of another version of suite small"):
        generate(parse_suite(SMALL_SUITE.replace("epochs = 12", "epochs = 13"), "tight"), folder)
    with pytest.raises(LibraryError, match="unfinished generation with instances 4, not 2"):
        generate(parse_suite(SMALL_SUITE, "tight"), folder, select=["*-s0-*"])
    (folder / "models" / "digits-8x8-1x6-s0-l1--tight.mps.gz").write_bytes(b"cut off")
    (folder / "models" / ".x.mps.gz.123.tmp").write_bytes(b"left behind")
    steps = StepRecorder()
    library = generate(parse_suite(SMALL_SUITE, "tight"), folder, progress=steps)
    assert steps.total == 3
    assert 1 <= steps.done <= 2
    assert "digits-8x8-1x6-s0" in steps.descriptions
    assert manifest(library) == manifest(tight)
    assert list(check_files(library)) == []


CHILD = """
import sys
from pathlib import Path
from vnnbench.instances.files import write_atomic
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.checkpoint import load_record
from vnnbench.instances.generation.instance_tasks import NetworkTask, make_instances
from vnnbench.instances.suites.suite_toml import load_suite

class Progress:
    def start(self, total, done):
        print("started", flush=True)
    def advance(self, description):
        print(description, flush=True)
        input()

if __name__ == "__main__":
    generate(load_suite(sys.argv[1]), Path(sys.argv[2]), progress=Progress())
"""


def test_after_kill_9_the_same_library_comes_out(tight, tmp_path):
    (tmp_path / "tight.toml").write_text(SMALL_SUITE)
    (tmp_path / "child.py").write_text(CHILD)
    folder = tmp_path / "library"
    child = subprocess.Popen(
        [sys.executable, tmp_path / "child.py", tmp_path / "tight.toml", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        text=True,
    )
    with child:
        assert [child.stdout.readline() for _ in range(2)] == ["started\n", "digits-8x8-1x6\n"]
        with pytest.raises(LibraryError, match="another generate is running"):
            generate(load_suite(tmp_path / "tight.toml"), folder)
        workers = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(signal.SIGKILL)
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    steps = StepRecorder()
    library = generate(load_suite(tmp_path / "tight.toml"), folder, progress=steps)
    assert (steps.total, steps.done) == (3, 1)
    assert manifest(library) == manifest(tight)


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_data_that_is_not_needed_is_refused_even_where_all_is_done(both, tmp_path, folder):
    for place in (tmp_path / "library", both.folder):
        with pytest.raises(DataError, match="the folder is not needed, because data set digits"):
            generate(parse_suite(BOTH, "both"), place, GenerationOptions(data_folder=tmp_path / folder))
    assert not (tmp_path / "library").exists()


def test_a_failure_before_any_result_leaves_nothing(tmp_path, monkeypatch):
    suite = load_suite("pham2025-smoke")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        generate(suite, tmp_path / "library", GenerationOptions(data_folder=tmp_path / "nowhere"))
    assert not (tmp_path / "library").exists()
    (tmp_path / "library").mkdir()
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a port without a server
    with pytest.raises(DataError, match="give --data DIR"):
        generate(suite, tmp_path / "library")
    assert list((tmp_path / "library").iterdir()) == []


def test_a_network_that_was_hardly_trained_is_a_suite_error(tmp_path):
    text = SMALL_SUITE.replace("epochs = 12", "epochs = 1\nlearning_rate = 1e-9").replace(
        "seeds = [0, 1]", "seeds = [0]"
    )
    text = text.replace("1x6", "1x1")
    with pytest.raises(SuiteError, match="train for more epochs"):
        generate(parse_suite(text, "untrained"), tmp_path / "library")


def test_a_wrong_selection_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(LibraryError, match=r"--select 'x\*' matches no instance of suite small"):
        generate(parse_suite(BOTH, "both"), tmp_path / "library", select=["x*"])
    assert not (tmp_path / "library").exists()


def test_folders_that_hold_something_else_are_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    with pytest.raises(LibraryError, match=r"is neither empty nor a library \(it holds thesis.tex\)"):
        generate(parse_suite(BOTH, "both"), tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    with pytest.raises(LibraryError, match="is a file"):
        generate(parse_suite(BOTH, "both"), tmp_path / "full" / "thesis.tex")
    with pytest.raises(LibraryError, match="cannot be written"):
        generate(parse_suite(BOTH, "both"), tmp_path / "full" / "thesis.tex" / "library")


def test_a_folder_that_cannot_be_written_is_one_line():
    with pytest.raises(LibraryError, match=r"^/proc/library: cannot be written") as caught:
        generate(parse_suite(BOTH, "both"), Path("/proc/library"))
    assert "\n" not in str(caught.value)


def test_pham2025_smoke_generates_on_mnist(tmp_path):
    folder = os.environ.get("VNNBENCH_TEST_DATA")
    if not folder:
        pytest.skip("needs VNNBENCH_TEST_DATA with mnist")
    select = ["mnist-18x18-2x32-s0-l1*"]
    library = generate(
        load_suite("pham2025-smoke"), tmp_path / "library", GenerationOptions(data_folder=Path(folder)), select=select
    )
    assert len(library.rows) == 6
    assert library.rows[0].dense_accuracy > 0.94
    assert 4.5 <= library.rows[0].radius <= 5.5
    assert list(check_files(library)) == []
    assert [
        finding for row in library.rows for finding in (*check_row(library, row), *check_lifting(library, row))
    ] == []
