"""Text of anyone's as it may be shown: one visible line."""

from __future__ import annotations


def plain(text: object) -> str:
    """Text as one visible line: control, formatting and line-breaking characters become escapes such as \\x1b."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
