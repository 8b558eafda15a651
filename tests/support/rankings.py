"""Ledgers that are ranked by hand, and the rows of their leaderboards."""

from __future__ import annotations

from support.ledger_builder import LedgerBuilder
from vnnbench.leaderboard.ranking.leaderboard import SettingRow, build_leaderboard


def rows(ledger: LedgerBuilder, *by: str) -> dict[tuple[object, ...], SettingRow]:
    """Return the rows of the leaderboard, each by its group and its setting's label, in the order of the ranks."""
    return {(*row.group, row.setting.label): row for row in build_leaderboard(ledger.runs(), by).settings}


def add_two_solvers(ledger: LedgerBuilder) -> None:
    """Add highs and scip on three problems: highs finds a in 3 s and proves b in 8 s; scip finds a in 1 s."""
    a, b, c = (ledger.instance(name, problem=name) for name in "abc")
    ledger.found("ha", a, 3.0)
    ledger.robust("hb", b, 8.0)
    ledger.run("hc", c, ended_by="time")
    ledger.found("sa", a, 1.0, solver="scip")
    ledger.run("sb", b, solver="scip")
    ledger.run("sc", c, solver="scip", termination=None, ended_by="crash", wall_seconds=0.5)


def add_several_limits(ledger: LedgerBuilder) -> None:
    """Add two settings: one gives up after 1 s, the other solves everything within 300 s."""
    for number in range(4):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.run(f"short{number}", sha, time_limit_seconds=1.0, wall_seconds=1.0)
        ledger.judge(f"short{number}", primal_steps="[]")
        ledger.robust(f"long{number}", sha, 20.0, time_limit_seconds=300.0)
        ledger.judge(f"long{number}", primal_steps="[]")


def add_two_goals(ledger: LedgerBuilder) -> None:
    """Add two solvers: highs is first at finding, scip at deciding; seed 1 was run to decide alone."""
    for number in range(2):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        for solver, find, decide in (("highs", 1.0, 9.0), ("scip", 2.0, 3.0)):
            ledger.found(f"{solver}-f{number}", sha, find, solver=solver, goal="find")
            ledger.found(f"{solver}-d{number}", sha, decide, solver=solver)
    for solver in ("highs", "scip"):
        ledger.found(f"{solver}-x", "sha-i0", 5.0, solver=solver, seed=1)


def on_another_machine(ledger: LedgerBuilder) -> dict[str, str]:
    """Add the machine "m2" and return the columns of a run on it."""
    ledger.machine("m2")
    return {"machine": "m2"}


def add_own_and_given_limits(ledger: LedgerBuilder) -> None:
    """Add scip and highs at the own limits of four instances, 10 s of a and b and 20 s of c and d, and highs at 10 s.

    highs takes 4 s for a and b, 15 s for c and d; scip takes 5 s for all.
    """
    for name, own in (("a", 10.0), ("b", 10.0), ("c", 20.0), ("d", 20.0)):
        sha = ledger.instance(name, problem=name, time_limit_seconds=own)
        ledger.found(f"s{name}", sha, 5.0, solver="scip", time_limit_seconds=own)
        ledger.found(f"h{name}", sha, 4.0 if own == 10.0 else 15.0, time_limit_seconds=own)
        if own == 20.0:
            ledger.run(f"h{name}10", sha, time_limit_seconds=10.0, wall_seconds=10.0)
