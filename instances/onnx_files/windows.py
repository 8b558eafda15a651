"""The windows of a convolution or a pool, from the attributes of its node."""

from __future__ import annotations

from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, Windows
from vnnbench.instances.onnx_files.graph import Node
from vnnbench.instances.onnx_files.tensors import Shape

SAME_PADS = (b"NOTSET", b"VALID", b"SAME_UPPER", b"SAME_LOWER")
"""What `auto_pad` may say."""


def windows_of(node: Node, spatial: Shape, kernel: Shape) -> Windows:
    """Return the windows over values of shape `spatial`. Raises `NetworkError`: an attribute does not fit."""
    n = len(spatial)

    def lengths(name: str, default: int, least: int, count: int = n) -> Shape:
        found = tuple(node.attributes.get(name, [default] * count))
        if len(found) != count or not all(least <= length <= MAX_VALUES for length in found):
            raise node.fail(f"has {name} = {list(found)}, which does not fit its input")
        return found

    if tuple(node.attributes.get("kernel_shape", kernel)) != kernel or len(kernel) != n or min(kernel) < 1:
        raise node.fail(f"has kernel_shape = {list(kernel)}, which does not fit its input")
    strides, dilations, pads = lengths("strides", 1, 1), lengths("dilations", 1, 1), lengths("pads", 0, 0, 2 * n)
    before, after = pads[:n], pads[n:]
    match node.attributes.get("auto_pad", b"NOTSET"):
        case b"VALID":
            before = after = (0,) * n
        case b"SAME_UPPER" | b"SAME_LOWER" as side:
            total = [
                max((-(-s // stride) - 1) * stride + dilation * (k - 1) + 1 - s, 0)
                for s, k, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True)
            ]
            smaller, larger = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
            before, after = (smaller, larger) if side == b"SAME_UPPER" else (larger, smaller)
    return Windows(kernel, strides, dilations, before, after, bool(node.attributes.get("ceil_mode", 0)))
