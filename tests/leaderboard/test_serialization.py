"""CSV and JSON for other programs: no text is a formula for a spreadsheet or a command for a terminal."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.serialization import csv_text, json_text
from vnnbench.leaderboard.tables.render import Format, render


def cells(*values):
    (_, row) = csv.reader(io.StringIO(csv_text([str(i) for i in range(len(values))], [values])))
    return row


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n@", "＝"])
def test_text_that_begins_like_a_formula_has_an_apostrophe(start):
    (cell,) = cells(f"{start}cmd|' /C calc'!A0")
    assert cell.startswith("'")


def test_numbers_stay_numbers():
    assert cells(-0.5, -1, "-0.5", "+1e-3", "-.5", 0.1 + 0.2, None, True, False, "a=b", "x-1") == [
        "-0.5", "-1", "-0.5", "+1e-3", "-.5", "0.30000000000000004", "", "1", "0", "a=b", "x-1",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["\x1b[31m", "\x07", "\x7f", "\x9b1m", "\r", "\n", "\u202e", "\u2028", "\ud800"])
def test_no_control_character_is_left(text):
    for written in (csv_text([text], [[text]]), json_text({text: text})):
        assert written.encode() and all(line.isprintable() for line in written.split("\n"))
    assert json.loads(json_text({text: [text]})) == {text: [text]}


def test_numbers_that_json_does_not_have_are_null():
    assert json.loads(json_text({"a": [math.inf, -math.inf, math.nan, 1.5, None, (2,)]})) == {
        "a": [None, None, None, 1.5, None, [2]]
    }


@pytest.mark.parametrize("output", list(Format))
def test_leaderboard_of_hostile_names_has_no_control_character(ledger, output):
    name = "=cmd|'/C calc'!A0\x1b[31m\r\n\x9b1m"
    for number, solver in enumerate((name, "highs", "scip")):
        digest = ledger.instance(f"{name}{number}", problem=name, formulation=name, dataset=name)
        ledger.robust(f"r{number}", digest, 1.0, solver=solver, solver_version=name, settings=json.dumps({name: name}))
        ledger.found(f"f{number}", digest, 1.0, solver="scip", goal=name)
    board = build_leaderboard(ledger.runs(), ("dataset", "formulation"))
    assert board.faults
    text = render(board, output)
    assert all(line.isprintable() for line in text.split("\n"))
    if output is Format.CSV:
        fields = [field for row in csv.reader(io.StringIO(text)) for field in row]
        assert any(field.startswith("'=cmd|") for field in fields)
        assert not any(field.startswith("=") for field in fields)
