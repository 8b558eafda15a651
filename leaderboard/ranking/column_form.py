"""What a column of the leaderboard is, and the tables in which it may be shown. The columns themselves: `columns`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.text import format_count

Row: TypeAlias = Any
"""One of the records that `Rows` names: a column takes its value by name."""


class Rows(StrEnum):
    """What the rows of a table are: the name of their tuple in a `Leaderboard`, and of their list in JSON."""

    SETTINGS = "settings"
    RANKS = "ranks"
    REFERENCE = "reference"
    SURROGATES = "surrogates"
    SURROGATE_VALUES = "surrogate_values"


class Table(StrEnum):
    """Where a column may be shown, beside CSV and JSON. The first group are titles in the terminal and in markdown."""

    ANSWERS = "Answers"
    TIMES = "Times"
    RANKS = "Ranks by other measures"
    REFERENCE = "Reference, not ranked"
    SURROGATES = "Surrogate against dense"
    PREPARATION = "Surrogates: transfer and preparation"
    SURROGATE_VALUES = "Values: surrogate against dense"

    LATEX = "the table for a paper"
    SITE_RANKING = "the ranking of a page"
    SITE_MORE = "more numbers below the ranking"
    SITE_CONTRIBUTIONS = "what a setting adds to the virtual best"
    SITE_SURROGATES = "dense against surrogate by time, on a page"
    SITE_SURROGATE_VALUES = "dense against surrogate by value, on a page"
    SITE_SIZES = "By size"


@dataclass(frozen=True, slots=True)
class Shown:
    """How one table shows a column, where that is not as `Column` says.

    head: its title. about: a sentence that a legend or caption holds, on pages what is shown on pointing at the head;
    "" for none, and by default made of the column's meaning. In `Table.LATEX` both are LaTeX. cell: the text of a row.
    when: of all rows of the table, whether the column is there. late: its sentence stands after those of the others.
    """

    head: str | None = None
    about: str | Callable[[Leaderboard], str] | None = None
    cell: Callable[[Row], str] | None = None
    when: Callable[[Sequence[Row]], bool] | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column, wherever it is shown.

    key: its name in CSV and JSON, and of the row's attribute. head: its title in tables; "" for one that only CSV and
    JSON have. meaning: what it says, in plain text, without a full stop. unit: of its numbers, "" where they have none.
    text: how a value becomes text. value: where it is not the attribute `key` of the row. cell: of the whole row, where
    its text says more than the value. exported: whether CSV and JSON have it.
    """

    key: str
    head: str
    meaning: str
    shown: Mapping[Table, Shown] = field(default_factory=dict)
    unit: str = ""
    text: Callable[[Any], str] = format_count
    value: Callable[[Row], object] | None = None
    cell: Callable[[Row], str] | None = None
    exported: bool = True

    def value_of(self, row: Row) -> object:
        """Return what CSV and JSON say of a row."""
        return self.value(row) if self.value else getattr(row, self.key)

    def cell_of(self, row: Row) -> str:
        """Return what tables say of a row."""
        return self.cell(row) if self.cell else self.text(self.value_of(row))


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column as one table shows it."""

    column: Column
    shown: Shown

    @property
    def head(self) -> str:
        """Its title in this table."""
        return self.column.head if self.shown.head is None else self.shown.head

    def cell(self, row: Row) -> str:
        """Return the text of a row, in plain text."""
        return self.shown.cell(row) if self.shown.cell else self.column.cell_of(row)

    def is_of(self, row: Row) -> bool:
        """Whether a row has this number: that of the virtual best setting has few."""
        return hasattr(row, self.column.key)

    def about(self, leaderboard: Leaderboard) -> str | None:
        """Return the sentence of its own that this table has about it; None: say what the column means."""
        about = self.shown.about
        return about(leaderboard) if callable(about) else about

    def sentence(self, leaderboard: Leaderboard) -> str:
        """Return the same, or head and meaning, in plain text."""
        about = self.about(leaderboard)
        return f"{self.head}: {self.column.meaning}." if about is None else about


def where_any(key: str) -> Callable[[Sequence[Row]], bool]:
    """Return the condition that some row has something there: neither none nor 0."""
    return lambda rows: any(getattr(row, key) for row in rows)
