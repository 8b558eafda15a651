"""The numbers about a candidate beside its value that a family of problems gives: by name, in JSON in the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from vnnbench.common.numbers import MAX_REAL

MAX_MEASURES = 40
"""The most measures of one candidate."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MAX_CHARACTERS = MAX_MEASURES * 80
"""The most characters of their JSON: a name has at most 40, a number 24, and both need punctuation."""


def measures_json(measures: Mapping[str, float]) -> str | None:
    """Return measures as the ledger stores them, a JSON object with sorted keys; None if there are none."""
    return json.dumps({name: float(value) for name, value in measures.items()}, sort_keys=True) if measures else None


def parse_measures(text: str) -> dict[str, float] | None:
    """Return the measures that `measures_json` wrote; None for any other text, as a ledger of any origin may hold."""
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        found = json.loads(text)
        written = isinstance(found, dict) and json.dumps(found, sort_keys=True) == text
    except (ValueError, RecursionError):
        return None
    if not written or not 0 < len(found) <= MAX_MEASURES:
        return None
    fits = (_NAME.fullmatch(name) and type(value) is float and abs(value) <= MAX_REAL for name, value in found.items())
    return found if all(fits) else None
