"""Perceptrons of scikit-learn as skl2onnx exports them: the scores are those that scikit-learn's probabilities have."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import parse_file
from vnnbench.instances.onnx_files.runtime import OnnxRuntime

skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx")

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
CLASSES = {
    "three classes": np.digitize(X[:, 0], [-0.5, 0.5]),
    "two classes": (X[:, 0] > 0).astype(int),
    "two classes by name": np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)],
}
SCALERS: dict[str, list[Any]] = {"plain": [], "standardized": [StandardScaler()], "to [0, 1]": [MinMaxScaler()]}


def exported(model: Any, sample: np.ndarray = X[:1], **options: object) -> bytes:
    return bytes(skl2onnx.to_onnx(model, sample, options=options or None).SerializeToString())


def fitted(estimator: Any, y: np.ndarray, *before: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training stops early
        return make_pipeline(*before, estimator).fit(X, y)


def outputs(data: bytes, x: np.ndarray) -> np.ndarray:
    """Return the exact outputs, rounded, which ONNX Runtime must give too."""
    exact = np.array([float(y) for y in ExactNetwork(parse_file(data, "network").network).outputs(x)])
    np.testing.assert_allclose(OnnxRuntime(data).run(x), exact, rtol=1e-5, atol=1e-5)
    return exact


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("zipmap", [True, False])
def test_a_classifier_has_the_scores_of_its_probabilities(classes: str, scaler: str, zipmap: bool) -> None:
    model = fitted(MLPClassifier((5,), max_iter=30, random_state=0), CLASSES[classes], *SCALERS[scaler])
    data = exported(model, zipmap=zipmap)
    end = parse_file(data, "network").end
    assert end.operators == ("Softmax" if classes == "three classes" else "Sigmoid")
    for x in X[:5]:
        scores = outputs(data, x)
        probabilities = model.predict_proba(x[None].astype(np.float64))[0]
        np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), probabilities, rtol=1e-4)
        assert model.classes_[np.argmax(scores)] == model.predict(x[None])[0]


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_regressor_is_read_as_it_is(activation: str, n_outputs: int) -> None:
    y = X[:, 0] if n_outputs == 1 else X[:, :2]
    model = fitted(MLPRegressor(hidden_layer_sizes=(5, 4), activation=activation, max_iter=30, random_state=0), y)
    data = exported(model)
    assert not parse_file(data, "network").end
    for x in X[:5]:
        np.testing.assert_allclose(outputs(data, x), model.predict(x[None]).ravel(), rtol=1e-4, atol=1e-5)


def test_a_classifier_in_float64_is_read_with_all_its_digits() -> None:
    model = fitted(MLPClassifier((5,), max_iter=30, random_state=0), CLASSES["three classes"])
    mlp = model.steps[-1][1]
    mlp.coefs_ = [W.astype(np.float64) + 1e-12 for W in mlp.coefs_]
    data = exported(model, X[:1].astype(np.float64))
    first, _ = parse_file(data, "network").network.layers
    assert (first.W == mlp.coefs_[0].T).all()


def test_classes_that_do_not_exclude_each_other_are_refused() -> None:
    model = fitted(MLPClassifier((5,), max_iter=30, random_state=0), np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1))
    with pytest.raises(NetworkError, match="gives more than one probability beside its complement"):
        parse_file(exported(model), "network")


def test_an_activation_that_is_not_piecewise_linear_is_refused() -> None:
    model = fitted(MLPClassifier((5,), activation="tanh", max_iter=30, random_state=0), CLASSES["two classes"])
    with pytest.raises(NetworkError, match=r"\(Tanh\) is not piecewise linear"):
        parse_file(exported(model), "network")
