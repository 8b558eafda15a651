"""What can be wrong in this package. Every message is one line.

BenchError
├── UsageError      options that do not fit together, or do not fit the library: correct the command
├── ResultsError    a results folder is in use, broken, or belongs to other instances: see the message
└── BundleError     a bundle is broken, or not what it says: see the message
"""

from vnnbench.common.text import message_line


class BenchError(Exception):
    """Something the user can mend; the message is one line that can be printed, whatever is quoted in it."""

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


class UsageError(BenchError):
    """Options that do not fit together, the solver or the library."""


class ResultsError(BenchError):
    """The results folder cannot be used."""


class BundleError(BenchError):
    """A bundle of runs cannot be made or merged; none of it was."""
