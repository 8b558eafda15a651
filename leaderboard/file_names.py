"""File names for names in a ledger, which may be any text: safe on every file system, and no two alike."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 96
_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return a file name, without its ending, for each of these names.

    It consists of letters, digits and `.-_=+`, and starts with a letter or digit. A name of this form is its own file
    name; any other gets the first digits of its sha256. No two file names differ in case alone.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        short = _UNSAFE.sub("-", name).lstrip("._=+-")[:LONGEST].rstrip(".-")
        if not short or short != name or short.lower() in taken:
            short = f"{short}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}".lstrip("-")
        taken.add(short.lower())
        found[name] = short
    return found
