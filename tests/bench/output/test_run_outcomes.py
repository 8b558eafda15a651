"""What `run` prints on stderr when it ends."""

from __future__ import annotations

from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output.run_outcomes import report_runs


def test_runs_that_were_there_before_are_counted_beside_the_planned_ones(tiny_results, capsys):
    names = [name.partition("-")[0] for name in read_runs(tiny_results / LEDGER_NAME).run]
    report_runs(tiny_results, names)
    assert capsys.readouterr().err.startswith(f"{tiny_results}: {len(names)} runs: ")
    report_runs(tiny_results, names[:1])
    assert capsys.readouterr().err.startswith(f"{tiny_results}: 1 run ({len(names)} in all): 1 ")
