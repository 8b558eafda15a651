"""The experiments of the papers and their reported numbers, each with its source.

[P] Pham, Ren, Tahir, Tong, Serra, arXiv:2505.01985, version 1: its tables, and the percentages of figures that its text
prints. Those that stand in its figures alone were not available.
[C] Cacciola, Frangioni, Lodi, arXiv:2307.07457: its Tables 1 and 2.
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

CACCIOLA_LIMIT_SECONDS = 1800.0
CACCIOLA_SETUP = "Gurobi, 1800 s"


@dataclass(frozen=True, slots=True)
class PrintedNetwork:
    """One network of [C], Tables 1 and 2.

    accuracy: in percent. hidden: neurons that are left, over all layers. seconds, nodes: at radius 5 and at radius 20.
    found: whether a counterexample was found at radius 20.
    """

    accuracy: float
    hidden: int
    seconds: tuple[float, float]
    nodes: tuple[int, int]
    found: bool


CACCIOLA_BASELINES: dict[tuple[int, int], tuple[PrintedNetwork, ...]] = {
    (2, 50): (
        PrintedNetwork(97.55, 100, (14.88, 1.85), (5820, 1), True),
        PrintedNetwork(97.47, 100, (20.65, 5.06), (12040, 1221), True),
        PrintedNetwork(97.25, 100, (8.07, 1.66), (9497, 1), True),
    ),
    (2, 100): (
        PrintedNetwork(97.96, 200, (39.29, 17.35), (2971, 1217), True),
        PrintedNetwork(97.76, 200, (35.01, 147.67), (3112, 7532), True),
        PrintedNetwork(97.97, 200, (39.00, 102.67), (3019, 3252), True),
    ),
    (2, 200): (
        PrintedNetwork(98.14, 400, (1800.37, 439.17), (424758, 40075), True),
        PrintedNetwork(98.04, 400, (1800.18, 563.24), (401361, 17597), True),
        PrintedNetwork(97.95, 400, (781.90, 508.14), (58656, 6014), True),
    ),
    (6, 100): (
        PrintedNetwork(97.60, 600, (474.76, 1800.06), (15261, 138918), False),
        PrintedNetwork(97.77, 600, (1800.02, 1800.03), (798306, 237328), False),
        PrintedNetwork(97.67, 600, (818.19, 1800.10), (14334, 184954), False),
    ),
}
CACCIOLA_PRUNED: dict[tuple[int, int], tuple[PrintedNetwork, ...]] = {
    (2, 50): (
        PrintedNetwork(97.77, 39 + 43, (3.29, 2.73), (3328, 127), True),
        PrintedNetwork(97.49, 30 + 42, (3.93, 2.90), (6482, 1128), True),
        PrintedNetwork(97.73, 39 + 42, (1.96, 0.64), (3992, 1), True),
    ),
    (2, 100): (
        PrintedNetwork(98.08, 61 + 80, (15.99, 6.66), (3066, 2079), True),
        PrintedNetwork(98.01, 61 + 87, (15.65, 6.03), (3107, 127), True),
        PrintedNetwork(98.04, 63 + 86, (17.67, 2.16), (2951, 1), True),
    ),
    (2, 200): (
        PrintedNetwork(97.96, 56 + 144, (18.66, 2.56), (3029, 1), True),
        PrintedNetwork(98.13, 57 + 144, (24.65, 18.65), (3600, 5433), True),
        PrintedNetwork(98.04, 59 + 140, (28.19, 9.60), (2997, 1202), True),
    ),
    (6, 100): (
        PrintedNetwork(97.52, 39 + 82 + 61 + 61 + 60 + 54, (231.02, 15.53), (3173, 1), True),
        PrintedNetwork(97.47, 44 + 71 + 49 + 53 + 49 + 45, (79.22, 7.51), (7566, 1), True),
        PrintedNetwork(97.21, 37 + 72 + 48 + 51 + 48 + 46, (44.24, 129.70), (11417, 27045), True),
    ),
}
"""The three repeats of each architecture, without and with pruning; those of one line are not matched."""

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
