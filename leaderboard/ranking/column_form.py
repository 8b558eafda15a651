"""The form of a leaderboard column, and the tables that may show it. The columns themselves are in `columns`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.text import format_count

Row: TypeAlias = Any
"""A record of one of the lists in `Rows`; a column reads its value by attribute name."""


class Rows(StrEnum):
    """The kinds of rows. A value is the name of their tuple in a `Leaderboard`, and of their list in JSON."""

    SETTINGS = "settings"
    RANKS = "ranks"
    REFERENCE = "reference"
    SURROGATES = "surrogates"
    SURROGATE_VALUES = "surrogate_values"
    APPROACHES = "approaches"


class Table(StrEnum):
    """The tables that may show a column, beside CSV and JSON. The first group are titles in terminal and markdown."""

    ANSWERS = "Answers"
    TIMES = "Solvers on files"
    APPROACHES = "Approaches on problems"
    VALUES = "Values"
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
    """How one table shows a column, where this differs from `Column`.

    head: the title. about: the sentence in the legend or caption, on pages the tooltip of the head; "" for none, by
    default made from the column's meaning. In `Table.LATEX` both are LaTeX. brief: the sentence in a terminal, if it is
    shorter there; "" for none. cell: returns the text of a row. when: returns from all rows of the table whether it has
    the column. late: the sentence comes after the others.
    """

    head: str | None = None
    about: str | Callable[[Leaderboard], str] | None = None
    brief: str | None = None
    cell: Callable[[Row], str] | None = None
    when: Callable[[Sequence[Row]], bool] | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the leaderboard, for all tables and exports.

    key: its name in CSV and JSON, and the name of the row's attribute. head: its title in tables; "" if only CSV and
    JSON have it. meaning: a phrase in plain text, without a full stop. unit: the unit of its numbers, "" for none.
    text: turns a value into text. value: returns the value, if that is not the attribute `key` of the row. cell:
    returns the text of a row, if it holds more than the value. exported: whether CSV and JSON have the column.
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
        """Return the value of a row, as CSV and JSON export it."""
        return self.value(row) if self.value else getattr(row, self.key)

    def cell_of(self, row: Row) -> str:
        """Return the text of a row, as tables show it."""
        return self.cell(row) if self.cell else self.text(self.value_of(row))


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column together with how one table shows it."""

    column: Column
    shown: Shown

    @property
    def head(self) -> str:
        """The title of the column in this table."""
        return self.column.head if self.shown.head is None else self.shown.head

    def cell(self, row: Row) -> str:
        """Return the plain text of a row in this table."""
        return self.shown.cell(row) if self.shown.cell else self.column.cell_of(row)

    def is_of(self, row: Row) -> bool:
        """Return whether a row has a value for this column: the virtual best setting has few of them."""
        return hasattr(row, self.column.key)

    def about(self, leaderboard: Leaderboard) -> str | None:
        """Return this table's own sentence about the column; None: the table uses the column's meaning."""
        about = self.shown.about
        return about(leaderboard) if callable(about) else about

    def sentence(self, leaderboard: Leaderboard, brief: bool = False) -> str:
        """Return the sentence of `about`, or by default one made of head and meaning, in plain text; `brief`: the one
        for a terminal."""
        if brief and self.shown.brief is not None:
            return self.shown.brief
        about = self.about(leaderboard)
        return f"{self.head}: {self.column.meaning}." if about is None else about


def where_any(key: str) -> Callable[[Sequence[Row]], bool]:
    """Return a predicate: whether any of some rows has a value other than None and 0 under this key."""
    return lambda rows: any(getattr(row, key) for row in rows)
