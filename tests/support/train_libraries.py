"""Libraries of family `train`, and the columns of a solver that finds a given network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

from support.train_problems import slow_run
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.numerics import numerics
from vnnbench.instances.layout import CATALOG, MANIFEST, model_file, property_file
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.step_networks.step_network import StepNetwork
from vnnbench.instances.step_networks.train_file import train_json
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models import TrainFormulation, encode
from vnnbench.instances.train_models.rounding import objective_rounding


def write_train_library(folder: Path, problems: Mapping[str, TrainProperty]) -> Library:
    """Write a complete library of these problems in both formulations."""
    files: dict[str, bytes] = {}
    rows = []
    for name, prop in problems.items():
        files[property_file(name)] = train_json(prop)
        for formulation in TrainFormulation:
            model = encode(prop, formulation, f"{name}--{formulation}")
            files[model_file(model.name)] = compress(mps_text(model))
            rows.append(_row(name, prop, formulation, model))
    files[CATALOG] = catalog_bytes(rows)
    for relative, content in files.items():
        write_atomic(folder / relative, content)
    hashes = {relative: sha256(content) for relative, content in files.items()}
    write_atomic(folder / MANIFEST, manifest_bytes("tiny", None, [], hashes))
    return Library.open(folder)


def _row(name: str, prop: TrainProperty, formulation: str, model: MilpModel) -> CatalogRow:
    problem = TrainProblem(prop)
    centre_value = problem.evaluators({}).own.value(problem.centre)
    assert centre_value is not None
    columns: dict[str, Any] = {
        "instance": model.name,
        "instance_sha256": instance_sha256(mps_text(model), {}, train_json(prop)),
        "problem": name,
        "suite": "tiny",
        "depth": 1,
        "width": prop.neurons,
        "seed": 0,
        "pruning": "none",
        "structure": "none",
        "finetuned": 0,
        "formulation": formulation,
        "bounds": "none",
        "constant_rounding": objective_rounding(model),
        "model": model_file(model.name),
        "property": property_file(name),
        "centre_value": float(centre_value),
    }
    absent = dict.fromkeys(field.name for field in fields(CatalogRow) if field.default is MISSING)
    row = CatalogRow(**{**absent, **columns, **model.counts(), **problem.facts()})
    return replace(row, **asdict(numerics(model)))


def columns_at(prop: TrainProperty, model: MilpModel, candidate: Float64Array) -> list[float]:
    """Return the columns of a network in the model's form, as a solver without tolerances reports them."""
    network, run = StepNetwork.of_vector(prop, candidate), slow_run(prop, candidate, prop.training)
    classes, idle = prop.training.classes.tolist(), [bias > prop.epsilon / 2 for bias in network.c.tolist()]
    meaning: dict[str, Callable[..., Any]] = {
        "w": lambda i, j: network.W[i, j],
        "b": lambda i: network.b[i],
        "q": lambda i, k: network.Q[i, k],
        "bF": lambda k: network.c[k],
        "sp": lambda t, i: run.hidden[t][i],
        "st": lambda t, i: run.steps[t][i],
        "p": lambda t, i, k: run.steps[t][i] * network.Q[i, k],
        "spF": lambda t, k: run.output[t][k],
        "stF": lambda t, k: run.outputs[t][k],
        "E": lambda t, k: run.outputs[t][k] != (k == classes[t]),
        "KS": lambda i: any(steps[i] for steps in run.steps),
        "idle": lambda k: idle[k],
        "one": lambda: 1.0,
    }
    parts = [name.split("_") for name in model.column_names]
    return [float(meaning[letter](*map(int, numbers))) for letter, *numbers in parts]
