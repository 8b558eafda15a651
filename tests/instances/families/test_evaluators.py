"""The evaluators of an instance over an input set: its dense network and its own one, from the bytes of their files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from support.networks import make_network
from support.properties import highest, make_box
from vnnbench.instances.errors import NetworkError, PropertyError
from vnnbench.instances.families import FAMILIES
from vnnbench.instances.families.maximize import MaximizeProblem
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.onnx_files.writer import onnx_bytes


@dataclass(frozen=True)
class Names:
    problem: str = "d-l1"
    dataset: str | None = None
    network: str | None = "d-mag-u50"
    dense_network: str | None = "d"


def identity(factor):
    """Return the ONNX file of y = factor x on one input."""
    return onnx_bytes(make_network(([[factor]], [0.0])))


@pytest.fixture
def problem():
    return MaximizeProblem(highest(make_box([0.0], [1.0])))


def test_the_original_is_the_dense_network_and_the_own_one_another(problem):
    evaluators = problem.evaluators({"network": identity(2.0), "dense_network": identity(3.0)})
    x = np.array([0.5])
    assert (evaluators.original.value(x), evaluators.own.value(x)) == (Fraction(3, 2), 1)
    assert (evaluators.original.replay(x), evaluators.own.replay(x)) == (Fraction(3, 2), 1)
    assert evaluators.original.deployed(x).value == 1.5
    outputs = evaluators.original.outputs(x)
    assert (outputs.exact, outputs.float32.tolist()) == ([Fraction(3, 2)], [1.5])


def test_equal_files_are_one_evaluator_whatever_their_names(problem):
    evaluators = problem.evaluators({"network": identity(2.0), "dense_network": identity(2.0)})
    assert evaluators.own is evaluators.original


def test_a_broken_network_is_one_line_that_says_which(problem):
    with pytest.raises(NetworkError, match=r"^own network: "):
        problem.evaluators({"network": b"none", "dense_network": identity(2.0)})


def test_files_are_named_in_the_order_of_the_identity():
    files = VerifyProblem.data_files(Names())
    assert list(files.items()) == [("network", "networks/d-mag-u50.onnx"), ("dense_network", "networks/d.onnx")]


@pytest.mark.parametrize("family", ["verify", "maximize", "closest"])
def test_an_instance_without_a_network_is_refused(family):
    with pytest.raises(PropertyError, match=f"family {family} needs a network and a dense network"):
        FAMILIES[family].data_files(Names(dense_network=None))
