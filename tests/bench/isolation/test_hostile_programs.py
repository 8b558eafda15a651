"""Hostile programs: solvers with a command line, described by a TOML, through the whole harness."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vnnbench.isolation.supervisor
from support.plays import log_of
from support.silent import Silent
from vnnbench.harness import run_plan
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers.command_line.adapter import OVERTIME_SECONDS
from vnnbench.solvers.command_line.program import GOODBYE_SECONDS

TOML = """
title = "Rogue"
program = "./rogue"
needs = "nothing"
licence = "none"
version = ["--version"]
version_pattern = 'rogue (\\S+)'

[solve]
words = ["{model}", "{solution}"]

[solution]
format = "names"
feasible = '^found$'
objective = ['^objective (\\S+)']

[[status]]
pattern = '^infeasible'
termination = "infeasible"

[[status]]
pattern = '^optimal'
termination = "optimal"

[[dual_bound]]
pattern = '^bound (\\S+)'
absolute = 0.0
relative = 0.0
"""

DEAF = "for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)\n"
DAEMON = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {DEAF}
        time.sleep(1000)
    os._exit(0)
"""
CENTRE = "open(solution, 'w').write('=obj= 0\\n')\n"  # the layout of MIPLIB, without the zeros


@pytest.fixture
def rogue(library, tmp_path, survivors, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Run a program with this body on an instance, then an honest one beside it; nothing of either may survive."""
    monkeypatch.setattr(vnnbench.isolation.supervisor, "GRACE_SECONDS", OVERTIME_SECONDS + GOODBYE_SECONDS + 1.0)

    def execute(name: str, body: str, instance: str, limits: RunLimits) -> dict[str, Any]:
        folder = tmp_path / name
        folder.mkdir()
        program = folder / "rogue"
        program.write_text(
            f"#!{sys.executable}\nimport os, resource, signal, sys, time\n"
            f"if sys.argv[1:] == ['--version']:\n    sys.exit(print('rogue 1'))\nmodel, solution = sys.argv[1:]\n{body}"
        )
        program.chmod(0o755)
        (folder / f"{name}.toml").write_text(TOML)
        plan = plan_runs([library.row(instance)], [parse_setting(str(folder / f"{name}.toml"))], [0], limits)
        run_plan(plan, library, tmp_path / "results", 1, Silent())
        runs = read_runs(tmp_path / "results" / "ledger.sqlite").set_index("run", drop=False)
        return {key: None if value != value else value for key, value in runs.loc[plan[0].run].to_dict().items()}

    def play(body: str, instance: str = "rob--tight", **limits: Any) -> dict[str, Any]:
        row = execute("rogue", body, instance, RunLimits(StopGoal.OPTIMIZE, **{"time_limit_seconds": 20.0, **limits}))
        assert not survivors()
        honest = execute("honest", "print('nothing found')", instance, RunLimits(StopGoal.OPTIMIZE, 20.0))
        assert (honest["ended_by"], honest["termination"], honest["fault"]) == ("solver", "unresolved", "none")
        return row

    return play


@pytest.mark.parametrize(
    ("body", "termination", "word"),
    [
        ("os.abort()", "error", "killed by signal 6"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "error", "killed by signal 11"),
        ("sys.exit(3)", "error", "exit code 3"),
        ("sys.exit(0)", "unresolved", "exit code 0"),
    ],
)
def test_program_that_dies_or_says_nothing(rogue, body, termination, word):
    row = rogue(body)
    assert (row["ended_by"], row["termination"], row["raw_status"]) == ("solver", termination, word)
    assert (row["verdict"], row["fault"], row["claimed_value"], row["dual_bound"]) == ("unknown", "none", None, None)


@pytest.mark.parametrize("body", ["time.sleep(1000)", f"{DEAF}while True: time.sleep(1000)"])
def test_program_that_hangs_is_ended_at_its_limit(rogue, body):
    start = time.monotonic()
    row = rogue(body, time_limit_seconds=1.0)
    assert row["ended_by"] == "time"
    assert (row["verdict"], row["fault"]) == ("unknown", "none")
    assert time.monotonic() - start < 100  # of 1000


def test_daemon_of_a_program_does_not_survive(rogue):
    row = rogue(f"{DAEMON}print('done')")
    assert (row["ended_by"], row["termination"], row["fault"]) == ("solver", "unresolved", "none")


def test_program_that_writes_ten_gigabytes_is_cut_off(rogue, monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.supervisor, "MAX_OUTPUT_BYTES", 8 << 20)
    row = rogue("block = b'x' * (1 << 20)\nfor _ in range(10_000): os.write(1, block)")
    assert (row["ended_by"], row["verdict"], row["fault"]) == ("output", "unknown", "none")


def test_program_that_allocates_without_end_is_ended_by_memory(rogue):
    row = rogue("held = []\nwhile True: held.append(bytearray(b'x' * (4 << 20))); time.sleep(0.05)",
                memory_limit_bytes=200 << 20)  # fmt: skip
    assert (row["ended_by"], row["verdict"], row["fault"]) == ("memory", "unknown", "none")


@pytest.mark.parametrize(
    ("says", "fault", "reason"),
    [
        ("infeasible", "solver", "claims infeasible"),
        ("bound 5", "solver", "claims the bound -5"),  # the value at the centre is -1.75
        ("optimal\nfound\nobjective -100", "solver", "claims the value 100"),
        ("optimal\nfound\nobjective nan", "none", None),
        ("bound inf\nbound nan", "none", None),
    ],
)
def test_program_that_lies_is_refuted(rogue, says, fault, reason):
    row = rogue(f"print({says!r})\n{CENTRE}")
    assert (row["ended_by"], row["verdict"], row["fault"]) == ("solver", "unknown", fault)
    assert reason is None or reason in row["fault_reason"]


def test_program_that_changes_its_model_changes_only_its_own(rogue, library):
    before = {path: path.read_bytes() for path in library.folder.rglob("*") if path.is_file()}
    row = rogue("print(model)\nopen(model, 'w').write('NAME none')\nprint('infeasible')")
    assert (row["termination"], row["fault"]) == ("infeasible", "solver")
    assert {path: path.read_bytes() for path in library.folder.rglob("*") if path.is_file()} == before


def test_solution_path_without_a_file_and_garbage_harm_no_other_run(rogue):
    row = rogue("os.symlink('/dev/zero', solution)\nprint('optimal\\nfound')")
    assert (row["ended_by"], row["verdict"]) == ("solver", "unknown")


@pytest.mark.parametrize("how", ["symlink", "link"])
@pytest.mark.parametrize("name", ["solution", "'../solver.log'"])
def test_file_of_another_that_a_program_puts_in_place_of_its_own_is_not_read(rogue, tmp_path, how, name):
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    body = f"os.path.exists({name}) and os.unlink({name})\nos.{how}({str(secret)!r}, {name})\nsys.exit(3)"
    row = rogue(body)
    assert (row["termination"], row["raw_status"]) == ("error", "exit code 3")
    assert row["message"] == "it printed nothing"
    assert "a secret" not in log_of(tmp_path / "results", row["run"])


def test_path_of_the_library_is_not_passed_to_a_program(rogue, library):
    told = "' '.join([*sys.argv, os.getcwd(), *os.environ.values()])"
    row = rogue(f"print('infeasible' if {str(library.folder)!r} in {told} else 'done')")
    assert row["termination"] == "unresolved"
    assert Path(library.folder).is_dir()
