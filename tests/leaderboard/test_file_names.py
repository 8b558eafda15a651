"""File names of pages are safe, whatever the ledger calls things."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from vnnbench.leaderboard.file_names import LONGEST, file_names


@given(st.lists(st.text(), unique=True))
def test_names_are_plain_and_no_two_are_alike(names):
    found = file_names(names)
    assert list(found) == names
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]*", short) for short in found.values())
    assert all(len(short) <= LONGEST + 9 for short in found.values())
    assert len({short.lower() for short in found.values()}) == len(names)


def test_good_names_stay_and_others_stay_as_readable_as_possible():
    found = file_names(["digits-8x8-s0-l1--tight", "highs presolve=off", "../../etc/passwd", "A", "a", "日本"])
    assert found["digits-8x8-s0-l1--tight"] == "digits-8x8-s0-l1--tight"
    assert re.fullmatch(r"highs-presolve=off-[0-9a-f]{8}", found["highs presolve=off"])
    assert re.fullmatch(r"etc-passwd-[0-9a-f]{8}", found["../../etc/passwd"])
    assert (found["A"], found["a"][:2]) == ("A", "a-")
    assert re.fullmatch(r"[0-9a-f]{8}", found["日本"])


def test_a_name_that_another_would_get_is_kept_apart():
    short = file_names(["a b"])["a b"]
    found = file_names(["a b", short])
    assert found["a b"] != found[short]
