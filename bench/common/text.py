"""Text that is safe to show, whatever its source."""

from __future__ import annotations

CUT = "…"
"""The mark in place of the part of a text that was cut out."""
MAX_MESSAGE = 1000
"""The most characters of an error message, which may quote the contents of a file, of any length."""


def plain(text: object) -> str:
    """Return the text as one visible line: control, formatting and line-breaking characters become escapes such as
    \\x1b."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def message_line(message: str) -> str:
    """Return the message of an error as one visible line of at most `MAX_MESSAGE` characters; what is too long is cut
    out of its middle."""
    line = plain(message)
    end = MAX_MESSAGE // 2 - 2
    return line if len(line) <= MAX_MESSAGE else f"{line[:end]}...{line[-end:]}"


def shortened(text: str, longest: int) -> str:
    """Return the text with at most `longest` characters: a longer one loses a part after about two thirds."""
    end = 3 * longest // 10
    return text if len(text) <= longest else f"{text[: longest - end - len(CUT)]}{CUT}{text[-end:]}"
