import csv
import io
import json
import os
import shutil
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest

from support.progress import StepRecorder
from support.suites import SMALL_SUITE
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps, uncompressed
from vnnbench.instances.formulations.numerics import Numerics
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.library.catalog import (
    CATALOG_COLUMNS,
    TIMING_COLUMNS,
    catalog_bytes,
    parse_catalog,
    timings_bytes,
)
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.findings import Severity
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.suites.suite_toml import parse_suite
from vnnbench.leaderboard.records.schema import CONTENT_COLUMNS, FAMILY_COLUMNS, INSTANCE_COLUMNS

SUITE = SMALL_SUITE.replace("unstructured", "structured")
DENSE = "digits-8x8-1x6-s0-l1--tight"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return generate(parse_suite(SUITE, "tiny"), tmp_path_factory.mktemp("library") / "tiny")


@pytest.fixture
def folder(original, tmp_path):
    """A copy of `original` that a test may damage."""
    return shutil.copytree(original.folder, tmp_path / "library")


def edit_manifest(folder, change):
    document = json.loads((folder / "library.json").read_bytes())
    change(document)
    (folder / "library.json").write_text(json.dumps(document))


def rewrite(library, *, files=None, rows=None):
    """Write files, catalogue and a manifest that agrees with them, as a generator with a bug would."""
    hashes = dict(library.hashes)
    for relative, data in {**(files or {}), "catalog.csv": catalog_bytes(rows or library.rows)}.items():
        write_atomic(library.folder / relative, data)
        hashes[relative] = sha256(data)
    write_atomic(library.folder / "library.json", manifest_bytes(library.suite, None, library.seeds, hashes))
    return Library.open(library.folder)


def identity(library, row):
    prop = library.property_path(row).read_bytes()
    return instance_sha256(uncompressed(library.model_path(row)), library.read_data(row), prop)


# -- columns ------------------------------------------------------------------------------------------------------


def test_catalogue_columns_begin_as_the_design_lists_them():
    assert " ".join(CATALOG_COLUMNS) == (
        "instance instance_sha256 problem family suite dataset input_side depth width seed network dense_network "
        "pruning structure rate finetuned formulation bounds norm radius sample source target accuracy dense_accuracy "
        "rows columns nonzeros binaries stable_active stable_inactive unstable constant_rounding model property "
        "strict threshold centre_value coefficient_min coefficient_max big_m_min big_m_max tolerance_reach zero_share "
        "time_limit_seconds variant samples features equality_rows"
    )


def test_the_ledger_keeps_every_catalogue_and_timing_column_and_what_the_family_says():
    assert set(INSTANCE_COLUMNS) == {*CATALOG_COLUMNS, *TIMING_COLUMNS, *CONTENT_COLUMNS, *FAMILY_COLUMNS}


def test_a_catalogue_has_columns_of_training_problems_only_if_an_instance_is_one(original):
    rows = (original.rows[0], replace(original.rows[1], variant="101", samples=8, features=2, equality_rows=40))
    assert catalog_bytes(rows).splitlines()[0].endswith(b",zero_share,variant,samples,features,equality_rows")
    assert tuple(parse_catalog(catalog_bytes(rows), Path("catalog.csv"))) == rows


def test_a_catalogue_has_a_column_of_time_limits_only_if_an_instance_has_one(original):
    without = [row.time_limit_seconds for row in original.rows]
    assert set(without) == {None}
    assert catalog_bytes(original.rows).splitlines()[0].endswith(b",zero_share")
    rows = (original.rows[0], replace(original.rows[1], time_limit_seconds=116.5))
    assert catalog_bytes(rows).splitlines()[0].endswith(b",zero_share,time_limit_seconds")
    assert tuple(parse_catalog(catalog_bytes(rows), Path("catalog.csv"))) == rows


@pytest.mark.parametrize("limit", ["0.0", "-1.0", "nan", "inf", "1e9", "soon"])
def test_a_time_limit_that_no_run_can_have_is_refused(original, limit):
    text = catalog_bytes([replace(original.rows[0], time_limit_seconds=12.5)]).replace(
        b",12.5\n", f",{limit}\n".encode()
    )
    with pytest.raises(LibraryError, match=r"line 2: time_limit_seconds is .* above 0 and at most 100000000"):
        tuple(parse_catalog(text, Path("catalog.csv")))


def test_a_catalogue_reads_back_bit_for_bit(original, tmp_path):
    rows = (
        replace(original.rows[0], radius=0.1 + 0.2, centre_value=-1e-300, accuracy=None, dataset=None, seed=None),
        replace(original.rows[1], constant_rounding=5e-324, problem='odd, "name"'),
    )
    shutil.copytree(original.folder, tmp_path / "library")
    assert rewrite(replace(original, folder=tmp_path / "library"), rows=rows).rows == rows


LATER_COLUMNS = ("coefficient_min", "coefficient_max", "big_m_min", "big_m_max", "zero_share")


@pytest.mark.parametrize("lacking", [LATER_COLUMNS, LATER_COLUMNS[-1:]])
def test_a_library_of_an_older_version_lacks_columns_and_is_complete_all_the_same(folder, lacking):
    original = Library.open(folder)
    records = list(csv.DictReader(io.StringIO((folder / "catalog.csv").read_text())))
    text = io.StringIO()
    writer = csv.DictWriter(text, [name for name in CATALOG_COLUMNS if name not in lacking], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(records)
    (folder / "catalog.csv").write_text(text.getvalue())
    edit_manifest(folder, lambda m: m["files"].update({"catalog.csv": sha256((folder / "catalog.csv").read_bytes())}))
    library = Library.open(folder)
    assert library.rows == tuple(replace(row, **dict.fromkeys(lacking)) for row in original.rows)
    assert [finding for row in library.rows for finding in check_row(library, row)] == []
    assert list(check_files(library)) == []
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    steps = StepRecorder()
    assert generate(parse_suite(SUITE, "tiny"), folder, progress=steps).rows == library.rows
    assert (steps.total, steps.descriptions, steps.n_mended) == (None, [], 0)  # nothing was made or repaired
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_timings_read_back(original, folder):
    values = dict.fromkeys(TIMING_COLUMNS, 0.1) | {"batch_size": 3, "finetune_seconds": None}
    (folder / "timings.csv").write_bytes(timings_bytes({DENSE: values}))
    library = Library.open(folder)
    assert library.timings(DENSE) == values
    assert library.timings("another") == dict.fromkeys(TIMING_COLUMNS)
    (folder / "timings.csv").write_text(f"instance,train_seconds\n{DENSE},2.5\n")  # as an older version wrote it
    assert Library.open(folder).timings(DENSE) == dict.fromkeys(TIMING_COLUMNS) | {"train_seconds": 2.5}
    (folder / "timings.csv").write_text("name,train_seconds\n")
    with pytest.raises(LibraryError, match=r"timings\.csv: lacks column instance"):
        Library.open(folder).timings(DENSE)


def test_identity_depends_on_every_part_and_its_place():
    def identity(model, network, dense_network, prop):
        return instance_sha256(model, {"network": network, "dense_network": dense_network}, prop)

    parts = [b"model", b"network", b"dense", b"property"]
    digests = {identity(*parts), instance_sha256(b"model", {}, b"property")}
    for place in range(4):
        digests.add(identity(*[*parts[:place], b"other", *parts[place + 1 :]]))
    digests.add(identity(b"model", b"dense", b"network", b"property"))
    digests.add(instance_sha256(b"model", {"data": b"network", "dense_network": b"dense"}, b"property"))
    assert len(digests) == 8


def test_identity_ignores_how_the_model_is_compressed(original):
    row = original.rows[0]
    text = uncompressed(original.model_path(row))
    assert row.instance_sha256 == identity(original, row)
    assert uncompressed(original.model_path(row)) == text == mps_text(read_mps(original.model_path(row)))


# -- selecting ----------------------------------------------------------------------------------------------------


def test_selection_by_globs_names_and_files(original, tmp_path):
    names = [row.instance for row in original.rows]

    def select(*globs):
        return [row.instance for row in original.select(globs)]

    assert select() == names
    assert select("*-s1-*") == names[2:]
    assert select("*-s1-*", names[0], "*-s1-*") == [names[0], *names[2:]]
    (tmp_path / "list").write_text(f"# two\n{names[3]}\n\n  *-s0-l1--tight\n  # no-such-name\n")
    assert select(f"@{tmp_path / 'list'}") == [names[0], names[3]]
    for glob, message in (
        ("*-S1-*", "matches no instance"),  # case matters
        ("x", "--select 'x' matches no instance of .*, such as .*--tight$"),
        ("@none", "--select @none: cannot be read"),
    ):
        with pytest.raises(LibraryError, match=message):
            select(names[0], glob)


def test_list_may_come_from_a_command_and_must_name_something(original, tmp_path):
    """The shell passes such a path for --select @<(command)."""
    reading, writing = os.pipe()
    os.write(writing, b"*-s1-*\n")
    os.close(writing)
    assert original.select([f"@/dev/fd/{reading}"]) == original.rows[2:]
    os.close(reading)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_text("# nothing\n\n")
    for name in ("pipe", "empty"):
        with pytest.raises(LibraryError, match=f"--select @.*{name}: does not name an instance; name a file with one"):
            original.select(["*", f"@{tmp_path / name}"])
    with pytest.raises(LibraryError, match="--select @/dev/zero: is not a file; name a file with one instance"):
        original.select(["@/dev/zero"])


def test_an_unknown_instance_is_answered_with_close_names(original):
    assert original.row(DENSE).instance == DENSE
    with pytest.raises(LibraryError, match=f"no instance 'digits-8x8-1x6-s0-l1--tigt'; did you mean {DENSE}"):
        original.row("digits-8x8-1x6-s0-l1--tigt")
    with pytest.raises(LibraryError, match="`vnnbench show LIBRARY --list` prints all"):
        original.row("x")


# -- broken libraries -----------------------------------------------------------------------------------------------


def test_paths_are_those_of_the_design(original):
    row = original.row("digits-8x8-1x6-s0-l1-mag-n50--tight")
    relative = [
        path.relative_to(original.folder).as_posix()
        for path in (
            original.model_path(row),
            original.network_path(row),
            original.dense_network_path(row),
            original.property_path(row),
            original.picture_path(row),
        )
    ]
    assert relative == [
        "models/digits-8x8-1x6-s0-l1-mag-n50--tight.mps.gz",
        "networks/digits-8x8-1x6-s0-mag-n50.onnx",
        "networks/digits-8x8-1x6-s0.onnx",
        "properties/digits-8x8-1x6-s0-l1.json",
        "pictures/digits-8x8-1x6-s0-l1.png",
    ]
    for each in original.rows:
        original.verify_row(each)


def test_a_missing_folder_and_an_incomplete_library_have_different_errors(folder, tmp_path):
    with pytest.raises(LibraryError, match="no such library"):
        Library.open(tmp_path / "nothing")
    (folder / "library.json").unlink()
    with pytest.raises(
        LibraryError, match=r"is a library whose library\.json was lost; restore it from a copy, or delete"
    ):
        Library.open(folder)
    (folder / ".generation").mkdir()
    with pytest.raises(LibraryError, match=r"has no library\.json, so it is not a complete library"):
        Library.open(folder)


def test_a_results_folder_in_place_of_its_library_is_named_as_such(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"")
    with pytest.raises(LibraryError, match="is a results folder, not a library; name the library that was run"):
        Library.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format=2), "not a manifest of format 1"),
        (lambda m: m.update(seeds=[0, "1"]), "seeds must be a list of integers"),
        (lambda m: m.update(suite=None), "suite and suite_sha256 must be texts"),
        (lambda m: m.update(files=[]), "files must map"),
        (lambda m: m["files"].pop("catalog.csv"), r"hold catalog\.csv"),
        (lambda m: m["files"].update({"models/x": "00"}), "sha256 of 'models/x' is not 64"),
        (lambda m: m["files"].pop("networks/digits-8x8-1x6-s0.onnx"), r"lacks 'networks/digits-8x8-1x6-s0\.onnx'"),
        (lambda m: m["files"].update({"../secret": "0" * 64}), r"'\.\./secret' is not a plain path"),
        (lambda m: m["files"].update({"models/../../secret": "0" * 64}), "is not a plain path"),
        (lambda m: m["files"].update({"/etc/passwd": "0" * 64}), "'/etc/passwd' is not a plain path"),
        (lambda m: m["files"].update({"models//x": "0" * 64}), "is not a plain path"),
        (lambda m: m["files"].update({"": "0" * 64}), "is not a plain path"),
        (lambda m: m["files"].update({"models/\0": "0" * 64}), "is not a plain path"),
    ],
)
def test_a_wrong_manifest_is_one_line(folder, change, message):
    edit_manifest(folder, change)
    with pytest.raises(LibraryError, match=message) as caught:
        Library.open(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff"])
def test_a_manifest_that_is_not_a_json_object_is_one_line(folder, text):
    (folder / "library.json").write_bytes(text)
    with pytest.raises(LibraryError, match=r"library\.json: "):
        Library.open(folder)


def test_a_link_out_of_the_library_is_refused(original, folder):
    (folder / "properties" / "digits-8x8-1x6-s0-l1.json").unlink()
    outside = original.folder / "properties" / "digits-8x8-1x6-s0-l1.json"
    (folder / "properties" / "digits-8x8-1x6-s0-l1.json").symlink_to(outside)
    with pytest.raises(LibraryError, match="leads out of the library through a link"):
        Library.open(folder)


def test_an_altered_catalogue_is_refused(folder):
    text = (folder / "catalog.csv").read_text()
    (folder / "catalog.csv").write_text(text.replace("none", "None"))
    with pytest.raises(LibraryError, match=r"catalog\.csv: is not the file that library\.json knows"):
        Library.open(folder)


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("rows", "many", "line 2: rows is 'many', it must be an integer"),
        ("rows", "", "line 2: rows is empty"),
        ("rows", str(10**19), r"line 2: rows is '10+', it must be an integer from 0 to 9223372036854775807"),
        ("rows", str(2**63), "it must be an integer from 0 to 9223372036854775807"),
        ("nonzeros", "-1", "line 2: nonzeros is '-1', it must be an integer from 0"),
        ("seed", "1_0", "line 2: seed is '1_0', it must be an integer from 0"),
        ("depth", "\u0661", "it must be an integer from 0"),
        ("strict", "2", "line 2: strict is '2', it must be 0 or 1"),
        ("finetuned", "-1", "line 2: finetuned is '-1', it must be 0 or 1"),
        ("accuracy", "1e308", "line 2: accuracy is '1e308', it must be a number from 0 to 1"),
        ("centre_value", "1e308", "line 2: centre_value is '1e308', it must be a finite number"),
        ("constant_rounding", "-1.0", "it must be a finite number, not negative"),
        ("radius", "wide", "line 2: radius is 'wide', it must be a finite number"),
        ("model", "../../secret", r"lacks '\.\./\.\./secret'"),
        ("network", "../../secret", r"lacks 'networks/\.\./\.\./secret\.onnx'"),
        ("instance", "digits-8x8-1x6-s1-l1--tight", "lists an instance twice"),
    ],
)
def test_a_wrong_catalogue_field_is_named(folder, column, text, message):
    header, *records = csv.reader(io.StringIO((folder / "catalog.csv").read_text()))
    records[0][header.index(column)] = text
    buffer = io.StringIO()
    csv.writer(buffer).writerows([header, *records])
    (folder / "catalog.csv").write_text(buffer.getvalue())
    data = (folder / "catalog.csv").read_bytes()
    edit_manifest(folder, lambda m: m["files"].update({"catalog.csv": sha256(data)}))
    with pytest.raises(LibraryError, match=message):
        Library.open(folder)


@pytest.mark.parametrize("kind", ["model", "network", "dense_network", "property"])
@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_an_altered_file_fails_the_row(original, folder, kind, harm):
    library = Library.open(folder)
    row = library.row("digits-8x8-1x6-s0-l1-mag-n50--tight")
    path = getattr(library, f"{kind}_path")(row)
    if harm == "changed":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    with pytest.raises(LibraryError, match=path.name):
        library.verify_row(row)
    assert any(finding.where == path.relative_to(folder).as_posix() for finding in check_files(library))
    original.verify_row(original.row(row.instance))


def test_files_that_agree_with_the_manifest_but_not_with_the_identity_fail(folder):
    library = Library.open(folder)
    row = library.rows[0]
    other = library.model_path(library.rows[2]).read_bytes()
    library = rewrite(library, files={row.model: other})
    with pytest.raises(LibraryError, match=f"instance_sha256 of {row.instance}"):
        library.verify_row(row)


# -- checks ---------------------------------------------------------------------------------------------------------


def test_stray_files_and_files_of_no_instance_are_found(folder):
    (folder / "models" / "stray.mps.gz").write_bytes(b"")
    (folder / "proofs").mkdir()
    (folder / "proofs" / "a.proof").write_bytes(b"")
    library = rewrite(Library.open(folder), files={"networks/old.onnx": b"old"})
    assert [(finding.where, finding.what.split(";")[0]) for finding in check_files(library)] == [
        ("models/stray.mps.gz", "is not listed in library.json"),
        ("networks/old.onnx", "does not belong to an instance of the catalogue"),
    ]


def test_a_folder_of_stray_files_is_reported_once(folder):
    for name in ("candidates/a.json", "candidates/deep/b.json", "candidates/deep/c.json", "models/old/d.mps.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    assert [(finding.where, finding.what) for finding in check_files(Library.open(folder))] == [
        ("candidates/", "holds 3 files that are not listed in library.json; remove it"),
        ("models/old/d.mps.gz", "is not listed in library.json; remove it"),
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("rows", 1),
        ("nonzeros", 1),
        ("binaries", 99),
        ("radius", 9.0),
        ("target", 11),
        ("centre_value", 0.0),
        ("big_m_max", 0.5),
    ],
)  # fmt: skip
def test_a_catalogue_that_contradicts_the_files_is_found(folder, column, value):
    library = Library.open(folder)
    library = rewrite(library, rows=[replace(library.rows[0], **{column: value}), *library.rows[1:]])
    (finding,) = check_row(library, library.rows[0])
    assert finding.where == "catalog.csv"
    assert finding.what.startswith(f"{DENSE}: {column} is {value}, but ")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: replace(m, offset=m.offset + 1e-9), "the clean input lifted: objective and network differ by 1e-09"),
        (lambda m: replace(m, upper=np.where(m.integer, m.upper, np.maximum(m.lower, m.upper / 8))), "lifted violates"),
        (lambda m: replace(m, data=m.data * (1 + 2.0**-52)), "differ"),
        (lambda m: replace(m, rhs=m.rhs + [1e9 if r == "ball" else 0 for r in m.row_names]), "is outside the set"),
    ],
)
def test_a_wrong_model_is_found_by_lifting(folder, spoil, message):
    library = Library.open(folder)
    row = library.row(DENSE)
    assert list(check_lifting(library, row)) == []
    text = mps_text(spoil(read_mps(library.model_path(row))))
    library = rewrite(library, files={row.model: compress(text)})
    findings = list(check_lifting(library, row))
    assert findings
    assert all(finding.where == row.model for finding in findings)
    assert any(message in finding.what for finding in findings)


def test_numbers_that_solvers_handle_badly_are_warnings(folder):
    library = Library.open(folder)
    row = library.row(DENSE)
    model = read_mps(library.model_path(row))
    huge = mps_text(replace(model, data=np.where(model.integer[model.indices], 2e9, model.data)))
    identity = instance_sha256(huge, library.read_data(row), library.property_path(row).read_bytes())
    lacking = dict.fromkeys((field.name for field in fields(Numerics)), None)
    rows = [replace(row, instance_sha256=identity, **lacking), *library.rows[1:]]
    library = rewrite(library, files={row.model: compress(huge)}, rows=rows)
    findings = list(check_row(library, library.rows[0]))
    assert {finding.severity for finding in findings} == {Severity.WARNING}
    assert {finding.where for finding in findings} == {row.model}
    assert any("a big-M is 2e+09" in finding.what for finding in findings)


def test_a_wrong_share_of_zeros_is_a_finding(folder):
    library = Library.open(folder)
    library = rewrite(library, rows=[replace(library.rows[0], zero_share=0.25), *library.rows[1:]])
    (finding,) = check_row(library, library.rows[0])
    assert finding.what.startswith(f"{DENSE}: zero_share is 0.25, but ")


def test_an_unreadable_model_is_a_finding_not_an_error(folder):
    library = Library.open(folder)
    row = library.row(DENSE)
    library = rewrite(library, files={row.model: b"no gzip"})
    (lifting,) = check_lifting(library, row)
    assert row.model in lifting.what
    assert [finding.where for finding in check_row(library, row)] == [DENSE]


def test_rows_are_plain_data(original):
    assert tuple(asdict(original.rows[0])) == CATALOG_COLUMNS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(",rate,", ",rows,", 1), "has a column twice"),
        (lambda text: text.replace("digits-8x8", "digits\x1b[31m", 1), "must be a text of one line"),
        (lambda text: text.replace(",l1,", ",l1,nan", 1), "radius is 'nan.*', it must be a finite number"),
    ],
)
def test_a_catalogue_with_what_no_writer_writes_is_refused(original, change, message):
    text = (original.folder / "catalog.csv").read_text()
    assert change(text) != text
    with pytest.raises(LibraryError, match=message):
        list(parse_catalog(change(text).encode(), original.folder / "catalog.csv"))
