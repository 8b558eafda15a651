"""The progress bar of long commands, on stderr: done, throughput, elapsed and time left, in 80 columns."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from vnnbench.common.text import plain
from vnnbench.leaderboard.text import count


class ThroughputColumn(ProgressColumn):
    """Steps per minute, over the last ones."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("–/min" if speed is None else f"{60 * speed:.{0 if speed > 1 / 6 else 1}f}/min")


class ProgressBar:
    """A context manager that long commands report to. Where stderr is not a terminal, it prints one line at the start.

    about: what the steps are, for a line at the start on a terminal too; "" for none.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self._title, self._about = title, about
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8),
            MofNCompleteColumn(),
            ThroughputColumn(),
            TimeElapsedColumn(),
            TextColumn("· left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, total: int, done: int) -> None:
        """There are `total` steps, `done` of them from before; the bar is shown where some are left."""
        self._progress.update(self._task, total=total, completed=done)
        if done < total:
            self._progress.start()
        if not self._console.is_terminal or (self._about and done < total):
            before = f", {done} of them done before" if done else ""
            about = f": {self._about}" if self._about else ""
            self._console.print(f"{self._title}: {count(total, 'step')}{before}{about}", markup=False, highlight=False)

    def advance(self, description: str) -> None:
        """One more step is done; `description` says which."""
        self._progress.update(self._task, advance=1, description=plain(f"{self._title} {description}"[:30]))

    def mended(self, n_files: int) -> None:
        """So many files were missing or altered, and are now what they were."""
        made = f"{self._title}: made again what was missing or altered: {count(n_files, 'file')}"
        self._console.print(made, markup=False, highlight=False)
