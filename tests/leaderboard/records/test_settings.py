"""Labels of settings are short, and no two are alike."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vnnbench.leaderboard.records.settings import MAX_NAME, Setting, label_settings, options_of

HIGHS = Setting("highs", "1.11", "{}", 1, 300.0, 2**32, "decide")
SCIP = replace(HIGHS, solver="scip", solver_version="10.0")


def labels(*settings):
    return [setting.label for setting in label_settings(settings)]


def test_solver_name_alone_when_it_is_enough():
    assert labels(HIGHS, SCIP) == ["highs", "scip"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"settings": '{"a": 1, "presolve": "off"}'}, ["highs", "highs a=1 presolve=off", "scip"]),
        ({"settings": '{"x": true}'}, ["highs", "highs x=true", "scip"]),
        ({"solver_version": "1.12"}, ["highs 1.11", "highs 1.12", "scip"]),
        ({"threads": 4}, ["highs 1 thread", "highs 4 threads", "scip 1 thread"]),
        ({"time_limit_seconds": 0.5}, ["highs 300 s", "highs 0.5 s", "scip 300 s"]),
        ({"memory_limit_bytes": 2**31}, ["highs 4096 MiB", "highs 2048 MiB", "scip 4096 MiB"]),
        ({"goal": "find"}, ["highs decide", "highs find", "scip decide"]),
    ],
)
def test_label_names_what_differs(change, expected):
    assert labels(HIGHS, replace(HIGHS, **change), SCIP) == expected


def test_name_leaves_out_the_goal():
    found = label_settings([HIGHS, replace(HIGHS, goal="find"), replace(HIGHS, goal="find", settings='{"a": 1}')])
    assert [setting.name for setting in found] == ["highs", "highs", "highs a=1"]
    assert len({setting.label for setting in found}) == 3
    assert found[0].unlabelled == HIGHS


def test_labels_that_look_alike_are_numbered():
    one, text = replace(HIGHS, settings='{"a": 1}'), replace(HIGHS, settings='{"a": "1"}')
    assert labels(one, text) == ["highs a=1", "highs a=1 #2"]
    numbered = replace(HIGHS, settings='{"a": "1 #2"}')
    assert labels(one, numbered, text) == ["highs a=1", "highs a=1 #2", "highs a=1 #3"]


@pytest.mark.parametrize("text", ["not json", "[1]", "3"])
def test_settings_that_are_not_an_object_are_kept_as_text(text):
    assert options_of(replace(HIGHS, settings=text)) == {"settings": text}


def test_settings_within_each_other_are_kept_as_text():
    assert options_of(replace(HIGHS, settings="[" * 100_000)) == {"settings": "[" * 100_000}


def test_long_label_is_cut_and_still_unique():
    """Two settings that differ only where their labels are cut are numbered."""
    longest = [json.dumps({"a": "x" * 50_000 + middle + "x" * 50_000}) for middle in "yz"]
    found = labels(*(replace(HIGHS, settings=text) for text in longest))
    assert len(found[0]) == MAX_NAME and found[0][:10] == "highs a=xx"
    assert found[1] == f"{found[0]} #2"


def test_many_settings_are_labelled_in_one_pass():
    """Each setting is looked at a few times, however many others there are."""
    compared = 0

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    settings = [replace(HIGHS, solver=Counted("highs"), settings=json.dumps({"a": i})) for i in range(200)]
    assert len(set(labels(*settings))) == 200
    assert compared <= 10 * len(settings)
