"""What numbers the columns of a ledger hold.

`run` takes no limits beyond these, `merge` refuses a run that has others, and readers take what is nearest
(`records.query_columns.within`): a ledger that has others already is append-only, and must stay readable. Within them
no mean, penalty (PAR10), difference or sum of a ledger's numbers overflows.
"""

from __future__ import annotations

from vnnbench.common.numbers import MAX_INTEGER

MAX_SECONDS = 100_000_000
"""Of a time limit: three years; what a run waits for must count."""
MIN_MEBIBYTES, MAX_MEBIBYTES = 64, 1 << 30
"""Of a memory limit."""
MAX_SEED = MAX_INTEGER
"""An adapter folds it into what its solver takes."""
MAX_THREADS = 1024
"""What Gurobi takes, and more than a machine has."""
MAX_PERMUTATIONS = 1_000
MAX_ATTEMPTS = 9_999
"""At one run: the names of attempts have no more digits."""
MAX_RECORDED_SECONDS = 1e9
"""Of a time that was measured: a limit is overrun by a little, and processors are counted together."""
MAX_TEXT = 1_000
"""Characters of most texts; of others see `vnnbench.ledger.fields`."""
