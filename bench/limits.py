"""Size limits of bundles, of the files in a results folder, and of the files that an engine carries.

The text below each limit says what is limited and the largest size that a file of honest origin has. All are checked
before anything is parsed. For the files of a library see `instances.limits`; for the messages of a solver
`isolation.protocol`, which a worker imports without the rest.
"""

from __future__ import annotations

from vnnbench.instances.limits import MEBIBYTE, JsonLimit

MAX_RUNS = 100_000
"""Runs of a bundle: three solvers with two seeds on all instances of Pham et al. make 79,000. Each is three files."""
MAX_DIRECTORY_BYTES = 32 * MEBIBYTE
"""The zip's own list of its members, which is read as a whole: 85 bytes a file, for which reading takes 700 bytes of
memory."""
BUNDLE_MANIFEST_LIMIT = JsonLimit(64 * MEBIBYTE, containers=4 * MAX_RUNS, commas=8 * MAX_RUNS)
"""The file manifest.json: for each run three files of 160 bytes, one object each, and its instance."""
MACHINES_LIMIT = JsonLimit(MEBIBYTE, containers=10_000, commas=100_000)
"""The file machines.json: 2 kB for each machine."""
RUN_LIMIT = JsonLimit(MEBIBYTE, containers=MEBIBYTE, commas=MEBIBYTE)
"""The files runs/RUN.json, and a run that an engine carries: up to 2,000 steps, and a program's own TOML among its
settings."""
COMMIT_RECORD_LIMIT = JsonLimit(4096, containers=16, commas=64)
"""The commit record of a finished run: three files."""
EXCHANGE_LIMIT = JsonLimit(4 * MEBIBYTE, containers=64, commas=100_000)
"""The files of a cluster's head: versions of packages, and up to 100,000 jobs of 20 characters."""
MAX_LOG_BYTES = 64 * MEBIBYTE
"""A log, unzipped: two of 16 MiB (`execution`), and a traceback."""
MAX_CANDIDATE_BYTES = 128 * MEBIBYTE
"""The candidates that are stored for a run: 1,000 of up to 16,000 inputs, fewer of more inputs."""
