"""The protocol between harness and worker: frames with a small JSON header and raw numbers and names, over one socket.
Nothing is pickled.

    frame = header length (4 bytes, big-endian) | header (UTF-8 JSON object) | header["floats"] float64, little-endian
            | header["text"] bytes of UTF-8, one name a line; no such bytes where the header has no "text"

Workers are not trusted: lengths are checked before anything is stored, against what the instance of the run can have.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_HEADER_BYTES = 1 << 20
"""The most bytes of a header: the options of a solver, a status, a message, the end of a traceback. Longer data follows
the header in raw form, because parsing JSON takes 30 times its bytes and blocks the judges of all runs meanwhile."""
MAX_HEADER_CONTAINERS = 20_000
"""The most opening brackets in a header, including those in a traceback: lists and objects take the most time and
memory to parse."""
MAX_TRACEBACK = 50_000
"""The most characters that are sent of a traceback, from its end: in JSON each may take 12 bytes."""
MAX_COLUMNS = 500_000
"""The most columns of a solution: as many as a model may have (`instances.limits`). For a run the limit is lower, that
of its instance: `supervisor.Limits`."""
MAX_NAME_CHARACTERS = 1 << 24
"""The most characters of all column names, each counted as long as the longest, as they are stored: 500,000 of 33."""
MAX_ANNOUNCEMENTS = 16
"""The number of times that a solver may announce its columns; adapters do so once."""
_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """Bytes that are not a frame of this protocol, or a frame that is not allowed here."""


class Kind(StrEnum):
    """The kind of a frame. The harness sends the first, the worker the others."""

    REQUEST = "request"
    READY = "ready"
    COLUMNS = "columns"  # names: those of the columns in the frames that follow
    INCUMBENT = "incumbent"  # floats: objective, then one per column
    DUAL_BOUND = "dual_bound"
    RESULT = "result"  # floats: the final columns, or none
    FAILED = "failed"  # the adapter raised an exception; header "traceback", "out_of_memory"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A message of the protocol. names: the lines of its text, in the order of the columns that they announce."""

    kind: Kind
    header: dict[str, Any]
    floats: npt.NDArray[np.float64]
    names: list[str]


def send(
    channel: socket.socket,
    kind: Kind,
    header: dict[str, Any] | None = None,
    floats: bytes = b"",
    names: Sequence[str] = (),
) -> None:
    """Send one frame, and block until it is sent. floats: raw float64 as `array.tobytes` returns them. names: without
    line breaks."""
    text = "\n".join(names).encode(errors="replace")
    document = {**(header or {}), "kind": kind.value, "floats": len(floats) // 8, "text": len(text)}
    encoded = json.dumps(document).encode()
    channel.sendall(_LENGTH.pack(len(encoded)) + encoded + floats + text)


class FrameReader:
    """A reader that cuts a stream of bytes into frames. max_columns: the most columns that a solution may have."""

    def __init__(self, max_columns: int = MAX_COLUMNS) -> None:
        self._max_columns = max_columns
        self._announcements = 0
        self._buffer = bytearray()
        self._header: tuple[Kind, dict[str, Any], int, int] | None = None
        """The header of the first frame in the buffer, parsed only once: kind, header, number of floats, and number of
        bytes of text. None until it has arrived."""

    @property
    def pending(self) -> bool:
        """Return whether there are bytes that have not been returned as a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add bytes and yield every frame they complete. Raises `ProtocolError`."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_HEADER_BYTES:
            raise ProtocolError(f"a header of {length} bytes")
        start = _LENGTH.size + length
        if len(self._buffer) < start:
            return None
        if self._header is None:
            self._header = self._parse_header(bytes(self._buffer[_LENGTH.size : start]))
        kind, header, count, length = self._header
        middle = start + 8 * count
        end = middle + length
        if len(self._buffer) < end:
            return None
        floats = np.frombuffer(bytes(self._buffer[start:middle]), dtype="<f8")
        names = self._parse_names(bytes(self._buffer[middle:end]))
        del self._buffer[:end]
        self._header = None
        return Frame(kind, header, floats, names)

    def _parse_header(self, encoded: bytes) -> tuple[Kind, dict[str, Any], int, int]:
        if encoded.count(b"[") + encoded.count(b"{") > MAX_HEADER_CONTAINERS:
            raise ProtocolError(f"a header of more than {MAX_HEADER_CONTAINERS} lists and objects")
        try:
            header = json.loads(encoded)
            kind, count, length = Kind(header["kind"]), header["floats"], header.get("text", 0)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ProtocolError(f"a header that is not a message ({type(error).__name__})") from error
        for found, most in ((count, 1 + self._max_columns), (length, MAX_NAME_CHARACTERS)):
            if type(found) is not int or not 0 <= found <= most:
                raise ProtocolError(f"a payload whose count is not an integer from 0 to {most}")
        return kind, header, count, length

    def _parse_names(self, text: bytes) -> list[str]:
        if not text:
            return []
        self._announcements += 1
        n = 1 + text.count(b"\n")
        if n > self._max_columns or self._announcements > MAX_ANNOUNCEMENTS:
            raise ProtocolError(f"more than {self._max_columns} names, or names more than {MAX_ANNOUNCEMENTS} times")
        try:
            names = text.decode().split("\n")
        except UnicodeDecodeError as error:
            raise ProtocolError("names that are not UTF-8 text") from error
        if n * max(map(len, names)) > MAX_NAME_CHARACTERS:
            raise ProtocolError(f"names that take more than {MAX_NAME_CHARACTERS} characters")
        return names
