"""The output of the commands that rank or summarize a ledger: the leaderboard, a benchmark set, a paper's report.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from vnnbench.instances.files import refuse_device, write_atomic
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.leaderboard.benchmark_sets.difficulty import RULES
from vnnbench.leaderboard.benchmark_sets.selection import Selection, Share, select_instances, selection_text
from vnnbench.leaderboard.papers.report import make_report
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, build_leaderboard, read_leaderboard
from vnnbench.leaderboard.records.proven import PROVEN_FOLDER
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.tables.notes import doubtful_notes
from vnnbench.leaderboard.tables.render import Format, watch_leaderboard, write_leaderboard
from vnnbench.leaderboard.text import count
from vnnbench.leaderboard.words import Paper
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output import display
from vnnbench.output.progress import ProgressBar
from vnnbench.sharing.decision_planes import decision_planes

REPORT_LINES = 80
"""The most lines of a paper's report that are printed."""
WATCH_SECONDS = 2.0
"""The interval at which `leaderboard --watch` looks for changes of the ledger."""
_WITHOUT_NOTES = (Format.CSV, Format.LATEX)
"""The formats that hold the rows of settings alone."""


def print_leaderboard(results: Path, by: Sequence[str], output: str) -> int:
    """Print the leaderboard; return 1 when a setting gave a wrong answer, else 0."""
    leaderboard = read_leaderboard(results / LEDGER_NAME, by)
    write_leaderboard(leaderboard, Format(output), sys.stdout)
    if output in _WITHOUT_NOTES:
        sys.stderr.writelines(f"{note}\n" for note in doubtful_notes(leaderboard))
    return 1 if leaderboard.faults else 0


def print_ranking(runs: pd.DataFrame) -> int:
    """Print the ranking of runs that were read; return 1 when a setting gave a wrong answer, else 0."""
    leaderboard = build_leaderboard(runs)
    write_leaderboard(leaderboard, Format.TABLE, sys.stdout)
    return 1 if leaderboard.faults else 0


def follow_leaderboard(results: Path, by: Sequence[str]) -> int:
    """Draw the leaderboard again whenever what it shows has changed, until Ctrl-C; then print the last one.

    Returns 1 when a setting gave a wrong answer, else 0.
    """
    last = watch_leaderboard(_leaderboards(results / LEDGER_NAME, tuple(by)), sys.stdout)
    if last is None:  # stopped before there was any
        return 0
    write_leaderboard(last, Format.TABLE, sys.stdout)
    return 1 if last.faults else 0


def _leaderboards(path: Path, by: tuple[str, ...]) -> Iterator[Leaderboard]:
    """Yield the leaderboard, and a new one after each change of the ledger or of the proven answers beside it."""
    shown = None
    while True:
        files = (path, path.with_name(f"{path.name}-wal"), path.with_name(PROVEN_FOLDER))
        now = [(found.st_size, found.st_mtime_ns) for found in (file.stat() for file in files if file.exists())]
        if now != shown:
            shown = now
            yield read_leaderboard(path, by)
        time.sleep(WATCH_SECONDS)


def choose_instances(results: Path, size: int, out: Path, output: str) -> int:
    """Write the list of a benchmark set, and print how evenly it is chosen; return the exit code 0."""
    refuse_device(out)
    selection = select_instances(read_runs(results / LEDGER_NAME), size)
    write_atomic(out, selection_text(selection).encode())
    if output == "json":
        display.print_json(asdict(selection))
    else:
        columns = ("facet", "class", "available", "wanted", "chosen")
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
        "difficulty: geometric mean of the settings' seconds; an unsolved run counts as its limit.",
        f"Chosen from {count(selection.measured, 'measured instance')} with",
        f"{count(selection.near_copies, 'pair')} of near-copies.",
        f"{count(selection.spent, 'more instance')} {'is' if selection.spent == 1 else 'are'} left out as spent:",
        "solved to the end without an answer.",
    ]
    if selection.cpus > 1:
        elsewhere = f"; {count(selection.elsewhere, 'more instance')} ran only on others" if selection.elsewhere else ""
        parts.append(f"Times are from the type of CPU with the most runs, of {selection.cpus}{elsewhere}.")
    parts.append("No choice without near-copies is more even." if selection.proven else "A more even choice may exist.")
    return " ".join(parts)


def report_paper(results: Path, paper: str, libraries: Sequence[Path], out: Path | None) -> int:
    """Write a paper's tables and figures, and print the beginning of the report.

    Returns 1 when a run in it is wrong, else 0.
    """
    folder = out or results / f"report-{paper}"
    runs = read_runs(results / LEDGER_NAME)
    planes: dict[str, bytes] = {}
    if libraries:
        with ProgressBar("draw") as progress:
            planes = decision_planes(runs, results, LibrarySet.open(libraries), progress)
    report = make_report(runs, Paper(paper), planes)
    for name, data in {**report.figures, "report.md": report.text.encode()}.items():
        write_atomic(folder / name, data)
    display.print_sections(report.text, REPORT_LINES, f"{folder / 'report.md'} has the whole report.")
    drawn = {Path(name).stem for name in report.figures}  # a figure may be there as PNG and as SVG
    figures = f", with {count(len(drawn), 'figure')}" if drawn else ""
    sys.stderr.write(f"{folder / 'report.md'}: written{figures}\n")
    return 1 if report.wrong else 0
