"""Progress that keeps the reports of `generate`, and can interrupt it."""

from __future__ import annotations


class StepRecorder:
    """The progress of `generate`.

    total, done: as `start` says them, None until then. descriptions: of the steps made. n_mended: files mended.
    """

    def __init__(self, interrupt_after: int | None = None) -> None:
        """Raise `KeyboardInterrupt`, as Ctrl-C does, when so many steps are made; None: never."""
        self.total: int | None = None
        self.done: int | None = None
        self.descriptions: list[str] = []
        self.n_mended = 0
        self.interrupt_after = interrupt_after

    def start(self, total: int, done: int) -> None:
        self.total, self.done = total, done

    def advance(self, description: str) -> None:
        self.descriptions.append(description)
        if len(self.descriptions) == self.interrupt_after:
            raise KeyboardInterrupt

    def mended(self, n_files: int) -> None:
        self.n_mended += n_files
