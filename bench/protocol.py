"""The child protocol: frames of a capped JSON header and raw float64, over one socket. No pickle.

    frame = header length (4 bytes, big-endian) | header (UTF-8 JSON object) | header["floats"] float64, little-endian

A child is hostile until proven otherwise: lengths are checked before anything is stored.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_HEADER_BYTES = 1 << 26
MAX_FLOATS = 1 << 25
_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The bytes are no frame of this protocol."""


class Kind(StrEnum):
    """What a frame is. The first is sent by the harness, the others by the child."""

    REQUEST = "request"
    READY = "ready"
    COLUMNS = "columns"
    INCUMBENT = "incumbent"  # floats: objective, then one per column
    DUAL_BOUND = "dual_bound"
    RESULT = "result"  # floats: the final columns, or none
    FAILED = "failed"  # the adapter raised; header "traceback", "out_of_memory"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One message."""

    kind: Kind
    header: dict[str, Any]
    floats: npt.NDArray[np.float64]


def send(channel: socket.socket, kind: Kind, header: dict[str, Any] | None = None, floats: bytes = b"") -> None:
    """Send one frame, blocking; `floats` are raw float64 as `array.tobytes` gives them."""
    document = {**(header or {}), "kind": kind.value, "floats": len(floats) // 8}
    encoded = json.dumps(document).encode()
    channel.sendall(_LENGTH.pack(len(encoded)) + encoded + floats)


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: tuple[Kind, dict[str, Any], int] | None = None
        """Of the frame at the front, once it is there, parsed once only."""

    @property
    def pending(self) -> bool:
        """Whether there are bytes that are not yet a frame taken."""
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
            self._header = _parse_header(bytes(self._buffer[_LENGTH.size : start]))
        kind, header, count = self._header
        end = start + 8 * count
        if len(self._buffer) < end:
            return None
        floats = np.frombuffer(bytes(self._buffer[start:end]), dtype="<f8")
        del self._buffer[:end]
        self._header = None
        return Frame(kind, header, floats)


def _parse_header(encoded: bytes) -> tuple[Kind, dict[str, Any], int]:
    try:
        header = json.loads(encoded)
        kind, count = Kind(header["kind"]), header["floats"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError(f"a header that is no message ({type(error).__name__})") from error
    if not isinstance(count, int) or not 0 <= count <= MAX_FLOATS:
        raise ProtocolError(f"a payload whose count is no integer from 0 to {MAX_FLOATS}")
    return kind, header, count
