"""Operators on constants alone: computed exactly, or left to be refused."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vnnbench.instances.onnx_files import movement
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES
from vnnbench.instances.onnx_files.graph import Node, checked_array
from vnnbench.instances.onnx_files.tensors import FLOAT_TYPES, Constant, Operand, constant, product, total


def fold(node: Node, operands: Sequence[Operand | None]) -> list[Operand] | None:
    """Return what a node with constant operands gives; None where it is not known here. Raises `NetworkError`."""
    given = [operand for operand in operands if isinstance(operand, Constant)]
    first = given[0].array
    if node.operator == "Concat":
        axis = movement.concat_axis(node, [operand.shape for operand in given])
        return [Constant(np.concatenate([operand.array for operand in given], axis=axis))]
    if node.operator == "Split":
        axis, cuts = movement.split_sizes(node, operands, first.shape)
        return [Constant(part) for part in np.split(first, cuts, axis=axis)]
    if (move := movement.move_of(node, operands, first.shape)) is not None:
        return [Constant(move(first))]
    match node.operator:
        case "ConstantOfShape":
            return [_constant_of_shape(node, given[0])]
        case "Cast":
            return [_cast(node, given[0])]
        case "Neg":
            return [Constant(-first)]
        case "Where" | "Equal" | "Range" | "Add" | "Sub" | "Mul" | "Div":
            return _computed(node, given)
        case _:
            return None


def shape_facts(node: Node, operand: Operand | None) -> list[Operand]:
    """Return what Shape and Size say of an operand. Raises `NetworkError`."""
    if operand is None:
        raise node.misfit("lacks an operand")
    given = node.take(start=int, end=int)
    if node.operator == "Size":
        return [Constant(np.array(math.prod(operand.shape), dtype=np.int64))]
    return [Constant(np.array(operand.shape[given.get("start", 0) : given.get("end")], dtype=np.int64))]


def _constant_of_shape(node: Node, shape: Constant) -> Constant:
    sizes = [int(n) for n in shape.array.ravel()]
    if min(sizes, default=0) < 0 or math.prod(sizes) > MAX_VALUES:
        raise node.misfit(f"makes a constant of shape {sizes}")
    value = node.attributes.get("value")
    filling = constant(checked_array(value), node.label, FLOAT_TYPES).array if value is not None else np.zeros(1)
    return Constant(np.full(sizes, filling.ravel()[0]))


def _cast(node: Node, operand: Constant) -> Constant:
    """Return a constant of another type, if that changes none of its numbers. Raises `NetworkError`."""
    from onnx import TensorProto

    to = node.take(to=int, saturate=(0, 1)).get("to")
    floats = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16}
    wholes = {TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL}
    if to in floats:
        with np.errstate(over="ignore"):
            kept = (operand.array.astype(floats[to]).astype(np.float64) == operand.array).all()
        result = operand.array.astype(np.float64)
    elif to in wholes:
        result = operand.array.astype(bool if to == TensorProto.BOOL else np.int64).astype(np.int64)
        kept = operand.is_whole or bool((result == operand.array).all())
    else:
        kept, result = False, operand.array
    if not kept:
        raise node.fail("casts a constant to a type that does not hold it; export the network in one type")
    return Constant(result)


def _computed(node: Node, given: Sequence[Constant]) -> list[Operand] | None:
    node.take()
    arrays = [operand.array for operand in given]
    whole = all(operand.is_whole for operand in given)
    try:
        match node.operator, arrays:
            case "Where", [condition, one, other] if given[0].is_whole and one.dtype == other.dtype:
                return [Constant(np.where(condition != 0, one, other))]
            case "Equal", [one, other]:
                return [Constant((one == other).astype(np.int64))]
            case "Range", [start, limit, step] if whole and step != 0 and abs((limit - start) // step) <= MAX_VALUES:
                return [Constant(np.arange(int(start), int(limit), int(step), dtype=np.int64))]
            case "Add" | "Sub" | "Mul" | "Div", [one, other] if whole:
                if max(np.abs(one).max(initial=0), np.abs(other).max(initial=0)) >= 1 << 31:
                    return None
                if node.operator == "Div":
                    quotient = np.sign(one) * np.sign(other) * (np.abs(one) // np.where(other == 0, 1, np.abs(other)))
                    return [Constant(quotient)] if (other != 0).all() else None
                return [Constant({"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[node.operator](one, other))]
            case "Add" | "Sub", [one, other]:
                result = total(one.astype(np.float64), other if node.operator == "Add" else -other)
            case "Mul", [one, other]:
                result = product(one, other)
            case _:
                return None
    except ValueError as error:
        raise node.misfit("has operands that do not fit") from error
    if result is None:
        raise node.fail(
            "computes with constants, and float64 does not hold the result; export it with constants folded"
        )
    return [Constant(result)]
