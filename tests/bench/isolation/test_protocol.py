from __future__ import annotations

import json
import socket
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnnbench.isolation.protocol import MAX_COLUMNS, MAX_HEADER_BYTES, FrameReader, Kind, ProtocolError, send


def encode(kind: Kind, header: dict, floats: list[float]) -> bytes:
    left, right = socket.socketpair()
    with left, right:
        send(left, kind, header, np.array(floats).tobytes())
        return right.recv(1 << 20)


def raw(header: object) -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(encoded)) + encoded


OWN = ("kind", "floats", "text")
"""The keys that the protocol itself puts into a header."""
numbers = st.lists(st.floats(allow_nan=False), max_size=5)
messages = st.lists(st.tuples(st.sampled_from(list(Kind)), st.dictionaries(st.text(), st.text()), numbers), max_size=4)


@settings(deadline=None)
@given(messages, st.data())
def test_frames_survive_any_cut_of_the_stream(frames, data):
    frames = [(kind, {k: v for k, v in header.items() if k not in OWN}, x) for kind, header, x in frames]
    stream = b"".join(encode(*frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, read = FrameReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += list(reader.feed(stream[start:end]))
    assert not reader.pending
    assert [(f.kind, f.floats.tolist()) for f in read] == [(kind, x) for kind, _, x in frames]
    assert [{k: v for k, v in f.header.items() if k not in OWN} for f in read] == [h for _, h, _ in frames]


def test_numbers_arrive_bit_for_bit():
    numbers = [0.1, -0.0, 5e-324, np.inf, np.nan, 1.7976931348623157e308]
    (frame,) = FrameReader().feed(encode(Kind.INCUMBENT, {}, numbers))
    assert frame.floats.tobytes() == np.array(numbers).tobytes()


def test_incomplete_frame_is_pending():
    reader = FrameReader()
    stream = encode(Kind.READY, {}, [1.0])
    assert list(reader.feed(stream[:-1])) == []
    assert reader.pending


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", MAX_HEADER_BYTES + 1),
        raw(b""),
        raw(b"\xff\xfe"),
        raw(b"{"),
        raw(b"[" * 100_000),
        raw([]),
        raw({}),
        raw({"kind": "ready"}),
        raw({"floats": 0}),
        raw({"kind": "nonsense", "floats": 0}),
        raw({"kind": ["ready"], "floats": 0}),
        raw({"kind": "ready", "floats": -1}),
        raw({"kind": "ready", "floats": MAX_COLUMNS + 2}),
        raw({"kind": "ready", "floats": 1.0}),
        raw({"kind": "ready", "floats": "1"}),
        raw({"kind": "ready", "floats": None}),
        raw(b'{"kind": "ready", "floats": ' + b"9" * 5000 + b"}"),
    ],
)
def test_bytes_that_are_not_a_frame_are_refused(data):
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(data))


def test_length_is_checked_before_anything_is_stored():
    reader = FrameReader()
    with pytest.raises(ProtocolError):
        list(reader.feed(b"\xff\xff\xff\xff"))


def test_a_header_is_parsed_once_however_its_numbers_arrive(monkeypatch):
    parsed, parse = [], json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or parse(text))
    stream, reader = encode(Kind.INCUMBENT, {}, [1.0] * 100), FrameReader()
    frames = [frame for i in range(len(stream)) for frame in reader.feed(stream[i : i + 1])]
    assert [frame.floats.tolist() for frame in frames] == [[1.0] * 100]
    assert len(parsed) == 1


def test_what_a_child_says_does_not_fill_the_message():
    with pytest.raises(ProtocolError) as caught:
        list(FrameReader().feed(raw({"kind": "ready", "floats": "x" * 10_000})))
    assert len(str(caught.value)) < 100
