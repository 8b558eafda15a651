"""Refutations in random ledgers, compared with the definition in plain Python, and read in parts as at once.

The values are few and close together, so that ties, tolerances and refutations are common.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from dataclasses import replace

import pandas as pd
import pytest

from support.proven_answers import prove
from support.sealed_answers import seal
from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.leaderboard.records import reader
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer
from vnnbench.leaderboard.records.refutation import CENTRE, PLANTED, PROVEN

VALUES = (-1.0, -0.5 - 5e-7, -0.5, -0.5 + 5e-7, 0.0, 1e-12, 0.5, 1000 - 1.4e-3, 1000.0)
PROBLEMS = {"p": "P", "q": "Q", "r": None, "t": "T"}
"""Contents by name; every row of `r` has its own, as where a library has changed; `t` is without networks."""
NO_RUN = (CENTRE, PLANTED, PROVEN)
"""Witnesses that are not runs; of equal ones the first is named."""


def some(rng, share):
    """Return a value or None; the share is that of the values."""
    return rng.choice(VALUES) if rng.random() < share else None


def fill(ledger, rng):
    """Fill the ledger with two dense networks, two surrogates of each, and instances without networks; with older rows
    that lack hashes, retries, and several judgements."""
    shas = []
    for number in range(rng.randint(2, 7)):
        problem, dense = rng.choice([*PROBLEMS]), rng.choice("AB")
        network = rng.choice([dense, dense, f"{dense}-mag", "S"])
        newer = {"property_sha256": PROBLEMS[problem] or f"R{number}"}
        if problem == "t":
            network = dense = None
        else:
            newer |= {"network_sha256": f"N{network}", "dense_sha256": f"N{dense}"}
        sha = ledger.instance(
            f"i{number}", problem=problem, network=network, dense_network=dense, centre_value=some(rng, 0.3),
            constant_rounding=rng.choice([0.0, 1e-6, 1e-3]), strict=rng.randint(0, 1),
            threshold=rng.choice([None, 0.0, 0.5]), **(newer if rng.random() < 0.7 else {}),
        )  # fmt: skip
        shas.append(sha)
    for number in range(rng.randint(3, 16)):
        sha, key = rng.choice(shas), hashlib.sha256(f"{rng.random()}".encode()).hexdigest()[:16]
        for attempt in range(1, rng.choice([1, 1, 1, 3]) + 1):
            run = key if attempt == 1 else f"{key}-{attempt}"
            ledger.run(
                run, sha, attempt=attempt, seed=number, started_at=f"2026-01-{rng.randint(1, 28)}",
                termination=rng.choice(["optimal", "time_limit", "infeasible", "bound_reached", None]),
                dual_bound=some(rng, 0.6), claimed_value=some(rng, 0.2),
                settings=rng.choice(["{}", '{"mip_gap": 0.5}']),
            )  # fmt: skip
            for _ in range(rng.choice([0, 1, 1, 2])):
                ledger.judge(
                    run, own_value=some(rng, 0.3), best_exact_value=some(rng, 0.3), confirmed=rng.randint(0, 1)
                )
    return shas


def plant(folder, shas, rng):
    """Plant answers in some of these instances."""
    problems = [
        {"answer": "adversarial", "value": rng.choice(VALUES), "instances": {sha: sha}}
        if rng.random() < 0.5
        else {"answer": "robust", "bound": rng.choice(VALUES), "instances": {sha: sha}}
        for sha in shas
        if rng.random() < 0.3
    ]
    seal(folder, problems)
    return {sha: p["value"] for p in problems for sha in p["instances"] if p["answer"] == "adversarial"}


def proofs_of(shas, rng):
    """Return proven answers of some of these instances; a robust one has the least of all upper bounds."""
    answers = (
        (ProvenAnswer.ADVERSARIAL, rng.choice(VALUES), None),
        (ProvenAnswer.ROBUST, None, VALUES[0]),
        (ProvenAnswer.OPEN, some(rng, 0.5), 1e6),
    )
    return [Proven(sha, *rng.choice(answers), "0" * 64) for sha in shas if rng.random() < 0.4]


def copies_of(proven, rng):
    """Return other copies of these answers, some from before the question was decided."""
    return [rng.choice([one, replace(one, answer=ProvenAnswer.OPEN)]) for one in proven if rng.random() < 0.8]


def rows_of(ledger, query):
    found = ledger.connection.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def refuted_by_definition(ledger, planted, proven):
    """Return for every attempt the best value that its claim's network is known to reach, the run that reaches it where
    that refutes the claim, and whether a proof says that its dense network is robust."""
    instances = {row["instance_sha256"]: row for row in rows_of(ledger, "SELECT * FROM instances")}
    contents = defaultdict(set)
    columns = [("problem", "property_sha256"), ("network", "network_sha256"), ("dense_network", "dense_sha256")]
    for row in instances.values():
        for name, content in columns:
            contents[name == "problem", row[name]].add(row[content])

    def known(row, name, content):
        others = contents[name == "problem", row[name]] - {None}
        return row[content] or (others.pop() if len(others) == 1 else row[name])

    keys = {sha: [known(row, *names) for names in columns] for sha, row in instances.items()}
    reached = defaultdict(list)
    newest = {row["run"]: row for row in rows_of(ledger, "SELECT * FROM judgements ORDER BY judgement")}
    results = rows_of(ledger, "SELECT * FROM results")
    for sha, (question, network, dense) in keys.items():
        reached[question, network].append((instances[sha]["centre_value"], CENTRE))
        reached[question, dense].append((planted.get(sha), PLANTED))
        reached[question, dense] += [(answer.lower, PROVEN) for answer in proven if answer.instance_sha256 == sha]
        for run in (row["run"] for row in results if row["instance_sha256"] == sha and row["run"] in newest):
            reached[question, network].append((newest[run]["own_value"], run))
            reached[question, dense].append((newest[run]["best_exact_value"], run))
    robust = [answer.instance_sha256 for answer in proven if answer.answer is ProvenAnswer.ROBUST]
    certified = {(keys[sha][0], keys[sha][2]) for sha in robust}
    found = {}
    for row in results:
        question, network, dense = keys[row["instance_sha256"]]
        value, by = max(
            ((value, by) for value, by in reached[question, network] if value is not None),
            key=lambda one: (one[0], one[1] not in NO_RUN, -NO_RUN.index(one[1]) if one[1] in NO_RUN else 0),
            default=(None, None),
        )
        bound = row["dual_bound"]
        if bound is None and row["termination"] == "optimal" and "gap" not in row["settings"]:
            bound = row["claimed_value"]
        rounding = instances[row["instance_sha256"]]["constant_rounding"]
        refuted = value is not None and (
            row["termination"] == "infeasible"
            or (bound is not None and value > bound + BOUND_TOLERANCE * max(1.0, abs(value)) + rounding)
        )
        runs = {run for other, run in reached[question, network] if other == value and run not in NO_RUN}
        witness = (min(runs) if runs else by) if refuted else None
        found[row["run"]] = value, witness, (question, dense) in certified
    return found


@pytest.mark.parametrize("seed", range(60))
def test_refutations_are_as_defined_and_the_same_when_read_in_parts(ledger, monkeypatch, tmp_path, seed):
    rng = random.Random(seed)  # noqa: S311 (no secrets here)
    shas = fill(ledger, rng)
    path = tmp_path / "copy" / "ledger.sqlite"  # this process has no connection to it
    path.parent.mkdir()
    path.write_bytes(ledger.path.read_bytes())
    planted = plant(path.parent, shas, rng) if seed % 2 else {}
    proven = proofs_of(shas, rng) if seed % 4 >= 2 else []
    for copy in (proven, copies_of(proven, rng)):
        prove(path.parent, copy)
    query = "SELECT run, witness, witness_value, refuted, certified FROM faults"
    (claims,) = reader.read_tables(path, query)
    claims = claims.astype(object).where(claims.notna(), None)
    found = {
        run: (value, witness if refuted else None, certified == 1)
        for run, witness, value, refuted, certified in claims.itertuples(index=False)
    }
    expected = refuted_by_definition(ledger, planted, proven)
    assert found == expected
    whole = reader.read_runs(path)
    assert whole["fault"].notna().all()
    robust = whole[whole["verdict"] == "robust"]
    assert [evidence == "certificate" for evidence in robust["evidence"]] == [expected[run][2] for run in robust["run"]]
    monkeypatch.setattr(reader, "_LARGE_BYTES", 0)
    monkeypatch.setattr(reader, "cores", lambda: 3)  # and one after the other
    monkeypatch.setattr("vnnbench.leaderboard.records.parallel.cores", lambda: 1)
    pd.testing.assert_frame_equal(reader.read_runs(path), whole)


def test_run_on_an_instance_that_came_while_the_ledger_was_read_is_as_one_that_came_later(ledger, monkeypatch):
    ledger.run("r", ledger.instance("a", depth=4))
    parts = reader._parts

    def while_read(*arguments):
        ledger.run("s", ledger.instance("b", problem="q", depth=2))
        return parts(*arguments)

    monkeypatch.setattr(reader, "_parts", while_read)
    assert reader.read_runs(ledger.path)[["run", "depth"]].to_numpy().tolist() == [["r", 4]]
    monkeypatch.setattr(reader, "_parts", parts)
    assert ledger.runs()[["run", "depth"]].to_numpy().tolist() == [["r", 4], ["s", 2]]
