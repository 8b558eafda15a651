"""What can be wrong in this package. Every message is one line.

BenchError
├── UsageError      options that do not fit together, or do not fit the library: correct the command
└── ResultsError    a results folder is in use, broken, or belongs to other instances: see the message
"""


class BenchError(Exception):
    """Something the user can mend; the message is one line."""


class UsageError(BenchError):
    """Options that do not fit together, the solver or the library."""


class ResultsError(BenchError):
    """The results folder cannot be used."""
