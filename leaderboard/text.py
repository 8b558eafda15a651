"""Text of anyone's as it may be shown: one visible line."""

from __future__ import annotations

CUT = "…"
"""What stands for the part of a text that was cut out."""


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters: a longer one is cut in its middle, after some two thirds."""
    end = 3 * longest // 10
    return text if len(text) <= longest else f"{text[: longest - end - len(CUT)]}{CUT}{text[-end:]}"


def plain(text: object) -> str:
    """Text as one visible line: control, formatting and line-breaking characters become escapes such as \\x1b."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
