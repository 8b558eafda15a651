"""The contradiction gate: the file of a refuted claim decides whose fault it is."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import asdict, replace

import numpy as np
import pytest

from support.scripts import Steps
from support.silent import Silent
from support.tiny_libraries import BEST, GOOD, write_tiny_library
from vnnbench.instances.files import sha256
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps
from vnnbench.instances.library.catalog import catalog_bytes
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.witness_lifting import lift_witnesses
from vnnbench.ledger.writer import LEDGER_NAME, Ledger, instance_row

CLAIM = [["bound", 0.1], ["wait_stop", 5]]
"""A claim about `adv`, whose value is 1/8 at `good`: no value is above -0.1."""


def liftings(results):
    """Return (witness, its value, violation of the file, the file's value) in the order in which they came."""
    connection = sqlite3.connect(results / LEDGER_NAME)
    rows = connection.execute("SELECT witness, witness_value, file_violation, file_value FROM liftings ORDER BY rowid")
    found = rows.fetchall()
    connection.close()
    return found


def rewritten(library, folder, instance, change):
    """Write a copy of the library in which one instance's model is another; everything else about it is in order."""
    shutil.copytree(library.folder, folder)
    row = library.row(instance)
    text = mps_text(change(read_mps(library.model_path(row))))
    prop = library.property_path(row).read_bytes()
    new = replace(row, instance_sha256=instance_sha256(text, library.read_data(row), prop))
    rows = [new if row.instance == instance else row for row in library.rows]
    files = {row.model: compress(text), "catalog.csv": catalog_bytes(rows)}
    for relative, data in files.items():
        (folder / relative).write_bytes(data)
    hashes = {**library.hashes, **{relative: sha256(data) for relative, data in files.items()}}
    (folder / "library.json").write_bytes(manifest_bytes("tiny", None, [0], hashes))
    return Library.open(folder)


def with_radius(radius):
    """Return a change that ends the ball's row, of which `good` takes 0.875, at this radius."""

    def change(model):
        ball = np.array([name == "ball" for name in model.row_names])
        return replace(model, rhs=np.where(ball, radius, model.rhs))

    return change


def lower_by_one(model):
    """Lower the value of every point by 1."""
    return replace(model, offset=model.offset + 1)


def unknown_column(model):
    """Give the binaries unknown names."""
    return replace(model, column_names=tuple(name.replace("d_", "u_") for name in model.column_names))


@pytest.fixture
def claimed_and_refuted(library, tmp_path, play_in):
    """Change the file of adv--tight, claim from it that no counterexample exists, and find one with the surrogate;
    return what the ledger says of the claim, the witness, and the play."""

    def run(change, claim=CLAIM):
        changed = rewritten(library, tmp_path / "changed", "adv--tight", change)
        play = play_in(changed)
        name = play("adv--tight", claim)["run"]
        s = Steps(changed, changed.row("adv-mag-u10--tight"))
        witness = play("adv-mag-u10--tight", [s.incumbent(GOOD), ["wait_stop", 5]], "find")
        return play.row(name), witness["run"], play

    return run


def test_file_that_contains_the_witness_makes_it_the_solvers_fault(claimed_and_refuted):
    claim, witness, play = claimed_and_refuted(lambda model: model)
    assert (claim["fault"], claim["verdict"]) == ("solver", "unknown")
    assert claim["fault_reason"] == f"{claim['run']} claims the bound -0.1, refuted by 0.125 from {witness}"
    assert liftings(play.results) == [(witness, 0.125, 0.0, 0.125)]


def test_file_that_excludes_the_witness_makes_it_the_formulations_fault(claimed_and_refuted):
    claim, witness, play = claimed_and_refuted(with_radius(0.5))
    assert (claim["fault"], claim["verdict"]) == ("formulation", "unknown")
    assert claim["fault_reason"] == (
        f"the file excludes the point of {witness} with the value 0.125, violated by 0.375; "
        f"{claim['run']} claims the bound -0.1"
    )
    assert liftings(play.results) == [(witness, 0.125, 0.375, 0.125)]
    assert play.row(witness)["fault"] == "none"


def test_false_infeasible_from_a_file_that_excludes_the_witness_is_the_formulations_fault(claimed_and_refuted):
    """A file whose ball is empty excludes the centre too, which needs no other run; the best witness decides."""
    claim, witness, _ = claimed_and_refuted(with_radius(-1.0), [["result", "infeasible"]])
    assert claim["fault"] == "formulation"
    assert claim["fault_reason"].endswith(f"violated by 1.875; {claim['run']} claims infeasible")
    assert witness in claim["fault_reason"]


def test_file_that_undervalues_the_witness_makes_it_the_formulations_fault(claimed_and_refuted):
    """In the file `good` has the value 1/8 - 1, which the bound allows."""
    claim, witness, _ = claimed_and_refuted(lower_by_one)
    assert claim["fault"] == "formulation"
    assert claim["fault_reason"] == (
        f"the file gives the point of {witness} the value -0.875, but its network gives 0.125; "
        f"{claim['run']} claims the bound -0.1"
    )


def test_file_that_undervalues_the_witness_does_not_excuse_a_bound_below_its_own_value(claimed_and_refuted):
    claim, _, _ = claimed_and_refuted(lower_by_one, [["bound", 0.9], ["wait_stop", 5]])
    assert claim["fault"] == "solver"


@pytest.mark.parametrize(("radius", "fault"), [(0.875 - 1e-7, "solver"), (0.875 - 2e-5, "formulation")])
def test_rounding_of_the_file_does_not_excuse_a_claim(claimed_and_refuted, radius, fault):
    claim, _, _ = claimed_and_refuted(with_radius(radius))
    assert claim["fault"] == fault


def test_file_that_cannot_be_lifted_leaves_the_witness_to_decide(claimed_and_refuted):
    claim, witness, play = claimed_and_refuted(unknown_column)
    assert claim["fault"] == "solver"
    assert liftings(play.results) == [(witness, 0.125, None, None)]


def test_centre_is_a_witness_of_which_no_run_is_needed(play):
    row = play("rob--tight", [["result", "infeasible"]])
    assert row["fault"] == "solver"
    assert row["fault_reason"] == f"{row['run']} claims infeasible, refuted by -1.75 from the centre of the set"
    assert liftings(play.results) == [("the centre of the set", -1.75, 0.0, -1.75)]


def test_value_of_the_surrogate_decides_about_claims_on_the_surrogate(play, steps):
    """The value of `best` is 3/4 there and 1/4 on the dense network: above the one bound, below the other."""
    s = steps("adv-mag-u10--tight")
    claim = play("adv-mag-u10--tight", [["bound", -0.5]], "optimize")["run"]
    honest = play("adv--tight", [["bound", -0.5]], "optimize")["run"]
    witness = play("adv-mag-u10--tight", [s.incumbent(BEST)], "optimize")["run"]
    assert play.row(claim)["fault_reason"] == f"{claim} claims the bound 0.5, refuted by 0.75 from {witness}"
    assert play.row(honest)["fault"] == "none"
    assert liftings(play.results) == [(witness, 0.75, 0.0, 0.75)]


def test_witness_is_the_repaired_point_of_the_best_candidate(play, steps):
    s = steps("adv--tight")
    script = [s.incumbent([0.6, 0.25, 0.5, 0.5]), s.incumbent([1 + 1e-7, 0.75, 0.5, 0.5])]
    witness = play("adv--tight", script, "optimize")["run"]
    play("adv--tight", CLAIM)
    assert liftings(play.results) == [(witness, 0.25, 0.0, 0.25)]


def test_nothing_is_lifted_twice_nor_without_need(play, steps):
    s = steps("adv--tight")
    play("adv--tight", [s.incumbent(GOOD)])
    assert liftings(play.results) == []
    for seconds in (1, 2, 3):
        play("adv--tight", [["bound", 0.1], ["wait_stop", seconds]])
    assert len(liftings(play.results)) == 1


def test_witness_without_its_candidates_waits_and_no_run_fails(play, steps):
    """This is as after a kill between a run's commit and its lifting: the next command finds what is left to do."""
    s = steps("adv--tight")
    witness = play("adv--tight", [s.incumbent(GOOD)])["run"]
    path = play.results / "candidates" / f"{witness}.npz"
    path.rename(path.with_suffix(".away"))
    claim = play("adv--tight", CLAIM)
    assert (claim["fault"], liftings(play.results)) == ("solver", [])
    path.with_suffix(".away").rename(path)
    play("rob--tight", [])
    assert liftings(play.results) == [(witness, 0.125, 0.0, 0.125)]


def test_liftings_of_claims_on_another_librarys_instance_wait(play, steps, tmp_path):
    s = steps("adv--tight")
    witness = play("adv--tight", [s.incumbent(GOOD)])["run"]
    path = play.results / "candidates" / f"{witness}.npz"
    path.rename(path.with_suffix(".away"))
    play("adv--tight", CLAIM)
    path.with_suffix(".away").rename(path)
    with Ledger(play.results) as ledger:
        lift_witnesses(ledger, LibrarySet((write_tiny_library(tmp_path / "other", {"rob": 2.0}),)), play.results)
        assert liftings(play.results) == []
        lift_witnesses(ledger, LibrarySet((play.library,)), play.results)
    assert len(liftings(play.results)) == 1


def test_confirm_lifts_the_missing_witness_and_reports_what_changes(claimed_and_refuted):
    """The lifting is deleted, as if the witness had come from elsewhere."""
    claim, _, play = claimed_and_refuted(with_radius(0.5))
    connection = sqlite3.connect(play.results / LEDGER_NAME)
    connection.executescript("DROP TRIGGER liftings_no_delete; DELETE FROM liftings;")
    connection.close()
    assert play.row(claim["run"])["fault"] == "solver"
    (difference,) = confirm(play.results, LibrarySet((play.library,)), Silent())
    assert asdict(difference) == {
        "run": claim["run"], "instance": "adv--tight", "field": "fault", "stored": "solver", "found": "formulation",
    }  # fmt: skip
    assert confirm(play.results, LibrarySet((play.library,)), Silent()) == []


def test_confirm_reports_a_lifting_that_the_file_does_not_give(claimed_and_refuted):
    """The lifting decides whose fault the claim is."""
    claim, witness, play = claimed_and_refuted(lambda model: model)
    connection = sqlite3.connect(play.results / LEDGER_NAME)
    connection.executescript("DROP TRIGGER liftings_no_update; UPDATE liftings SET file_violation = 0.5;")
    connection.close()
    assert play.row(claim["run"])["fault"] == "formulation"
    (difference,) = confirm(play.results, LibrarySet((play.library,)), Silent())
    assert asdict(difference) == {
        "run": witness, "instance": "adv--tight", "field": "file_violation", "stored": 0.5, "found": 0.0,
    }  # fmt: skip


def test_only_the_runs_of_the_same_problem_are_read(play, library):
    """SQLite's machine takes as many steps after a commit, however many runs of another problem there are."""
    play("adv--tight", [])
    (done,) = play.finished
    play("rob--tight", [["result", "infeasible"]])

    known = instance_row(library, library.row("adv--tight"))
    other = replace(known, instance="other", instance_sha256="f" * 64, problem="other")

    def steps_of_query(ledger):
        count = [0]
        ledger._connection.set_progress_handler(lambda: count.__setitem__(0, count[0] + 1), 1)
        assert ledger.refuted_claims(library.row("rob--tight").instance_sha256) == []
        ledger._connection.set_progress_handler(None, 1)
        return count[0]

    with Ledger(play.results) as ledger:
        ledger.add_instances([other])  # the same set about another network
        few = steps_of_query(ledger)
        for i in range(500):
            result = replace(done.result, run=f"{i:016x}", instance_sha256=other.instance_sha256)
            ledger.append(result, replace(done.judgement, run=result.run))
        assert steps_of_query(ledger) == few
