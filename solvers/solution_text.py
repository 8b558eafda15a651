"""Solution files of programs: their columns' values."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from enum import StrEnum


class SolutionFormat(StrEnum):
    """How the lines that hold columns look.

    CBC: `[**] index name value reduced_cost`, zeros left out. GLPK: what `glpsol --write` writes, columns by their
    number in the model file. NAMES: `name value`.
    """

    CBC = "cbc"
    GLPK = "glpk"
    NAMES = "names"


def column_values(text: str, kind: SolutionFormat, names: Sequence[str]) -> array[float]:
    """One value per column, in the order of `names`; a column that the text does not mention is 0.

    Lines of another form are passed over: headers, rows, comments. Raises `ValueError`, one line, for a value that is
    no finite number and for a column that occurs twice with different values.
    """
    values: dict[str, float] = {}
    for name, word in _pairs(text, kind, names):
        value = _number(word)
        if value is None:
            raise ValueError(f"column {name} is {word[:40]!r} in the solution file, no finite number")
        if values.setdefault(name, value) != value:
            raise ValueError(f"column {name} has two values in the solution file")
    return array("d", [values.get(name, 0.0) for name in names])


def _pairs(text: str, kind: SolutionFormat, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names of columns with the words that hold their values."""
    known = set(names)
    for line in text.splitlines():
        fields = line.split()
        if kind is SolutionFormat.GLPK:
            # `j number value`, or with the status in the basis between the two
            if len(fields) >= 3 and fields[0] == "j" and fields[1].isdecimal() and 1 <= int(fields[1]) <= len(names):
                yield names[int(fields[1]) - 1], fields[3 if fields[2].isalpha() and len(fields) > 3 else 2]
            continue
        if kind is SolutionFormat.CBC:
            fields = fields[2 if fields[:1] == ["**"] else 1 :]  # ** marks what is outside its bounds
        if len(fields) >= 2 and fields[0] in known:
            yield fields[0], fields[1]


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
