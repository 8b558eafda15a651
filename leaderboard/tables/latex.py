"""The leaderboard as a LaTeX table for a paper, with the rules of the package booktabs.

Columns are there where the ledger has something for them, so that the table fits the text of an article; the caption
says what each means, and what no column says: limits, threads and versions. Settings with a wrong answer stand below
a line of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.measures import VirtualBest
from vnnbench.leaderboard.tables.build import (
    NONE,
    describe_group,
    format_number,
    interval_text,
    name_within,
    solved_means,
)
from vnnbench.leaderboard.tables.phrases import describe_limits, describe_solvers, triples

_NAME_WIDTH = 18
"""Characters, that the table is no wider than the text of an article; a longer name is folded at its blanks."""
_TIMES = {"sgm10": "sgm10_seconds", "Ratio": "sgm10_ratio", "PAR10": "par10_seconds"}
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
    "[": "{[}", "*": "{*}",  # the one begins an argument of the command before it, the other belongs to it
}  # fmt: skip
_LIGATURE = re.compile(r"([-,])(?=\1)")


def latex_table(leaderboard: Leaderboard) -> str:
    """A table environment with a row for each setting, under the heading of its group; needs the package booktabs."""
    if not leaderboard.settings:
        return "% No runs in this ledger.\n"
    names = _columns(leaderboard)
    body = [
        "\\begin{table}[t]",
        "\\centering",
        "\\small",
        "\\setlength{\\tabcolsep}{3pt}",
        f"\\caption{{{_caption(leaderboard)}}}",
        "\\label{tab:vnnbench}",
        "\\medskip",
        f"\\begin{{tabular}}{{@{{}}l{'r' * len(names)}@{{}}}}",
        "\\toprule",
        _line(["Setting", *names]),
        *_rows(leaderboard, names),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    quotes = any("\\textquote" in line for line in body)
    needs = "% needs \\usepackage{booktabs}" + (" \\usepackage[T1]{fontenc} \\usepackage{textcomp}" if quotes else "")
    return "\n".join([needs, *body]) + "\n"


def latex_text(text: str) -> str:
    """LaTeX that shows this very text; characters beyond ASCII are left to the engine."""
    return _LIGATURE.sub(r"\1{}", "".join(_SPECIAL.get(character, character) for character in text))


def _columns(leaderboard: Leaderboard) -> list[str]:
    """Their heads."""
    rows = leaderboard.settings
    values = ["Value"] if any(row.values for row in rows) else []
    wrong = ["Wrong"] if any(row.wrong for row in rows) else []
    return ["Rank", "95\\,\\%", "Runs", "Solved", "Cex", "Robust", *values, *wrong, *_TIMES]


def _rows(leaderboard: Leaderboard, names: Sequence[str]) -> Iterator[str]:
    """As in the terminal: the virtual best setting below the ranked ones, the wrong ones below a line."""
    certified = _has_certified(leaderboard)
    best = {row.group: row for row in leaderboard.virtual_best}
    for group, rows in groupby(leaderboard.settings, key=lambda row: row.group):
        yield "\\midrule"
        if leaderboard.by:
            heading = latex_text(describe_group(leaderboard.by, group))
            yield f"\\multicolumn{{{len(names) + 1}}}{{@{{}}l}}{{\\emph{{{heading}}}}} \\\\"
        for place, (below_line, own) in enumerate(groupby(rows, key=lambda row: row.below_line)):
            if below_line and place:
                yield "\\midrule"
            for row in own:
                cells = _cells(row, certified)
                yield _line([_name(leaderboard.by, row), *(cells[name] for name in names)])
            if not below_line and group in best:
                times = _times(best[group])
                yield _line(["\\emph{virtual best}", *(times.get(name, "") for name in names)])


def _name(by: Sequence[str], row: SettingRow) -> str:
    lines = wrap(name_within(by, row.setting), _NAME_WIDTH, break_long_words=False, break_on_hyphens=False)
    text = " \\\\ ".join(map(latex_text, lines))
    return text if len(lines) < 2 else f"\\begin{{tabular}}[t]{{@{{}}l@{{}}}}{text}\\end{{tabular}}"


def _cells(row: SettingRow, certified: bool) -> dict[str, str]:
    """By the head of the column."""
    robust = f"{row.robust_certified} + {row.robust_claimed}" if certified else str(row.robust_claimed)
    return {
        "Rank": "--" if row.rank is None else str(row.rank),
        "95\\,\\%": interval_text(row.rank_low, row.rank_high).replace("-", "--").replace(NONE, "--"),
        "Runs": str(row.runs),
        "Solved": str(row.solved),
        "Cex": str(row.counterexamples),
        "Robust": robust,
        "Value": str(row.values),
        "Wrong": str(row.wrong),
        **_times(row),
    }


def _times(row: SettingRow | VirtualBest) -> dict[str, str]:
    return {name: format_number(getattr(row, field)).replace(NONE, "--") for name, field in _TIMES.items()}


def _has_certified(leaderboard: Leaderboard) -> bool:
    return any(row.robust_certified for row in leaderboard.settings)


def _caption(leaderboard: Leaderboard) -> str:
    """What the columns that are there mean, and under what limits the settings ran."""
    rows, sets = leaderboard.settings, leaderboard.common
    inside, total = sum(one.common for one in sets), sum(one.triples for one in sets)
    over = f"the {inside}{f' of {total}' if inside < total else ''} {triples(leaderboard.conditions.permutations)}"
    within = " of its group" if len(sets) > 1 else ""
    robust = "certified by a proof + claimed by the solver" if _has_certified(leaderboard) else "claimed by the solver"
    parts = [
        "Solver settings.",
        f"Rank: by sgm10, the geometric mean of wall time in seconds shifted by 10\\,s, over {over} that every "
        f"setting{within} ran, an unsolved run, spent or not, counting as its time limit; 95\\,\\%: its bootstrap "
        "interval over the problems"
        f"{' (--: over a single problem there is none)' if any(row.lacks_interval for row in rows) else ''}.",
        f"Solved: {solved_means(rows)}. Cex: a counterexample, confirmed in exact arithmetic. Robust: {robust}. Both "
        "within the time limit.",
    ]
    if any(row.values for row in rows):
        parts.append(
            "Value: where there is no threshold, a value confirmed in exact arithmetic within the time limit; solved: "
            "the optimum."
        )
    if any(row.wrong for row in rows):
        parts.append("Wrong: refuted answers, which leave a setting without a rank, below the line.")
    parts.append("Ratio: of sgm10 to the best. PAR10: mean time, an unsolved run counting as ten times its limit.")
    if leaderboard.virtual_best:
        parts.append("Virtual best: the fastest ranked setting of every run.")
    settings = list(dict.fromkeys(row.setting for row in rows))
    told = ", ".join(latex_text(version).replace(" ", "~") for version in describe_solvers(settings))
    limits = describe_limits(settings)
    return " ".join([*parts, f"{limits[0].upper()}{limits[1:]}; {told}."])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"
