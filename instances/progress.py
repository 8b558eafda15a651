"""The interface by which long work reports its progress to its caller."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """An observer of a generation. Its methods are called in the calling thread.

    A step is a trained group, its finetuned surrogates of one pruning, or all instances of one dense network.
    """

    def start(self, total: int, done: int) -> None:
        """Report that there are `total` steps, and that `done` of them were finished earlier."""

    def advance(self, description: str) -> None:
        """Report one more finished step; `description` names the group or network."""


class NotingProgress(Progress, Protocol):
    """An observer that is also notified of facts, such as what an import changes in what it is given."""

    def note(self, text: str) -> None:
        """Report a fact that does not stop the work, one line."""


class StatusProgress(NotingProgress, Protocol):
    """An observer that also shows what is going on elsewhere, such as on a cluster."""

    def status(self, text: str) -> None:
        """Show this line in place of the one before. May be called often, from any thread."""


class GenerationProgress(Progress, Protocol):
    """An observer that is also notified of repaired files."""

    def mended(self, n_files: int) -> None:
        """Report that `n_files` files of the complete library were missing or altered, and are restored."""


class Silent:
    """An observer that shows nothing."""

    def start(self, total: int, done: int) -> None:
        """Show nothing."""

    def advance(self, description: str) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def mended(self, n_files: int) -> None:
        """Show nothing."""

    def status(self, text: str) -> None:
        """Show nothing."""
