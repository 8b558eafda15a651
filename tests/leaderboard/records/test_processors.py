"""Which machines have one type of CPU, and whose host."""

from __future__ import annotations

import pytest

from support.ledger_builder import LedgerBuilder
from vnnbench.leaderboard.records.processors import Processor, read_processors
from vnnbench.leaderboard.records.settings import MAX_NAME
from vnnbench.leaderboard.words import SUBMITTED

A, B, C = (f"{SUBMITTED}{letter}" for letter in "abc")


@pytest.fixture
def cpus(ledger: LedgerBuilder) -> LedgerBuilder:
    """Two machines of ours and three whose runs were submitted, all with one type of CPU, and an instance."""
    for machine in ("m2", A, B, C):
        ledger.machine(machine, cpu="m1", host=f"host-{machine[-1]}")
    ledger.instance("a")
    return ledger


def types(ledger: LedgerBuilder) -> dict[str, str]:
    """Return the type of CPU of every run."""
    return dict(ledger.runs().set_index("run")["cpu"])


def test_machines_of_one_type_are_one_and_submitted_ones_another(cpus):
    cpus.machine(f"{SUBMITTED}d", cpu="other")
    assert read_processors(cpus.connection).by_machine == {
        "m1": Processor("m1", "m1"),
        "m2": Processor("m1", "host-2"),
        A: Processor(f"{SUBMITTED}m1", f"{SUBMITTED}host-a"),
        B: Processor(f"{SUBMITTED}m1", f"{SUBMITTED}host-b"),
        C: Processor(f"{SUBMITTED}m1", f"{SUBMITTED}host-c"),
        f"{SUBMITTED}d": Processor(f"{SUBMITTED}other", f"{SUBMITTED}d"),
    }


def test_runs_read_have_the_type_and_the_host_of_their_machine(cpus):
    cpus.run("r", "sha-a", machine="m2")
    cpus.run("s", "sha-a", machine=C, seed=1)
    assert cpus.runs().set_index("run")[["cpu", "host"]].T.to_dict("list") == {
        "r": ["m1", "host-2"], "s": [f"{SUBMITTED}m1", f"{SUBMITTED}host-c"]
    }  # fmt: skip


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"permutation": 1}, {"goal": "find"}, {"solver": "scip"}, {"time_limit_seconds": 7.0}]
)
def test_submissions_of_different_runs_have_one_type(cpus, other):
    cpus.run("r", "sha-a", machine=A)
    cpus.run("s", "sha-a", machine=B, **other)
    assert set(types(cpus).values()) == {f"{SUBMITTED}m1"}


def test_submissions_of_the_same_run_have_types_of_their_own(cpus):
    """A run that was submitted and made here, or repeated by its submitter, is no such run."""
    cpus.run("r", "sha-a")
    cpus.run("s", "sha-a", machine=C)
    cpus.run("s-2", "sha-a", machine=B, submission=C, attempt=2)
    assert types(cpus) == {"r": "m1", "s-2": f"{SUBMITTED}m1"}
    cpus.run("t", "sha-a", machine=A, seed=1)
    cpus.run("u", "sha-a", machine=B, seed=1)
    a, b = f"{A}, m1", f"{B}, m1"
    assert types(cpus) == {"r": "m1", "s-2": f"{SUBMITTED}m1", "t": a, "u": b}


def test_a_submission_from_several_machines_stays_together(cpus):
    """Both have the run of seed 0, on machines of one type; one made it on either machine, with another run."""
    cpus.machine(f"{SUBMITTED}d", cpu="other")
    cpus.run("r", "sha-a", machine=A)
    cpus.run("s", "sha-a", machine=B, submission=A, seed=1)
    cpus.run("t", "sha-a", machine=f"{SUBMITTED}d", submission=A, seed=2)
    cpus.run("u", "sha-a", machine=A, submission=C)
    a, c = f"{A}, m1", f"{C}, m1"
    assert types(cpus) == {"r": a, "s": a, "t": f"{SUBMITTED}other", "u": c}


def test_a_name_of_any_length_is_cut(ledger):
    """A ledger may come from anyone, and every table shows these names."""
    ledger.machine("m2", cpu="c" * 1_000_000, host="h" * 1_000_000)
    own = read_processors(ledger.connection).by_machine["m2"]
    assert (len(own.cpu), len(own.host)) == (MAX_NAME, MAX_NAME)
