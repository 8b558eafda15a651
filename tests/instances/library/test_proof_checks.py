"""What a proof shows of a problem of each family, and what the check of a library finds about its answers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.proofs import BALL, BOX, HALF_BALL, excluded_proof, upper_proof, witness_proof
from support.tiny_libraries import (
    BEST,
    CENTRE,
    EVEN,
    GOOD,
    Question,
    tiny_network,
    write_distances,
    write_library,
    write_tiny_library,
)
from support.train_libraries import write_train_library
from support.train_problems import problem
from vnnbench.instances.errors import LibraryError, ProofError
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import ANSWERS, PROOFS_MANIFEST, proof_file
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.catalog import catalog_bytes
from vnnbench.instances.library.library import Library, manifest_bytes
from vnnbench.instances.library.proof_checks import ProvableProblem, check_answer, open_answers
from vnnbench.instances.library.proven_answers import (
    AnswerTable,
    ProvenAnswer,
    answers_bytes,
    proofs_manifest_bytes,
)
from vnnbench.instances.properties.input_set import box_set
from vnnbench.instances.properties.property import MaximizeProperty


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_library(tmp_path_factory.mktemp("tiny") / "library")


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """The problem `top`: how large does h_0 + h_1 get over the unit box? 2.5, at (1, 1, 1, 0)."""
    prop = MaximizeProperty(box_set(np.zeros(4), np.ones(4)), 1, None, None)
    question = Question(prop, tiny_network(1.0), tiny_network(1.0, pruned=True))
    return write_library(tmp_path_factory.mktemp("values") / "library", {"top": question})


@pytest.fixture(scope="module")
def distances(tmp_path_factory):
    return write_distances(tmp_path_factory.mktemp("distances") / "library")


def shown(library, proof):
    """Return the answer of an accepted proof and the ends of its interval."""
    found = ProvableProblem.of(library, proof.problem).check(proof)
    return found.answer, found.lower, found.upper


# -- what a proof shows ------------------------------------------------------------------------------------------------


def test_a_witness_with_a_value_above_the_threshold_is_a_counterexample(tiny):
    assert shown(tiny, witness_proof(tiny, "adv", GOOD)) == (ProvenAnswer.ADVERSARIAL, 0.125, None)
    assert shown(tiny, witness_proof(tiny, "adv", EVEN)) == (ProvenAnswer.OPEN, 0.0, None)  # the property is strict
    assert shown(tiny, witness_proof(tiny, "adv", CENTRE)) == (ProvenAnswer.OPEN, -0.75, None)


def test_a_witness_that_reaches_the_threshold_answers_a_property_that_is_not_strict(tmp_path):
    library = write_tiny_library(tmp_path / "library", strict=False)
    assert shown(library, witness_proof(library, "adv", EVEN)) == (ProvenAnswer.ADVERSARIAL, 0.0, None)


def test_the_value_at_a_witness_is_exact_and_the_ends_are_rounded_outwards(tiny):
    x = [0.5 + 2.0**-53, 0.25, 0.5, 0.5]  # the value is -0.75 + 2**-53
    found = ProvableProblem.of(tiny, "adv").check(witness_proof(tiny, "adv", x))
    assert found.value == Fraction(-3, 4) + Fraction(1, 2**53)
    x = [0.25, 0.25 + 2.0**-54, 0.5 + 2.0**-53, 0.5]  # h_0 = 2**-54, h_1 = 2**-53: -1 + 3 * 2**-54, between two floats
    found = ProvableProblem.of(tiny, "adv").check(witness_proof(tiny, "adv", x))
    assert found.value == -1 + Fraction(3, 2**54)
    assert found.lower == -1 + 2.0**-53 < found.value
    assert (found.leaves, found.bounds) == (0, 0)


def test_a_tree_shows_robustness_or_a_bound(tiny):
    assert shown(tiny, excluded_proof(tiny, "rob")) == (ProvenAnswer.ROBUST, None, 0.0)
    assert shown(tiny, upper_proof(tiny, "rob", -0.125)) == (ProvenAnswer.ROBUST, None, -0.125)
    assert shown(tiny, upper_proof(tiny, "rob", 0.0)) == (ProvenAnswer.ROBUST, None, 0.0)  # the property is strict
    assert shown(tiny, upper_proof(tiny, "adv", 0.875)) == (ProvenAnswer.OPEN, None, 0.875)
    assert ProvableProblem.of(tiny, "rob").check(excluded_proof(tiny, "rob")).leaves == 1


def test_the_largest_value_is_known_where_witness_and_tree_meet(values):
    both = replace(upper_proof(values, "top", 2.5, BOX), witness=np.array([1.0, 1.0, 1.0, 0.0]))
    assert shown(values, both) == (ProvenAnswer.VALUE, 2.5, 2.5)
    assert shown(values, replace(both, upper=2.5 + 2e-6)) == (ProvenAnswer.VALUE, 2.5, 2.5 + 2e-6)
    assert shown(values, replace(both, upper=2.5 + 3e-6)) == (ProvenAnswer.OPEN, 2.5, 2.5 + 3e-6)
    assert shown(values, replace(both, witness=np.zeros(0))) == (ProvenAnswer.OPEN, None, 2.5)


def test_the_smallest_change_is_bounded_by_a_ball_without_solutions(distances):
    half = replace(excluded_proof(distances, "near", HALF_BALL), radius=0.5)
    assert shown(distances, half) == (ProvenAnswer.OPEN, None, -0.5)
    assert shown(distances, replace(half, witness=np.array(BEST))) == (ProvenAnswer.OPEN, -1.0, -0.5)
    assert shown(distances, witness_proof(distances, "near", BEST)) == (ProvenAnswer.OPEN, -1.0, 0.0)
    within = replace(excluded_proof(distances, "far", HALF_BALL), radius=0.5)
    assert shown(distances, within) == (ProvenAnswer.ROBUST, None, -0.5)  # the ball is the whole set


def test_a_proof_is_about_the_files_of_the_library(tiny):
    good = witness_proof(tiny, "adv", GOOD)
    for changes, message in (
        ({"network_sha256": "0" * 64}, r"is about another file than networks/adv\.onnx"),
        ({"property_sha256": ""}, r"is about another file than properties/adv\.json"),
        ({"problem": "rob"}, "is about problem 'rob', not adv"),
        ({"witness": np.ones(4)}, "the witness is not in the set"),
        ({"witness": np.ones(3)}, "the witness is not in the set"),
        ({"witness": np.zeros(0)}, "neither a witness nor a tree"),
    ):
        with pytest.raises(ProofError, match=message):
            ProvableProblem.of(tiny, "adv").check(replace(good, **changes))


def test_problems_without_proofs_are_refused(tiny, tmp_path):
    with pytest.raises(LibraryError, match="has no problem 'ad'; did you mean adv"):
        ProvableProblem.of(tiny, "ad")
    library = write_train_library(tmp_path / "train", {"xor": problem("101")})
    with pytest.raises(LibraryError, match="problem xor is of family train, which has no proofs"):
        ProvableProblem.of(library, "xor")


def rewritten(library, folder, rows):
    """Return a copy of a library with other rows in its catalogue, and a manifest of all its files."""
    files = {path: library.read_verified(path) for path in library.hashes} | {"catalog.csv": catalog_bytes(rows)}
    for relative, data in files.items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_bytes(data)
    hashes = {path: sha256(data) for path, data in files.items()}
    (folder / "library.json").write_bytes(manifest_bytes("tiny", None, [0], hashes))
    return Library.open(folder)


def test_a_problem_of_two_networks_is_refused(tiny, tmp_path):
    rows = [replace(row, dense_network="rob") if row.network == "adv" else row for row in tiny.rows]
    library = rewritten(tiny, tmp_path, rows)
    with pytest.raises(LibraryError, match=r"catalog\.csv: problem adv is about several networks or properties"):
        ProvableProblem.of(library, "adv")


# -- the check of a library --------------------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path):
    """A library with proven answers to `adv` and `rob`."""
    library = write_tiny_library(tmp_path / "library")
    with adding_answers(library) as answers:
        answers.add(witness_proof(library, "adv", GOOD), 1.0)
        answers.add(excluded_proof(library, "rob"), 1.0)
    return library


def findings(library):
    table, found = open_answers(library.folder)
    return found + [finding for proven in table.problems.values() for finding in check_answer(library, table, proven)]


def state(library, files):
    """Write files of the answers and a manifest that agrees with them, as a hostile author would."""
    table = AnswerTable.open(library.folder)
    for relative, data in files.items():
        (library.folder / relative).write_bytes(data)
    hashes = table.hashes | {relative: sha256(data) for relative, data in files.items()}
    (library.folder / PROOFS_MANIFEST).write_bytes(proofs_manifest_bytes(hashes))


def test_whole_answers_have_no_findings(library):
    assert findings(library) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"answer": ProvenAnswer.ROBUST, "upper": 0.0}, "adv: answer is robust, but adversarial by proofs/adv.npz"),
        ({"lower": 0.25}, "adv: lower is 0.25, but 0.125 by proofs/adv.npz"),
        ({"lower": 0.0625}, "adv: lower is 0.0625, but 0.125 by proofs/adv.npz"),
        ({"upper": 1.0}, "adv: upper is 1.0, but None by proofs/adv.npz"),
        ({"leaves": 7}, "adv: leaves is 7, but 0 by proofs/adv.npz"),
    ],
)
def test_a_table_that_says_more_or_less_than_the_proofs_is_found(library, changes, what):
    problems = AnswerTable.open(library.folder).problems
    state(library, {ANSWERS: answers_bytes([replace(problems["adv"], **changes), problems["rob"]])})
    assert [(finding.where, finding.what) for finding in findings(library)] == [(ANSWERS, what)]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (lambda proof: b"", "not a readable .npz"),
        (lambda proof: replace(proof, network_sha256="0" * 64).to_bytes(), "is about another file than networks/adv"),
        (lambda proof: replace(proof, problem="rob").to_bytes(), "the proof is about problem 'rob', not adv"),
        (lambda proof: replace(proof, witness=np.ones(4)).to_bytes(), "the witness is not in the set"),
    ],
)
def test_a_bad_proof_is_one_finding(library, data, what):
    state(library, {proof_file("adv"): data(witness_proof(library, "adv", GOOD))})
    (finding,) = findings(library)
    assert finding.where == "proofs/adv.npz"
    assert finding.what.startswith(what) or what in finding.what
    assert "library/" not in finding.what


def test_a_proof_that_is_missing_or_altered_is_one_finding(library):
    (library.folder / proof_file("adv")).write_bytes(b"altered")
    (library.folder / proof_file("rob")).unlink()
    altered, missing = findings(library)
    assert altered.what.startswith("is not the file that proofs/manifest.json knows (sha256)")
    assert missing.what.startswith("cannot be read (No such file or directory)")


def test_a_broken_table_and_files_beside_the_proofs_are_found(library):
    (library.folder / "proofs" / "stray.npz").write_bytes(b"")
    (library.folder / "proofs" / "other").mkdir()
    (finding,) = findings(library)
    assert (finding.where, finding.what) == (
        "proofs/other",
        "is not listed in proofs/manifest.json (nor are 1 more); remove it",
    )
    (library.folder / PROOFS_MANIFEST).write_bytes(b"[]")
    (finding,) = findings(library)
    assert "is not a manifest of format 1" in finding.what


def test_what_a_killed_addition_leaves_is_not_found(library):
    for name in ("answers.csv.next", "new.npz.next", ".new.npz.next.123.tmp", ".manifest.json.123.tmp"):
        (library.folder / "proofs" / name).write_bytes(b"")
    assert findings(library) == []
    with adding_answers(library):
        pass
    assert {path.name for path in (library.folder / "proofs").iterdir()} == {"adv.npz", "rob.npz", "manifest.json"}


def test_an_answer_to_a_problem_that_the_library_lacks_is_found(library):
    problems = AnswerTable.open(library.folder).problems
    other = replace(problems["rob"], problem="other", proof=proof_file("other"))
    proof = replace(excluded_proof(library, "rob", BALL), problem="other").to_bytes()
    state(library, {proof_file("other"): proof, ANSWERS: answers_bytes([*problems.values(), other])})
    (finding,) = findings(library)
    assert finding.what.endswith("has no problem 'other'; `vnnbench show LIBRARY --list` prints all instances")
