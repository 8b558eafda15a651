from __future__ import annotations

import csv
import io

import pytest

from support.pairs import add_pairs_of_two_settings
from support.tiny_sites import source_of
from vnnbench.leaderboard.ranking.surrogate_sizes import compare_sizes
from vnnbench.leaderboard.site.pages import site_files


@pytest.fixture
def sizes(ledger):
    """Runs on two sizes. 2x16: dense 8 s, surrogate 2 s at rate 0.5 by either method; 4x64: dense 9 s, surrogate none
    within the limit of 100 s. They have the counts of candidates on the surrogates, and of these that transfer."""
    kinds = {
        "a": (2, 16, 8.0, [("magnitude", 0.5, 2.0, 3, 1), ("random", 0.5, 2.0, 1, 1)]),
        "b": (4, 64, 9.0, [("magnitude", 0.9, None, 4, 0)]),
    }
    for problem, (depth, width, seconds, surrogates) in kinds.items():
        size = {"problem": problem, "depth": depth, "width": width, "input_side": 8, "suite": "first"}
        ledger.found(f"d{problem}", ledger.instance(problem, **size), seconds)
        for method, rate, found, own, transferred in surrogates:
            name = f"{problem}-{method}"
            kind = {"pruning": method, "structure": "unstructured", "rate": rate, "network": name}
            sha = ledger.instance(name, **size, **kind)
            ledger.run(name, sha, wall_seconds=found or 100.0)
            success = {"confirmed": 1, "evidence": "exact", "best_exact_value": 0.5, "first_success_seconds": found}
            ledger.judge(name, **(success if found else {}), own_answers=own, transferred_answers=transferred)
    return ledger


def test_numbers_by_size_are_over_all_kinds_of_pruning(sizes):
    small, large = compare_sizes(sizes.runs())
    assert (small.input_side, small.depth, small.width, small.rate) == (8, 2, 16, 0.5)
    assert (small.pairs, small.surrogate_faster, small.dense_faster) == (2, 1.0, 0.0)
    assert small.time_ratio == pytest.approx(4.0)
    assert (small.candidates, small.transferred, small.transfer_share) == (4, 2, 0.5)
    assert (large.depth, large.width, large.rate, large.pairs, large.dense_faster) == (4, 64, 0.9, 1, 1.0)
    assert large.time_ratio == pytest.approx(0.09)
    assert (large.candidates, large.transfer_share) == (4, 0.0)


def test_attack_is_left_out_of_the_sizes(sizes):
    before = compare_sizes(sizes.runs())
    for name in ("a", "a-magnitude"):
        sizes.found(f"pgd-{name}", f"sha-{name}", 1.0, solver="pgd")
    assert compare_sizes(sizes.runs()) == before


def test_ledger_without_surrogates_has_no_sizes(ledger):
    assert compare_sizes(ledger.runs()) == ()
    ledger.found("d", ledger.instance("a", depth=2, width=16), 1.0)
    assert compare_sizes(ledger.runs()) == ()


def suite_page(ledger):
    return dict(site_files(source_of(ledger)))["suites/first.html"].decode()


def test_page_of_a_suite_of_several_architectures_has_them_by_size(sizes):
    page = suite_page(sizes)
    table = page[page.index("<h3>By size</h3>") :]
    assert '<td class="text">8x8 2x16</td><th scope="row" class="text">0.5</th><td>2</td><td>100%</td>' in table
    assert "<td>4.00</td><td>4</td><td>50%</td>" in table
    assert '<td class="text">8x8 4x64</td><th scope="row" class="text">0.9</th>' in table


def test_page_of_a_suite_of_one_architecture_has_no_sizes(ledger):
    size = {"problem": "a", "depth": 2, "width": 16, "suite": "first"}
    ledger.found("d", ledger.instance("a", **size), 1.0)
    ledger.found("s", ledger.instance("s", network="pruned", pruning="magnitude", rate=0.5, **size), 1.0)
    page = suite_page(ledger)
    assert "By size" not in page and "transfer and preparation" in page


def test_candidates_that_were_not_counted_are_missing_and_not_zero(sizes):
    assert "<td>4</td><td>0%</td>" in suite_page(sizes)
    sizes.judge("b-magnitude")  # an earlier version wrote such a judgement
    _, large = compare_sizes(sizes.runs())
    assert (large.pairs, large.uncounted, large.transfer_share) == (1, 1, None)
    page = suite_page(sizes)
    table = page[page.index("<h3>By size</h3>") :]
    assert table.partition("8x8 4x64")[2].partition("</tr>")[0].count('<td class="none">–</td>') == 2


def test_whole_numbers_of_a_run_stay_whole_in_the_sites_table_beside_runs_without(sizes):
    sizes.judge("b-magnitude")
    records = list(csv.DictReader(io.StringIO(dict(site_files(source_of(sizes)))["downloads/runs.csv"].decode())))
    assert {record["own_answers"] for record in records} == {"", "3", "1"}


def test_a_pair_of_two_settings_counts_once(pairs):
    add_pairs_of_two_settings(pairs)
    (size,) = compare_sizes(pairs.ledger.runs())
    assert size.pairs == 3
