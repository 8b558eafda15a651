"""The progress bar of long commands, on stderr: steps done, throughput, time elapsed and time left, in 80 columns."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
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

STATUS_SECONDS = 300.0
"""How often a status is printed where there is no terminal."""


class ThroughputColumn(ProgressColumn):
    """A column that shows the steps per minute, measured over the last steps."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("–/min" if speed is None else f"{60 * speed:.{0 if speed > 1 / 6 else 1}f}/min")


class _BarAndStatus(Progress):
    """A progress bar with a line of text below it, where there is one."""

    status = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield what is drawn, from top to bottom."""
        yield from super().get_renderables()
        if self.status:
            yield Text(self.status, no_wrap=True, overflow="ellipsis")


class ProgressBar:
    """A context manager to which long commands report their progress.

    Where stderr is not a terminal, it prints one line at the start, and the status, if there is one, every
    STATUS_SECONDS. about: a description of the steps; with one, the line is printed on a terminal too.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self._title, self._about = title, about
        self._noted: set[str] = set()
        self._told = time.monotonic()
        self._console = Console(stderr=True)
        self._progress = _BarAndStatus(
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
        self._progress.status = ""  # what it says has ended
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

    def status(self, text: str) -> None:
        """Show what is going on elsewhere, in place of the status before. It can be called in any thread."""
        self._progress.status = plain(text)
        if not self._console.is_terminal and time.monotonic() - self._told >= STATUS_SECONDS:
            self._told = time.monotonic()
            (task,) = self._progress.tasks
            steps = "" if task.total is None else f"{task.completed:.0f} of {count(int(task.total), 'step')}; "
            self._console.print(f"{self._title}: {steps}{plain(text)}", markup=False, highlight=False, soft_wrap=True)

    def mended(self, n_files: int) -> None:
        """Report that `n_files` files were missing or altered and have been restored."""
        made = f"{self._title}: restored {count(n_files, 'missing or altered file')}"
        self._console.print(made, markup=False, highlight=False)
