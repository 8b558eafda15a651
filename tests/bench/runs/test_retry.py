"""Another attempt at runs of a ledger without naming their solver repeats them as they were, or not at all."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import vnnbench.engines.local
import vnnbench.runs.execution
from support.command_lines import TINY_INSTANCE
from support.silent import Silent
from support.tiny_libraries import write_tiny_library
from vnnbench.cli import run_command
from vnnbench.harness import run_plan
from vnnbench.instances.library.library import Library
from vnnbench.isolation.machine import machine_facts
from vnnbench.leaderboard.words import SUBMITTED
from vnnbench.ledger.run_identity import Retry, StopGoal
from vnnbench.ledger.validity import submitted_name
from vnnbench.ledger.writer import Ledger
from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.plan import PlannedRun, RunLimits, SolverSetting, parse_setting, plan_runs
from vnnbench.runs.retry import Again, plan_again
from vnnbench.solvers.registry import get_solver

Make = Callable[..., list[FinishedRun]]


@pytest.fixture
def make(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A function that executes a plan into `results`, with every run disturbed, or none."""

    def run(plan: Sequence[PlannedRun], disturbed: bool = True, retry: Sequence[Retry] = ()) -> list[FinishedRun]:
        with swapped(monkeypatch, 4096 if disturbed else 0):
            return run_plan(plan, library, tmp_path / "results", 1, Silent(), retry)

    return run


@contextmanager
def swapped(monkeypatch: pytest.MonkeyPatch, swapped_bytes: int) -> Iterator[None]:
    """Let the machine swap so much during every run, and do nothing else beside it."""
    run_child = vnnbench.runs.execution.run_child

    def measured(*arguments, **keywords):
        outcome = run_child(*arguments, **keywords)
        outcome.cores, outcome.foreign_seconds, outcome.swapped_bytes = (0,), 0.0, swapped_bytes
        outcome.stalled_seconds = 0.0
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr(vnnbench.runs.execution, "run_child", measured)
        yield


def again(
    results: Path, library: Library, reason: Retry = Retry.DISTURBED, cpu: str | None = machine_facts().cpu
) -> Again:
    return plan_again(results, library, library.rows, frozenset({reason}), cpu)


def stored(results: Path) -> list[tuple]:
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        return connection.execute("SELECT * FROM results ORDER BY rowid").fetchall()


def test_exactly_the_disturbed_runs_are_planned_as_they_were(library, tmp_path, make):
    """The plan has options of every type, other seeds, permutations, goals and limits than by default, and two solvers
    and the attack."""
    rows = [library.row("rob--tight"), library.row("adv--tight")]
    highs = parse_setting("highs:presolve=off,mip_lp_age_limit=7,mip_feasibility_tolerance=1e-7,mip_gap=0.25")
    limited = replace(parse_setting("highs:mip_detect_symmetry=false"), node_limit=9)
    wanted = [
        *plan_runs(rows, [highs, limited], [2**63 - 1], RunLimits(StopGoal.FIND, 20.5, 2 << 30), [0, 3]),
        *plan_runs(rows, [parse_setting("pgd:restarts=2")], [0], RunLimits(StopGoal.DECIDE, 20)),
    ]
    make(wanted)
    make(plan_runs(rows, [highs], [4], RunLimits(StopGoal.OPTIMIZE, 20.0)), disturbed=False)
    found = again(tmp_path / "results", library)
    assert not found.left_out
    assert {run.run: run for run in found.plan} == {run.run: run for run in wanted}
    assert [run.row.instance for run in found.plan] == ["adv--tight"] * 5 + ["rob--tight"] * 5  # as in the library
    make(found.plan, disturbed=False, retry=[Retry.DISTURBED])
    assert again(tmp_path / "results", library).plan == []  # the newest attempt counts
    assert len(stored(tmp_path / "results")) == 10 + 2 + 10


def test_instances_that_are_not_selected_are_left_alone(library, tmp_path, make):
    make(plan_runs(library.rows, [parse_setting("highs")], [0], RunLimits(time_limit_seconds=20.0)))
    row = library.row("adv--tight")
    found = plan_again(tmp_path / "results", library, [row], frozenset({Retry.DISTURBED}), None)
    assert [run.row for run in found.plan] == [row]
    assert not found.left_out


def test_another_reason_is_another_set_of_runs(library, tmp_path, make, plan_of):
    (failed,) = plan_of("adv--tight", [["raise", "oops"]])
    make([failed], disturbed=False)
    make(plan_of("rob--tight", []))
    assert again(tmp_path / "results", library, Retry.ERROR).plan == [failed]
    assert again(tmp_path / "results", library, Retry.CRASH).plan == []


def test_runs_that_cannot_be_repeated_are_left_out_with_the_reason(library, tmp_path, make, monkeypatch):
    results, limits = tmp_path / "results", RunLimits(time_limit_seconds=20.0)
    row, version = library.row("adv--tight"), get_solver("highs").version()
    (planned,) = plan = plan_runs([row], [parse_setting("highs")], [0], limits)
    (done,) = make(plan)
    elsewhere = replace(machine_facts(), machine=f"{SUBMITTED}a")
    with Ledger(results) as ledger:
        result = replace(done.result, machine=elsewhere.machine, attempt=1)
        ledger.add_machine(elsewhere)
        for stored, name in ((result, submitted_name(result)), (done.result, "ab" * 8)):
            ledger.append(replace(stored, run=name), replace(done.judgement, run=name))
    with monkeypatch.context() as patch:
        patch.setattr(
            vnnbench.engines.local, "machine_facts", lambda: replace(elsewhere, machine="ab" * 6, cpu="another")
        )
        make(plan_runs([row], [parse_setting("highs")], [1], limits))
    make(plan_runs([row], [SolverSetting("highs", "0.1")], [0], limits))
    make(plan_runs([row], [SolverSetting("highs", version, (("mip_lp_age_limit", "7"),))], [0], limits))
    make(plan_runs([row], [SolverSetting("highs", version, (("gone", 1),))], [0], limits))
    (tmp_path / "mine.toml").write_text((Path(__file__).parents[3] / "solvers/command_line/glpk.toml").read_text())
    monkeypatch.setattr("vnnbench.solvers.command_line.adapter.Command.version", lambda _: "5.0")
    make(plan_runs([row], [parse_setting(str(tmp_path / "mine.toml"))], [0], limits))
    other = write_tiny_library(tmp_path / "other", {"new": 3.0})
    with swapped(monkeypatch, 4096):
        run_plan(plan_runs(other.rows, [parse_setting("highs")], [0], limits), other, results, 1, Silent())
    assert len(again(results, library, cpu=None).plan) == 2  # on a cluster: its types of CPU are not known before
    found = again(results, library)
    assert found.plan == [planned]
    reasons = sorted(found.left_out.items())
    assert [number for _, number in reasons] == [1, 1, 1, 1, 1, 2, 1, 1]
    for (reason, _), told in zip(
        reasons,
        (
            "made on another type of CPU than",
            "of a setting of highs that is different here",
            f"of highs 0.1, which is {version} here",
            "of highs, which cannot run with this setting here (highs: no option 'gone'",
            "of mine, which is not known here; if a TOML file describes it, name the file with --solver",
            f"on instances that {library.folder} does not have",
            "submitted from elsewhere",
            "with stored values that no run can have",
        ),
        strict=True,
    ):
        assert reason.startswith(told)


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def disturbed_results(tiny_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of one run of HiGHS, under limits of its own, while the machine swapped."""
    results = tmp_path / "it's mine"
    with swapped(monkeypatch, 4096):
        assert run_command(first_command(tiny_library, results)) == 0
    return results


def first_command(library: Path, results: Path) -> list[str]:
    command = ["run", str(library), "--results", str(results), "--solver", "highs:presolve=off", "--seeds", "7"]
    return [*command, "--select", TINY_INSTANCE, "--time-limit", "20"]


@pytest.mark.alone
def test_command_that_is_printed_makes_disturbed_runs_again(tiny_library, disturbed_results, monkeypatch, capsys):
    assert run_command(first_command(tiny_library, disturbed_results)) == 0  # runs nothing, and says it again
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "disturbed by" in line]
    before, _, command = told.partition("; to repeat it: ")
    assert before == "1 run was disturbed by other work on its cores"
    words = shlex.split(command)
    assert words == [
        "vnnbench", "run", str(tiny_library), "--results", str(disturbed_results), "--retry", "disturbed"
    ]  # fmt: skip
    with swapped(monkeypatch, 4096):
        assert run_command(words[1:]) == 0
    told = capsys.readouterr().err
    assert (
        f"1 run was disturbed again by other work on its cores; to repeat it once the machine is idle: {command}\n"
        in told
    )
    with swapped(monkeypatch, 0):
        assert run_command([*words[1:], "--jobs", "2"]) == 0
    assert "disturbed" not in capsys.readouterr().err
    rows = stored(disturbed_results)
    assert len({row[1:10] for row in rows}) == 1 and len(rows) == 3  # the same plan, three attempts
    assert run_command(words[1:]) == 0
    assert capsys.readouterr().err == f"{disturbed_results}: there are no runs to repeat for --retry disturbed\n"
    assert stored(disturbed_results) == rows


def test_omitted_runs_are_one_line(tiny_library, disturbed_results, monkeypatch, capsys):
    monkeypatch.setattr("vnnbench.solvers.highs.Highs.version", lambda _: "99")
    capsys.readouterr()
    assert run_command(["run", str(tiny_library), "--results", str(disturbed_results), "--retry", "disturbed"]) == 0
    nothing, left_out = capsys.readouterr().err.splitlines()
    assert nothing == f"{disturbed_results}: there are no runs to repeat for --retry disturbed"
    assert left_out.startswith(f"{disturbed_results}: 1 such run left out: 1 of highs ")
    assert left_out.endswith(", which is 99 here")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--time-limit", "300"), ("--seeds", "0"), ("--goal", "decide"), ("--permute", "0"), ("--threads", "1"),
        ("--memory-limit", "4096"), ("--shard", "1/2"),
    ],
)  # fmt: skip
def test_options_that_would_be_ignored_without_a_solver_are_refused(
    tiny_library, disturbed_results, capsys, option, value
):
    rows = stored(disturbed_results)
    capsys.readouterr()
    command = ["run", str(tiny_library), "--results", str(disturbed_results), "--retry", "disturbed", option, value]
    assert run_command(command) == 2
    told = f"--retry without --solver repeats each run as it was; leave out {option}"
    assert capsys.readouterr().err == f"Error: {option}: {told}\n"
    assert stored(disturbed_results) == rows


def test_retry_of_a_plan_that_never_began_starts_nothing(tiny_library, disturbed_results, tmp_path, capsys):
    rows = stored(disturbed_results)
    capsys.readouterr()
    command = ["run", str(tiny_library), "--solver", "highs", "--retry", "disturbed", "--results"]
    for results in (disturbed_results, tmp_path / "none"):
        assert run_command([*command, str(results)]) == 2
        assert capsys.readouterr().err == (
            f"Error: --retry disturbed: {results} has no run of this plan; to repeat its own runs, leave "
            "out --solver and its options\n"
        )
    assert stored(disturbed_results) == rows
    assert not (tmp_path / "none").exists()


def test_retry_of_a_stopped_plan_goes_on_with_it(tiny_library, disturbed_results, monkeypatch):
    command = ["run", str(tiny_library), "--results", str(disturbed_results), "--solver", "highs:presolve=off"]
    command += ["--seeds", "7", "--time-limit", "20", "--select", "*-s0-*--tight", "--retry", "disturbed"]
    with swapped(monkeypatch, 0):
        assert run_command(command) == 0
    assert sorted(json.loads(row[4])["presolve"] for row in stored(disturbed_results)) == ["off"] * 3  # 2, and 1 again


def test_retry_without_a_ledger_is_one_line(tiny_library, tmp_path, capsys):
    assert run_command(["run", str(tiny_library), "--results", str(tmp_path / "r"), "--retry", "error"]) == 2
    assert "no ledger here" in capsys.readouterr().err
    assert run_command(["run", str(tiny_library), "--results", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.startswith("Error: --solver: name a solver")
    assert not (tmp_path / "r").exists()
