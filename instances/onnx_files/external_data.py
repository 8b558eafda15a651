"""ONNX files whose weights are in files beside them, as torch exports them today: read as one file that holds all.

Only plain files in the network's own folder are read: a path that leads elsewhere is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_ONNX_BYTES
from vnnbench.instances.onnx_files.wire_format import check_fields

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


def read_whole(path: Path) -> bytes:
    """Return an ONNX file, unzipped, with the weights in it that it keeps in other files of its folder.

    A file without such weights is returned as it is. Raises `NetworkError`: a file cannot be read, holds less than the
    network takes from it, or is outside of the folder; or all weights together are too large.
    """
    import onnx
    from google.protobuf.message import DecodeError

    data = read_plain(path, MAX_ONNX_BYTES, NetworkError)
    try:
        check_fields(data)
        model = onnx.load_model_from_string(data)
        outside = [tensor for tensor in _tensors(model) if _is_outside(tensor)]
        if not outside:
            return data
        _put_inside(outside, path)
    except DecodeError as error:
        raise NetworkError(f"{path}: is not an ONNX file, or is cut off; export it again") from error
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
    return bytes(model.SerializeToString(deterministic=True))


def _tensors(model: ModelProto) -> list[TensorProto]:
    """Return the initializers, and the tensors of Constant nodes."""
    from onnx import AttributeProto

    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    inside = [attribute.t for attribute in attributes if attribute.type == AttributeProto.TENSOR]
    return [*model.graph.initializer, *inside]


def _is_outside(tensor: TensorProto) -> bool:
    from onnx import TensorProto

    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _put_inside(tensors: list[TensorProto], path: Path) -> None:
    contents: dict[str, bytes] = {}
    total = 0
    for tensor in tensors:
        facts = {entry.key: entry.value for entry in tensor.external_data}
        location = facts.get("location", "")
        if not _is_beside(path, location):
            raise NetworkError(
                f"weights {tensor.name!r} are in {location!r}, which is not a file in the network's folder; put "
                "it there"
            )
        if location not in contents:
            contents[location] = read_plain(path.with_name(location), MAX_ONNX_BYTES, _plain_error)
        whole = contents[location]
        start = _number(facts.get("offset", "0"), tensor, "offset")
        length = _number(facts["length"], tensor, "length") if "length" in facts else len(whole) - start
        if start < 0 or length < 0 or start + length > len(whole):
            raise NetworkError(
                f"weights {tensor.name!r} are bytes {start} to {start + length} of {location!r}, which has "
                f"{len(whole)}; copy both files again"
            )
        total += length
        if total > MAX_ONNX_BYTES:
            raise NetworkError(f"has weights of more than {MAX_ONNX_BYTES} bytes, the most that is read")
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = whole[start : start + length]


def _is_beside(path: Path, location: str) -> bool:
    """Return whether a location is the name of a file, or of nothing yet, in the folder of `path`."""
    if Path(location).name != location or location in ("", ".", "..") or "\0" in location:
        return False
    return path.with_name(location).resolve().parent == path.parent.resolve()


def _plain_error(message: str) -> NetworkError:
    return NetworkError(f"its weights are missing: {message}")


def _number(text: str, tensor: TensorProto, what: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NetworkError(
            f"weights {tensor.name!r} have the {what} {text[:40]!r}, which is not a whole number; export it again"
        )
    return int(text)
