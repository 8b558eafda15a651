"""Weights in files beside the network are read from its own folder only, and are then part of one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper

from support.networks import make_network
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.onnx_files.external_data import read_whole
from vnnbench.instances.onnx_files.reader import parse_perceptron
from vnnbench.instances.onnx_files.writer import onnx_bytes

NETWORK = make_network(([[1.0, -2.0], [0.5, 0.25]], [0.0, 1.0]), ([[1.0, 1.0]], [-0.5]))


def exported(folder: Path, location: str = "weights.data") -> Path:
    """Write the network with its weights in one file beside it."""
    model = onnx.load_model_from_string(onnx_bytes(NETWORK))
    external_data_helper.convert_model_to_external_data(model, location="weights.data", size_threshold=0)
    path = folder / "net.onnx"
    onnx.save_model(model, str(path))
    changed = onnx.load_model(str(path), load_external_data=False)
    for tensor in changed.graph.initializer:
        for entry in tensor.external_data:
            entry.value = location if entry.key == "location" else entry.value
    path.write_bytes(changed.SerializeToString())
    return path


def test_weights_beside_the_network_are_put_into_it(tmp_path):
    data = read_whole(exported(tmp_path))
    network = parse_perceptron(data, "net.onnx")
    assert all((own == given).all() for own, given in zip(network.weights, NETWORK.weights, strict=True))
    stored = onnx.load_model_from_string(data).graph.initializer
    assert {tensor.data_location for tensor in stored} == {TensorProto.DEFAULT}
    assert read_whole(tmp_path / "net.onnx") == data


def test_a_file_without_external_weights_is_returned_as_it_is(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(NETWORK))
    assert read_whole(path) == path.read_bytes()


@pytest.mark.parametrize("location", ["../weights.data", "/etc/hostname", "sub/weights.data", "..", ""])
def test_a_path_out_of_the_folder_is_refused(tmp_path, location):
    (tmp_path / "net").mkdir()
    path = exported(tmp_path / "net", location)
    (tmp_path / "weights.data").write_bytes((tmp_path / "net" / "weights.data").read_bytes())
    with pytest.raises(NetworkError, match="which is not a file in the network's folder") as caught:
        read_whole(path)
    assert "\n" not in str(caught.value)


def test_a_missing_linked_or_short_file_is_refused(tmp_path):
    path = exported(tmp_path)
    weights = tmp_path / "weights.data"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    with pytest.raises(NetworkError, match=r"of 'weights\.data', which has \d+"):
        read_whole(path)
    weights.unlink()
    with pytest.raises(NetworkError, match=r"weights are missing: .*weights\.data"):
        read_whole(path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "weights.data").write_bytes(whole)
    weights.symlink_to(tmp_path / "elsewhere" / "weights.data")
    with pytest.raises(NetworkError, match="which is not a file in the network's folder"):
        read_whole(path)


@pytest.mark.parametrize("offset", ["-1", "1e3", "9" * 40, "x"])
def test_an_offset_that_is_not_a_whole_number_is_refused(tmp_path, offset):
    path = exported(tmp_path)
    model = onnx.load_model(str(path), load_external_data=False)
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "offset", offset
    path.write_bytes(model.SerializeToString())
    with pytest.raises(NetworkError, match="have the offset"):
        read_whole(path)


def test_weights_of_a_constant_node_are_read_too(tmp_path):
    numbers = np.array([0.5, -1.5], np.float32)
    (tmp_path / "c.data").write_bytes(numbers.tobytes())
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="c.data")
    node = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    graph = onnx.helper.make_graph(
        [node, onnx.helper.make_node("Add", ["x", "c"], ["y"])],
        "graph",
        [onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
    )
    (tmp_path / "net.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    stored = onnx.load_model_from_string(read_whole(tmp_path / "net.onnx")).graph.node[0].attribute[0].t
    assert onnx.numpy_helper.to_array(stored).tolist() == numbers.tolist()
