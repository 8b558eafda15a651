"""A planned run comes back as it was, and JSON that was altered does not come back at all."""

from __future__ import annotations

import random
from dataclasses import replace

import orjson
import pytest

from vnnbench.engines.planned_run import parse_planned, planned_json
from vnnbench.errors import ResultsError
from vnnbench.instances.files import sha256
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.plan import PlannedRun, RunLimits, SolverSetting, plan_runs

SETTINGS = [
    SolverSetting("highs", "1.9.0"),
    SolverSetting("highs", "1.9", (("a", 0.1), ("b", True), ("c", 7), ("d", '"\n é'), ("e", float("inf"))), 1e-300, 0),
    SolverSetting("glpk-mine", "5.0", (("toml", "[x]\n" * 100),), 5e-324, 2**31 - 1, "/solvers/mine.toml"),
    SolverSetting("beside", "1.0", ranked=False, reads_model=False),
]
LIMITS = RunLimits(StopGoal.FIND, 0.1 + 0.2, (4096 << 20) + 1, 3)


@pytest.fixture
def planned(library) -> PlannedRun:
    row = library.row("adv-mag-u10--tight")
    (planned,) = plan_runs([row], [SETTINGS[1]], [2**63 - 1], LIMITS, [3])
    return planned


def rewritten(planned: PlannedRun, **changes: object) -> bytes:
    """Change fields of a planned run and make the sha256 fit, as an attacker who knows the format can."""
    document = orjson.loads(planned_json(planned))["planned"] | changes
    digest = sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
    return orjson.dumps({"planned": document, "sha256": digest}, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("goal", StopGoal)
@pytest.mark.parametrize("attempt", [1, 2, 9_999])
def test_planned_run_comes_back_as_it_was(library, setting, goal, attempt):
    plan = plan_runs(library.rows, [setting], [0, 2**63 - 1], replace(LIMITS, goal=goal), [0, 1_000])
    for planned in (replace(run, attempt=attempt) for run in plan):
        found = parse_planned(planned_json(planned), planned.name, library)
        assert repr(found) == repr(planned)  # 1 is not True, nor 1.0
    # Four of each instance, or two where the solver is given no model to permute.
    assert len(plan) == (4 if setting.reads_model else 2) * len(library.rows)


def test_adapter_is_found_from_any_working_folder(library, planned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = replace(planned, setting=replace(planned.setting, adapter="mine.toml"))
    found = parse_planned(planned_json(relative), relative.name, library)
    assert found == replace(relative, setting=replace(relative.setting, adapter=str(tmp_path / "mine.toml")))


def test_every_altered_byte_is_one_line(library, planned):
    data = planned_json(planned)
    altered = [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(len(data))]
    for one in (*altered, b"", data[:-1], data + b" ", data + b" " * (1 << 20)):
        with pytest.raises(ResultsError) as caught:
            parse_planned(one, planned.name, library)
        assert "\n" not in str(caught.value) and f"run {planned.name}" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seed": 1}, "its name does not follow from its plan"),
        ({"attempt": 2}, "its name does not follow from its plan"),
        ({"run": "ab" * 8}, "its name does not follow from its plan"),
        ({"time_limit_seconds": 0.25}, "its name does not follow from its plan"),
        ({"settings": "{}"}, "its name does not follow from its plan"),
        ({"settings": '{"mip_gap": "much"}'}, "mip_gap in settings is not a number above 0"),
        ({"settings": '{"mip_gap": 0.0}'}, "mip_gap in settings is not a number above 0"),
        ({"settings": '{"mip_gap": Infinity}'}, "mip_gap in settings is not a number above 0"),
        ({"settings": '{"node_limit": true}'}, "node_limit in settings is not a whole number from 0 to 2147483647"),
        ({"settings": '{"node_limit": 2147483648}'}, "node_limit in settings is not a whole number from 0 to"),
        ({"settings": '{"a": [1]}'}, "settings must be a JSON object of options with sorted keys"),
        ({"settings": '{"b":1}'}, "settings must be a JSON object of options with sorted keys"),
        ({"settings": "nonsense"}, "settings must be a JSON object of options with sorted keys"),
        ({"adapter": "../mine.toml"}, "adapter is not an absolute path"),
        ({"adapter": 3}, "adapter is not a text"),
        ({"instance": "nowhere"}, "no instance 'nowhere'"),
        ({"instance": "adv--tight"}, "its instance adv--tight is another one in"),
        ({"instance": None}, "instance is missing"),
        ({"goal": "win"}, "goal must be one of find, decide, optimize"),
        ({"threads": 0}, "threads is not from 1 to 1024"),
        ({"threads": 1.0}, "threads is not a whole number"),
        ({"seed": -1}, "seed is not from 0 to"),
        ({"permutation": 1_001}, "permutation is not from 0 to 1000"),
        ({"time_limit_seconds": 0.0}, "time_limit_seconds is not above 0"),
        ({"time_limit_seconds": 1}, "time_limit_seconds is not a finite number"),
        ({"memory_limit_bytes": 1}, "memory_limit_bytes is not from"),
        ({"more": 1}, "it does not have the columns of the ledger"),
        ({"settings": [[[]]]}, "settings is not a text"),
    ],
)
def test_a_field_that_no_plan_has_is_one_line(library, planned, changes, what):
    with pytest.raises(ResultsError) as caught:
        parse_planned(rewritten(planned, **changes), planned.name, library)
    assert what in str(caught.value) and "\n" not in str(caught.value)


def test_goal_that_the_instance_cannot_have_is_one_line(values):
    """An instance without a threshold takes only `optimize`."""
    limits = RunLimits(StopGoal.OPTIMIZE)
    (planned,) = plan_runs(values.rows[:1], [SETTINGS[0]], [0], limits)
    assert parse_planned(planned_json(planned), planned.name, values) == planned
    with pytest.raises(ResultsError, match="has no threshold"):
        parse_planned(rewritten(planned, goal="find"), planned.name, values)


def test_values_that_could_not_be_read_are_not_sent(planned):
    with pytest.raises(ResultsError, match="seed is not from 0"):
        planned_json(replace(planned, seed=-1))


def test_garbage_gives_only_these_errors(library, planned):
    data, chance = planned_json(planned), random.Random(14)  # noqa: S311
    pieces = [b"{", b"}", b"[" * 600, b"]", b'"', b"\\u0000", b"1e999", b"-1", b"null", b"\xff", b'"planned":{}']
    for _ in range(500):
        altered = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(altered))
            altered[place : place + chance.randint(0, 40)] = chance.choice(pieces)
        try:
            assert parse_planned(bytes(altered), planned.name, library) == planned
        except ResultsError as error:
            assert "\n" not in str(error)
