"""Nodes of ONNX graphs in one line each."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto, helper


def node(op: str, inputs: str, output: str, **attributes: Any) -> NodeProto:
    """Return a node with these inputs, parted by blanks, and one output, after which it is named."""
    return helper.make_node(op, inputs.split(), [output], name=f"my_{output}", **attributes)
