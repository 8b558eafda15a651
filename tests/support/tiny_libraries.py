"""Libraries made by hand, whose answers are known by hand.

The networks have four inputs, two hidden neurons and three outputs; source 0, target 1:

    h_0 = max(0, x_0 + x_1 - 0.5)    h_1 = max(0, x_2 - x_3)    value = y_1 - y_0 = h_0 + h_1 - b

centre (0.5, 0.25, 0.5, 0.5), L1 radius 1, box [0, 1]: value at the centre 0.25 - b, at most 1.25 - b. The surrogate
lacks the weight of x_3: 0.75 - b at the centre, at most 1.75 - b.

    problem `adv`: b = 1, largest value 0.25 (surrogate: 0.75), so there are counterexamples
    problem `rob`: b = 2, largest value -0.75 (surrogate: -0.25), so there are none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.families import problem_of
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.layout import CATALOG, MANIFEST, model_file, network_file, property_file
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, Property, VerifyProperty
from vnnbench.instances.properties.property_file import property_json

CENTRE = [0.5, 0.25, 0.5, 0.5]
"""The centre: dense value -0.75 (adv)."""
BEST = [1.0, 0.75, 0.5, 0.5]
"""A point on the sphere and in the box's corner: dense value 0.25 (adv), the largest."""
GOOD = [0.875, 0.75, 0.5, 0.5]
"""A point inside: distance 0.875, dense value 0.125 (adv)."""
EVEN = [0.75, 0.75, 0.5, 0.5]
"""A point inside: dense value exactly 0 (adv)."""
POINTS = {"centre": CENTRE, "best": BEST, "good": GOOD, "even": EVEN}
"""These inputs by name, for parametrized tests."""


@dataclass(frozen=True, slots=True)
class Question:
    """A property with the two networks that it is asked about: the dense one and its surrogate."""

    prop: Property
    dense: Network
    pruned: Network


def tiny_network(bias: float, pruned: bool = False) -> Network:
    """Return the network of the module's docstring with b = bias, the dense one or its surrogate."""
    W1 = [[1, 1, 0, 0], [0, 0, 1, 0 if pruned else -1]]
    layers = [(W1, [-0.5, 0]), ([[0, 0], [1, 1], [0, 0]], [bias, 0, -10])]
    return Network(*(tuple(np.array(layer[k], dtype=np.float32) for layer in layers) for k in (0, 1)))


def tiny_box(norm: Norm = Norm.L1, radius: float = 1.0) -> InputSet:
    """Return the inputs of the module's docstring, or those of another norm or radius about the same centre."""
    return InputSet(norm, np.array(CENTRE), radius, np.zeros(4), np.ones(4))


def tiny_property(strict: bool = True, norm: Norm = Norm.L1, targets: tuple[int, ...] = (1,)) -> VerifyProperty:
    """Return the property of the module's docstring, or one of another norm or other targets."""
    return VerifyProperty(tiny_box(norm), 0, targets, strict, None, None)


def write_tiny_library(
    folder: Path,
    biases: Mapping[str, float] | None = None,
    strict: bool = True,
    norm: Norm = Norm.L1,
    targets: tuple[int, ...] = (1,),
) -> Library:
    """Write a complete library of the tiny network with these biases by problem; by default of `adv` and `rob`."""
    prop = tiny_property(strict, norm, targets)
    questions = {
        problem: Question(prop, tiny_network(bias), tiny_network(bias, pruned=True))
        for problem, bias in (biases or {"adv": 1.0, "rob": 2.0}).items()
    }
    return write_library(folder, questions, input_side=2)


def write_distances(folder: Path) -> Library:
    """Write a library of the problems `near` and `far`: how near does class 1 lead class 0 by 1/4? At distance 1; `far`
    looks within 0.5 only."""
    questions = {
        name: Question(
            ClosestProperty(tiny_box(radius=radius), 0, (1,), Fraction(1, 4), None, None),
            tiny_network(1.0),
            tiny_network(1.0, pruned=True),
        )
        for name, radius in (("near", 2.0), ("far", 0.5))
    }
    return write_library(folder, questions)


def write_library(folder: Path, questions: Mapping[str, Question], input_side: int | None = None) -> Library:
    """Write a complete library of these questions by problem, dense and surrogate (-mag-u10), formulation `tight`."""
    files: dict[str, bytes] = {}
    rows = []
    for problem, question in questions.items():
        for suffix in ("", "-mag-u10"):
            row, own = _instance(problem, suffix, question, input_side)
            rows.append(row)
            files |= own
    files[CATALOG] = catalog_bytes(rows)
    hashes = {relative: sha256(data) for relative, data in files.items()}
    for relative, data in files.items():
        write_atomic(folder / relative, data)
    write_atomic(folder / MANIFEST, manifest_bytes("tiny", None, [0], hashes))
    return Library.open(folder)


def _instance(
    problem: str, suffix: str, question: Question, input_side: int | None
) -> tuple[CatalogRow, dict[str, bytes]]:
    """Return one instance's row of the catalogue and its files by relative path; a surrogate has a suffix."""
    network = question.pruned if suffix else question.dense
    name, prop, asked = f"{problem}{suffix}--tight", question.prop, problem_of(question.prop)
    bounds = bound_layers(prop.goal.chain(network), prop.input_set, BoundLevel.BACKWARD)
    encoding = encode_tight(network, prop, bounds, name)
    text, centre_value = mps_text(encoding.model), asked.evaluate(ExactNetwork(network), asked.centre)
    data = {"network": onnx_bytes(network), "dense_network": onnx_bytes(question.dense)}
    facts: dict[str, Any] = {**encoding.model.counts(), **asked.facts()}
    row = CatalogRow(
        instance=name, instance_sha256=instance_sha256(text, data, property_json(prop)),
        problem=problem, suite="tiny", input_side=input_side, depth=1, width=2, seed=0,
        network=f"{problem}{suffix}", dense_network=problem,
        pruning="magnitude" if suffix else "none", structure="unstructured" if suffix else "none",
        rate=0.1 if suffix else None, finetuned=0, formulation="tight", bounds="backward",
        accuracy=None, dense_accuracy=None,
        stable_active=encoding.stable_active, stable_inactive=encoding.stable_inactive,
        unstable=encoding.unstable, constant_rounding=encoding.constant_rounding,
        model=model_file(name), property=property_file(problem),
        centre_value=None if centre_value is None else float(centre_value), **facts,
    )  # fmt: skip
    files = {
        property_file(problem): property_json(prop),
        network_file(f"{problem}{suffix}"): onnx_bytes(network),
        model_file(name): compress(text),
    }
    return row, files
