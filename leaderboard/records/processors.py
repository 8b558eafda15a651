"""The types of CPU of a ledger's machines, within which times compare, and their hosts.

A machine's type of CPU is the name that Linux gives of the model. Machines whose runs were merged have types of their
own, with the prefix of their names, since their times are the submitter's word. A run counts once within a type: of
machines that submitted the same run, each has a type of its own, its name.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass

from vnnbench.common.text import shortened
from vnnbench.leaderboard.records.settings import MAX_NAME, SETTING_COLUMNS
from vnnbench.leaderboard.words import SUBMITTED, is_submitted

CPU, HOST = "cpu", "host"
"""The columns of `reader.read_runs` with a run's type of CPU and its host."""

_PLAN = ", ".join(("instance_sha256", "seed", "permutation", *SETTING_COLUMNS))
_REPEATED = f"""
WITH submitted AS MATERIALIZED (
    SELECT r.machine, m.cpu, {_PLAN} FROM machines m JOIN results r USING (machine)
    WHERE m.machine GLOB '{SUBMITTED}*'
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
    machines = connection.execute("SELECT machine, cpu, host FROM machines").fetchall()
    submitted = Counter(cpu for machine, cpu, _ in machines if is_submitted(machine))
    may_repeat = max(submitted.values(), default=0) > 1  # else there is no need to read the runs, perhaps a million
    repeated = {machine for (machine,) in connection.execute(_REPEATED)} if may_repeat else set()
    found = {}
    for machine, cpu, host in machines:
        prefix = SUBMITTED if is_submitted(machine) else ""
        own_type = machine if machine in repeated else prefix + cpu
        own_host = machine if host is None else prefix + host
        found[machine] = Processor(shortened(own_type, MAX_NAME), shortened(own_host, MAX_NAME))
    return found
