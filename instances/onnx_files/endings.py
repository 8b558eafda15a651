"""The ends of classifiers: operators behind the scores that keep the order of classes, and are never read.

    softmax(z)_i >= softmax(z)_j  where  z_i >= z_j,  and  log softmax(z)_i - log softmax(z)_j = z_i - z_j

A problem is about the scores z. What is cut off follows from the file alone, so that the exact judgement and ONNX
Runtime see the same network; that the property asks for no more than an end keeps is checked where it is imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.onnx_files.graph import Node, array_of, read_node

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

_SAME_SHAPE = ("Cast", "Dropout", "Identity")
_OTHER_SHAPE = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that keep all numbers in their order, and may stand behind an end."""
_COERCED_UNTIL = 12
"""The last opset in which Softmax and LogSoftmax work along their axis and all axes behind it."""


class Kept(StrEnum):
    """What the comparison of two outputs keeps when an end is cut off."""

    VALUES = "values"
    DIFFERENCES = "differences"
    ORDER = "order"


ENDS = {
    "ArgMax": Kept.ORDER,
    "LogSoftmax": Kept.DIFFERENCES,
    "Sigmoid": Kept.ORDER,
    "Softmax": Kept.ORDER,
    "ZipMap": Kept.VALUES,  # scores by the name of their class, as scikit-learn exports them
}
"""The operators that are cut off, and what is kept of each."""


@dataclass(frozen=True, slots=True)
class End:
    """What was cut off. nodes: in their order. outputs: names of those that hold labels.

    is_binary: the scores (0, z) of the probabilities (1 - p, p), p = sigmoid(z), which are the softmax of (0, z).
    """

    nodes: tuple[Node, ...] = ()
    outputs: tuple[str, ...] = ()
    opset: int = 0
    is_binary: bool = False

    def __bool__(self) -> bool:
        return bool(self.nodes or self.outputs)

    def __str__(self) -> str:
        return ", ".join([*(node.label for node in self.nodes), *(f"output {name!r}" for name in self.outputs)])

    @property
    def operators(self) -> str:
        """The operators that change values."""
        return " and ".join(node.operator for node in self.nodes if ENDS[node.operator] != Kept.VALUES)

    @property
    def kept(self) -> Kept:
        kinds = {ENDS[node.operator] for node in self.nodes}
        return next((kind for kind in (Kept.ORDER, Kept.DIFFERENCES) if kind in kinds), Kept.VALUES)

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise `NetworkError` if an end does not compare all scores, of this shape, with one another."""
        for node in self.nodes:
            if node.operator in ("ArgMax", "LogSoftmax", "Softmax"):
                self._check_axis(node, shape)
            if self.is_binary and node.operator == "Sigmoid" and math.prod(shape) != 2:
                raise node.fail("gives more than one probability beside its complement; export the network without it")

    def _check_axis(self, node: Node, shape: tuple[int, ...]) -> None:
        given = node.take(axis=int, keepdims=(0, 1), select_last_index=(0, 1))
        coerces = node.operator != "ArgMax" and self.opset <= _COERCED_UNTIL
        axis = given.get("axis", 0 if node.operator == "ArgMax" else 1 if coerces else -1)
        if not -len(shape) <= axis < len(shape):
            raise node.misfit(f"has axis {axis}, but its values have {len(shape)} dimensions")
        along = math.prod(shape[axis:]) if coerces else shape[axis]
        if along != math.prod(shape):
            raise node.fail(
                f"works along axis {axis} of {list(shape)} and so compares some outputs only; export the network "
                "without it"
            )


@dataclass(slots=True)
class _Walk:
    """A walk from the output against the edges: the ends that it met, and the name of the scores before them.

    zeros: of two probabilities (1 - p, p), the score of the first, under the name of 1 - p.
    """

    scores: str
    ends: list[NodeProto] = field(default_factory=list)
    zeros: TensorProto | None = None


def cut_end(model: ModelProto) -> End:
    """Leave in a model what its scores need, and return what was cut off; a model without an end stays as it is.

    Raises `NetworkError`: a node that is cut off cannot be read.
    """
    graph = model.graph
    output, labels = _scores_and_labels(graph)
    if output is None:
        return End()
    walk = _walk(graph, output.name)
    if not walk.ends and not labels:
        return End()
    opset = next((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), 0)
    nodes = tuple(read_node(node) for node in reversed(walk.ends))
    end = End(nodes, tuple(value.name for value in labels), opset, walk.zeros is not None)
    _shorten(graph, walk)
    return end


def _scores_and_labels(graph: GraphProto) -> tuple[ValueInfoProto | None, list[ValueInfoProto]]:
    """Return the output that is read, and those beside it that hold whole numbers or texts; None: several are left."""
    if len(graph.output) == 1:
        return graph.output[0], []
    labels = [value for value in graph.output if _is_label(value)]
    others = [value for value in graph.output if not _is_label(value)]
    return (others[0], labels) if len(others) == 1 else (None, [])


def _is_label(value: ValueInfoProto) -> bool:
    from onnx import TensorProto

    kind = value.type.tensor_type.elem_type
    return kind in (TensorProto.INT32, TensorProto.INT64, TensorProto.STRING, TensorProto.BOOL)


def _walk(graph: GraphProto, output: str) -> _Walk:
    producers = {name: node for node in graph.node for name in node.output}
    walk, at, is_whole = _Walk(output), output, False
    for _ in graph.node:  # a file may have a cycle
        node = producers.get(at)
        if node is None or not node.input or at != node.output[0]:
            break
        zeros = _complement(graph, producers, node)
        if (zeros is not None or _is_end(node)) and is_whole and node.op_type != "ArgMax":
            break  # scores cast to whole numbers lose their order
        if zeros is not None:
            walk.ends.append(producers[node.input[1]])
            walk.scores, walk.zeros = at, zeros
            break
        if node.op_type == "ArgMax" and walk.ends:
            break  # the ends behind it read the number of a class, not scores
        if _is_end(node) and node.input[0] in producers:
            walk.ends.append(node)
            walk.scores, is_whole = node.input[0], False
        elif not _of_standard(node, *_SAME_SHAPE, *([] if walk.ends else _OTHER_SHAPE)) or _may_train(node):
            break
        is_whole |= node.op_type == "Cast" and not _casts_to_float(node)
        at = node.input[0]
    return walk


def _may_train(node: NodeProto) -> bool:
    """Return whether a node is a Dropout with the input training_mode, which may have it drop values at random."""
    return node.op_type == "Dropout" and len(node.input) > 2


def _casts_to_float(node: NodeProto) -> bool:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
    return any(attribute.name == "to" and attribute.i in floats for attribute in node.attribute)


def _is_end(node: NodeProto) -> bool:
    if node.op_type == "ZipMap":
        return node.domain == "ai.onnx.ml"
    return node.op_type in ENDS and _of_standard(node, node.op_type)


def _of_standard(node: NodeProto, *operators: str) -> bool:
    return node.domain in ("", "ai.onnx") and node.op_type in operators


def _complement(graph: GraphProto, producers: Mapping[str, NodeProto], node: NodeProto) -> TensorProto | None:
    """Return the score 0, under the name of 1 - p, if a node joins 1 - p and p = sigmoid(z); else None."""
    from onnx import numpy_helper

    if not _of_standard(node, "Concat") or len(node.input) != 2:
        return None
    negative, positive = (producers.get(name) for name in node.input)
    if negative is None or not _of_standard(negative, "Sub") or len(negative.input) != 2:
        return None
    if positive is None or not _of_standard(positive, "Sigmoid") or len(positive.input) != 1:
        return None
    ones = [array_of(tensor) for tensor in graph.initializer if tensor.name == negative.input[0]]
    if negative.input[1] != node.input[1] or [one.tolist() for one in ones] not in ([1], [[1]], [[[1]]]):
        return None
    return numpy_helper.from_array(np.zeros((1, 1), ones[0].dtype), node.input[0])


def _shorten(graph: GraphProto, walk: _Walk) -> None:
    """Leave the nodes that the scores need, which are the only output."""
    from onnx import ValueInfoProto

    given = ""
    if walk.zeros is not None:
        graph.initializer.append(walk.zeros)
        given = walk.zeros.name
        for node in graph.node:
            if walk.scores in node.output:
                node.input[1] = walk.ends[-1].input[0]
    needed, kept = {walk.scores}, type(graph)()
    nodes = []
    for node in reversed(graph.node):
        if any(name in needed and name != given for name in node.output):
            nodes.append(node)
            needed.update(node.input)
    kept.node.extend(reversed(nodes))
    for name in ("node", "output", "value_info"):
        graph.ClearField(name)
    graph.node.extend(kept.node)
    graph.output.append(ValueInfoProto(name=walk.scores))
