"""Tables of settings, as cells of text. `ranking.columns` has their columns and the meaning of these; the templates
decide how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vnnbench.leaderboard.ranking.column_form import Table, TableColumn
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.ranking.profiles import virtual_best
from vnnbench.leaderboard.ranking.ranks import PairRow
from vnnbench.leaderboard.site.content import Contents, SettingPage
from vnnbench.leaderboard.site.heads import Head
from vnnbench.leaderboard.site.styles import Look
from vnnbench.leaderboard.site.time_matrix import Matrix
from vnnbench.leaderboard.text import with_minus


def heads(leaderboard: Leaderboard, columns: Sequence[TableColumn]) -> list[Head]:
    """Return the heads of these columns."""
    abouts = [column.about(leaderboard) for column in columns]
    return [
        Head(column.head, column.column.meaning if about is None else about)
        for column, about in zip(columns, abouts, strict=True)
    ]


def names_in_seconds() -> str:
    """Return, in words, the names of the columns of the ranking that are seconds."""
    *names, last = (column.head for column in columns_of(Table.SITE_RANKING) if column.column.unit == "s")
    return f"{', '.join(names)} and {last}"


def cells(columns: Sequence[TableColumn], row: object) -> tuple[str, ...]:
    """Return the texts of a row in these columns."""
    return tuple(with_minus(column.cell(row)) for column in columns)


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A setting in the ranking. rank: None below the line, and where there are no times."""

    rank: int | None
    below_line: bool
    label: str
    look: Look
    href: str
    cells: tuple[str, ...]


def ranking(
    contents: Contents, leaderboard: Leaderboard, table: Table = Table.SITE_RANKING
) -> tuple[list[Head], list[RankedRow]]:
    """Return the heads and the settings of a ranking, in the columns of a table."""
    columns = columns_of(table, leaderboard.settings)
    found = []
    for row in leaderboard.settings:
        page = contents.page_of(row.setting)
        found.append(RankedRow(row.rank, row.below_line, page.setting.label, page.look, page.href, cells(columns, row)))
    return heads(leaderboard, columns), found


@dataclass(frozen=True, slots=True)
class PairTableRow:
    """Two settings, and whether they differ."""

    faster: SettingPage
    slower: SettingPage
    cells: tuple[str, ...]
    differ: bool


def pair_rows(contents: Contents, rows: Sequence[PairRow]) -> list[PairTableRow]:
    """Return the rows of the paired tests."""
    return [
        PairTableRow(
            contents.page_of(row.faster), contents.page_of(row.slower),
            (str(row.problems), f"{row.p:.2g}", f"{row.p_holm:.2g}"), row.differ,
        )
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContributionRow:
    """The contribution of a setting to the virtual best."""

    label: str
    look: Look
    href: str
    cells: tuple[str, ...]


_FASTEST = Head("fastest", "runs where it is the fastest, ties included")


def contributions(
    contents: Contents, leaderboard: Leaderboard, matrix: Matrix
) -> tuple[list[Head], list[ContributionRow]]:
    """Return the contribution of each setting above the line to the virtual best, the largest first; no rows where
    there is one setting. How often it is the fastest is counted over the times that the plots show."""
    known = [row for row in leaderboard.settings if row.alone is not None]
    columns = columns_of(Table.SITE_CONTRIBUTIONS, known)
    shown = [_FASTEST, *heads(leaderboard, columns)]
    if len(known) < 2 or not len(matrix):
        return shown, []
    pages = [contents.page_of(row.setting) for row in known]
    times = matrix.seconds[:, [matrix.settings.index(page) for page in pages]]
    fastest = (times <= virtual_best(times)[:, None]).sum(axis=0)
    ordered = sorted(
        zip(known, pages, fastest, strict=True), key=lambda own: (-(own[0].contribution or 0.0), own[1].setting.label)
    )
    return shown, [
        ContributionRow(page.setting.label, page.look, page.href, (str(count), *cells(columns, row)))
        for row, page, count in ordered
    ]
