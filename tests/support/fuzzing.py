"""Checks that every reader must pass on mutated files.

A reader gives what it read, or raises an error of the project in one line that names the file. It neither warns nor
hangs nor takes more than a gibibyte. In CI the same `CI_EXAMPLES` of every kind, fewer where a whole library or ledger
is an example; `VNNBENCH_FUZZ_EXAMPLES=20000` makes so many, with new ones each time.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from support.mutations import Mutator
from vnnbench.cli import KNOWN_ERRORS

CI_EXAMPLES = 80
EXAMPLES = int(os.environ.get("VNNBENCH_FUZZ_EXAMPLES", CI_EXAMPLES))
MAX_SECONDS, MAX_MORE_BYTES, MAX_MESSAGE = 20, 1 << 30, 1000

T = TypeVar("T")


def fuzz(check: Callable[[Mutator], None], cost: int = 1) -> None:
    """Call a check with a mutator, for the wanted number of examples, divided by what each costs."""

    @settings(
        max_examples=max(1, EXAMPLES // cost),
        derandomize="VNNBENCH_FUZZ_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def examples(data: DataObject) -> None:
        check(Mutator(data))

    examples()


def attempt(read: Callable[[Path], T], path: Path, name: str | None = None) -> T | None:
    """Return what the reader gives, or None where it refuses in one clear line that names the file.

    name: how the line names the file, if not by its name.
    """
    with bounded():
        try:
            return read(path)
        except KNOWN_ERRORS as error:
            message = str(error)
    assert_clear(message)
    assert (name or path.name) in message, message
    return None


def assert_clear(message: str) -> None:
    """Check that a message is one line that can be printed, of a length that can be read."""
    assert message.strip()
    assert len(message.splitlines()) == 1, message
    assert message.isprintable(), ascii(message)
    assert len(message) <= MAX_MESSAGE, message


@contextmanager
def bounded() -> Iterator[None]:
    """Fail with AssertionError or MemoryError where a reader takes more time or memory than is right.

    Only memory beyond what the process has already counts.
    """

    def too_long(_signal: int, _frame: object) -> None:
        raise AssertionError(f"takes more than {MAX_SECONDS} s")

    earlier_limits, earlier_handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, too_long)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MAX_MORE_BYTES, earlier_limits[1]))
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, earlier_limits)
        signal.signal(signal.SIGALRM, earlier_handler)
