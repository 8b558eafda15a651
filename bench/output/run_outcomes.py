"""The summary that `run` prints on stderr: counts, why runs failed or are wrong, and how to repeat disturbed ones."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pandas import DataFrame

from vnnbench.common.text import plain
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.leaderboard.ranking.outcomes import labelled_settings
from vnnbench.leaderboard.records.reader import CHANGED, read_rows, read_runs
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.records.steps import has_early_success, is_late
from vnnbench.leaderboard.text import count
from vnnbench.leaderboard.words import EndedBy, Fault, LedgerError, Verdict
from vnnbench.ledger.run_identity import Retry
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.runs.retry import Again
from vnnbench.solvers.base import Termination

REASONS_SHOWN = 5
MAX_REASON = 160
"""The most characters that are shown of a solver's error message."""


def report_runs(
    results: Path,
    planned: Sequence[str],
    library: Path | None = None,
    *,
    again: bool = False,
    engine: Sequence[str] = (),
) -> int:
    """Print on stderr how the planned runs ended: one line of counts, then why runs failed or are wrong, and which had
    their input files changed. Runs of references count too, as they do among the leaderboard's disturbed runs. If the
    results have other runs, the line says how many there are in all.

    planned: the names of the runs. library: what they ran on, to print the command that repeats disturbed runs; None:
    print no such command. again: disturbed runs have just been repeated. engine: the options by which they were
    executed, for that command. Returns 1 when runs failed or are wrong, else 0.
    """
    stored = read_runs(results / LEDGER_NAME)
    # the attempt that counts may have a suffix -2, -3, ...
    runs = stored[stored.run.str.partition("-")[0].isin(planned)]
    failed = (runs.termination == Termination.ERROR) | (runs.ended_by == EndedBy.CRASH)
    wrong = runs.fault.isin([Fault.SOLVER.value, Fault.FORMULATION.value])
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in runs.verdict.value_counts().items())
    disturbed = (runs.disturbed == 1).sum()
    late = ((runs.verdict != Verdict.UNKNOWN) & is_late(runs) & ~has_early_success(runs)).sum()
    counts = f"{failed.sum()} failed, {wrong.sum()} wrong" + (f", {disturbed} disturbed" if disturbed else "")
    counts += f", {late} answered after the time limit" if late else ""
    in_all = f" ({len(stored)} in all)" if len(stored) > len(runs) else ""
    sys.stderr.write(f"{results}: {count(len(runs), 'run')}{in_all}: {verdicts}; {counts}\n")
    for line in _failures(runs, runs[failed]):
        sys.stderr.write(f"  failed: {line}\n")
    changed = runs.message.str.contains(CHANGED, regex=False, na=False)
    for run in runs[changed & ~failed].head(REASONS_SHOWN).itertuples():
        sys.stderr.write(f"  note: {run.solver} on {plain(run.instance)}: {_shortened(run.message)}\n")
    for run in runs[wrong].head(10).itertuples():
        sys.stderr.write(f"  wrong: {plain(run.solver)} on {plain(run.instance)}: {plain(run.fault_reason)}\n")
    if library is not None and (number := count_to_repeat(runs)):
        were = f"{count(number, 'run')} {'was' if number == 1 else 'were'} disturbed{' again' if again else ''}"
        advice = f"to repeat {'it' if number == 1 else 'them'}{' once the machine is idle' if again else ''}"
        command = repeat_command(library, results, engine=engine)
        sys.stderr.write(f"{were} by other work on {'its' if number == 1 else 'their'} cores; {advice}: {command}\n")
    return 1 if failed.any() or wrong.any() else 0


def report_other_limits(results: Path, library: Path, rows: Sequence[CatalogRow]) -> None:
    """Print on stderr how many of these instances of a library have another time limit of their own in the ledger, if
    any. The ledger keeps the limits of the library that an instance first came from."""
    path = results / LEDGER_NAME
    if not path.is_file():
        return
    try:
        stored = list(read_rows(path, "SELECT instance_sha256, time_limit_seconds FROM instances"))
    except LedgerError:
        return  # the run itself refuses the ledger, or begins one that a killed run left empty
    known = {row["instance_sha256"]: row["time_limit_seconds"] for row in stored}
    others = [row for row in rows if known.get(row.instance_sha256, row.time_limit_seconds) != row.time_limit_seconds]
    if others:
        first = others[0]
        here, there = _limit(first.time_limit_seconds), _limit(known[first.instance_sha256])
        have = "has" if len(others) == 1 else "have"
        line = (
            f"{results}: {count(len(others), 'instance')} of {library} {have} another time limit there, such as "
            f"{first.instance}: {here} in the library, {there} there. A ranking has a setting for each of the "
            "library's limits, not one of own limits; to avoid that, use a new results folder or --time-limit"
        )
        sys.stderr.write(f"{plain(line)}\n")


def _limit(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"


def _failures(runs: DataFrame, failed: DataFrame) -> Iterator[str]:
    """Yield why runs failed: one line for each setting and reason, those with the most runs first."""
    settings, numbers = labelled_settings(runs)
    names = _names(settings)
    failed = failed.assign(name=[names[number] for number in numbers[failed.index]])
    groups = [(key, own["instance"]) for key, own in failed.groupby(["name", "message"], sort=False)]
    groups.sort(key=lambda group: -len(group[1]))
    for (name, message), instances in groups[:REASONS_SHOWN]:
        more = f" and {len(instances) - 1} more" if len(instances) > 1 else ""
        reason = _shortened(message) if message else "without an error message"
        yield f"{_shortened(name)} on {plain(instances.iloc[0])}{more}: {reason}"
    if (more_reasons := len(groups) - REASONS_SHOWN) > 0:
        yield f"for {count(more_reasons, 'more reason')}; see the logs"


def _shortened(text: object) -> str:
    line = plain(text)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 3]}..."


def _names(settings: Sequence[Setting]) -> list[str]:
    """Return the solver's name of each setting, or, where the solver has several, a label that distinguishes them."""
    of_solver = Counter(setting.solver for setting in settings)
    return [one.label if of_solver[one.solver] > 1 else one.solver for one in settings]


def count_to_repeat(runs: DataFrame) -> int:
    """Return how many runs `run --retry disturbed` would repeat: the newest attempt was disturbed, and is the one that
    counts."""
    return int(((runs["disturbed"] == 1) & (runs["attempt"] == runs["attempts"])).sum())


def repeat_command(library: Path, results: Path, parting: str = " ", engine: Sequence[str] = ()) -> str:
    """Return the command that repeats the disturbed runs, with the options of an engine, quoted for a shell; `parting`
    is between its two halves."""
    halves = ["vnnbench", "run", str(library)], ["--results", str(results), "--retry", Retry.DISTURBED.value, *engine]
    return parting.join(plain(shlex.join(half)) for half in halves)


def report_again(results: Path, again: Again) -> None:
    """Print on stderr which of the ledger's runs are not repeated, and why, or that no run is to be repeated."""
    reasons = " or ".join(sorted(again.reasons))
    if not again.plan:
        sys.stderr.write(f"{results}: there are no runs to repeat for --retry {reasons}\n")
    if left := again.left_out:
        told = [f"{number} {plain(why)}" for why, number in left.most_common(REASONS_SHOWN)]
        told += [f"{count(len(left) - REASONS_SHOWN, 'more reason')}"] if len(left) > REASONS_SHOWN else []
        sys.stderr.write(f"{results}: {count(left.total(), 'such run')} left out: {'; '.join(told)}\n")
