"""The construction of a row of the catalogue from the facts about an instance. No other module makes rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.families import problem_of
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.numerics import numerics
from vnnbench.instances.formulations.tight import Encoding
from vnnbench.instances.layout import model_file, property_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import instance_sha256
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.properties.property import Property
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.suites.network_suite import Formulation, Pruning
from vnnbench.instances.suites.train_suite import TrainInstance
from vnnbench.instances.train_models.rounding import objective_rounding


@dataclass(frozen=True, slots=True, eq=False)
class NetworkFile:
    """A network with its name, its ONNX file, and its test accuracy if it was trained here."""

    name: str
    network: Layered
    data: bytes
    accuracy: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ProblemOnNetwork:
    """A problem, by its name and property, on one network, which may be a surrogate of the dense one.

    centre_value: see `CatalogRow`. zero_share: see `pruning.zero_share`; None if the network was imported.
    """

    problem: str
    prop: Property
    own: NetworkFile
    dense: NetworkFile
    centre_value: float | None
    zero_share: float | None


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of an instance; all None for an imported one, and `pruning` None on a dense network.

    time_limit_seconds: the limit that an imported instance has in its benchmark; else None.
    """

    suite: str | None = None
    input_side: int | None = None
    seed: int | None = None
    pruning: Pruning | None = None
    time_limit_seconds: float | None = None


def catalog_row(
    asked: ProblemOnNetwork,
    formulation: Formulation,
    bounds: BoundLevel,
    encoding: Encoding,
    model_text: bytes,
    origin: Origin,
) -> CatalogRow:
    """Return the row of an instance, which has the name of its model (`encoding`).

    model_text: the uncompressed model. bounds: the method by which the formulation bounds the pre-activations. In the
    row, depth and width are the hidden layers of the dense network, and their neurons if all have the same number.
    """
    own, dense, pruning = asked.own, asked.dense, origin.pruning
    instance = encoding.model.name
    data = {"network": own.data, "dense_network": dense.data}
    widths = [int(layer.relu.sum()) for layer in dense.network.layers if layer.relu.any()]
    return CatalogRow(
        instance=instance,
        instance_sha256=instance_sha256(model_text, data, property_json(asked.prop)),
        problem=asked.problem,
        suite=origin.suite,
        input_side=origin.input_side,
        depth=len(widths),
        width=widths[0] if len(set(widths)) == 1 else None,
        seed=origin.seed,
        network=own.name,
        dense_network=dense.name,
        pruning=str(pruning.method) if pruning else "none",
        structure=str(pruning.structure) if pruning else "none",
        rate=pruning.rate if pruning else None,
        finetuned=int(pruning.finetuned) if pruning else 0,
        formulation=str(formulation),
        bounds=str(bounds),
        accuracy=own.accuracy,
        dense_accuracy=dense.accuracy,
        model=model_file(instance),
        property=property_file(asked.problem),
        centre_value=asked.centre_value,
        zero_share=asked.zero_share,
        time_limit_seconds=origin.time_limit_seconds,
        **encoding.facts(),
        **problem_of(asked.prop).facts(),  # type: ignore[arg-type]
    )


def train_row(
    suite: str, instance: TrainInstance, prop: TrainProperty, document: bytes, model: MilpModel, model_text: bytes
) -> CatalogRow:
    """Return the row of an instance that asks for a network.

    document: the bytes of its property. model_text: the uncompressed model. The row's value at the centre is that of a
    network without weights.
    """
    problem = TrainProblem(prop)
    centre_value = problem.evaluators({}).own.value(problem.centre)
    facts: dict[str, Any] = {
        "equality_rows": model.senses.count("E"),
        **model.counts(),
        **asdict(numerics(model)),
        **problem.facts(),
    }
    return CatalogRow(
        instance=instance.name,
        instance_sha256=instance_sha256(model_text, {}, document),
        problem=instance.problem,
        suite=suite,
        input_side=None,
        seed=instance.seed,
        network=None,
        dense_network=None,
        pruning="none",
        structure="none",
        rate=None,
        finetuned=0,
        formulation=str(instance.formulation),
        bounds="none",
        accuracy=None,
        dense_accuracy=None,
        stable_active=None,
        stable_inactive=None,
        unstable=None,
        constant_rounding=objective_rounding(model),
        model=model_file(instance.name),
        property=property_file(instance.problem),
        centre_value=None if centre_value is None else float(centre_value),
        **facts,
    )
