"""What is printed of a ledger: the leaderboard, a benchmark set, a paper's report.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from vnnbench.instances.files import refuse_device, write_atomic
from vnnbench.leaderboard.benchmark_sets.difficulty import RULES
from vnnbench.leaderboard.benchmark_sets.selection import Selection, Share, select_instances, selection_text
from vnnbench.leaderboard.papers.report import make_report
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, build_leaderboard, read_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.tables.render import Format, watch_leaderboard, write_leaderboard
from vnnbench.leaderboard.text import count
from vnnbench.leaderboard.words import Paper
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output import display

WATCH_SECONDS = 2.0
"""How often `leaderboard --watch` looks whether there is something new."""


def print_leaderboard(results: Path, by: Sequence[str], output: str) -> int:
    """Rank; 1 when a setting is wrong."""
    leaderboard = read_leaderboard(results / LEDGER_NAME, by)
    write_leaderboard(leaderboard, Format(output), sys.stdout)
    return 1 if leaderboard.faults else 0


def print_ranking(runs: pd.DataFrame) -> int:
    """Who is first, on a screen or two: what depends on tolerance, and surrogates, are left to `leaderboard`. 1 when a
    setting is wrong."""
    leaderboard = build_leaderboard(runs)
    short = replace(leaderboard, surrogates=(), surrogate_values=(), sensitivity=())
    write_leaderboard(short, Format.TABLE, sys.stdout)
    return 1 if leaderboard.faults else 0


def follow_leaderboard(results: Path, by: Sequence[str]) -> int:
    """Rank again whenever the ledger has grown, until Ctrl-C; then print the last one. 1 when a setting is wrong."""
    last = watch_leaderboard(_leaderboards(results / LEDGER_NAME, tuple(by)), sys.stdout)
    if last is None:  # stopped before there was any
        return 0
    write_leaderboard(last, Format.TABLE, sys.stdout)
    return 1 if last.faults else 0


def _leaderboards(path: Path, by: tuple[str, ...]) -> Iterator[Leaderboard]:
    """The leaderboard, and a new one after each change of the ledger."""
    shown = None
    while True:
        files = (path, path.with_name(f"{path.name}-wal"))
        now = [(found.st_size, found.st_mtime_ns) for found in (file.stat() for file in files if file.exists())]
        if now != shown:
            shown = now
            yield read_leaderboard(path, by)
        time.sleep(WATCH_SECONDS)


def choose_instances(results: Path, size: int, out: Path, output: str) -> int:
    """Write the list of a benchmark set, and show how evenly it is chosen."""
    refuse_device(out)
    selection = select_instances(read_runs(results / LEDGER_NAME), size)
    write_atomic(out, selection_text(selection).encode())
    if output == "json":
        display.print_json(asdict(selection))
    else:
        columns = ("facet", "class", "there", "wanted", "chosen")
        display.print_table(columns, [_share_cells(share) for share in selection.shares])
        display.print_text(_selection_legend(selection))
    sys.stderr.write(f"{out}: {count(len(selection.chosen), 'instance')}, for --select @{out}\n")
    return 0


def _share_cells(share: Share) -> tuple[object, ...]:
    wanted = str(share.least) if share.least == share.most else f"{share.least}-{share.most}"
    return (share.facet, share.name, share.there, wanted, share.chosen)


def _selection_legend(selection: Selection) -> str:
    counts = {word: sum(one.difficulty is word for one in selection.chosen) for word in RULES}
    parts = [
        *(f"{word}, {counts[word]} chosen: {rule}." for word, rule in RULES.items()),
        "difficulty: geometric mean of the settings' seconds, an unsolved run counting as its limit.",
        f"Of {count(selection.measured, 'measured instance')}, {count(selection.near_copies, 'pair')} of them",
        "near-copies;",
        f"{selection.spent} more are spent: solved to the end as files, without an answer.",
    ]
    if selection.machines > 1:
        elsewhere = f"; {selection.elsewhere} more instances ran on others only" if selection.elsewhere else ""
        parts.append(f"Times are from the machine with the most runs, of {selection.machines}{elsewhere}.")
    parts.append(
        "No choice without near-copies is more even." if selection.proven else "A more even choice was not ruled out."
    )
    return " ".join(parts)


def report_paper(results: Path, paper: str, out: Path | None) -> int:
    """Write a paper's tables and figures, and print the report; 1 when a run in it is wrong."""
    folder = out or results / f"report-{paper}"
    report = make_report(read_runs(results / LEDGER_NAME), Paper(paper))
    for name, data in {**report.figures, "report.md": report.text.encode()}.items():
        write_atomic(folder / name, data)
    sys.stdout.write(report.text)
    figures = f", with {len(report.figures) // 2} figures as PNG and SVG" if report.figures else ""
    sys.stderr.write(f"{folder / 'report.md'}: written{figures}\n")
    return 1 if report.wrong else 0
