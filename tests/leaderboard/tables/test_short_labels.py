"""Labels for the terminal are short, and no two are alike."""

from __future__ import annotations

import pytest

from vnnbench.leaderboard.tables.short_labels import LONGEST, short_labels


def cut(*labels):
    return list(short_labels(labels).values())


def test_short_labels_stay_as_they_are():
    labels = ["highs", "highs presolve=off 4 threads", "x" * LONGEST]
    assert cut(*labels) == labels


@pytest.mark.parametrize("place", [0, 100, 3000, 5990])
def test_the_parts_that_differ_stay(place):
    one, other = (f"highs {'a' * place}{word}{'a' * (6000 - place)} 300 s" for word in ("ONE", "TWO"))
    shown = cut(one, other)
    assert ["ONE" in shown[0], "TWO" in shown[1]] == [True, True]
    assert all(text.startswith("highs ") and text.endswith("aaa 300 s") for text in shown)
    assert max(map(len, shown)) <= LONGEST


def test_labels_that_are_cut_alike_are_numbered():
    labels = [f"{'a' * 1000}{first}{'a' * 1000}{second}{'a' * 1000}" for first in "xy" for second in "zw"]
    shown = cut(*labels)
    assert len(set(shown)) == 4
    assert [text[-3:] for text in shown] == ["aaa", " #2", "aaa", " #2"]


def test_label_that_looks_like_a_cut_or_numbered_one_is_another():
    long = ["a" * 1000, "a" * 1001]
    first, second = cut(*long)
    assert len({*cut(*long, first, second)}) == 4


def test_beginning_of_another_label_is_another():
    assert len(set(cut("a" * 5000, "a" * 6000, "a" * 6001))) == 3


def test_control_characters_are_visible_before_they_are_counted():
    (text,) = cut("\x1b" * 1000)
    assert text.isprintable()
    assert len(text) == LONGEST
