"""How tables are cut where there are more rows than lines on a screen.

A table has sections, one for each group, and a section has a heading and rows. The first rows are the best, so these
are shown, and a line says how many are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_ROWS = 3
"""The rows of a section, if it has as many, that are shown before any section is left out."""


@dataclass(frozen=True, slots=True)
class Section:
    """The lines of a section: of its heading, and of each row that may be shown. total: the number of all its rows."""

    heading: int
    rows: tuple[int, ...]
    total: int

    def lines(self, shown: int) -> int:
        """Return the lines of this section with its first rows alone, and a line about the others."""
        return self.heading + sum(self.rows[:shown]) + (shown < self.total)


def lines_of(sections: Sequence[Section], shown: Sequence[int], total: int) -> int:
    """Return the lines of a table that shows so many rows of each of its first sections. total: of all sections."""
    return sum(section.lines(rows) for section, rows in zip(sections, shown, strict=False)) + (len(shown) < total)


def cut_rows(sections: Sequence[Section], total: int, lines: int) -> list[int]:
    """Return how many rows to show of each of the first sections, in at most so many lines.

    Every section shows the same number of rows, as many as fit. Where that were fewer than `FEWEST_ROWS`, the last
    sections are left out. One row of the first section is shown whether it fits or not.
    """
    for rows in range(max(len(section.rows) for section in sections), 0, -1):
        fewest = len(sections) if rows > FEWEST_ROWS else 1
        for number in range(len(sections), fewest - 1, -1):
            shown = [min(rows, len(section.rows)) for section in sections[:number]]
            if (number == total or rows <= FEWEST_ROWS) and lines_of(sections, shown, total) <= lines:
                return shown
    return [1]


def share_out(wanted: Sequence[int], lines: int) -> int:
    """Return how many of the lines the first of several tables gets, where each wants so many: its equal share, and
    what the others leave of theirs."""
    share = lines // len(wanted)
    return lines - sum(min(share, own) for own in wanted[1:])
