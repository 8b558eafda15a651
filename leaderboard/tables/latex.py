"""The leaderboard as a LaTeX table for a paper, with the rules of the package booktabs.

Columns (`ranking.columns`) without values in the ledger are left out, so that the table fits the text of an article.
The caption explains each column, and names the limits, threads and versions. Settings with a wrong answer are below a
line of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from vnnbench.leaderboard.ranking.column_form import Table, TableColumn
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.tables.build import describe_group, name_within
from vnnbench.leaderboard.tables.phrases import describe_limits, describe_solvers
from vnnbench.leaderboard.text import NONE

_NAME_WIDTH = 18
"""The width of names in characters, so that the table fits an article; a longer name is folded at its blanks."""
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
    "[": "{[}", "*": "{*}",  # after a command, [ would begin an argument, and * would be part of the command
}  # fmt: skip
_LIGATURE = re.compile(r"([-,])(?=\1)")


def latex_table(leaderboard: Leaderboard) -> str:
    """Return a LaTeX table with a row for each setting, under the heading of its group; it needs booktabs."""
    if not leaderboard.settings:
        return "% No runs in this ledger.\n"
    columns = columns_of(Table.LATEX, leaderboard.settings)
    body = [
        "\\begin{table}[t]",
        "\\centering",
        "\\small",
        "\\setlength{\\tabcolsep}{3pt}",
        f"\\caption{{{_caption(leaderboard, columns)}}}",
        "\\label{tab:vnnbench}",
        "\\medskip",
        f"\\begin{{tabular}}{{@{{}}l{'r' * len(columns)}@{{}}}}",
        "\\toprule",
        _line(["Setting", *map(_head, columns)]),
        *_rows(leaderboard, columns),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    quotes = any("\\textquote" in line for line in body)
    needs = "% needs \\usepackage{booktabs}" + (" \\usepackage[T1]{fontenc} \\usepackage{textcomp}" if quotes else "")
    return "\n".join([needs, *body]) + "\n"


def latex_text(text: str) -> str:
    """Return LaTeX that shows exactly this text; characters beyond ASCII are left to the engine."""
    return _LIGATURE.sub(r"\1{}", "".join(_SPECIAL.get(character, character) for character in text))


def _head(column: TableColumn) -> str:
    return column.head if column.shown.head is not None else latex_text(column.head)


def _cell(column: TableColumn, row: object) -> str:
    return latex_text(column.cell(row)).replace(NONE, "--")


def _rows(leaderboard: Leaderboard, columns: Sequence[TableColumn]) -> Iterator[str]:
    """Yield the lines of all rows: ranked settings, the virtual best one, and those with wrong answers below a line."""
    best = {row.group: row for row in leaderboard.virtual_best}
    for group, rows in groupby(leaderboard.settings, key=lambda row: row.group):
        yield "\\midrule"
        if leaderboard.by:
            heading = latex_text(describe_group(leaderboard.by, group))
            yield f"\\multicolumn{{{len(columns) + 1}}}{{@{{}}l}}{{\\emph{{{heading}}}}} \\\\"
        for place, (below_line, own) in enumerate(groupby(rows, key=lambda row: row.below_line)):
            if below_line and place:
                yield "\\midrule"
            for row in own:
                yield _line([_name(leaderboard.by, row), *(_cell(column, row) for column in columns)])
            if not below_line and group in best:
                found = best[group]
                own_cells = (_cell(column, found) if column.is_of(found) else "" for column in columns)
                yield _line(["\\emph{virtual best}", *own_cells])


def _name(by: Sequence[str], row: SettingRow) -> str:
    lines = wrap(name_within(by, row.setting), _NAME_WIDTH, break_long_words=False, break_on_hyphens=False)
    text = " \\\\ ".join(map(latex_text, lines))
    return text if len(lines) < 2 else f"\\begin{{tabular}}[t]{{@{{}}l@{{}}}}{text}\\end{{tabular}}"


def _caption(leaderboard: Leaderboard, columns: Sequence[TableColumn]) -> str:
    """Return the caption: the meanings of these columns, and the limits and versions of the settings."""
    parts = ["Solver settings.", *filter(None, (_sentence(column, leaderboard) for column in columns))]
    if leaderboard.virtual_best:
        parts.append("Virtual best: the fastest ranked setting of every run.")
    settings = list(dict.fromkeys(row.setting for row in leaderboard.settings))
    versions = ", ".join(latex_text(version).replace(" ", "~") for version in describe_solvers(settings))
    limits = describe_limits(settings)
    return " ".join([*parts, f"{limits[0].upper()}{limits[1:]}; {versions}."])


def _sentence(column: TableColumn, leaderboard: Leaderboard) -> str:
    about = column.about(leaderboard)
    return f"{_head(column)}: {latex_text(column.column.meaning)}." if about is None else about


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"
