"""The start of Parsl's interchange so that it ends with the head: `python -m vnnbench.engines.interchange PARENT_PID`.

An interchange that outlives its head would give all remaining runs to the workers (Parsl issue 3663).
"""

from __future__ import annotations

import os
import sys

from vnnbench.solvers.command_line.program import die_with

if __name__ == "__main__":
    die_with(int(sys.argv[1]))  # stays in force after the program is replaced
    os.execv(sys.executable, [sys.executable, "-P", "-m", "parsl.executors.high_throughput.interchange"])  # noqa: S606
