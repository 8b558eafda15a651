"""Bundles with rows that no run and no machine leaves are refused in one line, before anything is merged."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import orjson
import pytest

from support.bundles import Members, refusal, with_manifest, zipped
from vnnbench.errors import ResultsError
from vnnbench.instances.files import sha256
from vnnbench.isolation.machine import machine_name
from vnnbench.ledger.validity import checked_trajectory
from vnnbench.sharing.bundle import Bundle


def changed(members: Members, change: Callable[[dict], object]) -> Members:
    """Return the members with the document of one run changed, and hashes that fit."""
    name = next(other for other in members if other.startswith("runs/"))
    document = json.loads(members[name])
    change(document)
    return with_manifest({**members, name: json.dumps(document).encode()})


def poisoned(what: str, part: str = "result", **values: object) -> tuple[Callable[[dict], object], str]:
    """Return a change of a run's document, and what is said of it."""
    return (lambda document: document[part].update(values)), what


OUT_OF_RANGE = [
    *(
        poisoned("time_limit_seconds is not above 0 and at most 100000000", time_limit_seconds=seconds)
        for seconds in (0.0, -1.0, 1.0e8 + 1, 1e306, 1e308)
    ),
    *(
        poisoned(f"{name} is not from 0 to 1e+09", **{name: 1.1e9})
        for name in ("wall_seconds", "read_seconds", "cpu_seconds", "foreign_seconds")
    ),
    poisoned("dual_bound is not from -1e+300 to 1e+300", dual_bound=-1e301),
    poisoned("claimed_value is not from -1e+300 to 1e+300", claimed_value=1e301),
    poisoned("memory_limit_bytes is not from 67108864 to", memory_limit_bytes=1),
    poisoned("memory_limit_bytes is not from 67108864 to", memory_limit_bytes=2**51),
    poisoned("seed is not from 0 to 9223372036854775807", seed=-1),
    poisoned("threads is not from 1 to 1024", threads=1025),
    poisoned("permutation is not from 0 to 1000", permutation=1001),
    poisoned("attempt is not from 1 to 9999", attempt=10_000),
    poisoned("peak_memory_bytes is not from 0", peak_memory_bytes=-1),
    poisoned("swapped_bytes is not from 0", swapped_bytes=-1),
    *(
        poisoned("settings must be a JSON object of options", settings=settings)
        for settings in (
            json.dumps({"a": "x" * 10_000}), '{"a": [1]}', '{"a": {"b": 1}}', '{"a": null}', '{"a": NaN}',
            '{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": 9223372036854775808}', '{"a":1}', "[]", "1" * 5_000,
        )
    ),
    *(
        poisoned("started_at must be a time such as", started_at=text)
        for text in (
            "2026-11-28<00:00:00", "2026-11-28T00:00:00", "2026-11-28T00:00:00Z", "2026-11-28T00:00:00+01:00",
            "2026-11-28", "20261128T000000+00:00", "2026-13-28T00:00:00+00:00", "2026-11-28T00:00:00.1+00:00",
            "2026-11-28T00:00:00.000+00:00\n", "\u0662026-11-28T00:00:00+00:00",
        )
    ),
    poisoned("raw_status is longer than 1000", raw_status="x" * 1_001),
    poisoned("solver_version is longer than 1000", solver_version="x" * 1_001),
    poisoned("cores must be numbers with commas", cores="\u0661"),
    poisoned("candidates_sha256 must be 64 hexadecimal digits", candidates_sha256="x"),
    *(
        poisoned("dual_steps must be pairs of seconds and bounds", dual_steps=text)
        for text in (
            "[[0, 1]]", '[["0", "1"]]', "[[0.0,1.0]]", "[[0.0, 1e301]]", "[[1e10, 1.0]]", "[[-1.0, 1.0]]", "{}",
            json.dumps([[0.0, -float(i)] for i in range(1_001)]), "[[0.0, true]]", "[[0.0, 1.0, 2.0]]", "[" * 999_999,
        )
    ),
    poisoned("primal_steps must be pairs of seconds and values", "judgement", primal_steps="[[0.0, 1e301]]"),
    *(
        poisoned("measures must be a JSON object of numbers", "judgement", measures=text)
        for text in ("{}", '{"a": 1}', '{"a": NaN}', '{"b": 1.0, "a": 1.0}', '{"<b>": 1.0}', "[1.0]", "[" * 999)
    ),
    poisoned("judged_at must be a time such as", "judgement", judged_at="now"),
    poisoned("evidence must be one of exact", "judgement", evidence="good"),
    poisoned("confirmed is not from 0 to 1", "judgement", confirmed=2),
    poisoned("row_violation is not from 0", "judgement", row_violation=-1.0),
    poisoned("first_success_seconds is not from 0 to 1e+09", "judgement", first_success_seconds=1e10),
    poisoned("own_answers is not from 0", "judgement", own_answers=-1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.pop("judgement"), "does not hold a run"),
        (lambda d: d["result"].pop("nodes"), "it does not have the columns of the ledger"),
        (lambda d: d["result"].update(more=1), "it does not have the columns of the ledger"),
        (lambda d: d["result"].update(machine="0" * 12), "was made on a machine that machines.json does not list"),
        (lambda d: d.update(instance="another"), "is about an instance that the manifest.json does not list"),
        (lambda d: d["result"].update(nodes="many"), "nodes is not a whole number"),
        (lambda d: d["result"].update(nodes=True), "nodes is not a whole number"),
        (lambda d: d["result"].update(nodes=-1), "nodes is not from 0 to 9223372036854775807"),
        (lambda d: d["result"].update(nodes=2**63), "nodes is not from 0 to 9223372036854775807"),
        (lambda d: d["result"].update(wall_seconds=None), "wall_seconds is missing"),
        (lambda d: d["result"].update(wall_seconds=-1.0), "wall_seconds is not from 0 to 1e+09"),
        (lambda d: d["result"].update(wall_seconds=1), "wall_seconds is not a finite number"),
        (lambda d: d["result"].update(message="x" * 1001), "message is longer than 1000 characters"),
        (lambda d: d["result"].update(message="\0"), "message is not a text"),
        (lambda d: d["result"].update(termination="won"), "termination must be one of optimal, "),
        (lambda d: d["result"].update(ended_by="luck"), "ended_by must be one of solver, "),
        (lambda d: d["result"].update(dual_steps="[[1.0, 2.0], [2.0, 3.0]]"), "dual_steps must be falling bounds"),
        (lambda d: d["result"].update(dual_steps="[" * 50_000), "dual_steps must be pairs of seconds and bounds"),
        (lambda d: d["result"].update(dual_steps="[[0.0, Infinity]]"), "dual_steps must be pairs of seconds"),
        (lambda d: d["result"].update(goal="win"), "goal must be one of find, decide, optimize"),
        (lambda d: d["result"].update(enforcement="trust"), "enforcement must be one of namespace"),
        (lambda d: d["result"].update(counted="by hand"), "counted must be one of cgroup"),
        (lambda d: d["result"].update(stalled_seconds=-1.0), "stalled_seconds is not from 0 to 1e+09"),
        (lambda d: d["result"].update(settings='{"b": 1, "a": 1}'), "settings must be a JSON object of options with"),
        (lambda d: d["result"].update(settings="[" * 100_000), "settings must be a JSON object of options with"),
        (lambda d: d["result"].update(started_at="long ago"), "started_at must be a time such as"),
        (lambda d: d["result"].update(cores="all"), "cores must be numbers with commas"),
        (lambda d: d["result"].update(time_limit_seconds=60.0), "its name does not follow from its plan"),
        (lambda d: d["result"].update(attempt=2), "its name does not follow from its plan"),
        (lambda d: d["result"].update(solver="scip"), "its name does not follow from its plan"),
        (lambda d: d["judgement"].update(run="0" * 16), "holds another run"),
        *OUT_OF_RANGE,
        (lambda d: d["judgement"].update(best_exact_value="high"), "best_exact_value is not a finite number"),
    ],
)  # fmt: skip
def test_row_that_no_run_leaves_is_refused(members, tmp_path, change, what):
    assert what in refusal(zipped(tmp_path / "b.zip", changed(members, change)))


def test_machine_that_is_not_what_its_name_says_is_refused(members, tmp_path):
    rows = orjson.loads(members["machines.json"])
    rows[0]["cpu"] = "a faster one"
    path = zipped(tmp_path / "b.zip", with_manifest({**members, "machines.json": orjson.dumps(rows)}))
    assert "machines.json: the name of the machine does not follow from its facts" in refusal(path)


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("packages", "[" * 9_000, "packages must be a JSON object of at most 100 names"),
        ("packages", '{"numpy": 1}', "packages must be a JSON object of at most 100 names"),
        ("packages", '{"numpy": {"a": "1"}}', "packages must be a JSON object of at most 100 names"),
        ("packages", json.dumps({"numpy": "x" * 1_001}), "packages must be a JSON object of at most 100 names"),
        ("packages", json.dumps({str(i): "1" for i in range(10_101, 10_202)}), "packages must be a JSON object of at"),
        ("packages", '{"b": "1", "a": "1"}', "packages must be a JSON object of at most 100 names"),
        ("cpu", "x" * 1_001, "cpu is longer than 1000 characters"),
        ("kernel", "x" * 1_001, "kernel is longer than 1000 characters"),
        ("cores", 0, "cores is not from 1 to 1048576"),
        ("cores", 2**21, "cores is not from 1 to 1048576"),
        ("memory_bytes", -1, "memory_bytes is not from 1 to"),
    ],
)
def test_impossible_machine_is_refused(members, tmp_path, column, value, what):
    rows = orjson.loads(members["machines.json"])
    rows[0][column] = value
    rows[0]["machine"] = machine_name({name: fact for name, fact in rows[0].items() if name != "machine"})
    path = zipped(tmp_path / "b.zip", with_manifest({**members, "machines.json": orjson.dumps(rows)}))
    assert f"machines.json: {what}" in refusal(path)


def test_candidates_are_those_that_the_row_describes(members, tmp_path):
    name = next(other for other in members if other.startswith("candidates/"))
    with np.load(io.BytesIO(members[name])) as arrays:
        stored = dict(arrays)
    for changes, what in (
        ({}, "is not the file that its run wrote"),
        ({"dropped": stored["dropped"] + 9}, "candidates, but its run had"),
        ({"seconds": stored["seconds"] - 1e6}, "from before the run"),
        ({"seconds": stored["seconds"] + 1e10}, "came after more than 1e\\+09 s"),
    ):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{**stored, **changes})
        buffer.write(b" ")  # zip files take a tail
        forged = {**members, name: buffer.getvalue()}
        if changes:
            run = f"runs/{name[11:-4]}.json"
            document = json.loads(members[run])
            document["result"]["candidates_sha256"] = sha256(buffer.getvalue())
            forged[run] = json.dumps(document).encode()
        with Bundle(zipped(tmp_path / "b.zip", with_manifest(forged))) as bundle:
            run = bundle.read(name[11:-4])
        with pytest.raises(ResultsError, match=what):
            checked_trajectory(run.result, run.candidates, "b.zip: candidates")
