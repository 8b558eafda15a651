"""What long work says to its caller while it goes on."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told from the calling thread.

    A step is a trained group, its finetuned surrogates of one pruning, or all instances of one dense network.
    """

    def start(self, total: int, done: int) -> None:
        """There are `total` steps, `done` of them from before."""

    def advance(self, description: str) -> None:
        """One more step is done; `description` names the group or network."""


class GenerationProgress(Progress, Protocol):
    """Is told, too, of what was there before and had to be mended."""

    def mended(self, n_files: int) -> None:
        """So many files of the complete library were missing or altered, and are now what they were."""


class Silent:
    """Progress that is not shown."""

    def start(self, total: int, done: int) -> None:
        """Show nothing."""

    def advance(self, description: str) -> None:
        """Show nothing."""

    def mended(self, n_files: int) -> None:
        """Show nothing."""
