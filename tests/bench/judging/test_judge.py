"""The judge against candidates that lie. The comments check by hand what it says of a point."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.tiny_libraries import BEST, CENTRE, EVEN, GOOD, write_tiny_library
from vnnbench.instances.errors import InputError, PropertyError
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.judging.judge import FileCheck, Judge
from vnnbench.leaderboard.words import Evidence

TINY = 2.0**-149
"""The least float32 above zero."""


@pytest.fixture
def judge(library) -> Judge:
    return Judge.of_instance(library, library.row("adv--tight"))


@pytest.fixture
def surrogate_judge(library) -> Judge:
    return Judge.of_instance(library, library.row("adv-mag-u10--tight"))


def scalar_judge(W: float, b: float, *, strict: bool, centre: float = 0.0, radius: float = 1.0) -> Judge:
    """value(x) = W max(x, 0) + b for one input in [0, 1]."""
    weights = ([[1.0]], [[0.0], [W]])
    network = Network(
        tuple(np.array(w, dtype=np.float32) for w in weights),
        tuple(np.array(v, dtype=np.float32) for v in ([0.0], [0.0, b])),
    )
    box = InputSet(Norm.L1, np.array([centre]), radius, np.zeros(1), np.ones(1))
    problem = VerifyProblem(VerifyProperty(box, 0, (1,), strict, None, None))
    data = dict.fromkeys(("network", "dense_network"), onnx_bytes(network))
    return Judge(problem, problem.evaluators(data), lambda: read_mps(Path("no-model")))


# -- inside, outside ---------------------------------------------------------------------------------------------


def test_point_of_the_set_is_judged_as_given(judge):
    found = judge.judge(np.array(BEST))
    assert (found.raw_violation, found.evidence) == (0, Evidence.EXACT)
    assert found.point.tolist() == BEST
    assert (found.value, found.own_value) == (Fraction(1, 4), Fraction(1, 4))
    assert found.confirmed and found.success


def test_own_value_is_the_surrogates(surrogate_judge):
    """h_1 = max(0, x_2) = 0.5 on the surrogate, 0 on the dense network."""
    found = surrogate_judge.judge(np.array(BEST))
    assert (found.value, found.own_value) == (Fraction(1, 4), Fraction(3, 4))


@pytest.mark.parametrize(
    ("by", "success"), [(1e-9, True), (0.99e-5, True), (1.01e-5, False), (1e-4, False), (0.3, False)]
)
def test_point_outside_is_repaired_and_a_success_only_within_the_tolerance(judge, by, success):
    """x_0 is above its box; clipped, the point is back on the sphere, with value 0.25."""
    found = judge.judge(np.array([1.0 + by, 0.75, 0.5, 0.5]))
    assert found.raw_violation == pytest.approx(by)
    assert found.evidence == Evidence.REPAIRED
    assert judge.problem.violation(found.point) == 0
    assert found.confirmed
    assert found.success == success


@pytest.mark.parametrize("scale", [1 + 1e-15, 1 + 1e-9, 1.5, 1e6, 1e300])
def test_point_beyond_the_sphere_is_shrunk_until_it_is_exactly_inside(judge, scale):
    centre = np.array(CENTRE)
    found = judge.judge(centre + scale * (np.array([0.75, 0.5, 0.6, 0.3]) - centre))
    assert found.point is not None
    assert judge.problem.violation(found.point) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_candidate_that_is_not_finite_is_rejected(judge, bad):
    found = judge.judge(np.array([0.5, bad, 0.5, 0.5]))
    assert (found.raw_violation, found.point, found.value) == (None, None, None)
    assert (found.confirmed, found.success, found.evidence) == (False, False, Evidence.NONE)


@pytest.mark.parametrize("shape", [(0,), (3,), (5,), (1, 4), (4, 1), ()])
def test_candidate_of_another_shape_is_rejected(judge, shape):
    found = judge.judge(np.zeros(shape))
    assert (found.confirmed, found.success, found.point) == (False, False, None)


@pytest.mark.parametrize("size", [1e308, -1e308, 5e-324])
def test_absurd_magnitudes_are_judged_like_any_other(judge, size):
    found = judge.judge(np.full(4, size))
    assert found.point is not None and judge.problem.violation(found.point) == 0
    assert found.success is False
    if abs(size) > 1:
        assert found.raw_violation is None  # 4e308 is beyond float64


def test_witness_on_the_own_network_is_the_repaired_point_and_its_value(surrogate_judge):
    """x_0 is clipped to 1, where the surrogate has 3/4."""
    point, value = surrogate_judge.behind_own_value(np.array([1.5, 0.75, 0.5, 0.5]))
    assert (point.tolist(), value) == ([1.0, 0.75, 0.5, 0.5], Fraction(3, 4))
    assert value == surrogate_judge.judge(np.array([1.5, 0.75, 0.5, 0.5])).own_value


@pytest.mark.parametrize("bad", [np.full(4, np.nan), np.zeros(5)])
def test_a_vector_that_is_not_a_candidate_is_not_a_witness(judge, bad):
    assert judge.behind_own_value(bad) is None


def test_point_as_given_may_confirm_though_it_is_outside(judge):
    """h_0 = 5/4 > b = 1 at x_0 = 5/4; after clipping to 1, h_0 is only 3/4."""
    outside = np.array([1.25, 0.5, 0.5, 0.5])
    assert judge.confirms_as_given(outside)
    assert not judge.judge(outside).confirmed
    assert not judge.confirms_as_given(np.array([1.0, 0.5, 0.5, 0.5]))


# -- thresholds --------------------------------------------------------------------------------------------------


def test_value_zero_is_not_a_counterexample_to_a_strict_property(judge):
    found = judge.judge(np.array(EVEN))
    assert (found.value, found.confirmed) == (0, False)


@pytest.mark.parametrize(
    ("b", "strict", "confirmed"),
    [(0.0, True, False), (0.0, False, True), (TINY, True, True), (-TINY, False, False), (-0.0, False, True)],
)
def test_threshold_is_exact(b, strict, confirmed):
    assert scalar_judge(0.0, b, strict=strict).judge(np.array([0.5])).confirmed is confirmed


def test_values_far_below_float64_still_count():
    """1 - (1 - 2**-30) (1 + 2**-23) < 0 by float64 and exactly; 1 - (1 - 2**-53) (1 + 0) = 2**-53 > 0; and at
    W = -(1 - 2**-24), x = 1 - 2**-53 both factors together leave 2**-24 + 2**-53 - 2**-77, which no float64 holds."""
    assert not scalar_judge(-(1 + 2.0**-23), 1.0, strict=True).judge(np.array([1 - 2.0**-30])).confirmed
    assert scalar_judge(-1.0, 1.0, strict=True).judge(np.array([1 - 2.0**-53])).value == Fraction(2) ** -53
    found = scalar_judge(-(1 - 2.0**-24), 1.0, strict=True).judge(np.array([1 - 2.0**-53]))
    assert found.value == Fraction(2) ** -24 + Fraction(2) ** -53 - Fraction(2) ** -77
    assert Fraction(float(found.value)) != found.value


@pytest.mark.parametrize(
    ("bound", "strict", "excluded"), [(0.0, True, True), (0.0, False, False), (-1e-300, False, True)]
)
def test_bound_excludes_exactly_what_the_threshold_leaves(bound, strict, excluded):
    problem = scalar_judge(1.0, 0.0, strict=strict).problem
    assert problem.excludes(bound, 0.0) is excluded
    assert problem.excludes(bound, 1e-9) is False


# -- as deployed -------------------------------------------------------------------------------------------------


def test_deployed_value_is_float32_at_the_point_rounded_towards_the_centre():
    """0.1 is not a float32; the nearest is above it, farther from the centre 0, so the one below is taken."""
    judge = scalar_judge(1.0, 0.0, strict=True)
    below = np.nextafter(np.float32(0.1), np.float32(0))
    assert judge.deploy(np.array([0.1])).value == float(below)
    assert float(below) < 0.1 < float(np.float32(0.1))


def test_deployed_value_may_disagree_with_the_exact_one():
    """In 1 + 2**-25 - 1, float32 adds 2**-25 to 1 without trace."""
    judge = scalar_judge(1.0, 1.0, strict=True)
    assert judge.judge(np.array([2.0**-25])).value == 1 + Fraction(2) ** -25
    assert judge.deploy(np.array([2.0**-25])).value == 1.0


def test_beats_all_looks_at_every_class(library, judge):
    assert judge.deploy(np.array(BEST)).beats_all
    assert not judge.deploy(np.array(CENTRE)).beats_all
    assert not judge.deploy(np.array(EVEN)).beats_all  # a tie


# -- against the file --------------------------------------------------------------------------------------------


@pytest.fixture
def honest(steps):
    s = steps("adv-mag-u10--tight")
    return np.array(s.columns(GOOD)), list(s.judge.model.column_names)


def test_honest_columns_hold(surrogate_judge, honest):
    check = surrogate_judge.hold_against_file(*honest)
    assert check == FileCheck(0.625, check.row_violation, 0.625)
    assert 0 <= check.row_violation < 1e-15  # big-M have more digits than a float64 sum


def test_order_of_the_columns_does_not_matter(surrogate_judge, honest):
    columns, names = honest
    assert surrogate_judge.hold_against_file(columns[::-1].copy(), names[::-1]).file_value == 0.625


@pytest.mark.parametrize(
    ("column", "by", "violation"), [("h_1_0", 0.5, 0.5), ("d_1_0", -0.25, 0.25), ("p_0", 1e-4, 1e-4)]
)
def test_violated_row_bound_or_integrality_is_found(surrogate_judge, honest, column, by, violation):
    columns, names = honest
    columns[names.index(column)] += by
    check = surrogate_judge.hold_against_file(columns, names)
    assert check.row_violation >= violation * (1 - 1e-9)


def test_columns_that_do_not_fit_are_not_checked(surrogate_judge, honest):
    columns, names = honest
    nothing = FileCheck(None, None, None)
    assert surrogate_judge.hold_against_file(columns[:-1], names) == nothing
    assert surrogate_judge.hold_against_file(np.full(len(names), np.nan), names) == nothing
    assert surrogate_judge.hold_against_file(columns, ["p_0", *(f"q_{i}" for i in range(len(names) - 1))]) == nothing


@pytest.mark.parametrize("absurd", [1.7e308, -1.7e308])
def test_columns_beyond_float64_are_refused(surrogate_judge, honest, absurd):
    columns, names = honest
    check = surrogate_judge.hold_against_file(np.full(len(columns), absurd), names)
    assert check.row_violation is None
    signs = np.array([1.0 if name[0] == "p" else -1.0 for name in names])
    assert surrogate_judge.hold_against_file(abs(absurd) * signs, names).replayed_value is None


def test_solution_without_input_columns_cannot_be_decoded(judge):
    with pytest.raises(PropertyError, match="none of the input columns"):
        judge.decoder(["h_1_0", "x_99", "p_-1", "x"])


# -- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["networks/adv.onnx", "properties/adv.json"])
def test_unreadable_files_are_one_line(tmp_path, file):
    library = write_tiny_library(tmp_path / "library")
    (library.folder / file).write_bytes(b"nonsense")
    with pytest.raises(InputError) as caught:
        Judge.of_instance(library, library.row("adv--tight"))
    assert "\n" not in str(caught.value)


def test_judge_agrees_with_fractions_at_random_points(judge, library):
    """The reference is an independent evaluation: sums of Fractions, without shared code."""
    random = np.random.default_rng(5)
    for x in random.random((50, 4)):
        found = judge.judge(x)
        p = [Fraction(v) for v in found.point.tolist()]
        value = max(Fraction(0), p[0] + p[1] - Fraction(1, 2)) + max(Fraction(0), p[2] - p[3]) - 1
        assert found.value == value
        assert found.confirmed == (value > 0)
