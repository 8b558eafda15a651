"""Text that may be shown, whoever wrote it."""

from __future__ import annotations

CUT = "…"
"""What stands for the part of a text that was cut out."""
MAX_MESSAGE = 1000
"""Characters of an error: what a file holds may be quoted in it, and may be of any length."""


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
    """A text of at most so many characters: a longer one is cut in its middle, after some two thirds."""
    end = 3 * longest // 10
    return text if len(text) <= longest else f"{text[: longest - end - len(CUT)]}{CUT}{text[-end:]}"
