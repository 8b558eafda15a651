"""The types of CPU of a ledger's machines, within which times compare, and their hosts.

A machine's type of CPU is the name that Linux gives of the model. Machines whose runs were merged have types of their
own, with the prefix of their names, since their times are the submitter's word. A run counts once within a type: of
submissions that have the same run on the same type, each has a type of its own, after its name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from vnnbench.common.text import shortened
from vnnbench.leaderboard.records.settings import MAX_NAME, SETTING_COLUMNS
from vnnbench.leaderboard.words import SUBMITTED, is_submitted

CPU, HOST = "cpu", "host"
"""The columns of `reader.read_runs` with a run's type of CPU and its host."""

_PLAN = ", ".join(("instance_sha256", "seed", "permutation", *SETTING_COLUMNS))
_REPEATING = f"""
WITH submitted AS MATERIALIZED (
    SELECT coalesce(r.submission, r.machine) AS submission, r.machine, m.cpu, {_PLAN}
    FROM machines m JOIN results r USING (machine) WHERE m.machine GLOB '{SUBMITTED}*'
), repeating AS (
    SELECT DISTINCT submission, cpu FROM submitted JOIN (
        SELECT cpu, {_PLAN} FROM submitted GROUP BY cpu, {_PLAN} HAVING count(DISTINCT submission) > 1
    ) USING (cpu, {_PLAN})
)
SELECT DISTINCT submission, machine, cpu FROM submitted JOIN repeating USING (submission, cpu)
"""  # noqa: S608 (our own names)


@dataclass(frozen=True, slots=True)
class Processor:
    """Where a machine's runs compare, and the machine's host: its own name where the host was not recorded."""

    cpu: str
    host: str


@dataclass(frozen=True, slots=True)
class Processors:
    """The processors of a ledger's machines.

    by_machine: by the machine's name. apart: by submission and machine, the type of CPU of the runs of a submission
    that repeats runs of another one on the same type.
    """

    by_machine: Mapping[str, Processor]
    apart: Mapping[tuple[str, str], str]

    def cpus(self, runs: pd.DataFrame) -> pd.Series[str]:
        """Return the type of CPU of each run, given the columns `machine` and `submission`."""
        machines = runs["machine"]
        cpus: pd.Series[str] = machines.map({machine: own.cpu for machine, own in self.by_machine.items()})
        if not self.apart:
            return cpus
        pairs = zip(runs["submission"].fillna(machines), machines, strict=True)
        found = [self.apart.get(pair, cpu) for pair, cpu in zip(pairs, cpus, strict=True)]
        return pd.Series(found, index=runs.index, dtype=cpus.dtype)

    def hosts(self, runs: pd.DataFrame) -> pd.Series[str]:
        """Return the host of each run, given the column `machine`."""
        return runs["machine"].map({machine: own.host for machine, own in self.by_machine.items()})


def read_processors(connection: sqlite3.Connection) -> Processors:
    """Return the processors of a ledger. Raises sqlite3.Error."""
    machines = connection.execute("SELECT machine, cpu, host FROM machines").fetchall()
    found = {}
    for machine, cpu, host in machines:
        prefix = SUBMITTED if is_submitted(machine) else ""
        own_host = machine if host is None else prefix + host
        found[machine] = Processor(shortened(prefix + cpu, MAX_NAME), shortened(own_host, MAX_NAME))
    may_repeat = sum(map(is_submitted, found)) > 1  # else there is no need to read the runs, perhaps a million
    repeating = connection.execute(_REPEATING) if may_repeat else ()
    apart = {(own, machine): shortened(f"{own}, {cpu}", MAX_NAME) for own, machine, cpu in repeating}
    return Processors(found, apart)
