import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from support.networks import weights_sha256
from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.networks.network import MIN_WEIGHT, accuracy
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.plan import Compute, TrainingPlan


@pytest.fixture(scope="module")
def trained(digits):
    return train(digits, [32, 32], [0, 1, 2], TrainingPlan(epochs=80))


def first(n, dataset):
    train_part = {"train_images": dataset.train_images[:n].copy(), "train_labels": dataset.train_labels[:n].copy()}
    return dataclasses.replace(dataset, **train_part)


def test_digits_are_learnt(digits, trained):
    for result in trained:
        assert result.network.n_inputs == 64
        assert result.network.hidden_widths == (32, 32)
        assert result.network.n_outputs == 10
        assert result.train_accuracy > 0.98
        assert result.test_accuracy > 0.9
        assert result.test_accuracy == accuracy(result.network, digits.test_images, digits.test_labels)
    assert [result.seed for result in trained] == [0, 1, 2]


def test_no_weight_is_tiny(trained):
    weights = np.concatenate([W.ravel() for result in trained for W in result.network.weights])
    assert ((weights == 0) | (np.abs(weights) >= MIN_WEIGHT)).all()
    assert (weights == 0).any()  # weights of pixels that are always black: it did something


def test_training_twice_gives_the_same_bytes(digits):
    plan = TrainingPlan(epochs=2)
    assert weights_sha256(train(digits, [8], [3, 4], plan)) == weights_sha256(train(digits, [8], [3, 4], plan))


def test_seeds_differ(trained):
    assert len({weights_sha256([result]) for result in trained}) == 3


def test_a_seed_trains_alone_as_beside_others(digits):
    # Up to the rounding of batched products, which a few steps do not let grow.
    plan = TrainingPlan(epochs=1)
    alone = train(digits, [8, 8], [5], plan)[0].network
    beside = train(digits, [8, 8], [9, 5, 2], plan)[1].network
    for A, B in zip(alone.weights + alone.biases, beside.weights + beside.biases, strict=True):
        np.testing.assert_allclose(A, B, atol=1e-4)


def test_one_step_is_that_of_torch_layers(digits):
    """Loss and update are those of torch.nn.Linear, CrossEntropyLoss and Adam, for each seed by itself."""
    few = first(50, digits)
    still = TrainingPlan(epochs=1, learning_rate=1e-30, weight_decay=0)
    one_step = TrainingPlan(epochs=1)
    for before, after in zip(train(few, [6], [0, 1], still), train(few, [6], [0, 1], one_step), strict=True):
        model = torch.nn.Sequential(torch.nn.Linear(64, 6), torch.nn.ReLU(), torch.nn.Linear(6, 10))
        with torch.no_grad():
            for layer, W, b in zip(model[::2], before.network.weights, before.network.biases, strict=True):
                layer.weight.copy_(torch.tensor(W))
                layer.bias.copy_(torch.tensor(b))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
        torch.nn.CrossEntropyLoss()(model(torch.tensor(few.train_images)), torch.tensor(few.train_labels)).backward()
        optimizer.step()
        for layer, W, b in zip(model[::2], after.network.weights, after.network.biases, strict=True):
            np.testing.assert_allclose(W, layer.weight.detach().numpy(), atol=2e-6)
            np.testing.assert_allclose(b, layer.bias.detach().numpy(), atol=2e-6)


def test_start_is_xavier_uniform_with_the_biases_of_torch_linear(digits):
    still = TrainingPlan(epochs=1, learning_rate=1e-30, weight_decay=0)
    network = train(digits, [200, 100], [0], still)[0].network
    for W, b in zip(network.weights, network.biases, strict=True):
        n_out, n_in = W.shape
        bound = np.sqrt(6 / (n_in + n_out))
        assert 0.98 * bound < np.abs(W).max() <= bound * (1 + 1e-6)
        assert abs(W.std() / (bound / np.sqrt(3)) - 1) < 0.05
        assert np.abs(b).max() <= n_in**-0.5 * (1 + 1e-6)


def test_the_number_of_threads_does_not_change_the_bytes(digits):
    networks = [
        train(digits, [32, 16], [0, 1, 2], TrainingPlan(epochs=2), Compute("cpu", threads))[1].network
        for threads in (1, 2, 4)
    ]
    for other in networks[1:]:
        for W, V in zip(networks[0].weights, other.weights, strict=True):
            assert np.array_equal(W, V)


def test_torch_is_left_as_it_was(digits):
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    train(digits, [4], [0], TrainingPlan(epochs=1))
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert (torch.tensor([1e-40]) * 0.5).item() != 0  # denormals are not flushed


def test_a_slice_of_mnist_is_learnt():
    folder = os.environ.get("VNNBENCH_TEST_DATA")
    if not folder or not Path(folder, "mnist").is_dir():
        pytest.skip("needs VNNBENCH_TEST_DATA with mnist")
    mnist = load_dataset("mnist", 18, Path(folder))
    (result,) = train(first(6000, mnist), [32, 32], [0], TrainingPlan(epochs=3))
    assert result.test_accuracy > 0.85


def test_an_empty_list_of_seeds_gives_an_empty_list_of_networks(digits):
    assert train(digits, [4], [], TrainingPlan(epochs=1)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"weight_decay": -1.0},
        {"optimizer": "rmsprop"},
        {"init": "zeros"},
    ],
)
def test_an_impossible_plan_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|is not a valid"):
        TrainingPlan(**({"epochs": 1} | wrong))


@pytest.mark.parametrize("widths", [[], [4, 0]])
def test_impossible_widths_are_refused(digits, widths):
    with pytest.raises(ValueError, match="hidden widths"):
        train(digits, widths, [0], TrainingPlan(epochs=1))
