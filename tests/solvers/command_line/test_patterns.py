"""Patterns are searched under a limit of processor time."""

from __future__ import annotations

import re
import signal
import threading

import pytest

from vnnbench.solvers.command_line.patterns import PatternError, Search

ENDLESS = [
    (r"(?:x+x+)+y", "x" * 60),
    (r"(?:a|a)*b", "a" * 60),
    (r"(?:.*,){25}end", "," * 60),
    (r"(?:\w+\s?)+$", "word " * 20 + "!"),
    (r".*.*.*.*.*=", "." * 3000),
]


@pytest.mark.parametrize(("pattern", "text"), ENDLESS)
def test_pattern_that_never_ends_is_an_error_that_names_it(pattern, text):
    with pytest.raises(PatternError) as caught:
        Search(0.2).first(re.compile(pattern), text)
    assert str(caught.value) == f"the pattern {pattern!a} takes more than 0.2 s; it may backtrack without end"
    with pytest.raises(PatternError):
        Search(0.2).last(re.compile(f"()(?:{pattern})"), text)


def test_matches_are_those_of_re():
    search, text = Search(5.0), "bound 1\nbound 2\n"
    found = search.first(re.compile(r"^bound (\d)", re.MULTILINE), text)
    assert found is not None and found[1] == "1"
    assert search.last(re.compile(r"^bound (\d)", re.MULTILINE), text) == "2"
    assert search.first(re.compile("none"), text) is None
    assert search.last(re.compile("n(o)ne"), text) is None


def test_all_searches_together_have_the_limit():
    search = Search(0.2)
    for _ in range(2):  # the limit is used up, and the search still ends
        with pytest.raises(PatternError):
            search.first(re.compile(ENDLESS[0][0]), ENDLESS[0][1])


def test_signal_and_timer_are_left_as_they_were():
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(PatternError):
        Search(0.1).first(re.compile(ENDLESS[0][0]), ENDLESS[0][1])
    Search(5.0).first(re.compile("x"), "x")
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_search_in_another_thread_has_no_limit_and_still_finds():
    found = []
    thread = threading.Thread(target=lambda: found.append(Search(0.1).last(re.compile("(x)y"), "xy")))
    thread.start()
    thread.join()
    assert found == ["x"]
