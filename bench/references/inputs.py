"""The files that an adapter gets which does not read the model: their names, in the folder of the model."""

from __future__ import annotations

from pathlib import PurePosixPath

PROPERTY_NAME = "property.json"
"""The property of the problem."""
NETWORK_NAME = "network.onnx"
"""The instance's own network, where it has one."""


def input_name(part: str, relative: str) -> str:
    """Return the name of the copy of a part of an instance's data, whose path in the library is `relative`."""
    return part + PurePosixPath(relative).suffix


def import_readers() -> None:
    """Import what reading a network imports when it is called, which takes longer than many runs do."""
    import onnx.helper  # noqa: F401
    import scipy.sparse  # noqa: F401
