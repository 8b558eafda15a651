"""File names from names out of a ledger, which are anyone's: no path, no surprise, no two alike."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 96
_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")


def file_names(names: Iterable[str]) -> dict[str, str]:
    """A file name, without its ending, for each of these names.

    It is made of letters, digits and `.-_=+` alone, starts with a letter or digit, and is the name itself where that is
    such a one; else the first digits of the name's sha256 tell it from others. No two differ in case alone.
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
