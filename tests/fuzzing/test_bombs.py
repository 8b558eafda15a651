"""Small files that would be large once they are read: each is refused in one line before it takes memory.

The bounds of `attempt` hold: a gibibyte beyond what the process had before.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
import zipfile
import zlib

import numpy as np
import orjson
import pytest
from onnx import ModelProto

import vnnbench.instances.formulations.mps
import vnnbench.instances.library.tables
import vnnbench.instances.properties.questions
import vnnbench.instances.properties.vnnlib_reader
from support.frames import frame
from support.fuzzing import attempt
from support.proven_answers import put_proven
from support.silent import Silent
from support.small_files import SMALL_ONNX, SMALL_VNNLIB
from vnnbench.errors import BundleError, ResultsError
from vnnbench.instances.datasets.png import grey_of, picture_png
from vnnbench.instances.errors import ModelError, PropertyError
from vnnbench.instances.files import sha256
from vnnbench.instances.formulations.mps import mps_text, read_mps
from vnnbench.instances.layout import CATALOG, MANIFEST, SEALED, TIMINGS
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.sealed_answers import read_seal
from vnnbench.instances.limits import MAX_MPS_BYTES, MAX_MPS_LINE, MAX_ONNX_FIELDS
from vnnbench.instances.npz import read_arrays
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.properties.property_file import property_json, read_property
from vnnbench.instances.properties.vnnlib_reader import read_vnnlib
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.isolation.protocol import MAX_HEADER_BYTES, FrameReader, ProtocolError
from vnnbench.judging.candidates import Candidate, Trajectory, candidates_npz, read_candidates
from vnnbench.leaderboard.records.planted import read_sealed
from vnnbench.leaderboard.records.proven import read_proven
from vnnbench.leaderboard.site.folder import SITE, SiteError, check_place
from vnnbench.sharing.bundle import Bundle, write_bundle
from vnnbench.solvers.command_line.description import read_command_file

MEBIBYTE = 1 << 20
DEEP = b"[" * 100_000
LONG_INTEGER = b"9" * MEBIBYTE


def lists(n_bytes: int) -> bytes:
    """Return a JSON list of empty lists, which takes 30 times its bytes when it is parsed."""
    return b"[" + b",".join([b"[]"] * (n_bytes // 3)) + b"]"


@pytest.fixture
def library(small_library, tmp_path):
    shutil.copytree(small_library, tmp_path / "library")
    return tmp_path / "library"


def refusal(read, path, name=None):
    """Return what a reader says of a file that it refuses."""
    told = []

    def tell(path):
        try:
            return read(path)
        except Exception as error:
            told.append(str(error))
            raise

    assert attempt(tell, path, name) is None
    return told[0]


def put(library, relative, data):
    """Put a file into a library under the right checksum, as a hostile author would."""
    document = orjson.loads((library / MANIFEST).read_bytes())
    document["files"][relative] = sha256(data)
    (library / relative).write_bytes(data)
    (library / MANIFEST).write_bytes(orjson.dumps(document))


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_a_manifest_of_lists_is_refused_before_it_is_parsed(library):
    (library / MANIFEST).write_bytes(b'{"format":1,"files":' + lists(6 * MEBIBYTE) + b"}")
    assert "more than 16 lists and objects" in refusal(Library.open, library, MANIFEST)


def test_a_manifest_of_numbers_is_refused_before_it_is_parsed(library):
    document = orjson.loads((library / MANIFEST).read_bytes())
    (library / MANIFEST).write_bytes(orjson.dumps({**document, "seeds": [0] * 500_000}))
    assert "more than 400000 values" in refusal(Library.open, library, MANIFEST)


def test_a_manifest_of_gigabytes_is_not_read(library):
    with (library / MANIFEST).open("wb") as file:
        file.truncate(3 << 30)
    assert "holds more than" in refusal(Library.open, library, MANIFEST)


@pytest.mark.parametrize("data", [DEEP, b'{"a":' * 100_000, LONG_INTEGER])
def test_json_that_is_deep_or_holds_a_long_integer_is_refused(library, data):
    (library / MANIFEST).write_bytes(data)
    refusal(Library.open, library, MANIFEST)
    path = next((library / "properties").glob("*.json"))
    path.write_bytes(data)
    refusal(read_property, path)


def test_a_property_of_lists_is_refused_before_it_is_parsed(library):
    path = next((library / "properties").glob("*.json"))
    path.write_bytes(b'{"family":"verify","centre":' + lists(6 * MEBIBYTE) + b"}")
    assert "more than 500000 lists and objects" in refusal(read_property, path)


def test_a_property_of_too_many_inputs_is_neither_read_nor_written(library, monkeypatch):
    path = next((library / "properties").glob("*.json"))
    prop = read_property(path)
    monkeypatch.setattr("vnnbench.instances.properties.property_file.MAX_INPUTS", 2)
    assert "key 'centre' holds 3 numbers; at most 2 are read" in refusal(read_property, path)
    with pytest.raises(PropertyError, match="its file would hold more than 2 inputs"):
        property_json(prop)


def test_planted_answers_of_lists_are_refused_before_they_are_parsed(library, tmp_path):
    data = b'{"format":1,"suite":"a","key":"b","problems":' + lists(6 * MEBIBYTE) + b"}"
    put(library, SEALED, data)
    opened = Library.open(library)
    assert "more than 100000 lists and objects" in refusal(lambda _: read_seal(opened), library / SEALED)
    (tmp_path / "results").mkdir()
    for name in (data, DEEP):
        (tmp_path / "results" / f"{hashlib.sha256(name).hexdigest()}.json").write_bytes(name)
        with pytest.raises(ValueError, match=r"lists and objects, the most|not a file of planted answers"):
            read_sealed(tmp_path / "results")
        shutil.rmtree(tmp_path / "results")
        (tmp_path / "results").mkdir()


@pytest.mark.parametrize("data", [b'{"format":1,"problems":' + lists(6 * MEBIBYTE) + b"}", DEEP])
def test_proven_answers_of_lists_are_refused_before_they_are_parsed(tmp_path, data):
    put_proven(tmp_path, data)
    with pytest.raises(ValueError, match=r"lists and objects, the most|not a file of proven answers"):
        read_proven(tmp_path / "proven")


@pytest.mark.parametrize("data", [DEEP, lists(17 * MEBIBYTE)])
def test_a_marker_too_deep_or_too_large_is_refused(tmp_path, data):
    (tmp_path / SITE.marker).write_bytes(data)
    with pytest.raises(SiteError, match=r"holds site\.json, which is not a file of the site"):
        check_place(tmp_path)


# -- tables and lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"," * (10 * MEBIBYTE), b"a,b\n" + b"," * (10 * MEBIBYTE)])
def test_a_catalogue_of_commas_is_refused_before_it_is_parsed(library, data):
    put(library, CATALOG, data)
    assert "fields, the most that is read" in refusal(Library.open, library, CATALOG)


def test_a_catalogue_of_one_long_field_is_refused(library):
    put(library, CATALOG, (library / CATALOG).read_bytes() + b"a" * (5 * MEBIBYTE) + "\U0001f600".encode())
    assert "field larger than field limit" in refusal(Library.open, library, CATALOG)


def test_catalogues_and_timings_end_at_the_most_instances(library, monkeypatch):
    monkeypatch.setattr(vnnbench.instances.library.tables, "MAX_INSTANCES", 1)
    opened = Library.open(library)
    for name, read in ((TIMINGS, lambda _: opened.timings("n-p--tight")), (CATALOG, Library.open)):
        lines = (library / name).read_bytes().splitlines(keepends=True)
        put(library, name, b"".join([*lines, lines[-1]]))
        assert "has more than 1 rows" in refusal(read, library, name)


def test_a_list_for_select_has_a_largest_size(library, tmp_path):
    (tmp_path / "names").write_bytes(b"n-p--tight\n" * 2_000_000)
    opened = Library.open(library)
    assert "holds more than" in refusal(lambda path: opened.select([f"@{path}"]), tmp_path / "names")


# -- TOML --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [load_suite, read_command_file])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b".".join([b"a"] * 30_000) + b" = 1", "has a line of more than 2000 dots"),
        (b"#" * (1 << 17), "holds more than 65536 bytes"),
        (b"a = " + DEEP[:60_000], "too many tables or lists within each other"),
        (b"a = " + LONG_INTEGER[:60_000], "is not TOML"),
    ],
)
def test_a_toml_that_would_need_much_memory_to_parse_is_refused(tmp_path, read, data, message):
    path = tmp_path / "s.toml"
    path.write_bytes(data)
    assert message in refusal(read, path)


# -- models ------------------------------------------------------------------------------------------------------------


def gzipped(path, start, item, n_bytes):
    with gzip.open(path, "wb", 1) as file:
        file.write(start)
        for _ in range(n_bytes // MEBIBYTE + 1):
            file.write(item * (MEBIBYTE // len(item)))


@pytest.mark.parametrize("item", [b"\n", b"*\n", b"a"])
def test_a_model_that_unzips_without_end_is_not_unzipped(tmp_path, item):
    gzipped(tmp_path / "m.mps.gz", b"NAME ", item, MAX_MPS_BYTES)
    assert f"holds more than {MAX_MPS_BYTES} bytes" in refusal(read_mps, tmp_path / "m.mps.gz")


def test_a_model_has_a_largest_number_of_lines_and_of_items_in_a_line(tmp_path, monkeypatch):
    path = tmp_path / "m.mps"
    path.write_bytes(b"ROWS\n" + b"\n" * 5_000_000)
    assert "has more than 4000000 lines" in refusal(read_mps, path)
    path.write_bytes(b"ROWS\n" + b" N" * (5 * MEBIBYTE))
    assert f"line 2: has more than {MAX_MPS_LINE} characters" in refusal(read_mps, path)
    monkeypatch.setattr(vnnbench.instances.formulations.mps, "MAX_MPS_NAMES", 2)
    path.write_bytes(b"ROWS\n N o\n L a\n L b\n L c\n")
    assert "line 5: has more than 2 rows" in refusal(read_mps, path)
    path.write_bytes(b"ROWS\n N o\nCOLUMNS\n a o 1\n b o 1\n c o 1\n")
    assert "line 6: has more than 2 columns" in refusal(read_mps, path)


# -- networks ----------------------------------------------------------------------------------------------------------


def field(number, data):
    """Return a field of a protocol buffer with a length."""
    length, parts = len(data), [number << 3 | 2]
    while length > 127:
        parts.append(length & 127 | 128)
        length >>= 7
    return bytes([*parts, length]) + data


GRAPH, NODE, INITIALIZER, INPUT, ATTRIBUTE, INTEGERS = 7, 1, 5, 1, 5, 8
HOLLOW = {
    "nodes": field(NODE, b""),
    "weights": field(INITIALIZER, b""),
    "inputs": field(NODE, field(INPUT, b"") * MEBIBYTE),
    "attributes": field(NODE, field(ATTRIBUTE, b"") * MEBIBYTE),
    "integers": field(NODE, field(ATTRIBUTE, field(INTEGERS, bytes(16 * MEBIBYTE)))),
}


@pytest.mark.parametrize("what", HOLLOW)
def test_a_network_of_empty_fields_is_refused_before_it_is_parsed(tmp_path, what):
    item = HOLLOW[what]
    path = tmp_path / "n.onnx"
    path.write_bytes(SMALL_ONNX + field(GRAPH, item * max(1, 4 * MEBIBYTE // len(item))))
    assert f"holds more than {MAX_ONNX_FIELDS} fields" in refusal(read_onnx, path)


@pytest.mark.parametrize(
    "ending", [b"\x0b", b"\x3a", b"\x3a\x05", b"\x3a" + b"\xff" * 11, b"\x09\0", b"\x3a\x02\x0a\x05aaaaa"]
)
def test_a_file_that_is_not_a_protocol_buffer_is_refused_before_it_is_parsed(tmp_path, ending):
    """The last ending says that a field is longer than the one that holds it."""
    (tmp_path / "n.onnx").write_bytes(SMALL_ONNX + ending)
    assert "is not an ONNX file, or is cut off" in refusal(read_onnx, tmp_path / "n.onnx")


def test_fields_outside_the_schema_are_ignored(tmp_path):
    known = read_onnx_bytes(tmp_path, SMALL_ONNX)
    assert ModelProto.FromString(SMALL_ONNX).graph.node
    more = SMALL_ONNX + b"\xc0\x3e\x05" + b"\xc1\x3e" + bytes(8) + b"\xc5\x3e" + bytes(4) + b"\xc2\x3e\x02ab"
    assert read_onnx_bytes(tmp_path, more) == known


def read_onnx_bytes(folder, data):
    (folder / "n.onnx").write_bytes(data)
    return [layer.W.tolist() for layer in read_onnx(folder / "n.onnx").layers]


# -- VNN-LIB -----------------------------------------------------------------------------------------------------------


def test_a_vnnlib_file_of_too_many_comparisons_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "p.vnnlib"
    path.write_text(SMALL_VNNLIB)
    assert read_vnnlib(path).n_outputs == 2
    monkeypatch.setattr(vnnbench.instances.properties.vnnlib_reader, "MAX_READ_COMPARISONS", 7)
    assert "line 12: more than 7 comparisons" in refusal(read_vnnlib, path)
    monkeypatch.setattr(vnnbench.instances.properties.vnnlib_reader, "MAX_READ_COMPARISONS", 1000)
    path.write_text(SMALL_VNNLIB + "(assert (>= Y_0 0))\n" * 100)
    assert len(read_vnnlib(path).prop.goal.atoms) == 102
    monkeypatch.setattr(vnnbench.instances.properties.questions, "MAX_ATOMS", 101)
    assert "compares outputs more than 101 times" in refusal(read_vnnlib, path)


def test_a_vnnlib_file_that_unzips_without_end_is_not_unzipped(tmp_path):
    gzipped(tmp_path / "p.vnnlib.gz", b"", b" ", 17 * MEBIBYTE)
    assert "holds more than 16777216 bytes" in refusal(read_vnnlib, tmp_path / "p.vnnlib.gz")


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_the_size_of_a_picture_is_checked_before_its_pixels_are_unpacked(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path, side = tmp_path / "a.png", 9_000
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(side * (side + 1)), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    assert "is not a grey picture of 8 x 8" in refusal(lambda path: grey_of(path.read_bytes(), 8, str(path)), path)
    assert "sides of at most 1024" in refusal(lambda path: grey_of(path.read_bytes(), side, str(path)), path)
    for data in (b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", path.read_bytes()[:20]):
        path.write_bytes(data)
        assert "is not a PNG file" in refusal(lambda path: grey_of(path.read_bytes(), side, str(path)), path)


def test_a_picture_reads_back():
    pixels = np.linspace(0, 1, 64)
    assert np.abs(grey_of(picture_png(pixels, 8), 8, "a.png") - pixels).max() <= 0.5 / 255


# -- bundles and results -----------------------------------------------------------------------------------------------


def test_a_bundle_whose_manifest_is_a_bomb_is_refused_before_it_is_parsed(small_results, tmp_path):
    path = tmp_path / "b.zip"
    write_bundle(small_results, path, Silent())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["manifest.json"] = b'{"format":1,"files":' + lists(6 * MEBIBYTE) + b"}"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            archive.writestr(name, data, kind, 1)
    assert "manifest.json holds more than 400000 lists and objects" in refusal(Bundle, path)


def test_more_runs_than_a_bundle_takes_are_not_packed(small_results, tmp_path, monkeypatch):
    monkeypatch.setattr("vnnbench.sharing.bundle.MAX_RUNS", 1)
    with pytest.raises(BundleError, match="has 2 runs, and a bundle holds at most 1"):
        write_bundle(small_results, tmp_path / "b.zip", Silent())
    assert not (tmp_path / "b.zip").exists()


def test_arrays_whose_header_is_a_bomb_are_refused(tmp_path):
    header = b"{'descr':'<f8','fortran_order':False,'shape':(" + b"(),".join([b""] * (4 * MEBIBYTE)) + b")}"
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("inputs.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header)
    refusal(lambda path: read_arrays(path.read_bytes(), str(path), ["inputs"], ResultsError), tmp_path / "a.npz")


def test_candidates_with_more_columns_than_a_model_has_are_refused(tmp_path, monkeypatch):
    trajectory = Trajectory()
    trajectory.add(Candidate(np.zeros(3), 0.0, 0.0))
    path = tmp_path / "a.npz"
    path.write_bytes(candidates_npz(trajectory, np.zeros(3), ["a", "b", "c"]))
    assert read_candidates(path)[2] == ["a", "b", "c"]
    monkeypatch.setattr("vnnbench.judging.candidates.MAX_COLUMNS", 2)
    assert "not a readable candidates file" in refusal(read_candidates, path)


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack(">I", 1 << 26), "a header of 67108864 bytes"),
        (frame(b'{"kind":"dual_bound","floats":0,"a":' + lists(MAX_HEADER_BYTES - 100) + b"}"), "lists and objects"),
        (frame(b'{"kind":"incumbent","floats":5}'), "a payload whose count is not an integer from 0 to 4"),
        (frame(b'{"kind":"columns","floats":0,"text":16777217}'), "from 0 to 16777216"),
        (frame(b'{"kind":"columns","floats":0,"text":3}', b"\n\n\n"), "more than 3 names"),
        (frame(b'{"kind":"columns","floats":0,"text":1}', b"a") * 17, "names more than 16 times"),
        (frame(b'{"kind":"columns","floats":0,"text":1}', b"\xff"), "names that are not UTF-8 text"),
    ],
)
def test_a_frame_holds_what_its_instance_can_have(data, message):
    with pytest.raises(ProtocolError, match=message):
        list(FrameReader(max_columns=3).feed(data))


def test_names_that_would_be_stored_as_gigabytes_are_refused():
    text = b"\n".join([b"a" * 200_000, *[b"b"] * 100_000])
    with pytest.raises(ProtocolError, match="names that take more than"):
        list(FrameReader().feed(frame(b'{"kind":"columns","floats":0,"text":%d}' % len(text), text)))


def test_a_model_beyond_what_is_read_is_not_written(library, monkeypatch):
    model = read_mps(next((library / "models").iterdir()))
    monkeypatch.setattr(vnnbench.instances.formulations.mps, "MAX_MPS_LINES", 10)
    with pytest.raises(ModelError, match=rf"model {model.name}: would have more than 10 lines"):
        mps_text(model)


def test_a_model_of_too_many_coefficients_is_refused_before_its_text_is_made(library, monkeypatch):
    model = read_mps(next((library / "models").iterdir()))
    monkeypatch.setattr(vnnbench.instances.formulations.mps, "MAX_MPS_LINES", model.n_nonzeros - 1)
    monkeypatch.setattr(vnnbench.instances.formulations.mps, "_column_blocks", None)
    with pytest.raises(ModelError, match=rf"model {model.name}: would have more than {model.n_nonzeros - 1} lines"):
        mps_text(model)
