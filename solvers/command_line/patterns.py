"""Searches for a user's regular expressions under a time limit: one that backtracks without end is an error.

Python's search cannot be stopped by another thread, but it looks for signals: the limit is a timer of the process's
own processor time, which a busy machine does not change. Signals reach only the main thread, where every command and
every run searches; a search in another thread has no limit.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LEAST_SECONDS = 1e-3  # a timer of 0 would be off


class PatternError(ValueError):
    """A pattern took too long; the message is one line that names it."""


class Search:
    """A series of searches that may take so many seconds of processor time, all together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds

    def first(self, pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
        """Return the first match. Raises `PatternError`."""
        with self._limited(pattern):
            return pattern.search(text)

    def last(self, pattern: re.Pattern[str], text: str) -> str | None:
        """Return the text of the one group of the last match. Raises `PatternError`."""
        with self._limited(pattern):
            found = pattern.findall(text)
            return str(found[-1]) if found else None

    @contextmanager
    def _limited(self, pattern: re.Pattern[str]) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def too_long(_signal: int, _frame: object) -> None:
            shown = ascii(pattern.pattern[:60])
            limit = f"{self._seconds:.1f} s"
            raise PatternError(f"the pattern {shown} takes more than {limit}; it may backtrack without end")

        earlier = signal.signal(signal.SIGVTALRM, too_long)
        signal.setitimer(signal.ITIMER_VIRTUAL, max(self._left, _LEAST_SECONDS))
        try:
            yield
        finally:
            self._left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, earlier or signal.SIG_DFL)  # None: it was not set from Python
