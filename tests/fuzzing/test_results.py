"""Results folders: candidates, the ledger, and what a child process says."""

from __future__ import annotations

import io
import shutil
import sqlite3
import struct
import zipfile
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import orjson
import pytest

from support.frames import frame
from support.fuzzing import attempt, fuzz
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.library.library import Library
from vnnbench.isolation.protocol import FrameReader, Kind, ProtocolError
from vnnbench.judging.candidates import candidates_npz, read_candidates
from vnnbench.judging.external_solutions import read_counterexample, read_inputs
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import Retry
from vnnbench.ledger.writer import LEDGER_NAME, Ledger
from vnnbench.runs.retry import plan_again
from vnnbench.solvers.command_line.solution_files import read_columns, text_of_solution

SHAPES = ((), (0,), (1,), (2, 3), (3, 2), (2**40,), (2**31, 2**31), (2**62, 3), (1, 1, 1), (-1,), (1,) * 70)
TYPES = (
    "<f8",
    ">f8",
    "<f4",
    "|O",
    "<U3",
    "<i8",
    "|V8",
    "|b1",
    "<c16",
    "<M8[s]",
    "<f16",
    "|S0",
    "[('a', '<f8')]",
    "'x",
    "",
)


def other_archive(mutator, data):
    """Return the archive with members cut, doubled, renamed, retyped or reshaped."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [[name, archive.read(name)] for name in archive.namelist()]
    for _ in range(mutator.number(1, 3)):
        member = mutator.choice(members)
        match mutator.number(0, 7):
            case 0:
                members.remove(member)
            case 1:
                members.append(list(member))
            case 2:
                member[0] = mutator.choice(
                    ("inputs", "inputs.npy", "values.npy", "../x.npy", "/x", "\u00e9.npy", "x" * 300)
                )
            case 3:
                member[1] = mutator.mutate_bytes(member[1])
            case 4:
                member[1] = b"\x93NUMPY" + member[1][6:8] + struct.pack("<H", 0) + member[1][10:]
            case _:
                header = {
                    "descr": mutator.choice(TYPES),
                    "fortran_order": bool(mutator.number(0, 1)),
                    "shape": mutator.choice(SHAPES),
                }
                text = mutator.choice(
                    (repr(header), repr(header).replace("2,", "2L,"), "(" * 5000, "{}", "1 if", "\0")
                ).encode()
                member[1] = b"\x93NUMPY" + mutator.choice((b"\1\0", b"\2\0", b"\3\0", b"\7\0"))
                member[1] += struct.pack("<H", len(text)) + text + b"\0" * mutator.choice((0, 8, 48, 400))
        if not members:
            break
    buffer = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    with zipfile.ZipFile(buffer, "w", mutator.choice(methods)) as archive:
        for name, content in members:
            archive.filelist.append(archive.getinfo(name)) if name in archive.NameToInfo else archive.writestr(
                name, content
            )
    return buffer.getvalue()


@pytest.fixture(scope="module")
def candidates(small_results):
    """The bytes of a candidates file."""
    path = sorted((small_results / "candidates").glob("*.npz"))[0]
    trajectory, columns, names = read_candidates(path)
    assert trajectory.candidates and columns is not None and len(names) == len(columns)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["bytes", "members"])
def test_candidates_are_read_or_refused(tmp_path, candidates, kind):
    path = tmp_path / "c.npz"

    def check(mutator):
        path.write_bytes(mutator.mutate_bytes(candidates) if kind == "bytes" else other_archive(mutator, candidates))
        inputs = attempt(lambda path: read_inputs(path, 3), path)
        assert inputs is None or (inputs.dtype == np.float64 and inputs.shape[1] == 3)
        read = attempt(read_candidates, path)
        if read is not None:
            trajectory, columns, names = read
            again = tmp_path / "again.npz"
            again.write_bytes(candidates_npz(trajectory, columns, names))
            assert candidates_npz(*read_candidates(again)) == again.read_bytes()

    fuzz(check)


SOLUTIONS = sorted((Path(__file__).parents[1] / "solutions").glob("*.sol"))
COLUMNS = {"p_0": 1.3, "z_1_0": 0.0, "d_1_0": 1.0, "y_1": 0.1}
"""The columns that each of these files holds."""
COUNTEREXAMPLE = "sat\n((X_0 0.75)\n (X_1 1.0)\n (X_2 -1.5e-3)\n (Y_0 0.25) (Y_1 7))\n"
SOLUTION_WORDS = (
    "p_0", "y_1 nan", "q_0 1", "# Rows 2", "# Columns -2", "Rows", "Columns", "**", "=obj= 1", "objective value: 1",
    "e o f", "s mip 2 4 o 1", "NAME", "ENDATA", "VARIABLES", "<variables>", "<!DOCTYPE x>", "&x;", "\ufeff",
    "Actual values of the variables:", "End of output", "(X_0 1)", "(obj:1)", "*", "p_0 1.0D0",
)  # fmt: skip


def finite_columns(path):
    values = read_columns(text_of_solution(path.read_bytes()), list(COLUMNS)).columns
    assert len(values) == 4 and np.isfinite(values).all()
    return values


def named(read):
    """Return the reader with the name of its file in every message, as the commands put it there."""

    def reader(path):
        try:
            return read(path)
        except (ValueError, PropertyError) as error:
            raise PropertyError(f"{path.name}: {error}") from error

    return reader


@pytest.mark.parametrize("layout", SOLUTIONS, ids=lambda path: path.stem)
def test_a_solution_is_read_or_refused(tmp_path, layout):
    text, path = layout.read_text(), tmp_path / "s.sol"

    def check(mutator):
        path.write_bytes(mutator.mutate_text(text, SOLUTION_WORDS))
        attempt(named(finite_columns), path)

    fuzz(check, cost=2)


@pytest.mark.parametrize("layout", SOLUTIONS, ids=lambda path: path.stem)
def test_a_solution_that_lost_a_part_is_read_without_wrong_values(tmp_path, layout):
    """If a piece is cut out, or lines are lost or doubled, each column is right, or 0 where zeros are left out."""
    text, path = layout.read_text(), tmp_path / "s.sol"
    zeros = layout.stem in ("cbc", "cbc-all", "cplex-nonzeros", "miplib", "scip")

    def check(mutator):
        lines = text.splitlines(keepends=True)
        i, n = mutator.number(0, len(lines) - 1), mutator.number(1, 3)
        match mutator.number(0, 2):
            case 0:
                del lines[i : i + n]
            case 1:
                lines[i:i] = lines[i : i + n]
            case _:
                del lines[i:]
        left = "".join(lines)
        path.write_text(left[: mutator.number(0, len(left))] if mutator.number(0, 1) else left)
        values = attempt(named(finite_columns), path)
        for value, right in zip(values or [], COLUMNS.values(), strict=bool(values)):
            assert value == right or (zeros and value == 0), path.read_text()

    fuzz(check, cost=2)


def test_a_counterexample_is_read_or_refused(tmp_path):
    path = tmp_path / "s.txt"

    def check(mutator):
        path.write_bytes(mutator.mutate_text(COUNTEREXAMPLE.removeprefix("sat\n"), SOLUTION_WORDS))
        read = named(lambda path: read_counterexample(text_of_solution(path.read_bytes()), 3))
        values = attempt(read, path)
        assert values is None or (values.shape == (3,) and np.isfinite(values).all())

    fuzz(check)


def test_a_file_is_judged_or_refused(command, small_library, tmp_path):
    name = Library.open(small_library).rows[0].instance
    path = tmp_path / "s.sol"

    def check(mutator):
        path.write_bytes(mutator.mutate_text(COUNTEREXAMPLE, SOLUTION_WORDS))
        command("judge", small_library, name, path)

    fuzz(check, cost=4)


def test_frames_are_taken_or_refused():
    numbers = np.arange(3.0).tobytes()
    columns = {"kind": "columns", "floats": 0, "text": 11}
    messages = [
        columns,
        {"kind": "incumbent", "floats": 3, "nodes": 5},
        {"kind": "result", "floats": 3, "message": "end"},
    ]

    def check(mutator):
        stream = b""
        for message in messages:
            header = mutator.mutate_json(message) if mutator.number(0, 1) else orjson.dumps(message)
            stream += frame(header, numbers if message["floats"] else b"x_0\nx_1\nx_2")
        stream = mutator.mutate_bytes(stream) if mutator.number(0, 1) else stream
        reader, at = FrameReader(), 0
        try:
            while at < len(stream):
                step = mutator.choice((1, 7, 64, 4096))
                for taken in reader.feed(stream[at : at + step]):
                    assert taken.kind in Kind
                    assert isinstance(taken.header, dict)
                    assert taken.floats.shape == (taken.header["floats"],)
                at += step
        except ProtocolError as error:
            message = str(error)
            assert message.strip() and message.isprintable() and len(message) <= 1000

    fuzz(check)


CELLS = (
    None, "", "x", "nan", "\0", "\x1b[31m", "optimal", "infeasible", 0, 1, -1, 2**62, 1e308, -1e308, float("inf"), b"",
    b"\xff\xfe", "{}", "[1]", "[" * 5000, "a" * 3000, "../../outside",
)  # fmt: skip
STATEMENTS = (
    "DROP VIEW runs", "DROP VIEW faults", "DROP TABLE machines", "DROP TABLE judgements", "DELETE FROM instances",
    "DELETE FROM machines", "DELETE FROM results", "ALTER TABLE results DROP COLUMN message",
    "ALTER TABLE results RENAME TO other", "PRAGMA user_version = 0", "PRAGMA user_version = 99",
    "PRAGMA user_version = -1", "PRAGMA user_version = 1", "PRAGMA user_version = 2", "PRAGMA encoding = 'UTF-16'",
    "INSERT INTO instances SELECT * FROM instances", "INSERT INTO judgements SELECT * FROM judgements",
    "PRAGMA journal_mode = DELETE", "PRAGMA application_id = 7", "CREATE TABLE other (x)",
    "CREATE INDEX results_by ON results (solver)",
)  # fmt: skip


def other_ledger(mutator, path):
    """Change cells, tables and views of a ledger, as a hostile or careless author would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        tables = connection.execute("SELECT sql, name FROM sqlite_master WHERE type = 'table'").fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        loose = "replace(replace(sql, ') STRICT', ')'), ' NOT NULL', '')"
        connection.execute(f"UPDATE sqlite_master SET sql = {loose} WHERE type = 'table'")  # noqa: S608
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for _ in range(mutator.number(1, 3)):
            with suppress(sqlite3.Error):
                if mutator.number(0, 3) == 0:
                    connection.execute(mutator.choice(STATEMENTS))
                    continue
                table = mutator.choice(("instances", "results", "judgements", "machines"))
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                if not columns:
                    continue
                column = mutator.choice(columns)
                connection.execute(f"UPDATE {table} SET {column} = ?", (mutator.choice(CELLS),))  # noqa: S608
    if mutator.number(0, 3):  # let the tables declare the usual schema again
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.executemany("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", tables)


@pytest.fixture
def results(small_results, tmp_path):
    """A copy of the results, the whole ledger in one file."""
    folder = tmp_path / "results"
    shutil.copytree(small_results, folder)
    with closing(sqlite3.connect(folder / LEDGER_NAME)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    return folder


@pytest.mark.parametrize("kind", ["bytes", "cells"])
def test_a_ledger_is_read_ranked_and_continued_or_refused(command, results, small_library, kind):
    path = results / LEDGER_NAME
    data, library = path.read_bytes(), Library.open(small_library)

    def check(mutator):
        for extra in results.glob(f"{LEDGER_NAME}-*"):
            extra.unlink()
        path.write_bytes(mutator.mutate_bytes(data) if kind == "bytes" else data)
        if kind == "cells":
            other_ledger(mutator, path)
        attempt(read_runs, path)
        command("leaderboard", results, "--format", mutator.choice(("table", "markdown", "csv", "json")))
        command("confirm", results, "--library", small_library)
        attempt(lambda _: continued(results), path)
        attempt(lambda _: plan_again(results, library, library.rows, frozenset(Retry), None), path)

    def continued(folder):
        with Ledger(folder) as ledger:
            ledger.attempts()
            ledger.refuted_claims()
            ledger.has("x")
            ledger.add_instances([])

    fuzz(check, cost=4)


SCHEMA_WORDS = (b"CREATE ", b"SELECT ", b" FROM ")


def schema_pages(path):
    """Return where the pages of a ledger begin that hold its schema, and how long a page is."""
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = path.read_bytes()
    starts = range(0, len(data), size)
    return [start for start in starts if any(word in data[start : start + size] for word in SCHEMA_WORDS)], size


def reading_commands(results, library, out):
    """Return the command lines of every command that reads a ledger, for this one."""
    on = ("--library", library)
    return (
        ("leaderboard", results), ("answers", results), ("select", results, "--size", "1", "--out", out / "chosen"),
        ("report", results, "--paper", "pham2025", "--out", out / "report"),
        ("publish", results, *on, "--out", out / "site"), ("confirm", results, *on),
        ("bundle", results, "--out", out / "b.zip"), ("merge", results, out / "theirs.zip", *on),
        ("run", library, "--results", results, "--retry", "error"),
    )  # fmt: skip


def test_corrupt_schema_is_one_line_or_read(command, results, small_library, tmp_path):
    path = results / LEDGER_NAME
    data, (starts, size) = path.read_bytes(), schema_pages(path)
    assert len(starts) > 3
    out = tmp_path / "out"
    assert command("bundle", results, "--out", out / "theirs.zip") == 0

    def check(mutator):
        corrupt = bytearray(data)
        for _ in range(mutator.choice((1, 1, 2, 16))):
            place = mutator.choice(starts) + mutator.number(0, size - 1)
            corrupt[place] = mutator.choice((0, 0x20, 0x80, 0xC3, 0xFF, corrupt[place] ^ 1 << mutator.number(0, 7)))
        for extra in results.glob(f"{LEDGER_NAME}-*"):
            extra.unlink()
        path.write_bytes(corrupt)
        command(*mutator.choice(reading_commands(results, small_library, out)))

    fuzz(check)


def test_table_name_that_is_not_text_is_one_line_in_every_command(command, results, small_library, tmp_path):
    """SQLite quotes the name in its message, which Python then cannot decode."""
    path, out = results / LEDGER_NAME, tmp_path / "out"
    command("bundle", results, "--out", out / "theirs.zip")
    data = path.read_bytes()
    broken = data.replace(b"ON machines BEGIN", b"ON machi\xffes BEGIN")
    assert broken != data
    for arguments in reading_commands(results, small_library, out):
        path.write_bytes(broken)
        assert command(*arguments) == 2, arguments
