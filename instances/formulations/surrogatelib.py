"""The `surrogatelib` formulation: built by PySCIPOpt-ML as for SurrogateLIB and [P], written by our own writer.

    minimize  -value, y_source - y_target                  SurrogateLIB adds a constant 1, dropped here
    up_i, dn_i: |x_i - centre_i| <= a_i, one row each;  ball: sum_i a_i <= radius; none of these without a ball
    box: sum of the x_i that no weight reads <= sum of their bounds, without a ball: every column must be in a row
    z_k_j, y_j: affine rows;  lo_k_j, off_k_j, on_k_j: big-M rows of h_k_j = max(z_k_j, 0) with box (interval) bounds

PySCIPOpt-ML's names are not all unique, so columns and rows are named here by their place in its layers.
torch is used because PySCIPOpt-ML encodes torch.nn.Sequential layer by layer, as [P] used it; its ONNX reader adds
further columns and its scikit-learn reader merges the layers.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.formulations.input_rows import hold_columns
from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.formulations.tight import Encoding, comments
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import MaximizeProperty, Property, VerifyProperty

Names = dict[int, str]


def encode_surrogatelib(network: Network, prop: Property, name: str) -> Encoding:
    """Return the MILP of [P] (Pham et al. 2025), as SurrogateLIB's adversarial MNIST scenario builds it.

    PySCIPOpt-ML widens each interval bound by 1e-6 per term, so lifted points satisfy the rows in exact arithmetic.
    Constants are not folded, so constant_rounding is 0.
    """
    scip, columns, rows = build_scip_model(network, prop)
    builder = MilpBuilder(name, comments(prop, "surrogatelib", "columns x_i are the input"))
    index: dict[int, int] = {}
    for variable in scip.getVars():
        index[variable.ptr()] = builder.add_column(
            columns[variable.ptr()],
            variable.getLbOriginal(),
            variable.getUbOriginal(),
            integer=variable.vtype() == "BINARY",
        )
        if variable.getObj():
            builder.set_objective(index[variable.ptr()], variable.getObj())
    for constraint in scip.getConss():
        _copy_row(scip, constraint, rows[constraint.ptr()], builder, index)
    if prop.input_set.radius is None:
        _hold_unread(builder, network, prop.input_set, {columns[pointer]: place for pointer, place in index.items()})
    counts = _count_stability(scip, columns)
    scip.freeProb()
    return Encoding(builder.build(), 0.0, 0.0, *counts)


def _hold_unread(builder: MilpBuilder, network: Network, s: InputSet, place: dict[str, int]) -> None:
    """Add a row for the inputs x_i that are in no other row. place: the place of each column, by name."""
    unread = np.flatnonzero(~network.weights[0].any(axis=0))
    if len(unread):
        hold_columns(builder, [place[f"x_{i}"] for i in unread], s.upper[unread].tolist())


def build_scip_model(network: Network, prop: Property) -> tuple[Any, Names, Names]:
    """Return the SCIP model, and our names of its variables and constraints by pointer.

    Raises `PropertyError` for properties that [P] does not have: L-infinity balls, several targets, other goals.
    """
    import pyscipopt
    from pyscipopt_ml import add_predictor_constr

    atom = prop.goal.single
    known = isinstance(prop, VerifyProperty | MaximizeProperty) and prop.input_set.norm is not Norm.LINF
    if atom is None or not known:
        raise PropertyError("surrogatelib: this formulation supports one target, L1 balls and boxes only; use tight")
    columns: Names = {}
    rows: Names = {}
    scip = pyscipopt.Model()
    s = prop.input_set
    x = [
        scip.addVar(f"x_{i}", lb=lower, ub=upper) for i, (lower, upper) in enumerate(zip(s.lower, s.upper, strict=True))
    ]
    y = [scip.addVar(f"y_{j}", lb=None) for j in range(network.n_outputs)]
    a = [] if s.radius is None else _add_ball(scip, s, x, rows)
    scip.setObjective(pyscipopt.quicksum(-float(sign) * y[k] for k, sign in atom.terms))
    for group in (x, y, a):
        columns.update({variable.ptr(): variable.name for variable in group})
    with warnings.catch_warnings():
        # PySCIPOpt-ML multiplies numpy scalars by SCIP expressions, which warns
        warnings.simplefilter("ignore")
        predictor = add_predictor_constr(
            scip, _sequential(network), np.array(x, dtype=object), np.array(y, dtype=object), "net_", formulation="bigm"
        )
    _name_layers(predictor, columns, rows)
    return scip, columns, rows


def _add_ball(scip: Any, s: InputSet, x: list[Any], rows: Names) -> list[Any]:
    """Add the distances a_i, with their rows and the row of the L1 ball."""
    import pyscipopt

    reach = np.maximum(s.upper - s.lower, 1.0).tolist()  # 1 for pixels; a wider box must not be cut off
    a = [scip.addVar(f"a_{i}", lb=0.0, ub=reach[i]) for i in range(s.n_inputs)]
    for i, centre in enumerate(s.centre.tolist()):
        rows[scip.addCons(a[i] >= x[i] - centre).ptr()] = f"up_{i}"
        rows[scip.addCons(a[i] >= centre - x[i]).ptr()] = f"dn_{i}"
    rows[scip.addCons(pyscipopt.quicksum(a) <= s.radius).ptr()] = "ball"
    return a


def _sequential(network: Network) -> Any:
    """Return the network as torch.nn.Sequential."""
    import torch

    steps: list[Any] = []
    for W, b in zip(network.weights, network.biases, strict=True):
        linear = torch.nn.Linear(W.shape[1], W.shape[0])
        linear.load_state_dict({"weight": torch.tensor(np.array(W)), "bias": torch.tensor(np.array(b))})
        steps += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*steps[:-1])


def _name_layers(predictor: Any, columns: Names, rows: Names) -> None:
    """Name the columns and rows of all layers.

    Affine layers and ReLU layers alternate; the last affine layer's outputs are y, which are already named.
    """
    layers = list(predictor)
    for place, layer in enumerate(layers):
        k = place // 2 + 1
        outputs = np.asarray(layer.output).ravel()
        if place % 2:  # ReLU
            (binaries,) = layer._created_vars
            columns.update({v.ptr(): f"h_{k}_{j}" for j, v in enumerate(outputs)})
            columns.update({v.ptr(): f"d_{k}_{j}" for j, v in enumerate(np.asarray(binaries).ravel())})
            for kind, constraints in zip(("lo", "off", "on"), layer._created_cons, strict=True):
                rows.update({c.ptr(): f"{kind}_{k}_{j}" for j, c in enumerate(np.asarray(constraints).ravel())})
            continue
        # PySCIPOpt-ML stores the affine constraints among the created variables.
        affine = np.asarray(layer._created_vars[-1]).ravel()
        last = place == len(layers) - 1
        if not last:
            columns.update({v.ptr(): f"z_{k}_{j}" for j, v in enumerate(outputs)})
        rows.update({c.ptr(): (f"y_{j}" if last else f"z_{k}_{j}") for j, c in enumerate(affine)})


def _copy_row(scip: Any, constraint: Any, name: str, builder: MilpBuilder, index: dict[int, int]) -> None:
    if constraint.getConshdlrName() != "linear":
        raise RuntimeError(f"PySCIPOpt-ML made {name} a {constraint.getConshdlrName()} constraint, not a linear one")
    lhs, rhs = scip.getLhs(constraint), scip.getRhs(constraint)
    indices = [index[variable.ptr()] for variable in scip.getConsVars(constraint)]
    values = scip.getConsVals(constraint)
    if lhs == rhs:
        builder.add_row(name, "E", rhs, indices, values)
    elif scip.isInfinity(-lhs):
        builder.add_row(name, "L", rhs, indices, values)
    elif scip.isInfinity(rhs):
        builder.add_row(name, "G", lhs, indices, values)
    else:
        raise RuntimeError(f"PySCIPOpt-ML made {name} a ranged constraint")


def _count_stability(scip: Any, columns: Names) -> tuple[int, int, int]:
    """Count the (stable active, stable inactive, unstable) hidden neurons by PySCIPOpt-ML's own bounds on z."""
    active = inactive = unstable = 0
    for variable in scip.getVars():
        if columns[variable.ptr()].startswith("z_"):
            if variable.getLbOriginal() >= 0:
                active += 1
            elif variable.getUbOriginal() <= 0:
                inactive += 1
            else:
                unstable += 1
    return active, inactive, unstable
