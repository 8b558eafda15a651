"""Networks of Keras as tf2onnx exports them, images with channels last: read exactly, without their final Softmax."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import parse_file
from vnnbench.instances.onnx_files.runtime import OnnxRuntime

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # those of their imports
    tensorflow = pytest.importorskip("tensorflow", reason="needs tensorflow and tf2onnx")
    tf2onnx = pytest.importorskip("tf2onnx", reason="needs tensorflow and tf2onnx")
layers = tensorflow.keras.layers


def dense() -> list[Any]:
    return [layers.Dense(5, activation="relu"), layers.Dropout(0.5), layers.Dense(3, activation="softmax")]


def convolutions() -> list[Any]:
    return [
        layers.Conv2D(3, 3, padding="same", activation="relu"), layers.MaxPooling2D(), layers.Conv2D(4, 3),
        layers.BatchNormalization(), layers.LeakyReLU(), layers.Flatten(), layers.Dense(3, activation="softmax"),
    ]  # fmt: skip


def strides() -> list[Any]:
    return [
        layers.ZeroPadding2D(1), layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(max_value=6.0), layers.AveragePooling2D(2, padding="same"),
        layers.MaxPooling2D(2, padding="same"), layers.Flatten(), layers.Dense(3), layers.Softmax(),
    ]  # fmt: skip


def separable() -> list[Any]:
    return [
        layers.Rescaling(1 / 4, offset=-0.5), layers.DepthwiseConv2D(3, padding="same"), layers.PReLU(),
        layers.SeparableConv2D(4, 3, activation="leaky_relu"), layers.GlobalAveragePooling2D(), layers.Dense(2),
    ]  # fmt: skip


def one_dimension() -> list[Any]:
    return [
        layers.Reshape((16, 8)), layers.Conv1D(3, 3, padding="causal", activation="relu6"), layers.MaxPooling1D(2),
        layers.GlobalMaxPooling1D(), layers.Dense(3, activation="log_softmax"),
    ]  # fmt: skip


def residual(x: Any) -> Any:
    h = layers.Conv2D(2, 3, padding="same")(x)
    h = layers.ReLU()(layers.Add()([layers.BatchNormalization()(h), x]))
    one, other = layers.Conv2D(2, 1)(h), layers.AveragePooling2D(3, strides=1, padding="same")(h)
    return layers.Dense(3)(
        layers.Flatten()(layers.Maximum()([layers.Concatenate()([one, other]), layers.Concatenate()([h, h])]))
    )


IMAGE = (8, 8, 2)
NETWORKS = {
    "dense": (dense, (4,), "Softmax"),
    "convolutions": (convolutions, IMAGE, "Softmax"),
    "strides": (strides, (9, 7, 1), "Softmax"),
    "separable": (separable, IMAGE, ""),
    "one dimension": (one_dimension, IMAGE, "LogSoftmax"),
    "residual": (residual, IMAGE, ""),
}


def built(name: str) -> Any:
    """Return a model with weights of ordinary size, moving averages among them."""
    keras = tensorflow.keras
    make, shape, _ = NETWORKS[name]
    keras.utils.set_random_seed(0)
    if make is residual:
        x = layers.Input(shape)
        model = keras.Model(x, residual(x))
    else:
        model = keras.Sequential([layers.Input(shape), *make()])
    random = np.random.default_rng(0)
    model.set_weights(
        [np.abs(w) + random.uniform(0.1, 0.5, w.shape) if w.ndim == 1 else w for w in model.get_weights()]
    )
    return model


@pytest.mark.parametrize("batch", [1, None])
@pytest.mark.parametrize("name", NETWORKS)
def test_an_exported_network_is_read_exactly(name: str, batch: int | None) -> None:
    model, shape = built(name), NETWORKS[name][1]
    given = [tensorflow.TensorSpec((batch, *shape), tensorflow.float32, name="x")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the exporter
        function = tensorflow.function(lambda x: model(x, training=False))
        exported, _ = tf2onnx.convert.from_function(function, input_signature=given, opset=17)
    data = exported.SerializeToString()
    file, runtime = parse_file(data, name), OnnxRuntime(data)
    assert file.end.operators == NETWORKS[name][2]
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        scores = np.array([float(value) for value in ExactNetwork(file.network).outputs(x.ravel())])
        np.testing.assert_allclose(runtime.run(x.ravel()), scores, rtol=1e-4, atol=1e-4)
        expected = np.asarray(model(x[None], training=False)).ravel()
        if file.end:
            logarithms = np.log(expected) if file.end.operators == "Softmax" else expected
            scores, expected = scores - scores[0], logarithms - logarithms[0]
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
