"""The findings of a check of a library: one line about one file each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The severity of a finding.

    WRONG: the library contradicts itself. WARNING: it does not, but a solver may have trouble with it.
    """

    WRONG = "wrong"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding: the file, and a phrase in one line that says what is wrong with it."""

    where: str
    what: str
    severity: Severity = Severity.WRONG
