"""The paper's tables from our runs: which pairs a row is about, and the paper's numbers themselves."""

from __future__ import annotations

import pytest

from vnnbench.leaderboard.papers.pham2025 import pairs_of
from vnnbench.leaderboard.papers.pham2025_tables import table_rows
from vnnbench.leaderboard.papers.values import PHAM_DATASETS, PHAM_FIGURE_PERCENT, PHAM_RATES, PHAM_TABLES


def cells(ledger, rate=0.5):
    """Return our numbers at a rate, by the name of the row."""
    place = PHAM_RATES.index(rate)
    return {
        row.name: (row.cells[place].percent, row.cells[place].pairs) for row in table_rows(*pairs_of(ledger.runs()))
    }


def test_rows_by_hand(ledger, pairs):
    """Both data sets together; structured and finetuned surrogates have rows of their own in Table 1."""
    for problem, dense, columns in (
        ("a", 10.0, {}), ("b", 1.0, {"dataset": "fashion-mnist", "depth": 4, "width": 64, "input_side": 28}),
        ("c", None, {}),
    ):  # fmt: skip
        pairs.dense(problem, dense, **columns)
        pairs.surrogate(problem, 5.0, **columns)
        pairs.surrogate(problem, 20.0, structure="structured", **columns)
        pairs.surrogate(problem, 0.5, finetuned=1, **columns)
    assert cells(ledger) == {
        "unstructured not finetuned": (pytest.approx(200 / 3), 3),
        "unstructured finetuned": (100.0, 3),
        "structured not finetuned": (pytest.approx(100 / 3), 3),
        "input 18x18": (75.0, 4), "input 28x28": (0.0, 2),
        "depth 2": (75.0, 4), "depth 4": (0.0, 2),
        "width 32": (75.0, 4), "width 64": (0.0, 2),
    }  # fmt: skip
    assert set(cells(ledger, 0.9).values()) == {(None, 0)}


def test_what_the_paper_does_not_have_is_left_out(ledger, pairs):
    """Random pruning, other data, other architectures."""
    for problem, columns in (
        ("a", {"pruning": "random"}), ("b", {"dataset": "digits"}), ("c", {"width": 16}), ("d", {"input_side": 8}),
    ):  # fmt: skip
        of_network = {name: value for name, value in columns.items() if name != "pruning"}
        pairs.dense(problem, 10.0, **of_network)
        pairs.surrogate(problem, 5.0, **columns)
    assert table_rows(*pairs_of(ledger.runs())) == ()


def test_settings_and_formulations_have_rows_of_their_own(ledger, pairs):
    for solver in ("highs", "scip"):
        for formulation in ("tight", "surrogatelib"):
            pairs.dense("a", 10.0, solver=solver, formulation=formulation)
            pairs.surrogate("a", 5.0, solver=solver, formulation=formulation)
    rows = [(row.setting.solver, row.formulation) for row in table_rows(*pairs_of(ledger.runs())) if row.table == 1]
    assert rows == [("highs", "surrogatelib"), ("highs", "tight"), ("scip", "surrogatelib"), ("scip", "tight")]


@pytest.mark.parametrize("parts", [("input 18x18", "input 28x28"), ("depth 2", "depth 4"), ("width 32", "width 64")])
def test_the_parts_of_table_2_have_the_means_of_table_1(parts):
    """So the paper's Table 2 is about both structures without finetuning, as ours is; rounding aside."""
    whole = [PHAM_TABLES[1][f"{structure} not finetuned"] for structure in ("unstructured", "structured")]
    for i in range(len(PHAM_RATES)):
        of_parts = sum(PHAM_TABLES[2][part][i] for part in parts) / 2
        assert of_parts == pytest.approx(sum(row[i] for row in whole) / 2, abs=0.1)


def test_the_percentages_of_figures_are_those_of_table_1_but_for_one():
    """93.5 % of 80 pairs is no whole number of them: Table 1 implies 93.75 %."""
    at = PHAM_RATES.index(0.9)
    for figure, name in ((1, "unstructured not finetuned"), (2, "unstructured finetuned")):
        of_figure = sum(PHAM_FIGURE_PERCENT[dataset, figure] for dataset in PHAM_DATASETS) / 2
        assert of_figure == pytest.approx(PHAM_TABLES[1][name][at], abs=0.2)
    whole = [percent for percent in PHAM_FIGURE_PERCENT.values() if abs(percent * 0.8 - round(percent * 0.8)) > 0.05]
    assert whole == [93.5]
