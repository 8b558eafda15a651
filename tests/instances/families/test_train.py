"""Family `train` as library, check and judge use it: its points, its decoder, its facts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.train_libraries import write_train_library
from support.train_problems import problem, random_problem, slow_objective, split_of, variant
from vnnbench.instances.families import FAMILIES
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.files import sha256
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps
from vnnbench.instances.layout import CATALOG, MANIFEST
from vnnbench.instances.library.catalog import catalog_bytes
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate
from vnnbench.instances.step_networks.train_property import VARIANTS, train_property
from vnnbench.instances.train_models import encode

FORMULATIONS = ["plain", "tight"]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory) -> Library:
    """A library of XOR for integer networks, and of other variants and data."""
    problems = {"xor": problem("int"), **{f"r{seed}": random_problem(seed) for seed in range(30)}}
    return write_train_library(tmp_path_factory.mktemp("trainings") / "library", problems)


def test_the_family_is_registered_under_its_word():
    assert FAMILIES["train"] is TrainProblem and TrainProblem.family == "train"


@pytest.mark.parametrize("name", [found.name for found in VARIANTS])
def test_the_points_of_a_check_have_neurons_that_are_on_at_some_samples_only(name):
    random = np.random.default_rng(2)
    X = random.integers(0, 10, size=(60, 12), endpoint=True).astype(np.float64)
    X = X if name == "int" else np.rint(X / 10 * 1024) / 1024
    prop = train_property(split_of(X, random.integers(2, size=60).tolist()), 8, variant(name))
    asked = TrainProblem(prop)
    points = [x for _, x in asked.points(np.random.default_rng(1))]
    assert len(points) == 10 and points[0].tolist() == asked.centre.tolist()
    for point in points[1:]:
        assert asked.violation(point) == 0
        steps = evaluate(StepNetwork.of_vector(prop, point), prop.training).steps
        assert (steps.any(axis=0) & ~steps.all(axis=0)).sum() >= 3


def test_the_points_of_a_check_are_the_same_every_time():
    asked = TrainProblem(random_problem(3))
    one, other = ([x.tolist() for _, x in asked.points(np.random.default_rng(7))] for _ in range(2))
    assert one == other


@pytest.mark.parametrize("seed", range(20))
def test_the_value_is_minus_the_objective_exactly(seed):
    prop = random_problem(seed)
    asked = TrainProblem(prop)
    own = asked.evaluators({}).own
    for _, point in asked.points(np.random.default_rng(seed)):
        assert own.value(point) == own.replay(point) == -slow_objective(prop, point)


def test_the_centre_errs_once_for_every_sample():
    asked = TrainProblem(problem("111", n_classes=3))
    assert asked.violation(asked.centre) == 0
    assert asked.evaluators({}).own.value(asked.centre) == -4


def test_a_decoder_reads_the_network_and_nothing_else():
    prop = problem("111")
    names = encode(prop, "plain", "m").column_names
    read = TrainProblem(prop).columns_read(names)
    assert read == {name for name in names if name.split("_")[0] in {"w", "b", "q", "bF"}}


@pytest.mark.parametrize("name", ["000", "101", "int"])
def test_the_question_names_the_network_and_what_is_sparse(name):
    found, prop = str(TrainProblem(problem(name, 3)).question()), problem(name, 3)
    assert "network of 3 step neurons" in found and found.endswith("on 4 samples of tiny")
    terms = zip(("weights", "activations", "neurons"), prop.variant.flags, strict=True)
    assert ("integer" in found) == prop.variant.integer
    assert all((term in found.replace("step neurons", "")) == flag for term, flag in terms)


def test_every_candidate_with_a_value_is_confirmed_and_no_bound_excludes_one():
    asked = TrainProblem(problem("000"))
    assert asked.confirms(Fraction(-4)) and not asked.answers(Fraction(0)) and not asked.excludes(-1e9, 0.0)


# -- check -------------------------------------------------------------------------------------------------------------


def test_check_finds_nothing_in_a_library_of_all_variants(trainings):
    assert len({trainings.read_problem(row).property.variant for row in trainings.rows}) == 9
    findings = list(check_files(trainings))
    for row in trainings.rows:
        findings += [*check_row(trainings, row), *check_lifting(trainings, row)]
    assert findings == []


def altered(library: Library, folder: Path, name: str, model: MilpModel) -> Library:
    """Write a library of one instance of another, with this model."""
    row = library.row(name)
    text, prop = mps_text(model), library.property_path(row).read_bytes()
    row = replace(row, instance_sha256=instance_sha256(text, {}, prop))
    files = {row.model: compress(text), row.property: prop, CATALOG: catalog_bytes([row])}
    for relative, content in files.items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_bytes(content)
    hashes = {relative: sha256(content) for relative, content in files.items()}
    (folder / MANIFEST).write_bytes(manifest_bytes("tiny", None, [], hashes))
    return Library.open(folder)


def findings_of(library: Library, folder: Path, name: str, model: MilpModel) -> list[str]:
    """Return what `check` finds by lifting into a model that takes the place of the library's."""
    changed = altered(library, folder, name, model)
    return [finding.what for finding in check_lifting(changed, changed.row(name))]


@pytest.mark.parametrize("name", [f"xor--{formulation}" for formulation in FORMULATIONS])
@pytest.mark.parametrize("letter", ["pre", "out", "pu", "pl", "qu", "ql", "kill", "off", "on", "offF", "onF"])
def test_one_kind_of_rows_the_wrong_way_round_is_found_by_lifting(trainings, tmp_path, name, letter):
    """Inequalities are reversed; equalities get another right-hand side."""
    model = read_mps(trainings.model_path(trainings.row(name)))
    senses, rhs = list(model.senses), model.rhs.copy()
    for r in (r for r, found in enumerate(model.row_names) if found.startswith(f"{letter}_")):
        rhs[r] += senses[r] == "E"
        senses[r] = {"L": "G", "G": "L", "E": "E"}[senses[r]]
    found = findings_of(trainings, tmp_path, name, replace(model, senses="".join(senses), rhs=rhs))
    assert any(f"lifted violates {letter}_" in what for what in found)


@pytest.mark.parametrize(
    "name", [f"{prefix}--{formulation}" for prefix in ("xor", "r1") for formulation in FORMULATIONS]
)
def test_another_objective_is_found_by_lifting(trainings, tmp_path, name):
    model = read_mps(trainings.model_path(trainings.row(name)))
    objective = model.objective + np.array([found.startswith("E_") for found in model.column_names]) / 1024
    found = findings_of(trainings, tmp_path, name, replace(model, objective=objective))
    assert any("lifted: objective and network differ by" in what for what in found)


def test_a_column_of_another_problem_is_one_line(trainings, tmp_path):
    model = read_mps(trainings.model_path(trainings.row("xor--plain")))
    names = tuple("st_77_0" if name == "st_3_0" else name for name in model.column_names)
    (found,) = findings_of(trainings, tmp_path, "xor--plain", replace(model, column_names=names))
    assert found == "xor--plain: a column st is not about this problem"


def test_a_file_that_holds_a_worse_network_in_place_of_a_point_is_found(trainings, monkeypatch):
    """The lifter of a file without a second output takes the worse output instead."""
    monkeypatch.setattr("vnnbench.instances.train_models.lifting.complemented", lambda network, kept: _wrong(network))
    found = [finding.what for finding in check_lifting(trainings, trainings.row("xor--tight"))]
    assert any("the file holds a worse candidate in place of it" in what for what in found)


def _wrong(network: StepNetwork) -> StepNetwork:
    return replace(network, Q=np.zeros_like(network.Q), c=np.array([1.0, 1.0]))
