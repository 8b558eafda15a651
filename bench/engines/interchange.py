"""The start of Parsl's interchange so that it ends with the head: `python -m vnnbench.engines.interchange PARENT LOG`.

PARENT: the head's process number. An interchange that outlives its head would give all remaining runs to the workers
(Parsl issue 3663). Ctrl-C is for the head alone, and what the interchange prints goes to the file LOG.
"""

from __future__ import annotations

import os
import signal
import sys

from vnnbench.solvers.command_line.program import die_with

if __name__ == "__main__":
    # All of this stays in force after the program is replaced.
    die_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "parsl.executors.high_throughput.interchange"])  # noqa: S606
