"""A family without networks is one class and one entry in `FAMILIES`: library, check, judge and run follow.

The family `fit` asks how near a point w of the box [-1, 1]^2 comes to the point a of a data file:

    value(w) = -(|w_0 - a_0| + |w_1 - a_1|)

a = (0.25, -0.5), so the value is 0 at a, -0.75 at the centre 0, and the model minimizes r_0 + r_1 >= both sides.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from support.scripts import LIMITS
from support.tiny_libraries import write_tiny_library
from vnnbench.errors import UsageError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import LibraryError, PropertyError
from vnnbench.instances.families import FAMILIES, problem_of, read_problem
from vnnbench.instances.families.base import (
    CandidateLifter,
    Decoder,
    DeployedValue,
    Evaluator,
    Evaluators,
    InstanceNames,
    Problem,
)
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.lifting import LiftedPoint
from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.numerics import numerics
from vnnbench.instances.layout import CATALOG, MANIFEST, model_file, property_file
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.library.summary import grid_summary
from vnnbench.instances.properties.property_file import read_property
from vnnbench.isolation.machine import machine_facts
from vnnbench.judging.external_solutions import read_candidates
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.words import EndedBy, Evidence
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.output.libraries import show_instance, show_library
from vnnbench.runs.execution import execute
from vnnbench.runs.instance_cache import InstanceCache
from vnnbench.runs.model_copy import ModelCopy
from vnnbench.runs.plan import SolverSetting, parse_setting, plan_runs

INSTANCE = "near--plain"
POINT = [0.25, -0.5]


class FitProblem(Problem):
    """The family of the module's docstring."""

    family = "fit"
    candidate_text = "a point"
    confirmed_text = "a distance that is reached"
    threshold = None
    strict = True

    def __init__(self, data_sha256: str) -> None:
        self.data_sha256 = data_sha256

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        return cls(document["data_sha256"])

    @classmethod
    def data_files(cls, names: InstanceNames) -> dict[str, str]:
        return {"data": f"data/{names.problem}.json"}

    def evaluators(self, data: Mapping[str, bytes]) -> Evaluators:
        if sha256(data["data"]) != self.data_sha256:
            raise PropertyError("the property is about other data")
        evaluator = FitEvaluator(json.loads(data["data"]))
        return Evaluators(evaluator, evaluator)

    def lifter(self, model: MilpModel) -> CandidateLifter:
        return FitLifter(model)

    @property
    def centre(self) -> Float64Array:
        return np.zeros(2)

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        places = [list(column_names).index(name) for name in ("w_0", "w_1")]
        return lambda columns: columns[places]

    def columns_read(self, column_names: Sequence[str]) -> frozenset[str]:
        return frozenset({"w_0", "w_1"})

    def violation(self, candidate: Float64Array) -> Fraction:
        return max(Fraction(0), *(abs(Fraction(w)) - 1 for w in candidate.tolist()))

    def repair(self, candidate: Float64Array) -> Float64Array:
        return candidate if self.violation(candidate) == 0 else np.clip(candidate, -1, 1)


class FitEvaluator(Evaluator):
    def __init__(self, point: list[float]) -> None:
        self.point = point

    def value(self, candidate: Float64Array) -> Fraction:
        return -sum(
            (abs(Fraction(w) - Fraction(a)) for w, a in zip(candidate.tolist(), self.point, strict=True)), Fraction()
        )

    def replay(self, candidate: Float64Array) -> Fraction:
        return self.value(candidate)

    def measures(self, candidate: Float64Array) -> dict[str, float]:
        return {"nonzero": float(np.count_nonzero(candidate)), "largest": float(np.abs(candidate).max())}

    def deployed(self, candidate: Float64Array) -> DeployedValue:
        return DeployedValue(float(self.value(candidate.astype(np.float32).astype(np.float64))), None)


@dataclass(frozen=True)
class FitLifter:
    """The distances r follow from w: they are the least ones that the rows allow."""

    model: MilpModel

    def lift(self, x: Float64Array) -> LiftedPoint:
        rhs = dict(zip(self.model.row_names, self.model.rhs.tolist(), strict=True))
        distances = [abs(Fraction(w) - Fraction(rhs[f"below_{i}"])) for i, w in enumerate(x.tolist())]
        return LiftedPoint((), Fraction(0), sum(distances, Fraction()))


def fit_model(point: Sequence[float]) -> MilpModel:
    builder = MilpBuilder(INSTANCE)
    for i, a in enumerate(point):
        w, r = builder.add_column(f"w_{i}", -1.0, 1.0), builder.add_column(f"r_{i}", 0.0, 4.0)
        builder.set_objective(r, 1.0)
        builder.add_row(f"above_{i}", "G", -a, [r, w], [1.0, -1.0])
        builder.add_row(f"below_{i}", "G", a, [r, w], [1.0, 1.0])
    return builder.build()


def columns_at(w: Sequence[float]) -> list[float]:
    """Return w_0, r_0, w_1, r_1 as an honest solver reports them."""
    return [number for x, a in zip(w, POINT, strict=True) for number in (x, abs(x - a))]


def write_library(folder: Path, point: Sequence[float] = POINT) -> Library:
    """Write a library of one instance of the family, whose model is about `point` and whose data are POINT."""
    data = json.dumps(POINT).encode()
    prop = json.dumps({"family": "fit", "data_sha256": sha256(data)}).encode()
    model = fit_model(point)
    files = {property_file("near"): prop, "data/near.json": data, model_file(INSTANCE): compress(mps_text(model))}
    row = CatalogRow(
        instance=INSTANCE, instance_sha256=instance_sha256(mps_text(model), {"data": data}, prop), problem="near",
        suite="tiny", input_side=None, depth=None, width=None, seed=None, network=None, dense_network=None,
        pruning="none", structure="none", rate=None, finetuned=0, formulation="plain", bounds="none", accuracy=None,
        dense_accuracy=None, **model.counts(), stable_active=None, stable_inactive=None, unstable=None,
        constant_rounding=0.0, model=model_file(INSTANCE), property=property_file("near"), centre_value=-0.75,
        **FitProblem("").facts(),
    )  # fmt: skip
    row = replace(row, **asdict(numerics(model)))
    files[CATALOG] = catalog_bytes([row])
    for relative, content in files.items():
        write_atomic(folder / relative, content)
    hashes = {relative: sha256(content) for relative, content in files.items()}
    write_atomic(folder / MANIFEST, manifest_bytes("tiny", None, [], hashes))
    return Library.open(folder)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the family, which takes nothing else beside its class."""
    monkeypatch.setitem(FAMILIES, FitProblem.family, FitProblem)
    yield


@pytest.fixture
def fits(tmp_path: Path) -> Library:
    return write_library(tmp_path / "library")


# -- library -----------------------------------------------------------------------------------------------------


def test_a_library_without_networks_is_read_checked_and_shown(fits, capsys):
    row = fits.row(INSTANCE)
    assert (row.network, row.dense_network, row.unstable) == (None, None, None)
    assert isinstance(read_problem(fits.property_path(row)), FitProblem)
    fits.verify_row(row)
    assert [*check_files(fits), *check_row(fits, row), *check_lifting(fits, row)] == []
    assert [(line.architecture, line.unstable_share) for line in grid_summary(fits)] == [("near", None)]
    assert show_library(fits.folder, "table") == show_instance(fits.folder, INSTANCE, "json") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 instance of suite tiny, 1 problem" in shown and '"network": null' in shown


def test_a_ledger_row_without_networks_has_none(fits):
    row = fits.row(INSTANCE)
    assert fits.contents(row) == {
        "property_sha256": fits.hashes[row.property],
        "network_sha256": None,
        "dense_sha256": None,
    }
    with pytest.raises(LibraryError, match="near--plain, of family fit, has no dense network"):
        fits.dense_network_path(row)


def test_data_of_an_instance_are_part_of_the_identity(fits):
    row = fits.row(INSTANCE)
    (fits.folder / "data/near.json").write_text("[0.25, 0.5]")
    with pytest.raises(LibraryError, match=r"data/near\.json: is not the file"):
        fits.verify_row(row)
    hashes = {**fits.hashes, "data/near.json": sha256(b"[0.25, 0.5]")}
    (fits.folder / MANIFEST).write_bytes(manifest_bytes("tiny", None, [], hashes))
    with pytest.raises(LibraryError, match="instance_sha256 of near--plain is not that of its files"):
        Library.open(fits.folder).verify_row(row)


def test_a_library_without_its_data_is_refused(fits):
    hashes = {relative: digest for relative, digest in fits.hashes.items() if not relative.startswith("data/")}
    (fits.folder / MANIFEST).write_bytes(manifest_bytes("tiny", None, [], hashes))
    with pytest.raises(LibraryError, match=r"lacks 'data/near\.json', a file of instance near--plain"):
        Library.open(fits.folder)


def test_a_model_about_other_data_is_found_by_lifting(tmp_path):
    library = write_library(tmp_path / "library", [0.25, 0.5])
    findings = list(check_lifting(library, library.row(INSTANCE)))
    assert any("objective and network differ" in finding.what for finding in findings)


def test_a_family_over_an_input_set_still_needs_its_networks(library, tmp_path):
    row = library.rows[0]
    catalog = catalog_bytes([replace(row, dense_network=None)])
    (tmp_path / CATALOG).write_bytes(catalog)
    hashes = {**library.hashes, CATALOG: sha256(catalog)}
    (tmp_path / MANIFEST).write_bytes(manifest_bytes("tiny", None, [0], hashes))
    with pytest.raises(LibraryError, match=r"catalog\.csv, line 2: dense_network is empty"):
        Library.open(tmp_path)


def test_a_family_that_is_not_registered_is_one_line(fits, monkeypatch):
    monkeypatch.delitem(FAMILIES, "fit")
    with pytest.raises(LibraryError, match="line 2: family is 'fit', it must be one of verify, maximize, closest"):
        Library.open(fits.folder)
    with pytest.raises(PropertyError, match="family 'fit' is not known; known: verify, maximize, closest"):
        read_problem(fits.folder / property_file("near"))


def test_a_row_of_another_family_than_its_property_is_found_and_not_judged(tmp_path):
    other = write_tiny_library(tmp_path / "other")
    row = replace(other.rows[0], family="closest")
    (finding,) = check_row(other, row)
    assert finding.what == "adv--tight: family is closest, but verify by its files"
    with pytest.raises(LibraryError, match="family of adv--tight is closest, but verify by its files"):
        Judge.of_instance(other, row)


# -- judge and run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "point", "value", "evidence"),
    [
        ([0.25, -0.5], [0.25, -0.5], 0, Evidence.EXACT),
        ([0.5, -0.5], [0.5, -0.5], Fraction(-1, 4), Evidence.EXACT),
        ([1.5, -0.5], [1.0, -0.5], Fraction(-3, 4), Evidence.REPAIRED),
    ],
)
def test_the_judge_evaluates_and_repairs_without_networks(fits, candidate, point, value, evidence):
    judge = Judge.of_instance(fits, fits.row(INSTANCE))
    found = judge.judge(np.array(candidate))
    assert found.point is not None and found.point.tolist() == point
    assert (found.value, found.own_value, found.confirmed, found.evidence) == (value, value, True, evidence)
    assert judge.deploy(found.point).value == float(value)
    assert judge.outputs(found.point) is None


def test_a_solution_is_checked_against_file_and_data(fits):
    judge = Judge.of_instance(fits, fits.row(INSTANCE))
    check = judge.hold_against_file(np.array(columns_at([0.5, -0.5])), list(judge.model.column_names))
    assert (check.file_value, check.row_violation, check.replayed_value) == (-0.25, 0.0, -0.25)


def test_a_vnncomp_counterexample_is_not_a_candidate_without_networks(fits, tmp_path):
    (tmp_path / "found.txt").write_text("sat\n((X_0 0.25)\n(X_1 0.5))\n")
    judge = Judge.of_instance(fits, fits.row(INSTANCE))
    with pytest.raises(PropertyError, match="is a counterexample, an input; it must be a point"):
        read_candidates(tmp_path / "found.txt", judge)


def test_a_run_without_networks_is_judged_by_its_family(fits, tmp_path, prepared):
    script = [
        ["incumbent", 0.75, columns_at([0.0, 0.0])],
        ["result", "optimal", 0.0, columns_at(POINT), 0.0],
    ]
    setting = SolverSetting("scripted", "1.0", (("script", json.dumps(script)),))
    optimize = replace(LIMITS, goal=StopGoal.OPTIMIZE)
    (planned,) = plan_runs([fits.row(INSTANCE)], [setting], [0], optimize)
    cache = InstanceCache(fits, 1)
    finished = execute(planned, cache, tmp_path / "results", machine_facts(), prepared, (), threading.Event())
    result, judgement = finished.result, finished.judgement
    assert (result.ended_by, result.claimed_value, result.dual_bound) == (EndedBy.SOLVER, 0.0, 0.0)
    assert (judgement.confirmed, judgement.best_exact_value, judgement.own_value) == (1, 0.0, 0.0)
    assert (judgement.replayed_value, judgement.file_value, judgement.float32_value) == (0.0, 0.0, 0.0)
    assert judgement.measures == '{"largest": 0.5, "nonzero": 2.0}'  # of the best candidate, (0.25, -0.5)


def test_an_adapter_that_reads_no_model_gets_all_data_of_the_instance(fits, tmp_path):
    reading = SolverSetting("beside", "1.0", reads_model=False, data_parts=("data",), families=("fit",))
    (planned,) = plan_runs(fits.rows, [reading], [0], replace(LIMITS, goal=StopGoal.OPTIMIZE))
    ModelCopy.make(planned, InstanceCache(fits, 1), tmp_path)
    assert (tmp_path / "data.json").read_bytes() == (fits.folder / "data/near.json").read_bytes()
    assert (tmp_path / "property.json").read_bytes() == (fits.folder / property_file("near")).read_bytes()


@pytest.mark.parametrize(
    ("solver", "why"),
    [
        ("pgd", "near--plain has no network, on which pgd works"),
        ("straight-through", "near--plain is of family fit, and straight-through is for train"),
    ],
)
def test_a_reference_is_refused_where_it_does_not_suit(fits, solver, why):
    with pytest.raises(UsageError, match=f"^--solver {solver}: {why}; leave it out with --select$"):
        plan_runs(fits.rows, [parse_setting(solver)], [0], replace(LIMITS, goal=StopGoal.OPTIMIZE))


def test_every_family_is_registered_under_its_own_word(library):
    assert [problem.family for problem in FAMILIES.values()] == list(FAMILIES)
    path = library.property_path(library.rows[0])
    assert type(problem_of(read_property(path))) is type(read_problem(path)) is FAMILIES["verify"]
