"""The count of fields in the bytes of an ONNX file, nested ones included, before the file is parsed.

A protocol buffer is a list of fields: a key, which is 8 times a field's number plus a kind, and a value. Kind 0 is an
integer of 7 bits a byte, 1 eight bytes, 5 four bytes, 2 a length and as many bytes: a text, packed numbers, or another
message, depending on the schema. An empty message takes 2 bytes in the file and hundreds in memory.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.limits import MAX_ONNX_FIELDS

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_PACKED_PER_FIELD = 32
"""The number of packed integers, of a byte each, that take as much memory as a field."""


def check_fields(data: bytes) -> None:
    """Raise `NetworkError` if the bytes hold more than `MAX_ONNX_FIELDS` fields, or are not a protocol buffer."""
    from onnx import ModelProto

    at, n_fields = 0, 0
    messages = [(len(data), _schema(ModelProto.DESCRIPTOR))]
    try:
        while messages:
            end, schema = messages[-1]
            if at == end:
                messages.pop()
                continue
            key, at = _varint(data, at)
            number, kind = key >> 3, key & 7
            size, inner = 0, None
            if kind == _VARINT:
                _, at = _varint(data, at)
            elif kind == _LENGTH:
                size, at = _varint(data, at)
                inner = schema.get(number)
            else:
                size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}[kind]
            if at + size > end:
                raise IndexError
            n_fields += 1 if inner is not None or number not in schema else 1 + size // _PACKED_PER_FIELD
            if n_fields > MAX_ONNX_FIELDS:
                raise NetworkError(f"holds more than {MAX_ONNX_FIELDS} fields, the most that is read")
            if inner is None:
                at += size
            else:
                messages.append((at + size, _schema(inner)))
    except (IndexError, KeyError) as error:
        raise NetworkError("is not an ONNX file, or is cut off; export it again") from error


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer of 7 bits a byte that begins at a position, and the position of its end. Raises IndexError."""
    number = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise IndexError


@cache
def _schema(message: Descriptor) -> dict[int, Descriptor | None]:
    """Return, by number, the fields of a message that are messages, and as None the integers, which may be packed."""
    kinds = message.fields[0]
    unpacked = (kinds.CPPTYPE_STRING, kinds.CPPTYPE_FLOAT, kinds.CPPTYPE_DOUBLE)
    return {field.number: field.message_type for field in message.fields if field.cpp_type not in unpacked}
