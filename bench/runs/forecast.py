"""The forecast of a plan's time and disk space, which `run --dry-run` prints."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from vnnbench.isolation.supervisor import GRACE_SECONDS
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import Retry
from vnnbench.ledger.writer import LEDGER_NAME, read_attempts
from vnnbench.runs.plan import PlannedRun
from vnnbench.runs.retry import left_to_run
from vnnbench.runs.run_texts import log_path


@dataclass(frozen=True, slots=True)
class RunForecast:
    """The forecast of a plan. planned, before: runs of the plan, and how many of them are in the ledger and are not
    repeated. instances: those of the runs that are left. limits: the shortest and the longest time limit of these runs,
    in seconds; None if none are left.

    worst_seconds: the time if each run that is left takes its limit and the time that it is given to end.
    expected_seconds: the time if each takes the mean time of the ledger's runs by the same solver and options with the
    same goal and limit; None where the ledger has no such runs at all. unmeasured: runs for which it has none; they
    count with their limit. n_bytes: of candidates and logs, from the mean of those in RESULTS; None where there are
    none.
    """

    planned: int
    before: int
    instances: int
    limits: tuple[float, float] | None
    worst_seconds: float
    expected_seconds: float | None
    unmeasured: int
    n_bytes: float | None

    @property
    def left(self) -> int:
        """The number of runs that are left to make."""
        return self.planned - self.before


def forecast_runs(plan: Sequence[PlannedRun], results: Path, jobs: int, retry: Collection[Retry] = ()) -> RunForecast:
    """Return the forecast of a plan whose runs are made `jobs` at a time. Nothing is written. Raises `LedgerError`."""
    measured: dict[tuple[object, ...], list[float]] = defaultdict(list)
    sizes: list[int] = []
    if (results / LEDGER_NAME).is_file():
        columns = ("run", "solver", "settings", "goal", "time_limit_seconds", "wall_seconds")
        for run, *setting, seconds in read_runs(results / LEDGER_NAME, columns)[[*columns]].itertuples(index=False):
            measured[tuple(setting)].append(seconds)
            files = (log_path(results, run), results / "candidates" / f"{run}.npz")
            sizes += [sum(file.stat().st_size for file in files if file.is_file())]
    left = list(left_to_run(plan, read_attempts(results), retry))
    limits = [run.limits.time_limit_seconds for run in left]
    by_setting = Counter(
        (run.setting.solver, run.setting.settings_json, run.limits.goal.value, run.limits.time_limit_seconds)
        for run in left
    )
    known = {key: fmean(measured[key]) for key in by_setting if key in measured}
    expected = sum(n * known.get(key, float(str(key[-1]))) for key, n in by_setting.items())
    return RunForecast(
        planned=len(plan),
        before=len(plan) - len(left),
        instances=len({run.row.instance for run in left}),
        limits=(min(limits), max(limits)) if limits else None,
        worst_seconds=sum(limit + GRACE_SECONDS for limit in limits) / jobs,
        expected_seconds=expected / jobs if known else None,
        unmeasured=sum(n for key, n in by_setting.items() if key not in known),
        n_bytes=fmean(sizes) * len(left) if sizes else None,
    )
