"""`vnnbench select`: from a ledger to a list that `--select @FILE` reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.plays import Play
from support.scripts import Steps
from support.tiny_libraries import BEST, CENTRE
from vnnbench.cli import run_command
from vnnbench.leaderboard.benchmark_sets.selection import Selection
from vnnbench.output.rankings import _selection_legend


def test_chosen_names_are_what_select_takes(
    play: Play, steps: Callable[[str], Steps], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    library = play.library
    play("adv--tight", [steps("adv--tight").incumbent(BEST), ["sleep", 60]])
    play("rob--tight", [steps("rob--tight").result("optimal", CENTRE, -0.5)])
    play("adv-mag-u10--tight", [["result", "unresolved", None, None, None]])
    chosen = tmp_path / "chosen"
    command = ["select", str(play.results), "--size", "2", "--out", str(chosen)]
    assert run_command(command) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "open, 1 chosen: no run solved it" in out
    rows = library.select((f"@{chosen}",))
    assert len(rows) == 2
    assert "adv-mag-u10--tight" in {row.instance for row in rows}
    assert run_command([*command, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {one["instance"] for one in document["chosen"]} == {row.instance for row in rows}
    assert document["measured"] == 3


def test_too_many_is_one_line_and_nothing_is_written(
    play: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    play("adv--tight", [["result", "unresolved", None, None, None]])
    capsys.readouterr()  # drop the warning of a run whose cores another harness has
    assert run_command(["select", str(play.results), "--size", "5", "--out", str(tmp_path / "chosen")]) == 2
    error = capsys.readouterr().err
    assert error == "Error: 5 instances cannot be chosen, at most 1: no other instance was measured and is not spent\n"
    assert not (tmp_path / "chosen").exists()


@pytest.mark.parametrize(
    ("cpus", "elsewhere", "told"),
    [
        (1, 0, ""),
        (2, 0, " Times are from the type of CPU with the most runs, of 2."),
        (3, 4, " Times are from the type of CPU with the most runs, of 3; 4 more instances ran only on others."),
    ],
)
def test_legend_says_whose_times_are_shown_where_there_are_several_types_of_cpu(
    cpus: int, elsewhere: int, told: str
) -> None:
    selection = Selection(
        (), (), measured=9, spent=2, cpu="m", cpus=cpus, elsewhere=elsewhere, near_copies=1,
        settings=("highs",), time_limits=(20.0,), proven=True,
    )  # fmt: skip
    assert _selection_legend(selection).endswith(
        f"solved to the end without an answer.{told} No choice without near-copies is more even."
    )
