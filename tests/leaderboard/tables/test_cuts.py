"""Tables are cut to a number of lines: every section alike, the last ones left out, and the rest counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vnnbench.leaderboard.tables.cuts import Section, cut_rows, lines_of, share_out

SECTIONS = st.lists(
    st.lists(st.integers(1, 4), min_size=1, max_size=12).map(lambda rows: Section(1, tuple(rows), len(rows))),
    min_size=1, max_size=12,
)  # fmt: skip


def sections(*rows):
    return [Section(1, (1,) * number, number) for number in rows]


@given(SECTIONS, st.integers(0, 60))
def test_what_is_shown_fits_or_is_one_row(own, lines):
    shown = cut_rows(own, len(own), lines)
    assert shown == [1] or lines_of(own, shown, len(own)) <= lines
    if lines_of(own, [len(section.rows) for section in own], len(own)) <= lines:
        assert shown == [len(section.rows) for section in own]


def test_every_section_shows_its_first_rows_before_one_is_left_out():
    own = sections(5, 9, 2)
    assert cut_rows(own, 3, 19) == [5, 9, 2]  # 3 headings and 16 rows
    assert cut_rows(own, 3, 15) == [4, 4, 2]  # two lines on what is left out
    assert cut_rows(own, 3, 12) == [3, 3]  # 2 headings, 6 rows, two lines, and one on the last section
    assert cut_rows(own, 3, 6) == [3]
    assert cut_rows(own, 3, 4) == [1]
    assert cut_rows(own, 3, 0) == [1]


def test_rows_of_several_lines_count_as_such():
    assert cut_rows([Section(0, (1, 3, 1), 3)], 1, 4) == [1]
    assert cut_rows([Section(0, (1, 3, 1), 3)], 1, 5) == [3]


def test_the_first_table_gets_its_share_and_what_others_leave():
    assert share_out([50, 3, 50], 60) == 37  # a share is 20: the second wants 3, the third takes 20
    assert share_out([50], 60) == 60
    assert share_out([1, 50], 10) == 5
