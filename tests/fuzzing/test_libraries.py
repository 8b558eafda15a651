"""Libraries: manifest, catalogue, timings, and all of it with the right checksums, as a hostile author would write."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from pathlib import Path

import orjson
import pytest

from support.fuzzing import attempt, fuzz
from support.small_files import SMALL_ONNX, SMALL_VNNLIB
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import CATALOG, MANIFEST, TIMINGS
from vnnbench.instances.library.catalog import catalog_bytes, parse_catalog, parse_timings, timings_bytes
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.findings import Severity
from vnnbench.instances.library.library import Library, instance_sha256

PATHS = (
    "../outside/secret", "/etc/passwd", "models/../../outside/secret", "./catalog.csv", "models//m", "", ".", "..",
    "models/\0", "a" * 300, "/".join("a" * 3000), "link/secret", "loop", "models", "fifo", "library.json", "\\", "~",
)  # fmt: skip


@pytest.fixture
def library(small_library, tmp_path):
    """A copy of the library, with links and a pipe in it, beside a file that must not be opened."""
    folder = tmp_path / "library"
    shutil.copytree(small_library, folder)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "fifo")
    return folder


@pytest.fixture(scope="module")
def opened():
    """The paths that are opened; the test clears the list."""
    paths: list[str] = []

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            paths.append(arguments[0])

    sys.addaudithook(hook)
    return paths


def in_manifest(mutator, document):
    """Return a manifest with other paths or values."""
    if mutator.number(0, 1):
        files = dict(document["files"])
        digest = mutator.choice((*files.values(), sha256(b"secret"), sha256(b"")))
        files[mutator.choice(PATHS)] = digest
        document = {**document, "files": files}
    return mutator.mutate_json(document) if mutator.number(0, 2) else orjson.dumps(document)


def test_a_manifest_is_read_or_refused(library, opened):
    document = orjson.loads((library / MANIFEST).read_bytes())

    def check(mutator):
        (library / MANIFEST).write_bytes(in_manifest(mutator, document))
        opened.clear()
        read = attempt(Library.open, library, name="library")
        if read is not None:
            for relative in read.hashes:
                attempt(lambda _, relative=relative: read.read_verified(relative), library, name=relative[:9])
        assert not any("secret" in path for path in opened)

    fuzz(check)


CSV_WORDS = (
    '"',
    '""',
    ",",
    ",,",
    "\r",
    '"a\nb"',
    "nan",
    "inf",
    "-inf",
    "1e999",
    "tight",
    "verify",
    "../outside/secret",
)


def test_a_catalogue_is_read_or_refused(library):
    text, path = (library / CATALOG).read_text(), library / CATALOG

    def check(mutator):
        path.write_bytes(mutator.mutate_text(text.replace(",", ",\n"), CSV_WORDS).replace(b",\n", b","))
        rows = attempt(lambda path: list(parse_catalog(path.read_bytes(), path)), path)
        if rows is not None:
            assert list(parse_catalog(catalog_bytes(rows), path)) == rows

    fuzz(check)


def test_timings_are_read_or_refused(library):
    text, path = (library / TIMINGS).read_text(), library / TIMINGS

    def check(mutator):
        path.write_bytes(mutator.mutate_text(text.replace(",", ",\n"), CSV_WORDS).replace(b",\n", b","))
        timings = attempt(lambda path: parse_timings(path.read_bytes(), path), path)
        if timings is not None:
            assert parse_timings(timings_bytes(timings), path) == timings

    fuzz(check)


@pytest.fixture
def rewrite(library):
    """Replace a file by other bytes, with the instance's identity and all checksums as they must be."""
    original = {path: path.read_bytes() for path in library.rglob("*") if path.is_file()}

    def rewrite(pattern: str, change) -> None:
        for path, data in original.items():
            path.write_bytes(data)
        (path,) = library.glob(pattern)
        path.write_bytes(change(path.read_bytes()))
        (row,) = parse_catalog(original[library / CATALOG], library / CATALOG)
        model, prop = library / row.model, library / row.property
        try:
            text = gzip.decompress(model.read_bytes())
        except (OSError, EOFError, ValueError):
            text = b""
        data = {part: (library / relative).read_bytes() for part, relative in row.data_files().items()}
        identity = instance_sha256(text, data, prop.read_bytes())
        if path.name != CATALOG:
            catalogue = original[library / CATALOG].replace(row.instance_sha256.encode(), identity.encode())
            (library / CATALOG).write_bytes(catalogue)
        document = orjson.loads(original[library / MANIFEST])
        document["files"] = {relative: sha256((library / relative).read_bytes()) for relative in document["files"]}
        (library / MANIFEST).write_bytes(orjson.dumps(document))

    return rewrite


KINDS = {
    CATALOG: lambda mutator, data: mutator.mutate_text(data.decode().replace(",", ",\n"), CSV_WORDS).replace(
        b",\n", b","
    ),
    "networks/*.onnx": lambda mutator, data: mutator.mutate_bytes(data),
    "properties/*.json": lambda mutator, data: mutator.mutate_json(orjson.loads(data)),
    "properties/*.vnnlib": lambda mutator, data: mutator.mutate_text(data.decode()),
    "models/*.mps.gz": lambda mutator, data: gzip.compress(mutator.mutate_text(gzip.decompress(data).decode()), 1),
}


@pytest.mark.parametrize("pattern", KINDS, ids=lambda pattern: Path(pattern).suffix)
def test_a_hostile_library_is_checked_shown_judged_and_exported(command, library, rewrite, pattern):
    (library / "fifo").unlink()
    instance = Library.open(library).rows[0].instance
    solution = library.parent / "s.sol"
    solution.write_text("x_0 0.5\n")

    def check(mutator):
        rewrite(pattern, lambda data: KINDS[pattern](mutator, data))
        command("check", library, "--solver", "highs")
        command("show", library, "--format", mutator.choice(("json", "table")))
        command("show", library, instance)
        command("judge", library, instance, solution)
        command("export", library, "--out", library.parent / "export")

    fuzz(check, cost=4)


def test_files_from_elsewhere_are_imported_or_refused(command, tmp_path):
    onnx, vnnlib, library = tmp_path / "n.onnx", tmp_path / "p.vnnlib", tmp_path / "library"

    def check(mutator):
        onnx.write_bytes(mutator.mutate_bytes(SMALL_ONNX) if mutator.number(0, 1) else SMALL_ONNX)
        vnnlib.write_bytes(mutator.mutate_text(SMALL_VNNLIB) if mutator.number(0, 1) else SMALL_VNNLIB.encode())
        code = command("import", library, "--onnx", onnx, "--vnnlib", vnnlib, "--bounds", "interval")
        if code == 0:
            command("check", library, "--solver", "highs")  # HiGHS reads no coefficient above 1e15
            opened = Library.open(library)
            row = opened.rows[0]
            findings = [*check_files(opened), *check_row(opened, row), *check_lifting(opened, row)]
            assert not [finding for finding in findings if finding.severity is Severity.WRONG]
        shutil.rmtree(library, ignore_errors=True)

    fuzz(check, cost=4)
