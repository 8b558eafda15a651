"""Ledgers whose tables several modules test."""

from __future__ import annotations

import pytest

from support.ledger_builder import LedgerBuilder


@pytest.fixture
def three_solvers(ledger: LedgerBuilder) -> LedgerBuilder:
    """Three solvers on dense and finetuned networks, two formulations; gurobi refused, scip wrong, a tolerance."""
    for problem in ("p1", "p2"):
        for formulation in ("tight", "surrogatelib"):
            dense = ledger.instance(
                f"{problem}--{formulation}", problem=problem, formulation=formulation, depth=4, width=64
            )
            pruned = ledger.instance(
                f"mnist-28x28-{problem}-mag-u90-ft--{formulation}",
                problem=problem, formulation=formulation, network="net-mag", depth=4, width=64,
                pruning="magnitude", structure="unstructured", rate=0.9, finetuned=1,
            )  # fmt: skip
            for solver in ("highs", "scip"):
                ledger.found(f"{dense}{solver}", dense, 12.345, solver=solver)
                ledger.found(f"{pruned}{solver}", pruned, 0.1234, solver=solver)
            ledger.run(f"{dense}g", dense, solver="gurobi", termination="license_limit", wall_seconds=0.1)
    ledger.robust("liar", "sha-p1--tight", 1.0, solver="scip", seed=1)
    ledger.run("off", "sha-p2--tight", seed=1)
    ledger.judge("off", row_violation=5e-6)
    return ledger


@pytest.fixture
def flipping(ledger: LedgerBuilder) -> LedgerBuilder:
    """highs solves ten of eleven in 20 s each; scip solves nine in 0.1 s: by sgm10 scip is first, by PAR10 highs."""
    for number in range(11):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        if number < 10:
            ledger.found(f"h{number}", sha, 20.0)
        else:
            ledger.run(f"h{number}", sha)
        if number < 9:
            ledger.found(f"s{number}", sha, 0.1, solver="scip")
        else:
            ledger.run(f"s{number}", sha, solver="scip")
    return ledger
