"""Runs on dense networks and on their surrogates, in pairs by problem."""

from __future__ import annotations

from itertools import count
from typing import Any

from support.ledger_builder import LedgerBuilder

NETWORK = "mnist-18x18-2x32-s0"
"""The beginning of every network's name."""


class Pairs:
    """Adds runs with goal find as the suites of [P] have them, each on its instance.

    seconds: until the counterexample; None: the run goes to its limit of 100 s without one. columns: those of the
    instance, and `solver`, `termination` and `wall_seconds` of the run.
    """

    def __init__(self, ledger: LedgerBuilder) -> None:
        self.ledger = ledger
        self.numbers = count()
        self.instances: dict[str, str] = {}

    def run(self, sha: str, seconds: float | None, **columns: Any) -> None:
        """Add a run on the instance of this hash."""
        name = f"r{next(self.numbers)}"
        if seconds is None:
            self.ledger.run(name, sha, goal="find", **columns)
        else:
            self.ledger.found(name, sha, seconds, goal="find", **columns)

    def dense(self, problem: str, seconds: float | None, **columns: Any) -> None:
        """Add a run on the dense network of a problem."""
        self._add(problem, f"{NETWORK}-{problem}", seconds, {"accuracy": 0.95, **columns})

    def surrogate(self, problem: str, seconds: float | None, rate: float = 0.5, **columns: Any) -> None:
        """Add a run on a surrogate of that network, pruned by magnitude at this rate unless columns say otherwise."""
        kind = {"pruning": "magnitude", "structure": "unstructured", "finetuned": 0, **columns}
        network = "-".join(map(str, (NETWORK, problem, kind["pruning"], kind["structure"], rate, kind["finetuned"])))
        self._add(problem, network, seconds, {"rate": rate, "accuracy": 0.6, "dense_accuracy": 0.95, **kind})

    def _add(self, problem: str, network: str, seconds: float | None, columns: dict[str, Any]) -> None:
        facts = {"dataset": "mnist", "input_side": 18, "depth": 2, "width": 32, "formulation": "tight", **columns}
        of_run = {key: facts.pop(key) for key in ("solver", "termination", "wall_seconds") if key in facts}
        name = f"{network}--{facts['formulation']}"
        if name not in self.instances:
            dense = f"{NETWORK}-{problem}"
            self.instances[name] = self.ledger.instance(
                name, problem=problem, network=network, dense_network=dense, **facts
            )
        self.run(self.instances[name], seconds, **of_run)


def add_pairs_of_two_settings(pairs: Pairs, **kind: Any) -> None:
    """Add pairs on problems a and b at 100 s, and that on b at its own limit of 200 s; the own limit of a is 100 s.

    So a setting of own limits and one of 100 s share the pair on a. kind: columns of the surrogates.
    """
    for problem, own in (("a", 100.0), ("b", 200.0)):
        pairs.dense(problem, 10.0, time_limit_seconds=own)
        pairs.surrogate(problem, 4.0, time_limit_seconds=own, **kind)
    dense, surrogate = (sha for name, sha in pairs.instances.items() if f"{NETWORK}-b" in name)
    for sha, seconds in ((dense, 12.0), (surrogate, 6.0)):
        pairs.ledger.found(f"{sha}-200", sha, seconds, goal="find", time_limit_seconds=200.0)
