"""The names of columns, and the decoding of solutions by them."""

from __future__ import annotations

import numpy as np
import pytest

from support.train_problems import problem
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.step_networks.step_network import StepNetwork
from vnnbench.instances.train_models import encode
from vnnbench.instances.train_models.columns import NetworkDecoder, complemented, names, split_name


def test_the_last_number_of_a_name_runs_fastest():
    assert names("p", [0, 2], [1], [3, 4]) == ["p_0_1_3", "p_0_1_4", "p_2_1_3", "p_2_1_4"]
    assert names("limit") == ["limit"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("w_3_12", ("w", (3, 12))),
        ("one", ("one", ())),
        ("w_03_1", ("w_03_1", ())),
        ("w__1", ("w__1", ())),
        ("w_-1_1", ("w_-1_1", ())),
        ("w_1_²", ("w_1_²", ())),
        ("w_1_9999999999", ("w_1_9999999999", ())),
    ],
)
def test_a_name_is_a_letter_and_numbers_or_only_itself(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize("formulation", ["plain", "tight"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_columns_decode_in_any_order(formulation, n_classes):
    prop = problem("000", n_classes=n_classes)
    model = encode(prop, formulation, "m")
    values = np.random.default_rng(0).uniform(-1, 1, model.n_columns)
    order = np.random.default_rng(1).permutation(model.n_columns)
    network = StepNetwork.of_vector(prop, NetworkDecoder(prop, model.column_names)(values))
    shuffled = NetworkDecoder(prop, [model.column_names[k] for k in order])(values[order])
    assert shuffled.tolist() == network.vector().tolist()
    by_name = dict(zip(model.column_names, values.tolist(), strict=True))
    assert network.W[1, 0] == by_name["w_1_0"] and network.b[1] == by_name["b_1"]
    assert network.Q[1, 0] == by_name["q_1_0"] and network.c[0] == by_name["bF_0"]
    if (formulation, n_classes) == ("tight", 2):
        assert (network.Q[:, 1] == -network.Q[:, 0]).all() and network.c[1] == prop.epsilon - network.c[0]
    else:
        assert network.Q[1, 1] == by_name["q_1_1"] and network.c[1] == by_name["bF_1"]


@pytest.mark.parametrize("missing", ["b_1", "q_0_0", "bF_0"])
def test_columns_that_lack_a_part_of_the_network_are_refused(missing):
    prop = problem("000")
    found = [name for name in encode(prop, "tight", "m").column_names if name != missing]
    with pytest.raises(PropertyError, match="the solution lacks some of the network's columns"):
        NetworkDecoder(prop, found)


def test_a_second_output_that_is_there_in_part_is_refused():
    prop = problem("000")
    found = [name for name in encode(prop, "plain", "m").column_names if name != "bF_1"]
    with pytest.raises(PropertyError, match="the solution lacks some of the network's columns"):
        NetworkDecoder(prop, found)


def test_columns_beyond_the_network_are_not_read():
    prop = problem("000")
    model_names = encode(prop, "plain", "m").column_names
    strange = ("w_0_2", "w_2_0", "w_0", "b_0_0", "q_0_2", "bF_00")
    assert NetworkDecoder(prop, (*model_names, *strange)).read == NetworkDecoder(prop, model_names).read


def test_a_complement_is_its_own_complement():
    network = StepNetwork(np.ones((1, 2)), np.ones(1), np.array([[0.5, 0.25]]), np.array([0.125, 1.0]), 2.0**-9)
    other = complemented(network, 1)
    assert (other.Q.tolist(), other.c.tolist()) == ([[-0.25, 0.25]], [2.0**-9 - 1.0, 1.0])
    assert complemented(other, 0).vector().tolist() == other.vector().tolist()
