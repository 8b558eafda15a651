"""The ranges of the numbers in the columns of a ledger.

`run` takes no limits beyond these, and `merge` refuses a run that has others. Readers replace a number outside by the
nearest one inside (`records.query_columns.within`): a ledger that already holds such numbers is append-only, and must
stay readable. Within the ranges no mean, penalty (PAR10), difference or sum of a ledger's numbers overflows.
"""

from __future__ import annotations

from vnnbench.common.numbers import DEFAULT_SECONDS as DEFAULT_SECONDS
from vnnbench.common.numbers import MAX_INTEGER
from vnnbench.common.numbers import MAX_SECONDS as MAX_SECONDS

MIN_MEBIBYTES, MAX_MEBIBYTES = 64, 1 << 30
"""The range of a memory limit."""
MAX_SEED = MAX_INTEGER
"""The largest seed; an adapter reduces it to the range of its solver."""
MAX_THREADS = 1024
"""The largest number of threads: Gurobi's limit, and more than machines have."""
MAX_PERMUTATIONS = 1_000
MAX_ATTEMPTS = 9_999
"""The largest number of attempts at one run: the names of attempts have at most four digits for it."""
MAX_RECORDED_SECONDS = 1e9
"""The longest measured time: a run may exceed its limit a little, and processor times are added up."""
MAX_TEXT = 1_000
"""The length of most texts in characters; `vnnbench.ledger.fields` has the others."""
