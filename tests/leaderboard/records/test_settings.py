"""Labels of settings are short, and no two are alike."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from vnnbench.leaderboard.ranges import DEFAULT_SECONDS
from vnnbench.leaderboard.ranking.outcomes import labelled_settings
from vnnbench.leaderboard.records.settings import MAX_NAME, Setting, by_setting, label_settings, options_of

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
        ({"time_limit_seconds": None}, ["highs 300 s", "highs own limits", "scip 300 s"]),
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


# -- limits of settings --------------------------------------------------------------------------------------------


def settings_of(ledger):
    """The time limits of each setting's runs, by its own limit."""
    runs = by_setting(ledger.runs())
    found = {}
    for limit, own in zip(runs["setting_limit_seconds"], runs["time_limit_seconds"], strict=True):
        found.setdefault(None if pd.isna(limit) else limit, []).append(own)
    return {limit: sorted(own) for limit, own in found.items()}


def add_runs(ledger, *limits, solver="highs"):
    """Run each instance at these limits; the own limits of the first two are 30 and 60 s, the third one has none."""
    for name, own in (("a", 30.0), ("b", 60.0), ("c", None)):
        if f"sha-{name}" not in ledger.instances:
            ledger.instances.add(ledger.instance(name, problem=name, time_limit_seconds=own))
        for limit in {own or DEFAULT_SECONDS if limit is None else limit for limit in limits}:
            seconds = {"time_limit_seconds": limit, "wall_seconds": limit}
            ledger.run(f"{solver}-{name}-{limit}", f"sha-{name}", solver=solver, **seconds)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([None], {None: [30.0, 60.0, 300.0]}),
        ([60.0], {60.0: [60.0] * 3}),
        ([300.0], {300.0: [300.0] * 3}),
        ([30.0, 60.0], {30.0: [30.0] * 3, 60.0: [60.0] * 3}),
        ([None, 10.0], {None: [30.0, 60.0, 300.0], 10.0: [10.0] * 3}),
        ([None, 60.0], {None: [30.0, 60.0, 300.0], 60.0: [60.0] * 3}),  # the 60 s of b are in both
        ([None, 300.0], {None: [30.0, 60.0, 300.0], 300.0: [300.0] * 3}),
        ([None, 30.0, 60.0], {None: [30.0, 60.0, 300.0], 30.0: [30.0] * 3, 60.0: [60.0] * 3}),
    ],
)
def test_runs_at_the_limits_of_their_instances_are_one_setting(ledger, limits, expected):
    ledger.instances = set()
    add_runs(ledger, *limits)
    assert settings_of(ledger) == expected


def test_other_solvers_do_not_change_a_setting(ledger):
    ledger.instances = set()
    add_runs(ledger, None)
    add_runs(ledger, 60.0, solver="scip")
    found = {setting.label for setting in labelled_settings(ledger.runs())[0]}
    assert found == {"highs own limits", "scip 60 s"}


def test_without_own_limits_every_limit_is_a_setting(ledger):
    for name, limit in (("a", 300.0), ("b", 60.0)):
        ledger.run(name, ledger.instance(name, problem=name), time_limit_seconds=limit)
    assert settings_of(ledger) == {300.0: [300.0], 60.0: [60.0]}


@pytest.mark.parametrize("stopped", [False, True])
def test_own_limits_stay_a_setting_while_those_given_do_not_cover_all_instances(ledger, stopped):
    """The own limits are 30 and 60 s. Then 60 s was given to a, and 30 s to b and, unless stopped, to c. All three are
    settings until those of 30 and 60 s have a run on every instance."""
    for name, own in (("a", 30.0), ("b", 60.0), ("c", 60.0)):
        ledger.run(name, ledger.instance(name, problem=name, time_limit_seconds=own), time_limit_seconds=own)
    ledger.run("a60", "sha-a", time_limit_seconds=60.0)
    ledger.run("b30", "sha-b", time_limit_seconds=30.0)
    if not stopped:
        ledger.run("c30", "sha-c", time_limit_seconds=30.0)
    given = {60.0: [60.0] * 3, 30.0: [30.0] * (2 if stopped else 3)}
    assert settings_of(ledger) == ({None: [30.0, 60.0, 60.0]} | given if stopped else given)


def test_a_run_of_two_settings_is_read_once_and_marked(ledger):
    ledger.instances = set()
    add_runs(ledger, None, 60.0)
    runs = ledger.runs()
    assert len(runs) == runs["run"].nunique() == 5
    assert runs.loc[runs["also_by_limit"], "run"].tolist() == ["highs-b-60.0"]
    listed = by_setting(runs)
    assert len(listed) == 6 and by_setting(listed) is listed
    assert by_setting(runs[~runs["also_by_limit"]]).index.tolist() == [0, 1, 3, 4]
