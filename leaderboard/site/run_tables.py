"""Tables of instances and runs, for the scripts of pages, since they may have thousands of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from textwrap import shorten
from typing import Any
from urllib.parse import quote

from vnnbench.common.text import plain
from vnnbench.leaderboard.benchmark_sets.difficulty import Difficulty
from vnnbench.leaderboard.records.reader import CHANGED
from vnnbench.leaderboard.site.content import Contents, InstancePage, Record, SuitePage
from vnnbench.leaderboard.site.heads import WORDS, Head, word_of
from vnnbench.leaderboard.text import NONE, format_count, format_number, with_minus
from vnnbench.leaderboard.words import Verdict

MESSAGE_WIDTH = 120
"""The most characters of a failed solver's message in a table; the page of the instance has all of it."""


def network_text(facts: Record) -> str:
    """Describe the network of an instance: dense, or how it was pruned; a dash where it has none."""
    if facts["dense_network"] is None:
        return NONE
    if facts["network"] == facts["dense_network"]:
        return "dense"
    rate = None if facts["rate"] is None else f"{facts['rate']:g}"
    words = [facts["pruning"], facts["structure"], rate, "finetuned" if facts["finetuned"] else None]
    return " ".join(str(word) for word in words if word) or "surrogate"


def _table(columns: Sequence[Head], rows: list[list[Any]]) -> dict[str, Any]:
    """Return a table for the script of a page. The cell of a link is a pair of its text and its address."""
    heads = [{"title": plain(c.title), "about": c.about, "kind": c.kind} for c in columns]
    shown = [[[plain(cell[0]), cell[1]] if isinstance(cell, list) else plain(cell) for cell in row] for row in rows]
    return {"columns": heads, "rows": shown}


def instance_table(contents: Contents, suite: SuitePage, root: str) -> dict[str, Any]:
    """Return the table of a suite's instances, with the answer to each and the seconds of every setting that solved
    it."""
    pages = [contents.page_of(row.setting) for row in suite.leaderboard.settings]
    columns = [
        Head("instance", kind="link"),
        Head("answer", "the strongest verdict of all runs", "badge"),
        Head(
            "difficulty",
            "geometric mean of the settings' seconds, where an unsolved run counts as its limit; open: no run solved "
            "it; spent: no run solved it, and one solved its file to the end without an answer",
        ),
        *(Head(page.setting.label, "median seconds of its solved runs; or wrong, or spent") for page in pages),
        Head("best value", "largest exact value of the problem, of all runs"),
        Head("network", "dense, or how it was pruned", "text"),
        Head("binaries", "binary columns of the model"),
    ]
    rows = []
    for instance in suite.instances:
        of_setting: dict[int, list[Record]] = {}
        for run in instance.runs:
            for number in run["setting_numbers"]:
                of_setting.setdefault(number, []).append(run)
        facts = instance.facts
        rows.append(
            [
                [instance.name, root + instance.href], WORDS[instance.answer], _difficulty(contents, instance),
                *(_seconds(of_setting.get(page.number, [])) for page in pages),
                with_minus(format_number(instance.best)), network_text(facts), format_count(facts["binaries"]),
            ]
        )  # fmt: skip
    return _table(columns, rows)


def _difficulty(contents: Contents, instance: InstancePage) -> str:
    word, seconds = contents.difficulty.get(instance.facts["instance_sha256"], (NONE, 0.0))
    return format_number(seconds) if word in (Difficulty.EASY, Difficulty.HARD) else word


def _seconds(runs: Sequence[Record]) -> str:
    """Return the median seconds of a setting's runs that solved an instance, or a word where one was wrong or spent."""
    numbers = [run["seconds"] for run in runs if run["solved"]]
    if any(run["is_wrong"] for run in runs):
        return "wrong"
    if numbers:
        return format_number(median(numbers))
    return "spent" if any(run["spent"] for run in runs) else NONE


RUNS = (
    Head("verdict", "about the problem itself, also where a surrogate was solved", "badge"),
    Head("seconds", "wall clock"),
    Head("first", "seconds to the first confirmed candidate"),
    Head("value", "best exact value of the problem"),
    Head("bound", "dual bound of the instance, which may be a surrogate"),
    Head(
        "ended by",
        "what ended the run; spent: it solved its file to the end without an answer; its files changed: its input "
        "files were changed meanwhile; disturbed: other processes used its cores",
        "text",
    ),
    Head("evidence", "what the verdict rests on", "text"),
    Head("nodes", "of branch and bound"),
    Head("seed", "of the solver, and of a permutation of the file"),
)


def run_cells(run: Record) -> list[str]:
    """Return the cells of a run in the columns of `RUNS`."""
    return [
        WORDS["contradicted" if run["is_wrong"] else word_of(run)], format_number(run["wall_seconds"]),
        format_number(run["first_success_seconds"]), with_minus(format_number(run["best_exact_value"])),
        with_minus(format_number(run["dual_bound"])), ended_text(run),
        run["evidence"] if run["verdict"] != Verdict.UNKNOWN else NONE, format_count(run["nodes"]),
        str(run["seed"]) + (f" p{run['permutation']}" if run["permutation"] else ""),
    ]  # fmt: skip


def ended_text(run: Record) -> str:
    """Describe the end of a run: its termination if the solver ended it, else what the harness did, and remarks."""
    termination = run["termination"]
    if run["ended_by"] == "solver":
        ended = str(termination)
    else:
        ended = str(run["ended_by"]) if termination in (None, "interrupted") else f"{run['ended_by']} ({termination})"
    said = shorten(plain(run["message"]), MESSAGE_WIDTH, placeholder=" …") if run["is_failed"] else ""
    changed = "its files changed" if CHANGED in run["message"] else ""
    more = (said, "spent" if run["spent"] else "", changed, "disturbed" if run["disturbed"] == 1 else "")
    return ", ".join(filter(None, (ended, *more)))


def run_table(contents: Contents, number: int, root: str) -> dict[str, Any]:
    """Return the table of a setting's runs."""
    rows = [
        [[page.name, f"{root}{page.href}#{quote('run-' + run['run'], safe='')}"], *run_cells(run)]
        for page in contents.instances
        for run in page.runs
        if number in run["setting_numbers"]
    ]
    return _table([Head("instance", kind="link"), *RUNS], rows)


def best_seconds(contents: Contents, page: InstancePage) -> str:
    """Return the seconds of the fastest run of a solver that solved an instance."""
    solved = (run for run in page.runs if run["solved"] and not contents.setting_of(run).is_reference)
    return format_number(min((run["seconds"] for run in solved), default=None))


def tolerated_table(
    contents: Contents, records: Sequence[Record], page_of: Callable[[Record], InstancePage]
) -> dict[str, Any]:
    """Return the table of runs that deviate within tolerance."""
    columns = [Head("instance", kind="link"), Head("setting", kind="text"), Head("deviation", kind="text")]
    rows = []
    for record in records:
        page = page_of(record)
        address = f"{page.href}#{quote('run-' + record['run'], safe='')}"
        rows.append([[page.name, address], contents.setting_of(record).setting.label, record["fault_reason"] or NONE])
    return _table(columns, rows)
