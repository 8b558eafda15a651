"""Repair of a complete library: what is missing or altered comes back as it was, or nothing is replaced."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys

import orjson
import pytest

from support.folders import contents
from support.progress import StepRecorder
from support.suites import SMALL_SUITE
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.generation import repair
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.layout import CATALOG, INSTANCES, MANIFEST, SEALED
from vnnbench.instances.library.additions import Addition, add_instance
from vnnbench.instances.library.catalog import TIMING_COLUMNS
from vnnbench.instances.library.checks import check_files
from vnnbench.instances.library.library import Library
from vnnbench.instances.suites.suite_toml import parse_suite

TEXT = (
    SMALL_SUITE.replace("epochs = 12", "epochs = 30").replace(
        "rates = [0.5]", "rates = [0.5]\nfinetuned = [false, true]"
    )
    + "\n[finetuning]\nrounds = 2\nepochs = 3\n"
)
SUITE = parse_suite(TEXT, "mended")
PLANTED = parse_suite(
    TEXT[: TEXT.index("finetuned")].replace('"small"', '"planted"').replace("1x6", "2x8").replace("= 30", "= 40")
    + "[planted]\ncounterexample = 1\nrobust = 0\n",
    "planted",
)
MODEL = "models/digits-8x8-1x6-s1-l1--tight.mps.gz"
DENSE = "networks/digits-8x8-1x6-s0.onnx"
FINETUNED = "networks/digits-8x8-1x6-s0-mag-u50-ft.onnx"
SMALL = [
    "properties/digits-8x8-1x6-s0-l1.json",
    "pictures/digits-8x8-1x6-s0-l1.png",
    "networks/digits-8x8-1x6-s0-mag-u50.onnx",
]
TRAINING = ["digits-8x8-1x6", "digits-8x8-1x6-mag-u50-ft"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A library that no test changes."""
    return generate(SUITE, tmp_path_factory.mktemp("whole") / "library").folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of `whole` that a test may damage."""
    return shutil.copytree(whole, tmp_path / "library")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_text("a secret key")
    return file


@pytest.fixture(scope="module")
def whole_planted(tmp_path_factory, key):
    return generate(PLANTED, tmp_path_factory.mktemp("planted") / "library", GenerationOptions(key_file=key)).folder


@pytest.fixture
def planted(whole_planted, tmp_path):
    """A copy of a library with planted answers that a test may damage."""
    return shutil.copytree(whole_planted, tmp_path / "planted")


@pytest.mark.parametrize(
    ("lost", "made"),
    [
        ([MODEL], ["digits-8x8-1x6-s1"]),
        (SMALL, ["digits-8x8-1x6-s0"]),
        ([DENSE], [*TRAINING[:1], "digits-8x8-1x6-s0"]),
        ([FINETUNED, MODEL], [*TRAINING, "digits-8x8-1x6-s0", "digits-8x8-1x6-s1"]),
        ([CATALOG], [*TRAINING, "digits-8x8-1x6-s0", "digits-8x8-1x6-s1"]),
        ([INSTANCES], []),
        ([CATALOG, INSTANCES], [*TRAINING, "digits-8x8-1x6-s0", "digits-8x8-1x6-s1"]),
        ([INSTANCES, MODEL], ["digits-8x8-1x6-s1"]),
    ],
)
def test_missing_and_altered_files_are_made_again_with_as_little_work_as_possible(folder, whole, lost, made):
    untouched = {
        path: path.stat().st_mtime_ns for path in folder.rglob("*.*") if str(path.relative_to(folder)) not in lost
    }
    (folder / lost[0]).unlink()
    for relative in lost[1:]:
        (folder / relative).write_bytes(b"altered")
    steps = StepRecorder()
    library = generate(SUITE, folder, progress=steps)
    assert contents(folder) == contents(whole)
    assert list(check_files(library)) == []
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched
    assert steps.n_mended == len(lost)
    assert sorted(steps.descriptions) == sorted(made)


def test_a_whole_library_is_left_as_it_is_by_a_repair(folder):
    (folder / ".mending").mkdir()  # a kill came after the last file was put back
    steps = StepRecorder()
    generate(SUITE, folder, progress=steps)
    assert (steps.descriptions, steps.n_mended) == ([], 0)
    assert not (folder / ".mending").exists()


def test_a_selection_alone_is_repaired(tmp_path):
    select = ["*-s1-l1--tight"]
    library = generate(SUITE, tmp_path / "one", select=select)
    before = contents(library.folder)
    (library.folder / MODEL).unlink()
    (library.folder / CATALOG).unlink()
    generate(SUITE, library.folder, select=select)
    assert {name for name, data in contents(library.folder).items() if before[name] != data} == set()


def test_a_stopped_repair_goes_on(folder, whole):
    for relative in (DENSE, FINETUNED):
        (folder / relative).unlink()
    with pytest.raises(KeyboardInterrupt):
        generate(SUITE, folder, progress=StepRecorder(interrupt_after=1))
    assert not (folder / DENSE).exists()
    steps = StepRecorder()
    generate(SUITE, folder, progress=steps)
    assert steps.descriptions == [TRAINING[1], "digits-8x8-1x6-s0"]
    assert contents(folder) == contents(whole)


@pytest.mark.parametrize("n_writes", [0, 2])
def test_files_made_before_a_stop_are_put_back_without_making_them_again(folder, whole, monkeypatch, n_writes):
    for relative in SMALL:
        (folder / relative).unlink()
    left, write = [n_writes], repair.write_atomic

    def stopping(path, data):
        if left[0] == 0:
            path.with_name(f".{path.name}.1.tmp").write_bytes(data[:5])  # as kill -9 leaves it
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, data)

    monkeypatch.setattr(repair, "write_atomic", stopping)
    with pytest.raises(KeyboardInterrupt):
        generate(SUITE, folder)
    assert sum((folder / relative).exists() for relative in SMALL) == n_writes
    monkeypatch.undo()
    steps = StepRecorder()
    generate(SUITE, folder, progress=steps)
    assert (steps.descriptions, steps.n_mended) == ([], 3 - n_writes)
    assert contents(folder) == contents(whole)


def test_what_a_killed_write_of_the_list_left_is_removed(folder, whole):
    (folder / INSTANCES).rename(folder / f".{INSTANCES}.1.tmp")
    generate(SUITE, folder)
    assert contents(folder) == contents(whole)


def test_remains_of_another_repair_are_removed(folder, whole):
    generate(SUITE, folder / ".mending", select=["*-s0-l1--tight"])
    (folder / MODEL).unlink()
    generate(SUITE, folder)
    assert contents(folder) == contents(whole)
    (folder / ".mending" / "models").mkdir(parents=True)  # its removal was stopped
    (folder / ".mending" / "models" / "x").write_bytes(b"")
    (folder / MODEL).unlink()
    generate(SUITE, folder)
    assert contents(folder) == contents(whole)


CHILD = """
import sys
from pathlib import Path
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.suites.suite_toml import load_suite

class Progress:
    def start(self, total, done): ...
    def advance(self, description):
        print(description, flush=True)
        input()

if __name__ == "__main__":
    generate(load_suite(sys.argv[1]), Path(sys.argv[2]), progress=Progress())
"""


def test_after_kill_9_a_repair_goes_on_and_only_one_is_at_work(folder, whole, tmp_path):
    for relative in (DENSE, FINETUNED):
        (folder / relative).unlink()
    (tmp_path / "mended.toml").write_text(TEXT)
    (tmp_path / "child.py").write_text(CHILD)
    child = subprocess.Popen(
        [sys.executable, tmp_path / "child.py", tmp_path / "mended.toml", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        text=True,
    )
    with child:
        assert child.stdout.readline() == "digits-8x8-1x6\n"
        with pytest.raises(LibraryError, match="another import or generate is running there"):
            generate(SUITE, folder)
        child.send_signal(signal.SIGKILL)
    steps = StepRecorder()
    generate(SUITE, folder, progress=steps)
    assert steps.descriptions == [TRAINING[1], "digits-8x8-1x6-s0"]
    assert contents(folder) == contents(whole)


def test_a_file_that_comes_out_differently_replaces_nothing(folder):
    (folder / MODEL).write_bytes(b"altered")
    (folder / "properties/digits-8x8-1x6-s1-l1.json").unlink()
    manifest = orjson.loads((folder / MANIFEST).read_bytes())
    manifest["files"][MODEL] = "0" * 64
    (folder / MANIFEST).write_bytes(orjson.dumps(manifest))
    before = contents(folder)
    for _ in range(2):
        with pytest.raises(
            LibraryError, match=rf"{MODEL}: is missing or altered, and regenerating it gives different bytes"
        ):
            generate(SUITE, folder)
        assert contents(folder) == before


def test_networks_of_another_library_come_from_there_again(folder, tmp_path):
    other = parse_suite(TEXT.replace("epochs = 30", "epochs = 29"), "mended")
    mixed = generate(other, tmp_path / "mixed", GenerationOptions(networks_from=Library.open(folder))).folder
    before = contents(mixed)
    (mixed / DENSE).unlink()
    with pytest.raises(LibraryError, match=r"gives different bytes; nothing was replaced: .* other --data, --networks"):
        generate(other, mixed)
    assert contents(mixed).items() <= before.items()
    generate(other, mixed, GenerationOptions(networks_from=Library.open(folder)))
    assert contents(mixed) == before
    (mixed / MODEL).unlink()
    generate(other, mixed)  # the networks are whole
    assert contents(mixed) == before


def test_planted_answers_come_back_by_the_same_key_alone(planted, whole_planted, key):
    (planted / SEALED).write_bytes(b"altered")
    with pytest.raises(LibraryError, match="gives different bytes"):
        generate(PLANTED, planted)
    assert (planted / SEALED).read_bytes() == b"altered"
    generate(PLANTED, planted, GenerationOptions(key_file=key))
    assert contents(planted) == contents(whole_planted)


def test_a_library_without_its_sealed_file_is_repaired_without_the_key(planted, whole_planted):
    (planted / SEALED).unlink()
    (planted / "models/digits-8x8-2x8-s0-l1--tight.mps.gz").unlink()
    generate(PLANTED, planted)
    assert contents(planted) == {name: data for name, data in contents(whole_planted).items() if name != SEALED}


def test_imported_instances_are_not_repaired(folder):
    row = Library.open(folder).rows[0]
    values = {name: getattr(row, name) for name in row.__slots__}
    values |= {"instance": "mine--tight", "problem": "mine", "network": "mine", "dense_network": "mine"}
    values |= {"model": "models/mine--tight.mps.gz", "property": "properties/mine.json"}
    files = {"networks/mine.onnx": b"n", "properties/mine.json": b"p", "models/mine--tight.mps.gz": b"m"}
    addition = Addition(type(row)(**values), files, dict.fromkeys(TIMING_COLUMNS), {"instance": "mine"})
    add_instance(folder, addition)
    before = contents(folder)
    (folder / "networks/mine.onnx").unlink()
    (folder / MODEL).unlink()
    with pytest.raises(LibraryError, match=r"networks/mine\.onnx: .* not a file of suite small; import it again"):
        generate(SUITE, folder)
    add_instance(folder, addition)
    generate(SUITE, folder)
    assert contents(folder) == before
    (folder / CATALOG).unlink()
    with pytest.raises(LibraryError, match=r"catalog\.csv: .* lists imported instances too"):
        generate(SUITE, folder)


def test_an_import_at_work_is_waited_for(folder):
    (folder / MODEL).unlink()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(LibraryError, match="another import or generate is running there; wait for it"):
        generate(SUITE, folder)
    os.close(handle)


def test_a_library_of_another_suite_is_left_alone(folder):
    (folder / MODEL).unlink()
    before = contents(folder)
    with pytest.raises(LibraryError, match="complete library of another version of suite small"):
        generate(parse_suite(TEXT.replace("epochs = 30", "epochs = 29"), "mended"), folder)
    assert contents(folder) == before


def test_a_lost_manifest_is_reported_with_a_remedy(folder, whole):
    manifest = (folder / MANIFEST).read_bytes()
    for broken in (None, b"cut off"):
        (folder / MANIFEST).unlink()
        if broken is not None:
            (folder / MANIFEST).write_bytes(broken)
        with pytest.raises(
            LibraryError, match="restore it from a copy, or delete the folder and make the library again"
        ):
            generate(SUITE, folder)
        (folder / MANIFEST).write_bytes(manifest)
    generate(SUITE, folder)
    assert contents(folder) == contents(whole)
