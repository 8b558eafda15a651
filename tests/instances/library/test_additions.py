"""A library grows: wherever that is stopped, the old or the new one is there, and the same call completes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import fields, replace

import orjson
import pytest

from support.folders import contents
from vnnbench.instances.errors import LibraryError, NameInUseError
from vnnbench.instances.layout import CATALOG, INSTANCES, MANIFEST, NEXT_MANIFEST, NEXT_TABLES, PROVENANCE
from vnnbench.instances.library import additions
from vnnbench.instances.library.additions import Addition, add_instance, growing
from vnnbench.instances.library.catalog import TIMING_COLUMNS, CatalogRow
from vnnbench.instances.library.checks import check_files
from vnnbench.instances.library.library import Library

_VALUES = {"str": "text", "int": 1, "float": 0.5}


def addition(name, content="1"):
    values = {field.name: _VALUES.get(str(field.type)) for field in fields(CatalogRow)}
    values |= {
        "instance": f"{name}--tight", "problem": name, "instance_sha256": content * 64, "family": "verify",
        "network": "n", "dense_network": "n", "model": f"models/{name}--tight.mps.gz",
        "property": f"properties/{name}.json", "stable_active": 0, "stable_inactive": 0, "unstable": 0, "strict": 0,
    }  # fmt: skip
    files = {
        "networks/n.onnx": b"network",
        f"properties/{name}.json": f"property {content}".encode(),
        f"properties/{name}.vnnlib": b"text",
        f"models/{name}--tight.mps.gz": f"model {content}".encode(),
    }
    seconds = {**dict.fromkeys(TIMING_COLUMNS), "bounds_seconds": 0.25}
    return Addition(CatalogRow(**values), files, seconds, {"instance": name})


def names(folder):
    return [row.instance for row in Library.open(folder).rows]


@pytest.fixture
def folder(tmp_path):
    """The folder of a library of one instance."""
    add_instance(tmp_path / "library", addition("a"))
    return tmp_path / "library"


def test_a_new_folder_becomes_a_library(folder):
    library = Library.open(folder)
    assert (library.suite, library.suite_sha256, library.seeds) == ("imported", None, ())
    assert names(folder) == ["a--tight"]
    assert list(check_files(library)) == []
    assert library.timings("a--tight")["bounds_seconds"] == 0.25


def test_a_library_grows_and_keeps_what_it_has(folder):
    before = contents(folder)
    assert add_instance(folder, addition("b"))
    after = contents(folder)
    assert names(folder) == ["a--tight", "b--tight"]
    assert list(check_files(Library.open(folder))) == []
    changed = {path for path in before if after[path] != before[path]}
    assert changed == {CATALOG, INSTANCES, MANIFEST, "timings.csv", PROVENANCE}
    assert after[INSTANCES].splitlines() == [f"networks/n.onnx,properties/{name}.vnnlib,300".encode() for name in "ab"]
    assert orjson.loads(after[PROVENANCE])["imports"] == [{"instance": "a"}, {"instance": "b"}]
    assert Library.open(folder).timings("a--tight")["bounds_seconds"] == 0.25


def test_the_same_instance_again_changes_nothing(folder):
    before = contents(folder)
    assert not add_instance(folder, addition("a"))
    assert contents(folder) == before


def test_the_same_instance_again_puts_back_its_files_that_are_missing_or_altered(folder):
    add_instance(folder, addition("b"))
    before = contents(folder)
    (folder / "models" / "a--tight.mps.gz").unlink()
    (folder / "networks" / "n.onnx").write_bytes(b"altered")
    (folder / INSTANCES).unlink()
    with pytest.raises(LibraryError, match=r"n\.onnx: is not the file .*; import it again"):
        Library.open(folder).read_verified("networks/n.onnx")
    with pytest.raises(LibraryError, match=r"a--tight\.mps\.gz: cannot be read .*; import it again"):
        Library.open(folder).read_verified("models/a--tight.mps.gz")
    assert not add_instance(folder, addition("a"))
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (addition("a", "2"), "already has another instance a--tight, with other files or bounds"),
        (replace(addition("b"), files={"networks/n.onnx": b"other"}), "has another file networks/n.onnx"),
    ],
)
def test_names_of_other_content_are_refused(folder, new, message):
    before = contents(folder)
    with pytest.raises(LibraryError, match=message):
        add_instance(folder, new)
    assert contents(folder) == before


def stop_after(monkeypatch, n_writes):
    """Raise KeyboardInterrupt, as Ctrl-C does, in place of the write after so many."""
    left, write = [n_writes], additions.write_atomic

    def stopping(path, data):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, data)

    monkeypatch.setattr(additions, "write_atomic", stopping)


@pytest.mark.parametrize("n_writes", range(15))
def test_an_addition_stopped_anywhere_leaves_a_valid_library(folder, monkeypatch, n_writes):
    stop_after(monkeypatch, n_writes)
    try:
        add_instance(folder, addition("b"))
        assert n_writes > 10  # the network is there already
    except KeyboardInterrupt:
        assert names(folder) in (["a--tight"], ["a--tight", "b--tight"])
        assert list(check_files(Library.open(folder))) == []
    monkeypatch.undo()
    add_instance(folder, addition("b"))
    assert names(folder) == ["a--tight", "b--tight"]
    assert list(check_files(Library.open(folder))) == []
    assert not {*NEXT_TABLES.values(), NEXT_MANIFEST} & contents(folder).keys()
    add_instance(folder, addition("c"))
    assert names(folder) == ["a--tight", "b--tight", "c--tight"]


@pytest.mark.parametrize("n_writes", range(14))
def test_a_first_addition_stopped_anywhere_is_done_again(tmp_path, monkeypatch, n_writes):
    stop_after(monkeypatch, n_writes)
    with contextlib.suppress(KeyboardInterrupt):
        add_instance(tmp_path / "library", addition("a"))
        assert n_writes > 11
    monkeypatch.undo()
    add_instance(tmp_path / "library", addition("a"))
    assert names(tmp_path / "library") == ["a--tight"]
    assert list(check_files(Library.open(tmp_path / "library"))) == []


def kill_in(monkeypatch, n_writes):
    """Leave the temporary file of the write after so many, as kill -9 does, and raise KeyboardInterrupt."""
    stop_after(monkeypatch, n_writes)
    stopping = additions.write_atomic

    def killed(path, data):
        try:
            stopping(path, data)
        except KeyboardInterrupt:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.4711.tmp").write_bytes(data[:5])
            raise

    monkeypatch.setattr(additions, "write_atomic", killed)


@pytest.mark.parametrize("n_writes", range(11))
@pytest.mark.parametrize("is_first", [True, False])
def test_what_a_killed_addition_was_writing_is_removed_by_the_next(tmp_path, monkeypatch, is_first, n_writes):
    if not is_first:
        add_instance(tmp_path, addition("a"))
    kill_in(monkeypatch, n_writes)
    with pytest.raises(KeyboardInterrupt):
        add_instance(tmp_path, addition("b"))
    assert [path for path in contents(tmp_path) if path.endswith(".4711.tmp")]
    monkeypatch.undo()
    add_instance(tmp_path, addition("b"))
    assert not [path for path in contents(tmp_path) if path.endswith(".tmp")]
    assert list(check_files(Library.open(tmp_path))) == []


def test_only_temporary_files_of_the_library_are_removed(folder, tmp_path):
    (tmp_path / "outside").mkdir()
    for name in ("outside/.a.1.tmp", "library/.a.tmp", "library/a.1.tmp", "library/.a.x1.tmp"):
        (tmp_path / name).touch()
    (folder / "mine").mkdir()
    (folder / "mine" / ".a.1.tmp").touch()
    (folder / ".linked.1.tmp").symlink_to(tmp_path / "outside" / ".a.1.tmp")
    (folder / "pictures").symlink_to(tmp_path / "outside")
    before = {path: path.lstat().st_ino for path in tmp_path.rglob("*")}
    (folder / "models" / ".a.1.tmp").touch()
    assert not add_instance(folder, addition("a"))
    assert {path: path.lstat().st_ino for path in tmp_path.rglob("*")} == before


def test_a_folder_with_anything_beside_the_first_temporary_file_is_refused(tmp_path):
    (tmp_path / f".{NEXT_MANIFEST}.4711.tmp").touch()
    (tmp_path / ".notes.txt.1.tmp").touch()
    before = contents(tmp_path)
    with pytest.raises(LibraryError, match=r"is neither empty nor a library \(it holds \.notes\.txt\.1\.tmp\)"):
        add_instance(tmp_path, addition("a"))
    assert contents(tmp_path) == before


def test_a_library_without_a_list_of_problems_gets_one_when_it_grows(folder):
    manifest = orjson.loads((folder / MANIFEST).read_bytes())
    del manifest["files"][INSTANCES]
    (folder / MANIFEST).write_bytes(orjson.dumps(manifest))
    (folder / INSTANCES).unlink()
    assert list(check_files(Library.open(folder))) == []
    add_instance(folder, addition("b"))
    assert list(check_files(Library.open(folder))) == []
    assert len((folder / INSTANCES).read_bytes().splitlines()) == 2


def test_between_manifest_and_catalogue_the_one_of_the_manifest_counts(folder):
    old = (folder / CATALOG).read_bytes()
    add_instance(folder, addition("b"))
    (folder / CATALOG).replace(folder / NEXT_TABLES[CATALOG])
    (folder / CATALOG).write_bytes(old)
    assert names(folder) == ["a--tight", "b--tight"]
    (folder / NEXT_TABLES[CATALOG]).write_bytes(old)
    with pytest.raises(LibraryError, match=r"catalog\.csv: is not the file"):
        Library.open(folder)
    (folder / NEXT_TABLES[CATALOG]).unlink()
    with pytest.raises(LibraryError, match=r"catalog\.csv: is not the file .*; import its instances into a new folder"):
        Library.open(folder)


def test_unknown_files_are_found_unless_a_stopped_addition_expects_them(folder):
    (folder / "models" / "b.mps.gz").write_bytes(b"model")
    assert [finding.where for finding in check_files(Library.open(folder))] == ["models/b.mps.gz"]
    (folder / NEXT_MANIFEST).write_bytes(orjson.dumps({"files": {"models/b.mps.gz": ""}}))
    assert list(check_files(Library.open(folder))) == []
    for broken in (b"", b"[]", b"{}", b'{"files": 3}'):
        (folder / NEXT_MANIFEST).write_bytes(broken)
        assert [finding.where for finding in check_files(Library.open(folder))] == ["models/b.mps.gz"]


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(LibraryError, match=r"is neither empty nor a library \(it holds notes\.txt\)"):
        add_instance(tmp_path, addition("a"))
    with pytest.raises(LibraryError, match=r"notes\.txt: cannot be written"):
        add_instance(tmp_path / "notes.txt", addition("a"))
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_files_are_not_written_through_links_out_of_the_folder(folder, tmp_path):
    (tmp_path / "outside").mkdir()
    for path in (folder / "models").iterdir():
        path.unlink()
    (folder / "models").rmdir()
    (folder / "models").symlink_to(tmp_path / "outside")
    with pytest.raises(LibraryError, match="leads out of the library through a link"):
        add_instance(folder, addition("b"))
    assert contents(tmp_path / "outside") == {}


def test_only_one_addition_is_at_work(folder):
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(LibraryError, match="another import or generate is running there"):
        add_instance(folder, addition("b"))
    os.close(handle)
    assert add_instance(folder, addition("b"))


def test_many_additions_write_the_lists_a_few_times(tmp_path, monkeypatch):
    written = []
    write = additions.write_atomic

    def recording(path, data):
        written.append(path.name)
        write(path, data)

    monkeypatch.setattr(additions, "write_atomic", recording)
    monkeypatch.setattr(additions, "_WRITING_SHARE", 0.0)
    with growing(tmp_path / "library") as library:
        for k in range(20):
            assert library.add([addition(f"p{k}")])
        assert not library.add([addition("p3")])
    assert written.count(MANIFEST) == 2  # after the first, and at the end
    assert written.count("n.onnx") == 1
    assert names(tmp_path / "library") == [f"p{k}--tight" for k in range(20)]
    assert list(check_files(Library.open(tmp_path / "library"))) == []


def test_additions_that_fill_the_memory_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(additions, "_WRITING_SHARE", 0.0)
    monkeypatch.setattr(additions, "_MAX_WAITING_BYTES", 50)
    with growing(tmp_path / "library") as library:
        for k in range(5):
            library.add([addition(f"p{k}")])
        assert len(names(tmp_path / "library")) >= 3


def test_an_addition_that_conflicts_with_one_that_waits_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(additions, "_WRITING_SHARE", 0.0)
    with growing(tmp_path / "library") as library:
        library.add([addition("a")])
        library.add([addition("b")])
        with pytest.raises(NameInUseError, match="already has another instance b--tight"):
            library.add([addition("b", "2")])
    assert names(tmp_path / "library") == ["a--tight", "b--tight"]


def test_what_waits_is_written_after_an_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(additions, "_WRITING_SHARE", 0.0)
    with pytest.raises(KeyboardInterrupt), growing(tmp_path / "library") as library:
        library.add([addition("a")])
        library.add([addition("b")])
        raise KeyboardInterrupt
    assert names(tmp_path / "library") == ["a--tight", "b--tight"]


def test_a_new_folder_to_which_nothing_is_added_is_removed(tmp_path):
    (tmp_path / "mine").mkdir()
    for name in ("new", "mine"):
        with growing(tmp_path / name):
            assert (tmp_path / name).is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
