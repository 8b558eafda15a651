"""The types of CPU of a ledger's machines, within which times compare, and their hosts.

A machine's type of CPU is the name that Linux gives of the model. Machines whose runs were merged have types of their
own, with the prefix of their names, since their times are the submitter's word. A run counts once within a type: of
machines that submitted the same run, each has a type of its own, its name.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from vnnbench.leaderboard.words import SUBMITTED, is_submitted

CPU, HOST = "cpu", "host"
"""The columns of `reader.read_runs` with a run's type of CPU and its host."""

_PLAN = (
    "instance_sha256, solver, solver_version, settings, seed, threads, time_limit_seconds, memory_limit_bytes, goal, "
    "permutation"
)
_REPEATED = f"""
WITH submitted AS MATERIALIZED (
    SELECT r.machine, m.cpu, {_PLAN} FROM machines m JOIN results r USING (machine)
    WHERE m.machine GLOB '{SUBMITTED}*' AND m.cpu IN (
        SELECT cpu FROM machines WHERE machine GLOB '{SUBMITTED}*' GROUP BY cpu HAVING count(*) > 1
    )
)
SELECT DISTINCT machine FROM submitted JOIN (
    SELECT cpu, {_PLAN} FROM submitted GROUP BY cpu, {_PLAN} HAVING count(DISTINCT machine) > 1
) USING (cpu, {_PLAN})
"""  # noqa: S608 (our own names)


@dataclass(frozen=True, slots=True)
class Processor:
    """Where a machine's runs compare, and the machine's host: its own name where the host was not recorded."""

    cpu: str
    host: str


def read_processors(connection: sqlite3.Connection) -> dict[str, Processor]:
    """Return the processor of every machine of a ledger, by the machine's name. Raises sqlite3.Error."""
    repeated = {machine for (machine,) in connection.execute(_REPEATED)}
    found = {}
    for machine, cpu, host in connection.execute("SELECT machine, cpu, host FROM machines"):
        prefix = SUBMITTED if is_submitted(machine) else ""
        own_type = machine if machine in repeated else prefix + cpu
        found[machine] = Processor(own_type, machine if host is None else prefix + host)
    return found
