"""How CSV and JSON are written, for spreadsheets, scripts and terminals, whatever the texts of a ledger hold.

What the leaderboard exports: `tables.exports`. A library's own CSV files are others, which are
read back bit for bit: `vnnbench.instances.library.catalog`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from vnnbench.common.text import plain

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def csv_text(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a line of names; an empty field is none, 1 and 0 are true and false.

    No field holds a control character, or is a formula to a spreadsheet: a text that would be one, and not a number,
    has an apostrophe before it. Source: OWASP, CSV injection.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, names))
    writer.writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return value
    return f"'{plain(value)}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else plain(value)


def json_text(document: object) -> str:
    """A JSON document in ASCII, without control characters but for the ends of its lines; null for none, and for a
    number that is not finite."""
    return json.dumps(_finite(document), indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
