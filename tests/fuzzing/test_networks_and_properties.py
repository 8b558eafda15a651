"""Files that come with a network: ONNX, VNN-LIB and MPS files, and property JSON."""

from __future__ import annotations

import gzip

import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.fuzzing import attempt, fuzz
from support.small_files import SMALL_ONNX, SMALL_VNNLIB, SMALL_VNNLIB_2
from support.train_problems import random_problem
from vnnbench.instances.families import problem_of, read_problem
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.formulations.milp import OBJECTIVE
from vnnbench.instances.formulations.mps import mps_text, parse_mps, read_mps
from vnnbench.instances.generation.instances_csv import read_instances
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx, read_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.properties.property_file import property_json, read_property
from vnnbench.instances.properties.vnnlib_reader import read_vnnlib
from vnnbench.instances.step_networks.train_file import parse_train, train_json
from vnnbench.instances.train_models import TrainFormulation, encode

DIMENSIONS = (-1, 0, 1, 2, 3, 7, 2**16, 2**31, 2**62, 2**63 - 1)


def image_network(nodes, weights):
    """Return a network from an image of 2x4x4, "input", to two numbers, "output"."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2])],
        weights,
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()


@pytest.fixture(scope="module")
def chain():
    """The ONNX file of a chain with every operator that is read, on an image of 2x4x4."""
    generator = np.random.default_rng(1)

    def constant(name, *shape):
        return numpy_helper.from_array(generator.uniform(0.5, 1.5, size=shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Sub", ["input", "mean"], ["a"]),
        helper.make_node("Conv", ["a", "K", "k"], ["b"], kernel_shape=[2, 2], strides=[1, 1], pads=[1, 0, 0, 1]),
        helper.make_node("BatchNormalization", ["b", "s", "t", "m", "v"], ["c"], epsilon=1e-3),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("AveragePool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1),
        helper.make_node("Reshape", ["e", "shape"], ["f"]),
        helper.make_node("Flatten", ["f"], ["g"], axis=1),
        helper.make_node("Gemm", ["g", "W", "w"], ["h"], transB=1),
        helper.make_node("Div", ["h", "q"], ["i"]),
        helper.make_node("Mul", ["q", "i"], ["j"]),
        helper.make_node("Dropout", ["j"], ["l"]),
        helper.make_node("MatMul", ["l", "V"], ["output"]),
    ]
    weights = [
        constant("mean", 1, 2, 1, 1), constant("K", 3, 2, 2, 2), constant("k", 3), constant("s", 3), constant("t", 3),
        constant("m", 3), constant("v", 3), numpy_helper.from_array(np.array([1, -1]), "shape"), constant("W", 5, 12),
        constant("w", 5), constant("q", 5), constant("V", 5, 2),
    ]  # fmt: skip
    data = image_network(nodes, weights)
    assert parse_onnx(data, "chain").layers[-1].n_outputs == 2
    return data


@pytest.fixture(scope="module")
def branches():
    """Branches, and operators that a chain has no place for, on an image of 2x4x4."""
    whole = {
        "axes": [2],
        "starts": [1],
        "ends": [9],
        "pads": [0, 0, 1, 0, 0, 0, 0, 1],
        "places": [0, 1],
        "flat": [1, -1],
    }
    weights = [numpy_helper.from_array(np.array(numbers, dtype=np.int64), name) for name, numbers in whole.items()]
    drawn = np.random.default_rng(2)
    for name, shape in {"c": (2, 1, 1), "W": (6, 3), "low": (), "slope": (1, 3)}.items():
        weights.append(numpy_helper.from_array(drawn.normal(size=shape).astype(np.float32), name))
    nodes = [
        helper.make_node("Neg", ["input"], ["a"]),
        helper.make_node("Max", ["a", "c", "input"], ["b"]),
        helper.make_node("Pad", ["b", "pads"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        helper.make_node("Slice", ["e", "starts", "ends", "axes"], ["f"]),
        helper.make_node("ReduceMean", ["f"], ["g"], axes=[2], keepdims=1),
        helper.make_node("Transpose", ["g"], ["h"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["h", "flat"], ["i"]),
        helper.make_node("Gemm", ["i", "W"], ["j"], alpha=0.5),
        helper.make_node("PRelu", ["j", "slope"], ["k"]),
        helper.make_node("Clip", ["j", "low"], ["l"]),
        helper.make_node("Concat", ["k", "l"], ["m"], axis=1),
        helper.make_node("Split", ["m"], ["n", "o"], axis=1),
        helper.make_node("Sub", ["n", "o"], ["p"]),
        helper.make_node("Gather", ["p", "places"], ["q"], axis=1),
        helper.make_node("Abs", ["q"], ["output"]),
    ]
    data = image_network(nodes, weights)
    assert parse_onnx(data, "branches").layers[-1].n_outputs == 2
    return data


@pytest.fixture(scope="module", params=["two classes", "classes"])
def classifier(request):
    """A classifier in float16 of an image of 2x4x4 with the end of scikit-learn's: labels and probabilities."""
    drawn = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(drawn.normal(size=shape).astype(np.float16), name)
        for name, shape in {"W": (32, 2), "V": (2, 1)}.items()
    ]
    weights += [
        numpy_helper.from_array(np.ones(1, dtype=np.float16), "one"),
        numpy_helper.from_array(np.array([4, 5]), "classes"),
    ]
    softmax = [helper.make_node("Softmax", ["b"], ["p"], axis=1)]
    sigmoid = [
        helper.make_node("MatMul", ["b", "V"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["d"]),
        helper.make_node("Sub", ["one", "d"], ["e"]),
        helper.make_node("Concat", ["e", "d"], ["p"], axis=1),
    ]
    nodes = [
        helper.make_node("Cast", ["input"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Flatten", ["half"], ["a"], axis=1),
        helper.make_node("MatMul", ["a", "W"], ["b"]),
        *(sigmoid if request.param == "two classes" else softmax),
        helper.make_node("ArgMax", ["p"], ["f"], axis=1),
        helper.make_node("ArrayFeatureExtractor", ["classes", "f"], ["label"], domain="ai.onnx.ml"),
        helper.make_node("Cast", ["p"], ["output"], to=TensorProto.FLOAT),
    ]
    model = onnx.load_model_from_string(image_network(nodes, weights))
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, [1, 1]))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    data = model.SerializeToString()
    assert parse_onnx(data, "classifier").layers[-1].n_outputs == 2
    return data


def other_model(mutator, data):
    """Return the model with fields of its nodes, weights and input changed."""
    model = onnx.load_model_from_string(data)
    graph = model.graph
    for _ in range(mutator.number(1, 3)):
        node, tensor = mutator.choice(graph.node), mutator.choice(graph.initializer)
        match mutator.number(0, 11):
            case 0 if tensor.dims:
                tensor.dims[mutator.number(0, len(tensor.dims) - 1)] = mutator.choice(DIMENSIONS)
            case 1:
                tensor.dims.append(mutator.choice(DIMENSIONS))
            case 2:
                tensor.data_type = mutator.choice((0, 1, 2, 7, 8, 10, 11, 16, 99))
            case 3:
                tensor.raw_data = mutator.mutate_bytes(tensor.raw_data)
            case 4:
                tensor.ClearField("raw_data")
                tensor.float_data.extend([1.0] * mutator.number(0, 40))
            case 5:
                values = node.input if mutator.number(0, 1) else node.output
                if values:
                    values[mutator.number(0, len(values) - 1)] = mutator.choice(("", "input", "output", "W", "a", "\n"))
            case 6:
                node.op_type = mutator.choice([other.op_type for other in graph.node] + ["", "If", "Constant", "\n"])
            case 7 if node.attribute:
                attribute = mutator.choice(node.attribute)
                attribute.type = mutator.choice((0, 1, 2, 3, 4, 5, 7, 10, attribute.type))
                attribute.i, attribute.f = (
                    mutator.choice(DIMENSIONS),
                    mutator.choice((0.0, np.nan, np.inf, -1.0, 1e-45)),
                )
                del attribute.ints[mutator.number(0, len(attribute.ints)) :]
                attribute.ints.append(mutator.choice(DIMENSIONS))
            case 8:
                shape = graph.input[0].type.tensor_type.shape
                shape.dim[mutator.number(0, len(shape.dim) - 1)].dim_value = mutator.choice(DIMENSIONS)
            case 9:
                other = graph.node.add()
                other.CopyFrom(node)
            case 10:
                tensor.name = mutator.choice((*(other.name for other in graph.initializer), "input", "", "x\n\x1b"))
            case _:
                node.attribute.append(mutator.choice([a for other in graph.node for a in other.attribute]))
    return model.SerializeToString()


@pytest.mark.parametrize("source", ["perceptron", "chain", "branches"])
@pytest.mark.parametrize("kind", ["bytes", "fields", "gzip"])
def test_an_onnx_file_is_read_or_refused(tmp_path, chain, branches, source, kind):
    data = {"perceptron": SMALL_ONNX, "chain": chain, "branches": branches}[source]
    if kind == "fields" and source == "perceptron":
        model = onnx.load_model_from_string(data)
        for tensor in model.graph.initializer:  # these add attributes and numbers of other kinds
            tensor.float_data.extend(numpy_helper.to_array(tensor).ravel().tolist())
            tensor.ClearField("raw_data")
        data = model.SerializeToString()

    fuzz(lambda mutator: check_network(mutator, data, tmp_path, kind))


@pytest.mark.parametrize("kind", ["bytes", "fields"])
def test_the_file_of_a_classifier_is_read_or_refused(tmp_path, classifier, kind):
    fuzz(lambda mutator: check_network(mutator, classifier, tmp_path, kind))


def check_network(mutator, data, tmp_path, kind):
    """Check that a changed file is read or refused, and that ONNX Runtime gives as many outputs."""
    path = tmp_path / ("n.onnx.gz" if kind == "gzip" else "n.onnx")
    mutated = other_model(mutator, data) if kind == "fields" else mutator.mutate_bytes(data)
    path.write_bytes(mutator.mutate_bytes(gzip.compress(data, 1)) if kind == "gzip" else mutated)
    network = attempt(read_onnx, path)
    if network is None:
        return
    for layer, following in zip(network.layers, network.layers[1:], strict=False):
        assert following.n_inputs == layer.n_outputs
    assert all(np.isfinite(layer.b).all() for layer in network.layers)
    n = network.layers[0].n_inputs
    outputs = attempt(lambda _: ExactNetwork(network).outputs(np.zeros(n)), path)
    assert len(outputs) == network.layers[-1].n_outputs
    runtime = attempt(lambda _: OnnxRuntime(mutated, "n.onnx"), path) if kind != "gzip" else None
    if runtime is not None:
        run = attempt(lambda _: runtime.run(np.zeros(n, dtype=np.float32)), path)
        assert run is None or len(run) == len(outputs)


VNNLIB_WORDS = (
    "(assert (<= X_0 0.5))", "(assert (>= Y_0 Y_1))", "(declare-const X_3 Real)", "(declare-const Y_99999999 Real)",
    "X_0", "Y_0", "Y_1", "<=", ">=", "or", "and", "+", "-", "*", "(" * 5000, ")" * 50, "(or)", "(and)", "(+ Y_0)",
    "(* 1e999 Y_0)", "(" + "+ 1 (" * 60, "(assert (or (<= X_0 0.5) (<= X_0 0.25)))",
)  # fmt: skip
VNNLIB_2_WORDS = (
    "(assert (<= X[0,0] 0.5))", "(declare-output Z real [2])", '(declare-hidden H real [1] "h")', "(equal-to f)",
    "(declare-network g", "(vnnlib-version <2.1>)", "X[0,1]", "Y[0,0]", "[0,-1]", "[99999999999999999999]", "[]",
    "int8", "float32", "<", ">=", "==", "!=", "or", "and", "+", "-", "*", "(" * 5000, ")" * 50, "1e5", "\0", '"', ";",
    "0." + "0" * 400 + "1", "1" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("suffix", [".vnnlib", ".vnnlib.gz"])
@pytest.mark.parametrize(("text", "words"), [(SMALL_VNNLIB, VNNLIB_WORDS), (SMALL_VNNLIB_2, VNNLIB_2_WORDS)])
def test_a_vnnlib_file_is_read_or_refused(tmp_path, suffix, text, words):
    def check(mutator):
        path = tmp_path / f"p{suffix}"
        data = mutator.mutate_text(text, words)
        if suffix.endswith(".gz"):
            data = gzip.compress(data, 1)
            data = mutator.mutate_bytes(data) if mutator.number(0, 1) else data
        path.write_bytes(data)
        query = attempt(read_vnnlib, path)
        if query is not None:
            problem = problem_of(query.prop)
            assert problem.violation(problem.centre) == 0
            again = tmp_path / "again.json"
            again.write_bytes(property_json(query.prop))
            assert property_json(read_property(again)) == again.read_bytes()

    fuzz(check)


INSTANCES = """onnx/a.onnx,vnnlib/p.vnnlib,116
"onnx/a.onnx", ./vnnlib/q.vnnlib , 30.5
"[('f', 'onnx/a.onnx'), ('g', 'onnx/b.onnx')]",vnnlib/r.vnnlib,100
"""


def test_a_list_of_instances_is_read_or_refused(tmp_path):
    path = tmp_path / "instances.csv"

    def check(mutator):
        path.write_bytes(mutator.mutate_text(INSTANCES, ("../a.onnx", "/etc/passwd", ",", "onnx/a.onnx")))
        for pair in attempt(read_instances, path) or ():
            assert 0 < pair.time_limit_seconds <= 1e8
            for file in {pair.onnx, pair.vnnlib} - {None}:
                assert file.resolve().is_relative_to(tmp_path.resolve())

    fuzz(check)


MPS_WORDS = (
    "ROWS", "COLUMNS", "RHS", "BOUNDS", "ENDATA", "RANGES", "NAME", "'MARKER'", "'INTORG'",
    " MARKER 'MARKER' 'INTORG'", " FR BOUND x_0", " BV BOUND x_0", " UP BOUND x_0 -1.0", " MI BOUND x_0", " N obj2",
    " L", "x_0", "N", "E", "FX", " RHS OBJ nan", "\t", "\x0b", "\x1c",
)  # fmt: skip


@pytest.mark.parametrize("suffix", [".mps", ".mps.gz"])
def test_a_model_is_read_or_refused(tmp_path, small_library, suffix):
    (model,) = (small_library / "models").iterdir()
    text = gzip.decompress(model.read_bytes()).decode()

    def check(mutator):
        path = tmp_path / f"m{suffix}"
        data = mutator.mutate_text(text, MPS_WORDS)
        if suffix.endswith(".gz"):
            data = gzip.compress(data, 1)
            data = mutator.mutate_bytes(data) if mutator.number(0, 1) else data
        path.write_bytes(data)
        model = attempt(read_mps, path)
        if model is None:
            return
        assert len(set(model.column_names)) == len(model.column_names)
        assert (model.lower <= model.upper).all()
        assert np.isfinite(model.data).all()
        assert np.isfinite(model.rhs).all()
        empty = set(range(len(model.column_names))) - set(model.indices.tolist()) - set(np.flatnonzero(model.objective))
        if not empty and OBJECTIVE not in model.row_names:
            written = mps_text(model)
            assert mps_text(parse_mps(written, "again")) == written

    fuzz(check)


@pytest.fixture(scope="module")
def properties(small_library):
    """The property files of small instances, one of each family."""
    (path,) = (small_library / "properties").glob("*.json")
    linear = orjson.loads(path.read_bytes())
    ball = {"norm": "l1", "centre": [0.25, 0.5, 0.5], "radius": "0.1", "lower": [0, 0.25, "0.1"], "upper": [1, 1, 1]}
    ball |= {"dataset": "digits", "sample": 3}
    return {
        "linear": linear,
        "verify": {**ball, "family": "verify", "source": 0, "targets": [1, 2], "strict": True},
        "maximize": {**ball, "family": "maximize", "norm": "box", "radius": None, "output": 0},
        "closest": {**ball, "family": "closest", "norm": "linf", "source": 0, "targets": [1], "margin": "0.1"},
    }


@pytest.mark.parametrize("family", ["linear", "verify", "maximize", "closest"])
def test_a_property_is_read_or_refused(tmp_path, properties, family):
    path = tmp_path / "p.json"
    path.write_bytes(orjson.dumps(properties[family]))
    assert read_property(path).family == ("verify" if family == "linear" else family)

    def check(mutator):
        path.write_bytes(mutator.mutate_json(properties[family]))
        prop = attempt(read_property, path)
        if prop is None:
            return
        problem = problem_of(prop)
        assert problem.violation(problem.centre) == 0
        again = tmp_path / "again.json"
        again.write_bytes(property_json(prop))
        assert property_json(read_property(again)) == again.read_bytes()

    fuzz(check)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_training_problems_are_read_and_written_exactly_or_refused(seed, tmp_path):
    valid, path = orjson.loads(train_json(random_problem(seed))), tmp_path / "mutated.json"

    def check(mutator):
        path.write_bytes(mutator.mutate_json(valid))
        found = attempt(read_problem, path)
        if not isinstance(found, TrainProblem):
            return
        assert found.violation(found.centre) == 0
        assert found.evaluators({}).own.value(found.centre) is not None
        assert parse_train(orjson.loads(train_json(found.property))).big_m == found.property.big_m
        for formulation in TrainFormulation:
            assert encode(found.property, formulation, "m").n_rows > 0

    fuzz(check)
