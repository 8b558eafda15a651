"""Heat maps of surrogates: which shares stand in which cell, and what is behind them."""

from __future__ import annotations

import pytest

from support.pairs import Pairs
from support.tiny_sites import source_of
from vnnbench.leaderboard.site.content import gather
from vnnbench.leaderboard.site.pages import site_files
from vnnbench.leaderboard.site.surrogate_tables import HEAT_LEVELS, heat_maps


def maps_of(ledger):
    contents = gather(source_of(ledger))
    return heat_maps(contents, contents.leaderboard)


def test_a_map_has_a_row_for_each_way_of_pruning_and_a_column_for_each_rate(pairs):
    for problem, dense in (("a", 10.0), ("b", 20.0)):
        pairs.dense(problem, dense)
        pairs.surrogate(problem, 5.0, rate=0.5)
        pairs.surrogate(problem, 15.0, rate=0.9)
        pairs.surrogate(problem, None, rate=0.9, finetuned=1)
    (found,) = maps_of(pairs.ledger)["by_time"]
    assert (found.label, found.formulation, found.pairs, found.rates) == (
        "highs",
        "tight",
        "2 pairs a cell",
        ("0.5", "0.9"),
    )
    shown = {way: [(cell.text, cell.level) for cell in cells] for way, cells in found.rows}
    assert shown == {
        "magnitude unstructured": [("100%", HEAT_LEVELS), ("50%", HEAT_LEVELS // 2)],
        "magnitude unstructured, finetuned": [("–", None), ("0%", 0)],
    }


def test_a_cell_says_over_how_many_pairs_what_was_found_and_how_much_sooner(pairs):
    pairs.dense("a", 8.0)
    pairs.surrogate("a", 4.0)
    pairs.dense("b", None)
    pairs.surrogate("b", None)
    (found,) = maps_of(pairs.ledger)["by_time"]
    ((_, (cell,)),) = found.rows
    assert (cell.text, cell.level) == ("50%", 7)  # sooner in one of two pairs, later in none
    assert cell.about == (
        "2 pairs; found by 1 dense and 1 surrogate runs; sooner 50%, later 0%; dense over surrogate time 1.41"
    )


@pytest.mark.parametrize(("sooner", "later", "level"), [(1, 0, 6), (0, 1, 4), (1, 1, 5), (0, 0, 5), (20, 0, 10)])
def test_a_cell_is_coloured_for_the_side_that_is_sooner_in_more_pairs(pairs, sooner, later, level):
    """Of twenty pairs the others are ties: one pair more is enough for a colour, however many ties there are."""
    for number in range(20):
        pairs.dense(f"p{number}", 2.0)
        pairs.surrogate(f"p{number}", 1.0 if number < sooner else 3.0 if number < sooner + later else 2.0)
    (found,) = maps_of(pairs.ledger)["by_time"]
    ((_, (cell,)),) = found.rows
    assert cell.level == level


def test_each_setting_and_formulation_has_a_map_with_the_same_rates(pairs):
    for solver, formulation, rate in (("highs", "tight", 0.5), ("scip", "tight", 0.5), ("scip", "surrogatelib", 0.9)):
        pairs.dense("a", 2.0, solver=solver, formulation=formulation)
        pairs.surrogate("a", 1.0, solver=solver, formulation=formulation, rate=rate)
    found = maps_of(pairs.ledger)["by_time"]
    assert [(own.label, own.formulation) for own in found] == [
        ("highs", "tight"), ("scip", "surrogatelib"), ("scip", "tight")
    ]  # fmt: skip
    assert {own.rates for own in found} == {("0.5", "0.9")}


def test_pairs_that_are_all_left_out_have_an_empty_cell(pairs):
    pairs.surrogate("a", 1.0)
    (found,) = maps_of(pairs.ledger)["by_time"]
    ((_, (cell,)),) = found.rows
    assert (cell.text, cell.level, cell.about) == ("–", None, "no pairs")


def test_without_a_threshold_the_share_is_that_of_larger_values(ledger):
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.5, "network": "net-mag"}
    for problem, dense, surrogate in (("a", 1.0, 2.0), ("b", 3.0, None)):
        for value, columns in ((dense, {}), (surrogate, kind)):
            digest = ledger.instance(f"{problem}{len(columns)}", problem=problem, threshold=None, **columns)
            run = f"r{digest}"
            ledger.run(run, digest, goal="optimize")
            if value is not None:
                ledger.judge(run, confirmed=1, evidence="exact", best_exact_value=value, first_success_seconds=1.0)
    maps = maps_of(ledger)
    (found,) = maps["by_value"]
    ((_, (cell,)),) = found.rows
    assert maps["by_time"] == []
    assert (cell.text, cell.level) == ("50%", HEAT_LEVELS // 2)
    assert cell.about == "2 pairs; a value of 2 dense and 1 surrogate runs; larger 50%, smaller 50%"


def test_the_numbers_are_text_in_a_table_of_every_page_that_has_maps(pairs: Pairs):
    pairs.dense("a", 8.0, suite="s")
    pairs.surrogate("a", 4.0, suite="s")
    files = dict(site_files(source_of(pairs.ledger)))
    for name in ("index.html", "suites/s.html"):
        assert f'class="heat-{HEAT_LEVELS}" title="1 pair;' in files[name].decode()
        assert ">100%</td>" in files[name].decode()
    assert 'id="surrogates"' in files["surrogates.html"].decode()
