"""The observations of the paper on runs made to follow it, to oppose it, and to say nothing."""

from __future__ import annotations

import math

import pytest

from vnnbench.leaderboard.papers.observations import Verdict
from vnnbench.leaderboard.papers.pham2025 import pairs_of
from vnnbench.leaderboard.papers.pham2025_observations import CONCLUSIONS, observe
from vnnbench.leaderboard.papers.values import PHAM_RATES

KINDS = [("magnitude", "unstructured", 0), ("magnitude", "unstructured", 1), ("magnitude", "structured", 0)]
KINDS += [("magnitude", "structured", 1), ("random", "unstructured", 0)]


def fill(pairs, seconds, images=8, dense=10.0, **columns):
    """Add a problem of every image with all kinds of surrogates; seconds: of a kind, finetuned or not, and rate."""
    for image in range(images):
        facts = {"sample": image, "seed": image, **columns}
        name = f"{image}-{'-'.join(map(str, columns.values()))}"
        pairs.dense(name, dense, **facts)
        for pruning, structure, finetuned in KINDS:
            for rate in PHAM_RATES:
                kind = {"pruning": pruning, "structure": structure, "finetuned": finetuned}
                pairs.surrogate(name, seconds(pruning, structure, finetuned, rate), rate, **kind, **facts)


def verdicts(ledger):
    (observed,) = observe(*pairs_of(ledger.runs()))
    return {one.number: one.verdict for one in observed.observations} | observed.conclusions


def claims(ledger, number):
    (observed,) = observe(*pairs_of(ledger.runs()))
    (found,) = (one.claims for one in observed.observations if one.number == number)
    return found


def test_every_observation_and_conclusion_is_there_in_order(ledger, pairs):
    fill(pairs, lambda *_: 1.0, images=1)
    (observed,) = observe(*pairs_of(ledger.runs()))
    numbers = [one.number for one in observed.observations]
    assert numbers == ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii"]
    assert {number for _, those in CONCLUSIONS.values() for number in those} == set(numbers)
    assert list(observed.conclusions) == ["I", "II", "III", "IV", "V"]
    assert set(verdicts(ledger).values()) == {Verdict.TOO_FEW}  # of one image nothing can be told


def test_no_runs_and_other_data_have_no_observations(ledger, pairs):
    assert observe(*pairs_of(ledger.runs())) == ()
    pairs.dense("a", 1.0, dataset="digits")
    pairs.surrogate("a", 2.0, dataset="digits")
    assert observe(*pairs_of(ledger.runs())) == ()


def test_surrogates_that_are_always_sooner_confirm_the_first(ledger, pairs):
    """Eight images: p is 2 / 2^8. Where all kinds are sooner alike, no kind is better than another."""
    fill(pairs, lambda *_: 1.0)
    found = verdicts(ledger)
    assert found["i"] is Verdict.CONFIRMED
    assert {claim.p for claim in claims(ledger, "i")} == {2 / 2**8}
    assert {claim.mean for claim in claims(ledger, "i")} == {0.5}
    assert (found["ii"], found["iii"], found["xii"]) == (Verdict.OPEN,) * 3
    assert {claim.mean for claim in claims(ledger, "xii")} == {0.0}


def test_surrogates_that_are_later_contradict_it_and_the_conclusion(ledger, pairs):
    """Ten claims of nine images: p is 10 x 2 / 2^9."""
    fill(pairs, lambda *_: 20.0, images=9)
    found = verdicts(ledger)
    assert (found["i"], found["I"]) == (Verdict.CONTRADICTED, Verdict.CONTRADICTED)
    assert found["ii"] is Verdict.OPEN


def test_a_dense_network_at_its_limit_where_surrogates_find_confirms_the_second(ledger, pairs):
    fill(pairs, lambda *_: 20.0, dense=None)
    assert verdicts(ledger)["ii"] is Verdict.CONFIRMED


def test_rates_beyond_the_peak_save_more_and_find_less(ledger, pairs):
    """Found at 0.3 and 0.9, and where at 0.95, ten times sooner than at 0.3: on four of the 16 images."""

    def seconds(pruning, structure, finetuned, rate):
        return {0.3: 5.0, 0.9: 1.0}.get(rate)

    fill(pairs, seconds, dense=4.0)
    fill(pairs, lambda *kind: 0.5 if kind[-1] == 0.95 else 5.0, dense=4.0, width=64)
    iii, iv = claims(ledger, "iii"), claims(ledger, "iv")
    assert [claim.mean for claim in iii] == [0.5, 0.5, 0.0, 0.0]
    assert [claim.mean for claim in iv] == pytest.approx([math.log(10), math.log(10), 0.5, 0.5])
    assert [claim.pairs for claim in iv] == [8, 8, 16, 16]
    assert [claim.is_factor for claim in iv] == [True, True, False, False]
    assert verdicts(ledger)["iv"] is Verdict.CONFIRMED


def test_accuracy_decides_what_is_near_guessing(ledger, pairs):
    for image in range(8):
        pairs.dense(str(image), 10.0, sample=image)
        pairs.surrogate(str(image), 1.0, rate=0.9, sample=image, accuracy=0.2 if image < 6 else 0.21)
    (claim,) = claims(ledger, "v")
    assert (claim.mean, claim.pairs, claim.p) == (0.5, 6, 2 / 2**6)
    assert verdicts(ledger)["v"] is Verdict.CONFIRMED


def test_finetuning_beside_not_finetuned(ledger, pairs):
    """Finetuned ones are sooner on every image, others on none: it helps, by far more than ten points."""
    fill(pairs, lambda pruning, structure, finetuned, rate: 1.0 if finetuned else 20.0)
    found = verdicts(ledger)
    assert (found["vi"], found["vii"]) == (Verdict.CONTRADICTED, Verdict.CONTRADICTED)
    assert [claim.mean for claim in claims(ledger, "vii")] == pytest.approx([1.1, -0.9, 1.1, -0.9])
    assert [claim.mean for claim in claims(ledger, "xi")] == [1.0, 0.0, -1.0, 0.0]


def test_a_change_of_less_than_ten_points_confirms_vii(ledger, pairs):
    fill(pairs, lambda *_: 1.0)
    assert verdicts(ledger)["vii"] is Verdict.CONFIRMED


def test_the_time_of_finetuning_is_added(ledger, pairs):
    for image in range(8):
        pairs.dense(str(image), 10.0, sample=image)
        pairs.surrogate(str(image), 1.0, finetuned=1, sample=image, alone_finetune_seconds=30.0)
    (claim,) = claims(ledger, "viii")
    assert (claim.mean, verdicts(ledger)["viii"]) == (0.5, Verdict.CONFIRMED)


def test_structured_beside_unstructured(ledger, pairs):
    fill(
        pairs,
        lambda pruning, structure, finetuned, rate: (
            20.0 if structure == "unstructured" else 1.0 if rate <= 0.5 else None
        ),
    )
    found = verdicts(ledger)
    assert found["ix"] is Verdict.CONFIRMED
    assert [claim.mean for claim in claims(ledger, "x")] == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert found["x"] is Verdict.OPEN


def test_magnitude_beside_random_pruning(ledger, pairs):
    """Random pruning is later, and at 0.3 it is not."""
    fill(pairs, lambda pruning, structure, finetuned, rate: 20.0 if pruning == "random" and rate > 0.3 else 1.0)
    assert verdicts(ledger)["xii"] is Verdict.CONFIRMED
    assert [claim.mean for claim in claims(ledger, "xii")] == [0.8, 1.0]


def test_networks_of_one_seed_are_matched_across_sizes(ledger, pairs):
    """Sooner at 18x18 alone; the seeds are independent, the images of the two sides differ."""
    fill(pairs, lambda *_: 1.0, input_side=18)
    fill(pairs, lambda *_: 20.0, input_side=28)
    sides, depths = claims(ledger, "xiii")
    assert (sides.mean, sides.problems, sides.p) == (1.0, 8, 2 / 2**8)
    assert (depths.mean, depths.pairs) == (None, 0)
    fill(pairs, lambda *_: 20.0, input_side=18, depth=4)
    assert verdicts(ledger)["xiii"] is Verdict.CONFIRMED


def test_a_refused_or_missing_side_is_left_out(ledger, pairs):
    pairs.dense("a", 10.0)
    pairs.surrogate("a", None, termination="license_limit", wall_seconds=0.1)
    pairs.dense("b", 10.0)
    pairs.surrogate("b", 1.0)
    assert sum(claim.pairs for claim in claims(ledger, "i")) == 1


def test_settings_and_formulations_are_apart(ledger, pairs):
    for solver in ("highs", "scip"):
        for formulation in ("tight", "surrogatelib"):
            pairs.dense("a", 10.0, solver=solver, formulation=formulation)
            pairs.surrogate("a", 5.0, solver=solver, formulation=formulation)
    found = [(one.setting.solver, one.formulation) for one in observe(*pairs_of(ledger.runs()))]
    assert found == [("highs", "surrogatelib"), ("highs", "tight"), ("scip", "surrogatelib"), ("scip", "tight")]
