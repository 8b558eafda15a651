"""Operators that move numbers and compute with none: reshape, transpose, slice, gather, concatenate, pad and so on.

Each is a function of arrays. Of a constant it moves the numbers, of a tensor the places of its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES
from vnnbench.instances.onnx_files.graph import Node
from vnnbench.instances.onnx_files.tensors import Constant, Operand, Shape

Array: TypeAlias = npt.NDArray[Any]
Move: TypeAlias = Callable[[Array], Array]


def integers(node: Node, operands: Sequence[Operand | None], place: int, attribute: str) -> list[int] | None:
    """Return the whole numbers that a node has as an attribute, or in later opsets as an operand; None: neither. Raises
    `NetworkError`."""
    if attribute in node.attributes:
        return list(node.attributes[attribute])
    operand = operands[place] if place < len(operands) else None
    if operand is None:
        return None
    if not isinstance(operand, Constant) or not operand.is_whole:
        raise node.fail(
            f"has {attribute} that is not a constant of whole numbers; export the network for one sample of fixed shape"
        )
    return [int(n) for n in operand.array.ravel()]


def move_of(node: Node, operands: Sequence[Operand | None], shape: Shape) -> Move | None:
    """Return what a node with one moved operand, its first, of this shape does; None where it does not only move.
    Raises `NetworkError`."""
    match node.operator:
        case "Identity" | "Dropout":
            node.take(ratio=float, seed=int)
            if any(integers(node, operands, 2, "training_mode") or []):  # else nothing is dropped
                raise node.fail("drops values at random (training_mode); export the network for inference")
            return lambda array: array
        case "Flatten":
            axis = node.take(axis=int).get("axis", 1)
            axis = _axis(node, axis, len(shape), most=len(shape))
            return lambda array: array.reshape(math.prod(shape[:axis]), -1)
        case "Reshape":
            wanted = _reshaped(node, operands, shape)
            return lambda array: array.reshape(wanted)
        case "Transpose":
            order = node.take(perm=list).get("perm", list(reversed(range(len(shape)))))
            if sorted(order) != list(range(len(shape))):
                raise node.misfit(f"has perm = {order}, its values have {list(shape)}")
            return lambda array: np.transpose(array, order)
        case "Squeeze":
            node.take(axes=list)
            axes = integers(node, operands, 1, "axes")
            chosen = [i for i, n in enumerate(shape) if n == 1] if axes is None else _axes(node, axes, len(shape))
            if any(shape[axis] != 1 for axis in chosen):
                raise node.misfit(f"has axes = {axes}, its values have {list(shape)}")
            return lambda array: array.reshape([n for i, n in enumerate(shape) if i not in chosen])
        case "Unsqueeze":
            node.take(axes=list)
            axes = integers(node, operands, 1, "axes")
            if not axes:
                raise node.misfit("has no axes")
            places = _axes(node, axes, len(shape) + len(axes))
            return lambda array: np.expand_dims(array, tuple(places))
        case "Slice":
            return _slice(node, operands, shape)
        case "Gather":
            return _gather(node, operands, shape)
        case "Expand":
            node.take()
            wanted = integers(node, operands, 1, "shape") or []
            try:
                full = np.broadcast_shapes(shape, tuple(wanted))
            except ValueError as error:
                raise node.misfit(f"spreads {list(shape)} over {wanted}, which does not fit") from error
            _check_size(node, full)
            return lambda array: np.broadcast_to(array, full)
        case "Tile":
            node.take()
            repeats = integers(node, operands, 1, "repeats") or []
            if len(repeats) != len(shape) or min(repeats, default=1) < 1:
                raise node.misfit(f"has repeats = {repeats}, its values have {list(shape)}")
            _check_size(node, [n * r for n, r in zip(shape, repeats, strict=True)])
            return lambda array: np.tile(array, repeats)
        case _:
            return None


def split_sizes(node: Node, operands: Sequence[Operand | None], shape: Shape) -> tuple[int, list[int]]:
    """Return the axis of a Split and where its parts begin. Raises `NetworkError`."""
    given = node.take(axis=int, split=list, num_outputs=int)
    axis = _axis(node, given.get("axis", 0), len(shape))
    sizes = integers(node, operands, 1, "split")
    if sizes is None:
        n_parts = len(node.outputs)
        size = -(-shape[axis] // n_parts)
        sizes = [min(size, shape[axis] - i * size) for i in range(n_parts)]
    if len(sizes) != len(node.outputs) or min(sizes) < 0 or sum(sizes) != shape[axis]:
        raise node.misfit(f"splits {list(shape)} into {sizes}, which does not fit")
    return axis, np.cumsum(sizes)[:-1].tolist()


def concat_axis(node: Node, shapes: Sequence[Shape]) -> int:
    """Return the axis of a Concat whose operands have these shapes. Raises `NetworkError`."""
    given = node.take(axis=int)
    axis = _axis(node, given.get("axis", 1), len(shapes[0]))
    rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes if len(shape) == len(shapes[0])}
    if len(rests) != 1 or any(len(shape) != len(shapes[0]) for shape in shapes):
        raise node.misfit(f"joins {[list(shape) for shape in shapes]} along axis {axis}, which do not fit")
    return axis


def pad_widths(node: Node, operands: Sequence[Operand | None], shape: Shape) -> tuple[list[tuple[int, int]], float]:
    """Return how many numbers a Pad puts before and after each axis, and which number. Raises `NetworkError`."""
    given = node.take(mode=(b"constant",), pads=list, value=float)
    pads = integers(node, operands, 1, "pads") or []
    filling = operands[2] if len(operands) > 2 else None
    if filling is not None and not isinstance(filling, Constant):
        raise node.fail("pads with a value that is not constant; export the network with a number there")
    number = float(filling.array.ravel()[0]) if filling is not None and filling.array.size else given.get("value", 0.0)
    axes = list(range(len(shape)))
    if len(operands) > 3 and operands[3] is not None:
        axes = _axes(node, integers(node, operands, 3, "axes") or [], len(shape))
    if len(pads) != 2 * len(axes) or min(pads, default=0) < 0:
        raise node.misfit(f"has pads = {pads}, its values have {list(shape)}")
    widths = [(0, 0)] * len(shape)
    for i, axis in enumerate(axes):
        widths[axis] = (pads[i], pads[i + len(axes)])
    _check_size(node, [n + before + after for n, (before, after) in zip(shape, widths, strict=True)])
    return widths, float(number)


def reduced_axes(node: Node, operands: Sequence[Operand | None], shape: Shape) -> tuple[list[int], bool]:
    """Return the axes of a reduction, and whether they stay with length 1. Raises `NetworkError`."""
    given = node.take(axes=list, keepdims=(0, 1), noop_with_empty_axes=(0, 1))
    axes = integers(node, operands, 1, "axes")
    if not axes:
        axes = [] if given.get("noop_with_empty_axes") else list(range(len(shape)))
    return _axes(node, axes, len(shape)), bool(given.get("keepdims", 1))


def _reshaped(node: Node, operands: Sequence[Operand | None], shape: Shape) -> list[int]:
    zero_is_zero = bool(node.take(allowzero=(0, 1)).get("allowzero"))
    wanted = integers(node, operands, 1, "shape")
    if wanted is not None and wanted.count(-1) <= 1 and len(wanted) <= 16 and all(n >= -1 for n in wanted):
        sizes = [shape[i] if n == 0 and not zero_is_zero and i < len(shape) else n for i, n in enumerate(wanted)]
        known = math.prod(n for n in sizes if n != -1)
        sizes = [math.prod(shape) // known if n == -1 and known else n for n in sizes]
        if math.prod(sizes) == math.prod(shape) and -1 not in sizes:
            return sizes
    raise node.misfit(f"turns {list(shape)} into {wanted}, which is not as many values")


def _slice(node: Node, operands: Sequence[Operand | None], shape: Shape) -> Move:
    node.take(starts=list, ends=list, axes=list)
    starts, ends, axes, steps = (
        integers(node, operands, place, name) for place, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    starts, ends = starts or [], ends or []
    chosen = _axes(node, axes if axes is not None else list(range(len(starts))), len(shape))
    strides = steps if steps is not None else [1] * len(starts)
    if not len(starts) == len(ends) == len(chosen) == len(strides) or 0 in strides:
        raise node.misfit(f"has starts = {starts}, ends = {ends}, axes = {axes}, steps = {steps}, which do not fit")
    cut = [slice(None)] * len(shape)
    for start, end, axis, stride in zip(starts, ends, chosen, strides, strict=True):
        n = shape[axis]
        if stride < 0 and end < -n:  # before the first, which Python cannot say by a number
            cut[axis] = slice(start, None, stride)
        else:
            cut[axis] = slice(start, end, stride)
    return lambda array: array[tuple(cut)]


def _gather(node: Node, operands: Sequence[Operand | None], shape: Shape) -> Move:
    axis = _axis(node, node.take(axis=int).get("axis", 0), len(shape))
    which = operands[1] if len(operands) > 1 else None
    if not isinstance(which, Constant) or not which.is_whole:
        raise node.fail(
            "gathers at places that are not constant, which is not piecewise linear; export it with fixed ones"
        )
    if which.array.size and not (-shape[axis] <= which.array.min() and which.array.max() < shape[axis]):
        raise node.misfit(f"gathers beyond its values {list(shape)}")
    _check_size(node, [*shape[:axis], *which.shape, *shape[axis + 1 :]])
    return lambda array: np.take(array, which.array, axis=axis)


def _axis(node: Node, axis: int, n: int, most: int | None = None) -> int:
    if not -n <= axis <= (n - 1 if most is None else most):
        raise node.misfit(f"has axis {axis}, but its values have {n} dimensions")
    return axis + n if axis < 0 else axis


def _axes(node: Node, axes: Sequence[int], n: int) -> list[int]:
    found = [_axis(node, axis, n) for axis in axes]
    if len(set(found)) < len(found):
        raise node.misfit(f"has axes = {list(axes)}, one of them twice")
    return found


def _check_size(node: Node, shape: Sequence[int]) -> None:
    if math.prod(shape) > MAX_VALUES:
        raise node.fail(f"gives {list(shape)} values, more than {MAX_VALUES}, the most that is read")
