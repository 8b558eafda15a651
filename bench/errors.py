"""The errors of this package. Every message is one line.

BenchError
├── UsageError      options that do not fit together, or do not fit the library: correct the command
├── ResultsError    a results folder is in use, broken, or belongs to other instances: see the message
└── BundleError     a bundle is broken, or its contents do not match what it states: see the message
"""

from vnnbench.common.text import message_line


class BenchError(Exception):
    """An error that the user can correct. The message is one line that is safe to print, whatever it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


class UsageError(BenchError):
    """Options that do not fit together, the solver or the library."""


class ResultsError(BenchError):
    """A results folder that cannot be used."""


class BundleError(BenchError):
    """A bundle of runs that cannot be made or merged. No part of it was."""
