"""The JSON file of a training problem: it reads back exactly, and a broken one is one line."""

from __future__ import annotations

import copy
from dataclasses import fields

import numpy as np
import orjson
import pytest

from support.train_problems import XOR, problem, random_problem, split_of, variant
from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table_sources import load_table, named_table
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families import read_problem
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.limits import JsonLimit
from vnnbench.instances.step_networks import train_file
from vnnbench.instances.step_networks.train_file import parse_train, train_json
from vnnbench.instances.step_networks.train_property import TrainProperty, train_property


@pytest.fixture
def document():
    """The JSON object of a small problem."""
    return orjson.loads(train_json(problem("101", weight_limit=100_000, weight_sum_limit=3)))


def read(tmp_path, document) -> TrainProperty:
    path = tmp_path / "train.json"
    path.write_bytes(orjson.dumps(document))
    found = read_problem(path)
    assert isinstance(found, TrainProblem)
    return found.property


@pytest.mark.parametrize("seed", range(40))
def test_a_problem_reads_back_bit_for_bit(seed, tmp_path):
    prop = random_problem(seed)
    data = train_json(prop)
    found = read(tmp_path, orjson.loads(data))
    assert train_json(found) == data
    assert [getattr(found, f.name) for f in fields(found)][1:] == [getattr(prop, f.name) for f in fields(prop)][1:]
    for one, other in ((found.split.training, prop.split.training), (found.split.test, prop.split.test)):
        assert one.inputs.tobytes() == other.inputs.tobytes() and one.classes.tobytes() == other.classes.tobytes()
    names = (found.split.dataset, found.split.number, found.split.features, found.split.classes)
    assert names == (prop.split.dataset, prop.split.number, prop.split.features, prop.split.classes)


def test_names_of_features_and_classes_may_hold_anything(tmp_path):
    split = split_of(*XOR)
    odd = split.__class__("d", 3, ('<b>"\n', "é"), ("a,b", ""), split.training, split.test)
    assert (
        read(tmp_path, orjson.loads(train_json(train_property(odd, 1, variant("000"))))).split.features == odd.features
    )


def test_the_scaling_and_the_rows_of_a_split_read_back(tmp_path):
    split = make_split(load_table(named_table("wine")), 2)
    document = orjson.loads(train_json(train_property(split, 2, variant("000"))))
    found = read(tmp_path, document).split.origin
    assert found is not None and split.origin is not None
    assert (
        found.lower.tobytes() == split.origin.lower.tobytes() and found.upper.tobytes() == split.origin.upper.tobytes()
    )
    assert found.training_rows + found.test_rows == split.origin.training_rows + split.origin.test_rows
    assert sorted(found.training_rows + found.test_rows) == list(range(178))
    for key, error in (("lower", "for each input a least value"), ("test_rows", "a row for each sample")):
        broken = copy.deepcopy(document)
        broken["origin"][key].pop()
        with pytest.raises(PropertyError, match=error):
            read(tmp_path, broken)


def changed(document, path, value):
    """Return the document with another value at a path such as training.inputs.0."""
    found = copy.deepcopy(document)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = found
    for key in parents:
        place = place[key]
    place[last] = value
    return found


PATHS = (
    "dataset", "split", "neurons", "flags", "integer", "factor", "weight", "bias", "output_weight", "output_bias",
    "weight_sum_limit", "epsilon", "features", "classes", "training", "test", "training.inputs", "training.classes",
    "training.inputs.0", "training.inputs.0.0", "training.classes.0", "test.inputs", "weight.0", "flags.0",
    "features.0", "classes.0",
)  # fmt: skip
HOSTILE = (
    None, True, -1, 2, 0.5, 1e300, -1e-300, 10**18, 2**64 - 1, "", "1", [], [[]], {}, [1], [0, 1], [1, -1], [0.5, 0.5],
    [-1e300, 1e300], [-1e-9, 1e-9], [[0, 1]], ["a", "b"],
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_hostile_value_is_read_or_refused_in_one_line(path, document, tmp_path):
    for value in HOSTILE:
        try:
            prop = read(tmp_path, changed(document, path, value))
        except PropertyError as error:
            assert "train.json: " in str(error) and "\n" not in str(error)
        else:  # what is read can be used
            assert TrainProblem(prop).violation(TrainProblem(prop).centre) == 0
            assert TrainProblem(prop).evaluators({}).own.value(TrainProblem(prop).centre) is not None
            assert train_json(prop)


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("training.inputs.1", [0.5], "key 'training' must hold 2 inputs and a class for each sample"),
        ("training.inputs.1", 7, "key 'inputs' holds 7; it must be a list"),
        ("training.inputs.0.0", 0.3, "must hold inputs that are multiples of 1/1024 from 0 to 1024"),
        ("training.inputs.0.0", -1.0, "must hold inputs that are multiples of 1/1024 from 0 to 1024"),
        ("training.inputs.0.0", 1.7e308, "must hold inputs that are multiples of 1/1024 from 0 to 1024"),
        ("training.inputs.0.0", 1025.0, "must hold inputs that are multiples of 1/1024 from 0 to 1024"),
        ("training.inputs.0.0", "0", "key 'inputs' holds '0'; it must be a float64"),
        ("training.classes.0", 2, "key 'training' must hold classes from 0 to 1"),
        ("training.classes.0", 1.0, "key 'classes' holds 1.0; it must be an integer"),
        ("training.classes", [0, 1], "key 'training' must hold 2 inputs and a class for each sample"),
        ("test", {"inputs": [], "classes": []}, "there must be a training sample and a test sample"),
        ("training", {"inputs": [], "classes": []}, "there must be a training sample and a test sample"),
        ("epsilon", 0, "key 'epsilon' must hold a multiple of 1/4096 above 0 and at most 1"),
        ("epsilon", 0.001, "key 'epsilon' must hold a multiple of 1/4096"),
        ("epsilon", 1 / 4096, "the ends of the box of output biases must have the sum epsilon"),
        ("output_bias", [-1.0, 1.0], "the ends of the box of output biases must have the sum epsilon"),
        ("output_weight", [-1.0, 0.5], "the box of output weights must be symmetric"),
        ("bias", [0.5, 1.0], "key 'bias' must hold two multiples of 1/4096 around 0"),
        ("bias", [-1e-12, 1.0], "key 'bias' must hold two multiples of 1/4096 around 0"),
        ("weight", [0, 0.5], "key 'weight' must hold two integers around 0"),
        ("weight", [-1, 1], "sparse weights must lie in a box from 0 on"),
        ("weight_sum_limit", 10**6, "a big-M of .* needs an epsilon"),
        ("neurons", 10**6, "there are 1000000 neurons; there must be 1 to 1000"),
        ("weight_sum_limit", 10**18, "key 'weight_sum_limit' must be at most 1e"),
        ("flags", [False, True, True], "sparse|weight"),
        ("flags", [True, True], "key 'flags' must hold three flags"),
        ("integer", True, "key 'flags' must hold three flags, all true for an integer network"),
        ("factor", 0.2, "key 'factor' holds 0.2; it must be 0.1"),
        ("classes", ["a"], "there must be a feature and two classes"),
        ("features", [], "there must be a feature and two classes"),
    ],
)
def test_what_is_inconsistent_is_refused(path, value, error, document, tmp_path):
    with pytest.raises(PropertyError, match=rf"train\.json: .*{error}"):
        read(tmp_path, changed(document, path, value))


def test_a_missing_key_is_named(document, tmp_path):
    for key in [key for key in document if key != "family"]:
        rest = {name: value for name, value in document.items() if name != key}
        with pytest.raises(PropertyError, match=f"key '{key}' is missing"):
            read(tmp_path, rest)


def test_a_network_that_would_fill_the_memory_is_refused_before_it_is_made(document):
    """1,000 neurons with 100,000 inputs are 10**8 weights."""
    wide = dict(document, neurons=1_000, features=["x"] * 100_000)
    wide |= {part: {"inputs": [[0] * 100_000], "classes": [0]} for part in ("training", "test")}
    with pytest.raises(PropertyError, match="more than 500000 weights and biases"):
        parse_train(wide)


def test_a_data_set_too_large_for_the_file_is_refused_when_it_is_written(monkeypatch):
    monkeypatch.setattr(train_file, "PROPERTY_LIMIT", JsonLimit(10_000, containers=100, commas=50))
    with pytest.raises(PropertyError, match="data set tiny: its property would hold more than 50 values"):
        train_json(train_property(split_of(np.zeros((20, 3)), [0, 1] * 10), 1, variant("000")))
