"""CSV and JSON for spreadsheets, scripts and terminals, safe for any text that a ledger may hold.

`tables.exports` decides what the leaderboard exports. A library's own CSV files are written by
`vnnbench.instances.library.tables`: they are read back bit for bit.
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
    """Return a CSV table with a line of names; an empty field means None, 1 and 0 mean true and false.

    No field holds a control character, or is a formula to a spreadsheet: a text that would be one, and is not a number,
    gets an apostrophe before it. Source: OWASP, CSV injection.
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
    """Return a JSON document in ASCII, whose only control characters are the ends of its lines.

    None, and a number that is not finite, become null.
    """
    return json.dumps(_finite(document), indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
