"""Frames of the protocol between a solver's process and the harness, valid or not."""

from __future__ import annotations

import struct


def frame(header: bytes, payload: bytes = b"") -> bytes:
    """Return a frame of this header and payload: the header's length, big-endian in four bytes, then both."""
    return struct.pack(">I", len(header)) + header + payload
