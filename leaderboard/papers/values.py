"""The experiments of the papers and their reported numbers, each with its source.

[P] Pham, Ren, Tahir, Tong, Serra, arXiv:2505.01985, version 1: its tables, and the percentages of figures that its text
prints. Those that stand in its figures alone were not available.
[C] Cacciola, Frangioni, Lodi, arXiv:2307.07457. Its tables were not available. Its first author publishes the code and
raw result files of these experiments, https://github.com/MCacciola94/my_gurobi-machinelearning; the numbers below are
from there. They are what the authors measured, which may differ from the printed numbers.
[R] Rosenhahn, Optimization of Sparsity-Constrained Neural Networks as a Mixed Integer Linear Program, JOTA 199 (2023).
Its tables were not available; the numbers below are those that its text prints.
"""

from __future__ import annotations

from dataclasses import dataclass

# -- [P]: 2 data sets x 2 input sides x 4 architectures x 10 seeds, each with 20 surrogates, finetuned or not ----------

PHAM_RATES = (0.3, 0.5, 0.8, 0.9, 0.95)
PHAM_DATASETS = ("mnist", "fashion-mnist")
PHAM_INPUT_SIDES = (18, 28)
PHAM_ARCHITECTURES = ((2, 32), (2, 64), (4, 32), (4, 64))
PHAM_SEEDS = 10
PHAM_KINDS = (
    ("magnitude", "unstructured"),
    ("magnitude", "structured"),
    ("random", "unstructured"),
    ("random", "structured"),
)
PHAM_PAIRS = len(PHAM_INPUT_SIDES) * len(PHAM_ARCHITECTURES) * PHAM_SEEDS * len(PHAM_KINDS) * len(PHAM_RATES)
"""The number of pairs of one data set without finetuning; there are as many with finetuning."""

PHAM_SETUP = "Gurobi 10.0.1, 300 s, Intel Xeon Gold 6442Y"
PHAM_TABLES: dict[int, dict[str, tuple[float, ...]]] = {
    1: {
        "unstructured not finetuned": (67.5, 71.3, 89.4, 92.5, 83.8),
        "unstructured finetuned": (65.6, 70.6, 90.0, 96.3, 93.8),
        "structured not finetuned": (75.0, 78.8, 70.6, 72.5, 65.0),
        "structured finetuned": (59.4, 57.5, 56.3, 49.4, 46.3),
    },
    2: {
        "input 18x18": (75.0, 80.6, 86.9, 84.4, 76.3),
        "input 28x28": (67.5, 69.4, 73.1, 80.6, 72.5),
        "depth 2": (80.6, 84.4, 86.3, 86.3, 76.3),
        "depth 4": (61.9, 65.6, 73.8, 78.8, 72.5),
        "width 32": (69.4, 78.8, 78.1, 81.9, 75.6),
        "width 64": (73.1, 71.3, 81.9, 83.1, 73.1),
    },
}
"""Percent of the pairs of magnitude pruning in which the surrogate is sooner, both data sets together, by rate. Table 2
is about both structures without finetuning: the means of its parts are those of Table 1."""
PHAM_FIGURE_PERCENT = {
    ("mnist", 1): 93.5, ("mnist", 2): 98.8, ("fashion-mnist", 1): 91.2, ("fashion-mnist", 2): 93.8,
}  # fmt: skip
"""Percent of the pairs of unstructured magnitude pruning at rate 0.9 in which the surrogate is sooner, by data set and
the figure without (1) and with (2) finetuning, as printed in observation vii."""

# -- [C]: 4 architectures x 2 radii x 3 networks, each with its pruned network -----------------------------------------

CACCIOLA_ARCHITECTURES = ((2, 50), (2, 100), (2, 200), (6, 100))
CACCIOLA_RADII = (5.0, 20.0)
CACCIOLA_NETWORKS = 3
CACCIOLA_PAIRS = len(CACCIOLA_ARCHITECTURES) * CACCIOLA_NETWORKS * len(CACCIOLA_RADII)

CACCIOLA_LIMIT_SECONDS = 180.0
CACCIOLA_SETUP = "Gurobi 10.0.1, 180 s, up to 32 threads, AMD EPYC 7402"
"""The set-up of the authors' files below: the solver's own log lines in logDelta20BASELINE.txt, commit f1625681."""


@dataclass(frozen=True, slots=True)
class AuthorRun:
    """One network of the authors: test accuracy (0 to 1), hidden neurons, solver seconds, branch-and-bound nodes."""

    accuracy: float
    hidden: int
    seconds: float
    nodes: int


# Radius 5. Baselines: the first three rows of res/GRID/10seeds/ARCH_*-EPOCHS_50-ID_10000.csv, commit 83195eb8.
CACCIOLA_BASELINES: dict[tuple[int, int], tuple[AuthorRun, ...]] = {
    (2, 50): (
        AuthorRun(0.9755, 100, 15.232088, 5820),
        AuthorRun(0.9747, 100, 20.807203, 12040),
        AuthorRun(0.9725, 100, 8.043082, 9497),
    ),
    (2, 100): (
        AuthorRun(0.9796, 200, 47.245467, 2971),
        AuthorRun(0.9776, 200, 37.418214, 3112),
        AuthorRun(0.9797, 200, 50.163221, 3019),
    ),
    (2, 200): (
        AuthorRun(0.9814, 400, 180.054003, 14378),
        AuthorRun(0.9804, 400, 180.069239, 7949),
        AuthorRun(0.9795, 400, 180.052328, 11189),
    ),
    (6, 100): (
        AuthorRun(0.9760, 600, 180.032100, 6305),
        AuthorRun(0.9777, 600, 180.048128, 775),
        AuthorRun(0.9767, 600, 180.060667, 14087),
    ),
}
# Pruned: res/last/RESUME_*1RP_{0,1,2}.th.csv, commit 9ee36eac; the widths that are left, added up.
CACCIOLA_PRUNED: dict[tuple[int, int], tuple[AuthorRun, ...]] = {
    (2, 50): (
        AuthorRun(0.9777, 39 + 43, 2.777044, 6024),
        AuthorRun(0.9749, 30 + 42, 3.718236, 6277),
        AuthorRun(0.9773, 39 + 42, 1.791418, 882),
    ),
    (2, 100): (
        AuthorRun(0.9808, 61 + 80, 18.438280, 3111),
        AuthorRun(0.9801, 61 + 87, 15.647743, 2996),
        AuthorRun(0.9804, 63 + 86, 18.561390, 5834),
    ),
    (2, 200): (
        AuthorRun(0.9796, 56 + 144, 30.174879, 18327),
        AuthorRun(0.9813, 57 + 144, 18.220698, 3010),
        AuthorRun(0.9804, 59 + 140, 23.163105, 2997),
    ),
    (6, 100): (
        AuthorRun(0.9752, 39 + 82 + 61 + 61 + 60 + 54, 180.041863, 3072),
        AuthorRun(0.9747, 44 + 71 + 49 + 53 + 49 + 45, 100.914975, 5685),
        AuthorRun(0.9721, 37 + 72 + 48 + 51 + 48 + 46, 120.360473, 5392),
    ),
}

# -- [R]: 4 data sets x 9 variants x 10 splits into halves, 8 neurons, factor 0.1 (section 4.3) -----------------------

ROSENHAHN_SAMPLES = {"wine": 89, "zoo": 50, "breast-cancer": 284, "ovarian": 100}
"""The training samples of the data sets of its Table 3, which calls breast-cancer breastEW: half of each."""
ROSENHAHN_FLAGS = ("weights", "activations", "neurons")
"""The sparsity terms that a variant such as 101 switches on or off, in this order."""
ROSENHAHN_VARIANTS = (*(f"{code:03b}" for code in range(8)), "int")
ROSENHAHN_PLAIN, ROSENHAHN_PRIOR = "000", "001"
"""The variants without sparsity, and with the term for neurons alone: the model of Thorbjarnarson and Yorke-Smith."""
ROSENHAHN_SPLITS, ROSENHAHN_NEURONS = 10, 8
ROSENHAHN_PROBLEMS = len(ROSENHAHN_SAMPLES) * len(ROSENHAHN_VARIANTS) * ROSENHAHN_SPLITS
ROSENHAHN_LIMIT_SECONDS = 12_000.0
ROSENHAHN_SETUP = "Gurobi 9.1.2, 12,000 s, 10 cores, Xeon Gold 5120"


@dataclass(frozen=True, slots=True)
class PrintedTime:
    """A time that the text of [R] prints. seconds: until the run ended; gap (0 to 1): at the time limit, else None."""

    seconds: float
    gap: float | None


@dataclass(frozen=True, slots=True)
class PrintedSize:
    """The size of a model that the text of [R] prints: training samples, features, inequality rows, columns."""

    samples: int
    features: int
    rows: int
    columns: int


ROSENHAHN_ACCURACIES = {"ovarian": ("Figure 6, both models", 0.95)}
"""Section 4.2: about 95 % on the test samples, for a perceptron of back propagation and for a sparse one by MILP."""
ROSENHAHN_TIMES = {("ovarian", "111"): PrintedTime(2654.0, None), ("wine", "111"): PrintedTime(12_000.0, 0.001)}
"""Section 4.3. It names the flags of ovarian; those of wine, to which it compares it, follow from the context."""
ROSENHAHN_SIZES = {"ovarian": PrintedSize(100, 4000, 73_148, 68_172)}
"""Section 3.1."""
