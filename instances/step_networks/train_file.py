"""The JSON file of a training problem, properties/*.json: it holds data, boxes and eps exactly.

{"family": "train", "dataset", "split", "neurons", "flags": [weights, activations, neurons], "integer", "factor",
 "weight", "bias", "output_weight", "output_bias": [lower, upper], "weight_sum_limit", "epsilon", "features", "classes",
 "training": {"inputs": [[...], ...], "classes": [...]}, "test": the same,
 "origin": {"lower", "upper": [...], "training_rows", "test_rows": [...]}, or null}
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from vnnbench.instances.datasets.labelled_data import GRID, LabelledData, Split, SplitOrigin
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.files import excess_of_json
from vnnbench.instances.limits import PROPERTY_LIMIT
from vnnbench.instances.properties.document import as_float, as_list, typed, typed_or_none
from vnnbench.instances.step_networks.train_property import (
    EPSILON_GRID,
    FACTOR,
    Box,
    TrainProperty,
    Variant,
    check_property,
)

MAX_INPUT = 1024
"""The largest input that is read: then sums over inputs are exact in float64, with many bits to spare."""
MAX_BOUND = 1e9


def train_json(prop: TrainProperty) -> bytes:
    """Return the bytes of properties/*.json. Raises `PropertyError` if the reader would refuse the file."""
    split = prop.split
    document = {
        "family": prop.family,
        "dataset": split.dataset,
        "split": split.number,
        "neurons": prop.neurons,
        "flags": list(prop.variant.flags),
        "integer": prop.variant.integer,
        "factor": FACTOR,
        **{key: [box.lower, box.upper] for key, box in _boxes(prop).items()},
        "weight_sum_limit": prop.weight_sum_limit,
        "epsilon": prop.epsilon,
        "features": list(split.features),
        "classes": list(split.classes),
        "training": _data_document(split.training),
        "test": _data_document(split.test),
        "origin": None if split.origin is None else _origin_document(split.origin),
    }
    data = orjson.dumps(document) + b"\n"
    if (excess := excess_of_json(data, PROPERTY_LIMIT)) is not None:
        raise PropertyError(f"data set {split.dataset}: its property would hold {excess}, the most that is read")
    return data


def _boxes(prop: TrainProperty) -> dict[str, Box]:
    return {
        "weight": prop.weight,
        "bias": prop.bias,
        "output_weight": prop.output_weight,
        "output_bias": prop.output_bias,
    }


def _data_document(data: LabelledData) -> dict[str, Any]:
    return {"inputs": data.inputs.tolist(), "classes": data.classes.tolist()}


def _origin_document(origin: SplitOrigin) -> dict[str, Any]:
    return {
        "lower": origin.lower.tolist(),
        "upper": origin.upper.tolist(),
        "training_rows": list(origin.training_rows),
        "test_rows": list(origin.test_rows),
    }


def parse_train(document: dict[str, Any]) -> TrainProperty:
    """Return the problem that a JSON object holds. Raises `PropertyError`, or KeyError for a missing key."""
    features = tuple(_text(name, "features") for name in typed(document, "features", list))
    classes = tuple(_text(name, "classes") for name in typed(document, "classes", list))
    if not features or len(classes) < 2:
        raise PropertyError("there must be a feature and two classes")
    if document["factor"] != FACTOR:
        raise PropertyError(f"key 'factor' holds {repr(document['factor'])[:40]}; it must be {FACTOR}")
    variant = _variant(document)
    training, test = (_data(document, key, len(features), len(classes)) for key in ("training", "test"))
    split = Split(
        typed(document, "dataset", str), typed(document, "split", int), features, classes, training, test,
        _origin(document, len(features), training.n_samples, test.n_samples),
    )  # fmt: skip
    prop = TrainProperty(
        split=split,
        neurons=typed(document, "neurons", int),
        variant=variant,
        weight=_box(document, "weight", variant.weights),
        bias=_box(document, "bias", variant.integer),
        output_weight=_box(document, "output_weight", variant.integer),
        output_bias=_box(document, "output_bias", variant.integer),
        weight_sum_limit=_weight_sum_limit(document),
        epsilon=_epsilon(document),
    )
    check_property(prop)
    return prop


def _text(value: object, key: str) -> str:
    return typed({key: value}, key, str)


def _variant(document: dict[str, Any]) -> Variant:
    flags = [typed({"flags": flag}, "flags", bool) for flag in typed(document, "flags", list)]
    integer = typed(document, "integer", bool)
    if len(flags) != 3 or (integer and not all(flags)):
        raise PropertyError("key 'flags' must hold three flags, all true for an integer network")
    return Variant(flags[0], flags[1], flags[2], integer)


def _box(document: dict[str, Any], key: str, integer: bool) -> Box:
    """Return a box around 0, whose ends are integers if its numbers are."""
    ends, grid = [as_float(value, key) for value in typed(document, key, list)], 1 if integer else EPSILON_GRID
    inside = len(ends) == 2 and -MAX_BOUND <= ends[0] <= 0 <= ends[1] <= MAX_BOUND
    if not inside or any(end * grid % 1 != 0 for end in ends):
        kind = "integers" if integer else f"multiples of 1/{EPSILON_GRID}"
        raise PropertyError(f"key {key!r} must hold two {kind} around 0, of magnitude at most {MAX_BOUND:g}")
    return Box(ends[0], ends[1], integer)


def _weight_sum_limit(document: dict[str, Any]) -> int | None:
    limit = typed_or_none(document, "weight_sum_limit", int)
    if limit is not None and limit > MAX_BOUND:
        raise PropertyError(f"key 'weight_sum_limit' must be at most {MAX_BOUND:g}")
    return limit


def _epsilon(document: dict[str, Any]) -> float:
    epsilon = as_float(document["epsilon"], "epsilon")
    if not 0 < epsilon <= 1 or epsilon * EPSILON_GRID % 1 != 0:
        raise PropertyError(f"key 'epsilon' must hold a multiple of 1/{EPSILON_GRID} above 0 and at most 1")
    return epsilon


def _origin(document: dict[str, Any], n_inputs: int, n_training: int, n_test: int) -> SplitOrigin | None:
    found = typed_or_none(document, "origin", dict)
    if found is None:
        return None
    lower, upper = (np.array([as_float(end, key) for end in typed(found, key, list)]) for key in ("lower", "upper"))
    rows = [
        tuple(typed({key: row}, key, int) for row in typed(found, key, list)) for key in ("training_rows", "test_rows")
    ]
    if len(lower) != n_inputs or len(upper) != n_inputs or not (np.isfinite(upper - lower) & (lower <= upper)).all():
        raise PropertyError("key 'origin' must hold for each input a least value and a largest one")
    if [len(part) for part in rows] != [n_training, n_test]:
        raise PropertyError("key 'origin' must hold a row for each sample")
    return SplitOrigin(lower, upper, rows[0], rows[1])


def _data(document: dict[str, Any], key: str, n_inputs: int, n_classes: int) -> LabelledData:
    data: dict[str, Any] = typed(document, key, dict)
    rows, labels = typed(data, "inputs", list), typed(data, "classes", list)
    if len(rows) != len(labels) or any(len(as_list(row, "inputs")) != n_inputs for row in rows):
        raise PropertyError(f"key {key!r} must hold {n_inputs} inputs and a class for each sample")
    inputs = np.array([[as_float(value, "inputs") for value in row] for row in rows], dtype=np.float64)
    inputs = inputs.reshape(len(rows), n_inputs)
    if not ((inputs >= 0) & (inputs <= MAX_INPUT)).all() or (inputs * GRID % 1 != 0).any():
        raise PropertyError(f"key {key!r} must hold inputs that are multiples of 1/{GRID} from 0 to {MAX_INPUT}")
    classes = np.array([typed({"classes": label}, "classes", int) for label in labels], dtype=np.int64)
    if len(classes) and classes.max() >= n_classes:
        raise PropertyError(f"key {key!r} must hold classes from 0 to {n_classes - 1}")
    return LabelledData(inputs, classes)
