"""The ends of classifiers: what is cut off, that exact arithmetic and ONNX Runtime agree on it, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from support.onnx_nodes import node
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.endings import Kept
from vnnbench.instances.onnx_files.reader import parse_file, parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime

W = np.array([[1.0, -2.0, 0.5], [0.25, 1.5, -1.0]], np.float32)
X = np.array([0.75, -0.5], np.float32)
SCORES = [Fraction(5, 8), Fraction(-9, 4), Fraction(7, 8)]
"""X W by hand: 0.75 - 0.125, -1.5 - 0.75, 0.375 + 0.5."""
HALF, TRUE = np.array(0.5, np.float32), np.array(True)
MATMUL = node("MatMul", "x W", "z")


def zip_map(values: str, name: str) -> NodeProto:
    return helper.make_node("ZipMap", [values], [name], name="zip", domain="ai.onnx.ml", classlabels_int64s=[4, 5, 6])


def model(nodes, outputs=(("y", TensorProto.FLOAT),), *, opset=17, shape=(1, 2), **arrays) -> bytes:
    """Return a graph from "x" to outputs, each a name and an element type, 0 for maps of scores by class."""
    given = [
        helper.make_tensor_value_info(name, kind, None)
        if kind
        else helper.make_value_info(
            name,
            helper.make_sequence_type_proto(
                helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
            ),
        )
        for name, kind in outputs
    ]
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in {"W": W, **arrays}.items()]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph(list(nodes), "classifier", [value], given, weights)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString()


LABEL = (("label", TensorProto.INT64), ("p", 0))
ENDS = {
    "Softmax": ([node("Softmax", "z", "y", axis=1)], {}, Kept.ORDER),
    "Softmax of opset 11": ([node("Softmax", "z", "y")], {"opset": 11}, Kept.ORDER),
    "LogSoftmax": ([node("LogSoftmax", "z", "y")], {}, Kept.DIFFERENCES),
    "ArgMax": ([node("ArgMax", "z", "y", axis=1)], {"outputs": (("y", TensorProto.INT64),)}, Kept.ORDER),
    "Sigmoid of each class": ([node("Sigmoid", "z", "y")], {}, Kept.ORDER),
    "Softmax between moves": (
        [node("Flatten", "z", "f"), node("Softmax", "f", "s"), node("Identity", "s", "i"), node("Squeeze", "i", "y")],
        {}, Kept.ORDER,
    ),
    "ArgMax of a LogSoftmax": (
        [node("LogSoftmax", "z", "s"), node("ArgMax", "s", "a", axis=-1), node("Cast", "a", "y", to=1)], {}, Kept.ORDER,
    ),
    "ArgMax as whole numbers of another type": (
        [node("Softmax", "z", "s"), node("ArgMax", "s", "a", axis=1), node("Cast", "a", "y", to=TensorProto.INT32)],
        {"outputs": (("y", TensorProto.INT32),)}, Kept.ORDER,
    ),
    "Softmax over channels": (
        [node("Reshape", "z image", "c"), node("Softmax", "c", "y", axis=1)],
        {"image": np.array([1, 3, 1, 1])}, Kept.ORDER,
    ),
    "label and probabilities": (
        [node("Softmax", "z", "s"), node("ArgMax", "s", "label", axis=1), zip_map("s", "p")],
        {"outputs": LABEL}, Kept.ORDER,
    ),
    "label and scores": ([node("ArgMax", "z", "label", axis=1), zip_map("z", "p")], {"outputs": LABEL}, Kept.VALUES),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_cut_off_and_the_scores_are_left(name: str) -> None:
    nodes, more, kept = ENDS[name]
    data = model([MATMUL, *nodes], **more)
    onnxruntime.InferenceSession(data)  # the file is a right one
    file = parse_file(data, "network")
    assert file.end.kept == kept
    assert ExactNetwork(file.network).outputs(X) == SCORES
    assert OnnxRuntime(data).run(X).tolist() == [float(score) for score in SCORES]
    onnx.checker.check_model(file.deployed, full_check=True)
    assert len(file.network.layers) == 1


def test_what_was_cut_off_is_named() -> None:
    nodes, more, _ = ENDS["label and probabilities"]
    end = parse_file(model([MATMUL, *nodes], **more), "network").end
    assert str(end) == "'my_s' (Softmax), 'zip' (ZipMap), output 'label'"
    assert end.operators == "Softmax"


def test_a_file_without_an_end_is_deployed_as_it_is() -> None:
    data = model([node("MatMul", "x W", "y")])
    file = parse_file(data, "network")
    assert not file.end and file.deployed is data


def binary(sub: str = "one p", join: str = "n p", scores: int = 1) -> bytes:
    """Return the end of scikit-learn's binary classifier: probabilities 1 - p and p."""
    nodes = [
        node("MatMul", "x V", "z"),
        node("Sigmoid", "z", "p"),
        node("Sub", sub, "n"),
        node("Concat", join, "y", axis=1),
    ]
    return model(nodes, V=W[:, :scores], one=np.ones(1, np.float32))


def test_probabilities_of_two_classes_have_the_scores_zero_and_z() -> None:
    data = binary()
    file = parse_file(data, "network")
    assert ExactNetwork(file.network).outputs(X) == [0, SCORES[0]]
    assert OnnxRuntime(data).run(X).tolist() == [0.0, float(SCORES[0])]
    onnx.checker.check_model(file.deployed, full_check=True)
    (before,) = onnxruntime.InferenceSession(data).run(None, {"x": X[None]})
    np.testing.assert_allclose(np.log(before[0, 1] / before[0, 0]), float(SCORES[0]), rtol=1e-6)
    assert len(file.network.layers) == 1  # the score 0 costs nothing


def test_random_classifiers_keep_their_order() -> None:
    random = np.random.default_rng(0)
    data = model([MATMUL, node("Softmax", "z", "y")])
    whole, network = onnxruntime.InferenceSession(data), ExactNetwork(parse_onnx(data, "network"))
    for _ in range(20):
        x = random.normal(size=2).astype(np.float32)
        (probabilities,) = whole.run(None, {"x": x[None]})
        assert np.argsort(probabilities[0]).tolist() == np.argsort([float(y) for y in network.outputs(x)]).tolist()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (model([MATMUL, node("Softmax", "z", "s"), node("Relu", "s", "y")]), r"'my_s' \(Softmax\) is not piecewise"),
        (
            model([MATMUL, node("Softmax", "z", "s"), node("Cast", "s", "i", to=7), node("Cast", "i", "y", to=1)]),
            r"'my_s' \(Softmax\) is not piecewise",
        ),
        (
            model([MATMUL, node("Softmax", "z", "s"), node("Cast", "s", "i", to=7), node("ArgMax", "i", "y", axis=1)]),
            r"'my_s' \(Softmax\) is not piecewise",
        ),
        (
            model([MATMUL, node("Softmax", "z", "s"), node("Flatten", "s", "f"), node("Softmax", "f", "y")]),
            r"'my_s' \(Softmax\) is not piecewise",
        ),
        (
            model([MATMUL, node("Reshape", "z i", "r"), node("Softmax", "r", "y", axis=2)], i=np.array([1, 3, 1])),
            r"works along axis 2 of \[1, 3, 1\] and so compares some outputs only; export the network without it",
        ),
        (
            model([MATMUL, node("Softmax", "z", "s"), node("Dropout", "s half mode", "y")], half=HALF, mode=TRUE),
            r"'my_s' \(Softmax\) is not piecewise",
        ),
        (
            model([MATMUL, node("Dropout", "z half mode", "d"), node("Softmax", "d", "y")], half=HALF, mode=TRUE),
            r"'my_d' \(Dropout\) drops values at random \(training_mode\); export the network for inference",
        ),
        (
            model(
                [
                    MATMUL,
                    node("ArgMax", "z", "a", axis=1),
                    node("Cast", "a", "c", to=1),
                    node("Softmax", "c", "y", axis=1),
                ]
            ),
            r"'my_a' \(ArgMax\) is not piecewise",
        ),
        (model([MATMUL, node("ArgMax", "z", "y")]), r"\(ArgMax\) works along axis 0 of \[1, 3\]"),
        (model([MATMUL, node("Softmax", "z", "y", axis=5)]), "has axis 5, but its values have 2 dimensions"),
        (model([MATMUL, node("Softmax", "z", "y", beta=2.0)]), "has beta = 2.0, which is not supported"),
        (model([node("Softmax", "x", "y")]), "is not piecewise linear"),
        (binary(scores=2), r"\(Sigmoid\) gives more than one probability beside its complement"),
        (binary(sub="p one"), r"\(Sigmoid\) is not piecewise linear"),
        (binary(join="p n"), r"\(Sigmoid\) is not piecewise linear"),
        (
            model([MATMUL, node("Relu", "z", "y")], (("y", TensorProto.FLOAT), ("z", TensorProto.FLOAT))),
            "has 2 outputs, it must have one beside labels",
        ),
    ],
)
def test_what_is_not_an_end_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        parse_file(data, "some.onnx")
    assert "\n" not in str(caught.value)


def test_a_cycle_at_the_end_is_refused() -> None:
    looped = onnx.load_model_from_string(model([MATMUL, node("Softmax", "z", "y")]))
    looped.graph.node[1].input[0] = "y"
    with pytest.raises(NetworkError, match="which no node before it gives"):
        parse_file(looped.SerializeToString(), "some.onnx")
