"""Small networks and their properties as models, in both formulations."""

from __future__ import annotations

from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib
from vnnbench.instances.formulations.tight import Encoding, encode_tight
from vnnbench.instances.networks.network import Layered, Network
from vnnbench.instances.properties.property import Property


def tight(network: Layered, prop: Property) -> Encoding:
    """Return the `tight` formulation under the bounds of the level `backward`."""
    bounds = bound_layers(prop.goal.chain(network), prop.input_set, BoundLevel.BACKWARD)
    return encode_tight(network, prop, bounds, "tiny--tight")


def surrogatelib(network: Network, prop: Property) -> Encoding:
    """Return the formulation `surrogatelib`."""
    return encode_surrogatelib(network, prop, "tiny--surrogatelib")


def rows_of(model: MilpModel) -> dict[str, dict[str, float]]:
    """Return the coefficients of a model by row name and column name."""
    ends = zip(model.indptr[:-1], model.indptr[1:], strict=True)
    entries = [zip(model.indices[a:b].tolist(), model.data[a:b].tolist(), strict=True) for a, b in ends]
    return {
        name: {model.column_names[j]: v for j, v in row} for name, row in zip(model.row_names, entries, strict=True)
    }
