"""Progress for tests that do not watch it."""

from __future__ import annotations


class Silent:
    """Progress that only counts, and keeps what is noted.

    raise_at, error: the error is raised when that many steps are done; None: never.
    """

    def __init__(self, raise_at: int | None = None, error: BaseException | None = None) -> None:
        self.total = self.before = self.done = 0
        self.raise_at, self.error = raise_at, error
        self.notes: list[str] = []
        self.statuses: list[str] = []

    def start(self, total: int, done: int = 0) -> None:
        """Note how many steps there are, and how many of them were done before."""
        self.total, self.before = total, done

    def advance(self, description: str, steps: int = 1) -> None:
        """Count steps, and raise the error if its time has come."""
        self.done += steps
        if self.raise_at == self.done and self.error is not None:
            raise self.error

    def note(self, text: str) -> None:
        """Keep the line."""
        self.notes.append(text)

    def status(self, text: str) -> None:
        """Keep the line."""
        self.statuses.append(text)
