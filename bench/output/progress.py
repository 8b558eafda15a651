"""The progress bar of long commands, on stderr: steps done, throughput, time elapsed and time left, in 80 columns."""

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
    """A column that shows the steps per minute, measured over the last steps."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("–/min" if speed is None else f"{60 * speed:.{0 if speed > 1 / 6 else 1}f}/min")


class ProgressBar:
    """A context manager to which long commands report their progress.

    Where stderr is not a terminal, it prints one line at the start. about: a description of the steps; with one, the
    line is printed on a terminal too.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self._title, self._about = title, about
        self._noted: set[str] = set()
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
        """Begin: there are `total` steps, of which `done` were done earlier. The bar is shown where some are left."""
        self._progress.update(self._task, total=total, completed=done)
        if done < total:
            self._progress.start()
        if not self._console.is_terminal or (self._about and done < total):
            before = f", {done} already done" if done else ""
            about = f": {self._about}" if self._about else ""
            self._console.print(f"{self._title}: {count(total, 'step')}{before}{about}", markup=False, highlight=False)

    def advance(self, description: str) -> None:
        """Count one more step as done; `description` says which."""
        self._progress.update(self._task, advance=1, description=plain(f"{self._title} {description}"[:30]))

    def note(self, text: str) -> None:
        """Print a fact, once however often it is reported."""
        if text not in self._noted:
            self._noted.add(text)
            self._console.print(f"{self._title}: {plain(text)}", markup=False, highlight=False, soft_wrap=True)

    def mended(self, n_files: int) -> None:
        """Report that `n_files` files were missing or altered and have been restored."""
        made = f"{self._title}: restored {count(n_files, 'missing or altered file')}"
        self._console.print(made, markup=False, highlight=False)
