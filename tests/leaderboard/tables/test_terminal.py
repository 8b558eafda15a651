"""A terminal shows two screens whatever the ledger holds: what is wrong, the rankings, and what is left out."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from support.leaderboards import Size, synthetic_leaderboard
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.render import Format, render
from vnnbench.leaderboard.tables.terminal import LINES

GRID = Size(settings=3, groups=4, kinds=20)
"""One network with 40 surrogates in all, two formulations, three solvers."""
LABELS = ("highs", "highs presolve=off mip_heuristics=aggressive ", "绿色求解器" * 12, "x" * 500)
SIZES = st.builds(
    Size,
    settings=st.integers(1, 40), groups=st.integers(1, 60), wrong=st.integers(0, 1), faults=st.integers(1, 9),
    kinds=st.integers(0, 20), suites=st.integers(1, 9), references=st.integers(0, 3), letters=st.sampled_from(LABELS),
    conditions=st.booleans(), values=st.booleans(), approaches=st.booleans(),
)  # fmt: skip
HUGE = Size(40, 60, wrong=9, faults=9, kinds=20, suites=9, references=3, conditions=True, values=True)


def lines_of(size, width=80):
    return render(synthetic_leaderboard(size), Format.TABLE, width).splitlines()


@pytest.mark.parametrize("width", [80, 120])
@settings(deadline=None, max_examples=30)
@given(size=SIZES)
@example(size=HUGE)
@example(size=Size(40, 60, wrong=9, faults=9, kinds=20, references=3, letters=LABELS[2], conditions=True, values=True))
@example(size=Size(40, 60, wrong=9, faults=9, kinds=20, references=3, letters=LABELS[3], conditions=True, values=True))
def test_two_screens_are_enough_for_every_leaderboard(width, size):
    lines = lines_of(size, width)
    assert len(lines) <= LINES < 100
    assert max(map(cell_len, lines)) <= width
    assert lines[0].startswith("246 runs: ")
    assert any(line.startswith("Solvers on files") for line in lines)
    assert "More by `--format markdown`" in " ".join(lines[-8:])


def test_a_network_with_40_surrogates_takes_at_most_80_lines():
    assert len(lines_of(GRID)) <= 80


@settings(deadline=None, max_examples=30)
@given(size=SIZES)
def test_rows_that_are_not_shown_are_counted(size):
    lines = lines_of(size, 120)
    start, end = (next(i for i, line in enumerate(lines) if line.startswith(word)) for word in ("Solvers on", "Times:"))
    table = lines[start + 3 : end]
    cut = [line for line in table if line.startswith("and ")]
    left = sum(int(number) for line in cut for number in re.findall(r"(?<=and )\d+(?= more[;,])|(?<=with )\d+", line))
    ranked = sum(" 8/9 " in line for line in table)
    assert ranked + left == size.settings * size.groups
    wrong = sum("✗" in line for line in table)
    said = sum(int(n) for line in cut for n in re.findall(r"(\d+) below the line", line))
    assert wrong + said == size.wrong * size.groups


def test_what_is_wrong_stands_above_the_tables_and_is_counted():
    lines = lines_of(Size(settings=5, groups=1, wrong=2, faults=4))
    assert lines[0] == "246 runs: 8 wrong, none disturbed, none missing."
    assert lines[1] == "Wrong answers in 8 runs: solver3 decide 4, solver4 decide 4. Such a setting has"
    assert lines[3] == "  run run0, solver3 decide on instance-solver"
    assert "  and 5 more; see `--format markdown`" in lines[: lines.index("")]


def test_nothing_wrong_is_one_line_above_the_tables():
    first = "246 runs: none wrong, none disturbed, none missing."
    assert lines_of(Size(settings=2, groups=1))[:2] == [first, ""]


def test_the_ranking_of_files_has_lines_before_other_tables():
    lines = lines_of(HUGE)
    start, end = (next(i for i, line in enumerate(lines) if line.startswith(word)) for word in ("Solvers on", "Times:"))
    assert end - start > 12


def test_tables_of_surrogates_are_shown_where_no_ranking_sums_them_up():
    surrogates = "Surrogate against dense"
    text = "\n".join(lines_of(GRID))
    assert f"\n{surrogates}\n" not in text and f"; {surrogates};" in " ".join(text.split())
    assert f"\n{surrogates}\n" in "\n".join(lines_of(Size(settings=3, groups=4, kinds=20, approaches=False)))
    assert f"\nValues: {surrogates.lower()}\n" in "\n".join(lines_of(Size(settings=3, groups=4, kinds=20, values=True)))


def test_a_ledger_of_references_alone_shows_them(ledger):
    ledger.found("p", ledger.instance("a"), 1.0, solver="pgd")
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert text.startswith("1 run: none wrong, none disturbed, none missing.\n\nReference, not ranked\n")


def test_a_reference_that_the_ranking_of_approaches_lacks_has_its_table(ledger):
    ledger.found("d", ledger.instance("a"), 1.0)
    ledger.found("s", ledger.surrogate("p"), 0.5)
    ledger.found("p", "sha-a", 0.1, solver="pgd")
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert "pgd (not ranked)" in text and "\nReference, not ranked\n" not in text
    ledger.run("d1", "sha-a", seed=1)
    ledger.run("s1", "sha-p-mag", seed=1)
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert "pgd (not ranked)" not in text and "\nReference, not ranked\n" in text


def test_counts_are_over_all_groups(ledger):
    for number, formulation in enumerate(("tight", "surrogatelib")):
        ledger.found(f"r{number}", ledger.instance(f"i{number}", formulation=formulation), 1.0)
    lines = render(build_leaderboard(ledger.runs()), Format.TABLE).splitlines()
    place = lines.index("Answers, all groups together")
    assert lines[place + 3].split() == ["highs", "2", "2", "2", "0", "0", "0"]
