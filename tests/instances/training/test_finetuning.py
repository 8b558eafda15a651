from fractions import Fraction

import numpy as np
import pytest

import vnnbench.instances.training.finetuning as finetuning_module
from vnnbench.instances.networks.network import MIN_WEIGHT, accuracy
from vnnbench.instances.networks.pruning import Method, Structure, kept_neurons, prune, pruned_count, weight_masks
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.finetuning import Surrogate, finetune
from vnnbench.instances.training.plan import FinetuningPlan, TrainingPlan

PLAN = TrainingPlan(epochs=40)


@pytest.fixture(scope="module")
def dense(digits):
    return [result.network for result in train(digits, [16, 16], [0, 1], PLAN)]


def surrogates(dense, rate=0.8, methods=(Method.MAGNITUDE, Method.RANDOM), structures=tuple(Structure)):
    return [
        Surrogate(f"net-s{s}-{method}-{structure}{rate}", network, f"net-s{s}", method, structure, rate)
        for method in methods
        for structure in structures
        for s, network in enumerate(dense)
    ]


@pytest.fixture(scope="module")
def finetuned(digits, dense):
    """Surrogates by both methods, structures and seeds at 0.8, in 3 rounds of 10 epochs."""
    return finetune(digits, surrogates(dense), PLAN, FinetuningPlan(rounds=3, epochs=10))


def test_finetuned_surrogates_are_as_sparse_and_better(digits, dense, finetuned):
    gained = 0.0
    for surrogate, result in zip(surrogates(dense), finetuned, strict=True):
        once = prune(
            surrogate.dense, structure=surrogate.structure, rate=0.8, method=surrogate.method, key=surrogate.dense_name
        )
        assert result.network.hidden_widths == once.hidden_widths
        if surrogate.structure is Structure.UNSTRUCTURED:
            for V, W in zip(result.network.weights, surrogate.dense.weights, strict=True):
                assert (V == 0).sum() >= pruned_count(0.8, W.size)
                assert (V == 0).sum() <= pruned_count(0.8, W.size) + 0.1 * W.size  # pixels that are always black
        assert result.test_accuracy == accuracy(result.network, digits.test_images, digits.test_labels)
        gained += result.test_accuracy - accuracy(once, digits.test_images, digits.test_labels)
    assert gained / len(finetuned) > 0.15


def test_random_masks_are_those_without_finetuning(dense, finetuned):
    for surrogate, result in zip(surrogates(dense), finetuned, strict=True):
        if surrogate.method is Method.RANDOM and surrogate.structure is Structure.UNSTRUCTURED:
            masks = weight_masks(surrogate.dense, 0.8, method=Method.RANDOM, key=surrogate.dense_name)
            for mask, W in zip(masks, result.network.weights, strict=True):
                assert (W[~mask] == 0).all()


def test_no_weight_is_tiny_and_no_zero_is_negative(finetuned):
    numbers = np.concatenate(
        [a.ravel() for result in finetuned for a in (*result.network.weights, *result.network.biases)]
    )
    assert ((numbers == 0) | (np.abs(numbers) >= MIN_WEIGHT)).all()
    assert not np.signbit(numbers[numbers == 0]).any()


def test_rounds_prune_further_and_rank_anew(digits, dense, monkeypatch):
    """Each round's masks follow, by the rules of `pruning`, from the weights as they were then."""
    rounds = []
    run_epochs = finetuning_module.run_epochs

    def spy(parameters, images, labels, generators, plan, masks):
        before = [mask.clone() for mask in masks]
        assert all(((W == 0) | (mask == 1)).all() for W, mask in zip(parameters[::2], masks, strict=True))
        run_epochs(parameters, images, labels, generators, plan, masks)
        assert all((W[mask == 0] == 0).all() for W, mask in zip(parameters[::2], masks, strict=True))
        rounds.append((before, finetuning_module.unstack_networks(parameters)))

    monkeypatch.setattr(finetuning_module, "run_epochs", spy)
    chosen = surrogates(dense, rate=0.9, methods=[Method.MAGNITUDE])
    finetune(digits, chosen, PLAN, FinetuningPlan(rounds=5, epochs=2))
    assert len(rounds) == 5
    for (earlier, networks), (later, _), r in zip(rounds, rounds[1:], range(2, 6), strict=False):
        assert all((old >= new).all() for old, new in zip(earlier, later, strict=True))  # nested
        for s, surrogate in enumerate(chosen):
            rate = Fraction(9, 10) * r / 5
            if surrogate.structure is Structure.UNSTRUCTURED:
                left = tuple(mask[s].numpy().T == 1 for mask in earlier)
                expected = weight_masks(networks[s], rate, left=left)
                assert all((e == m[s].numpy().T).all() for m, e in zip(later, expected, strict=True))
                gone = [int((m[s] == 0).sum()) for m in later]
                assert gone == [pruned_count(rate, W.size) for W in surrogate.dense.weights]
            else:
                before = tuple(np.flatnonzero(mask[s].numpy().any(axis=0)) for mask in earlier[:-1])
                kept = kept_neurons(networks[s], rate, left=before)
                assert all((np.flatnonzero(m[s].numpy().any(axis=0)) == k).all()
                           for m, k in zip(later[:-1], kept, strict=True))  # fmt: skip


def test_a_masked_neuron_is_as_good_as_removed(digits, dense):
    """Training the narrow network by itself gives the same as training it masked in the stack."""
    (surrogate, _) = surrogates(dense, methods=[Method.RANDOM], structures=[Structure.STRUCTURED])
    one_round = FinetuningPlan(rounds=1, epochs=1)
    (masked,) = finetune(digits, [surrogate], PLAN, one_round)
    narrow = prune(surrogate.dense, structure="structured", rate=0.8, method="random", key=surrogate.dense_name)
    parameters = finetuning_module.stack_networks([narrow], "cpu")
    images, labels = finetuning_module.training_tensors(digits, "cpu")
    generators = [finetuning_module.generator(f"{surrogate.name}/finetuning")]
    finetuning_module.run_epochs(parameters, images, labels, generators, TrainingPlan(epochs=1))
    (alone,) = finetuning_module.unstack_networks(parameters)
    for W, V in zip(alone.weights + alone.biases, masked.network.weights + masked.network.biases, strict=True):
        np.testing.assert_allclose(W, V, atol=1e-4)


def test_a_surrogate_is_finetuned_alone_as_beside_others(digits, dense):
    chosen, plan = surrogates(dense), FinetuningPlan(rounds=1, epochs=1)
    beside = finetune(digits, chosen, PLAN, plan)
    (alone,) = finetune(digits, chosen[2:3], PLAN, plan)
    for W, V in zip(alone.network.weights, beside[2].network.weights, strict=True):
        np.testing.assert_allclose(W, V, atol=1e-4)


def test_an_empty_list_of_surrogates_gives_an_empty_list_of_networks(digits):
    assert finetune(digits, [], PLAN, FinetuningPlan(rounds=1, epochs=1)) == []


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"epochs": 0}])
def test_an_impossible_plan_is_refused(wrong):
    with pytest.raises(ValueError, match="must be at least 1"):
        FinetuningPlan(**({"rounds": 1, "epochs": 1} | wrong))
