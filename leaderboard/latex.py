"""The leaderboard as a LaTeX table for a paper, with the rules of the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from leaderboard.plain_text import plain
from leaderboard.ranking import Leaderboard, SettingRow
from leaderboard.sheets import format_number, interval_text

_COLUMNS = ("Rank", "95\\,\\%", "Solved", "Cex", "Robust", "Wrong", "sgm10", "Ratio", "PAR10")
_CAPTION = (
    "Solver settings. Rank: by sgm10, the geometric mean of wall time in seconds shifted by 10\\,s over the {common} "
    "runs that every setting made, an unsolved run counting as its time limit; 95\\,\\%: its bootstrap interval over "
    "the problems. Cex: counterexamples, confirmed exactly. Robust: {robust}. Ratio: of sgm10 to the best. PAR10: mean "
    "time, an unsolved run counting as ten times its limit. Settings with a wrong answer have no rank."
)
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "-": "{-}",
}  # fmt: skip


def latex_table(leaderboard: Leaderboard) -> str:
    """A table environment with a row for each setting, under the heading of its group; needs the package booktabs."""
    if not leaderboard.settings:
        return "% No runs in this ledger.\n"
    certified = any(row.robust_certified for row in leaderboard.settings)
    caption = _CAPTION.format(
        common=sum(common.common for common in leaderboard.common),
        robust="certified by a proof + claimed" if certified else "claimed by the solver",
    )
    lines = [
        "% needs \\usepackage{booktabs} and, for quotes in names, \\usepackage[T1]{fontenc} and \\usepackage{textcomp}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{caption}}}",
        f"\\begin{{tabular}}{{l{'r' * len(_COLUMNS)}}}",
        "\\toprule",
        _line(["Setting", *_COLUMNS]),
    ]
    for group, rows in groupby(leaderboard.settings, key=lambda row: row.group):
        lines.append("\\midrule")
        if leaderboard.by:
            heading = ", ".join(
                f"{name} {'none' if value is None else plain(value)}"
                for name, value in zip(leaderboard.by, group, strict=True)
            )
            lines.append(f"\\multicolumn{{{len(_COLUMNS) + 1}}}{{l}}{{\\emph{{{latex_text(heading)}}}}} \\\\")
        lines += [_line([latex_text(plain(row.setting.label)), *_cells(row, certified)]) for row in rows]
    lines += ["\\bottomrule", "\\end{tabular}", "\\end{table}"]
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """LaTeX that shows this very text; characters beyond ASCII are left to the engine."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def _cells(row: SettingRow, certified: bool) -> list[str]:
    robust = f"{row.robust_certified} + {row.robust_claimed}" if certified else str(row.robust_claimed)
    numbers = [format_number(number) for number in (row.sgm10_seconds, row.sgm10_ratio, row.par10_seconds)]
    rank = "" if row.rank is None else str(row.rank)
    counts = [str(row.solved), str(row.counterexamples), robust, str(row.wrong)]
    cells = [rank, interval_text(row.rank_low, row.rank_high).replace("-", "--"), *counts, *numbers]
    return [cell.replace("–", "--") for cell in cells]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"
