"""What the methods of all operators share: the blocks so far, and operands in the shapes that a node needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, diagonal
from vnnbench.instances.onnx_files.graph import Node
from vnnbench.instances.onnx_files.tensors import Constant, Operand, Shape, Tensor
from vnnbench.instances.onnx_files.values import Blocks, IndexArray, Value

Operands: TypeAlias = Sequence[Operand | None]


class Operations:
    """The blocks of a graph, and its operands as tensors of the shapes that a node needs."""

    def __init__(self, n_inputs: int) -> None:
        self.blocks = Blocks(n_inputs)

    def tensor(self, operand: Operand) -> Tensor:
        """Return the operand as a tensor; a constant depends on no block."""
        if isinstance(operand, Tensor):
            return operand
        return Tensor(operand.shape, self.blocks.constant(operand.array.astype(np.float64).ravel()))

    def first(self, node: Node, operands: Operands) -> Tensor:
        first = operands[0] if operands else None
        if not isinstance(first, Tensor):
            raise node.misfit("has constants in place of the values that it works on")
        return first

    def floats(self, node: Node, operands: Operands, place: int) -> Float64Array:
        """Return a constant operand of floating point numbers. Raises `NetworkError`."""
        operand = operands[place] if place < len(operands) else None
        if not isinstance(operand, Constant) or operand.is_whole:
            raise node.fail(
                f"has an operand {place + 1} that is not a constant of floating point numbers; "
                "export the network with it as a weight"
            )
        return operand.array

    def aligned(self, node: Node, operands: Sequence[Operand]) -> list[Tensor]:
        """Return the operands as tensors of their common shape, as broadcasting gives it."""
        shape = self.common_shape(node, operands)
        return [self.spread(self.tensor(operand), shape) for operand in operands]

    def common_shape(self, node: Node, operands: Sequence[Operand]) -> Shape:
        try:
            shape = np.broadcast_shapes(*(operand.shape for operand in operands))
        except ValueError as error:
            shapes = " and ".join(str(list(operand.shape)) for operand in operands)
            raise node.misfit(f"has operands of shapes {shapes}, which do not fit") from error
        if math.prod(shape) > MAX_VALUES:
            raise node.fail(f"gives {list(shape)} values, more than {MAX_VALUES}, the most that is read")
        return shape

    def spread(self, tensor: Tensor, shape: Shape) -> Tensor:
        return tensor if tensor.shape == shape else tensor.pick(np.broadcast_to(tensor.places(), shape))

    def with_constant(self, node: Node, tensor: Tensor, array: Float64Array) -> tuple[Tensor, Float64Array]:
        """Return a tensor and a constant in their common shape, the constant flat."""
        shape = self.common_shape(node, (tensor, Constant(array)))
        return self.spread(tensor, shape), np.broadcast_to(array, shape).ravel()

    def times(self, value: Value, c: Float64Array) -> Value:
        if (np.abs(c) == 1).all():
            return value.times_signs(c)
        return self.blocks.linear(value, diagonal(c))

    def in_order(self, tensor: Tensor, places: IndexArray) -> Value:
        """Return the numbers at these places; the value itself if that is all of them in their order."""
        if places.size == tensor.value.n and (places.ravel() == np.arange(places.size)).all():
            return tensor.value
        return tensor.pick(places).value

    def sample(self, node: Node, operands: Operands) -> Tensor:
        """Return the first operand, one sample with channels and one or two more dimensions."""
        x = self.first(node, operands)
        if len(x.shape) not in (3, 4) or x.shape[0] != 1:
            raise node.fail(
                f"takes values {list(x.shape)}; export the network for one sample, with channels and one or two "
                "more dimensions"
            )
        return x


Operator: TypeAlias = Callable[[Operations, Node, Operands], Operand]
"""What an operator makes of a node. Raises `NetworkError`."""


def present(node: Node, operands: Operands) -> list[Operand]:
    found = [operand for operand in operands if operand is not None]
    if len(found) < len(operands) or not found:
        raise node.misfit("lacks an operand")
    return found


def two(node: Node, operands: Operands) -> tuple[Operand, Operand]:
    """Return the two operands of a node, at least one of which depends on the input. Raises `NetworkError`."""
    found = present(node, operands)
    if len(found) != 2:
        raise node.misfit(f"has {len(found)} operands, it must have two")
    if all(isinstance(operand, Constant) for operand in found):  # those that are computed exactly were folded
        raise node.fail("computes with constants alone; export the network with constants folded")
    return found[0], found[1]


def negative(tensor: Tensor) -> Tensor:
    return Tensor(tensor.shape, tensor.value.times_signs(-np.ones(tensor.value.n)))
