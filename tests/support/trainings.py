"""Runs that train networks, on instances as the suites after [R] have them: data, variant, split, formulation."""

from __future__ import annotations

import json
from typing import Any

from support.ledger_builder import LedgerBuilder

WINE = {"dataset": "wine", "samples": 89, "features": 13, "width": 8}
SIZES = {"rows": 5000, "equality_rows": 1000, "columns": 4000, "nonzeros": 30_000, "export_seconds": 0.5}


class Trainings:
    """Adds runs with goal optimize, each on its instance, which is made when it is first needed."""

    def __init__(self, ledger: LedgerBuilder) -> None:
        self.ledger = ledger
        self.instances: dict[str, str] = {}

    def instance(self, variant: str, split: int, formulation: str = "tight", **columns: Any) -> str:
        """Return the hash of an instance of wine with 8 neurons, unless `columns` say otherwise."""
        facts = WINE | SIZES | columns
        problem = f"{facts['dataset']}-{facts['width']}n-{variant}-s{split}"
        name = f"{problem}--{formulation}"
        if name not in self.instances:
            none: dict[str, Any] = dict.fromkeys(("network", "dense_network", "source", "target", "structure"))
            self.instances[name] = self.ledger.instance(
                name, problem=problem, family="learning", threshold=None, variant=variant, seed=split, depth=1,
                formulation=formulation, **{**none, **facts},
            )  # fmt: skip
        return self.instances[name]

    def run(
        self, variant: str, split: int, test: float | None, train: float = 1.0, *, formulation: str = "tight",
        seconds: float | None = None, bound: float | None = None, objective: float = 2.0, **columns: Any,
    ) -> str:  # fmt: skip
        """Add a run and return its name.

        test, train: accuracies of its network; test None: it has none. seconds: until it is optimal; None: it goes to
        its limit of 100 s with that bound on the objective. columns: of the instance, and `solver`, `ranked`, `seed`,
        `termination` of the run.
        """
        of_run = {key: columns.pop(key) for key in ("solver", "ranked", "seed", "termination") if key in columns}
        sha = self.instance(variant, split, formulation, **columns)
        name = f"r{len(self.ledger.runs())}"
        solved = {"termination": "optimal", "wall_seconds": seconds, "claimed_value": -objective,
                  "dual_bound": -objective}  # fmt: skip
        stopped = {"dual_bound": None if bound is None else -bound}
        self.ledger.run(name, sha, **({"goal": "optimize"} | (stopped if seconds is None else solved) | of_run))
        if test is not None:
            measures = {"activations": 30.0, "errors": 1.0, "neurons": 2.0, "test_accuracy": test,
                        "train_accuracy": train, "weights": 5.0}  # fmt: skip
            found = {"best_exact_value": -objective, "own_value": -objective, "first_success_seconds": 0.1}
            text = json.dumps(measures, sort_keys=True)
            self.ledger.judge(name, confirmed=1, evidence="exact", measures=text, **found)
        return name
