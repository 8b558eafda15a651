"""What a check of a library finds: one line about one file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """WRONG: the library is not what it says. WARNING: it is, and a solver may still have trouble with it."""

    WRONG = "wrong"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be told: the file, and what is the matter with it, in one line."""

    where: str
    what: str
    severity: Severity = Severity.WRONG
