"""Files of answers beside a ledger, each named by its sha256: read within limits, or refused in one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

FORMAT = 1
Answers = TypeVar("Answers")


def read_named(
    path: Path, content: str, most_bytes: int, most_containers: int, parse: Callable[[list[Any]], Answers]
) -> Answers:
    """Return what `parse` makes of the problems of a file {"format": 1, "problems": [...]}.

    content: what the file holds, in words. most_bytes, most_containers: the most bytes, and lists and objects, that are
    read.

    Raises ValueError, one line: the file cannot be read, is not what its name says, or is none of this format, or
    `parse` raises one of the errors of a wrong type or value.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe could block
            raise ValueError(f"{path}: is not a file")
        if path.is_file() and path.stat().st_size > most_bytes:
            raise ValueError(f"{path}: holds more than {most_bytes} bytes, the most that is read")
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != path.stem:
        raise ValueError(
            f"{path}: is not the file of {content} that its name says (sha256); delete it and run the same command "
            "again"
        )
    if data.count(b"[") + data.count(b"{") > most_containers:  # parsed, each takes 30 times its bytes
        raise ValueError(f"{path}: holds more than {most_containers} lists and objects, the most that is read")
    try:
        document: Any = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}; this version reads {FORMAT}")
        return parse(document["problems"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: is not a file of {content} ({error!r})") from error


def digests(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the sha256 of the instances of a problem. Raises TypeError, AttributeError or KeyError."""
    for digest in entry["instances"].values():
        if not isinstance(digest, str):
            raise TypeError("a sha256 is not a text")
        yield digest
