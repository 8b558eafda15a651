import numpy as np
import pytest
import torch

from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import MIN_WEIGHT, Network, accuracy
from vnnbench.instances.networks.pruning import keep_neurons
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.plan import Compute, Optimizer, SprPlan, TrainingPlan
from vnnbench.instances.training.spr import (
    SprCell,
    SprTraining,
    choose_cell,
    fold_constants,
    spr_terms,
    surviving_neurons,
    train_spr,
)

PLAN = TrainingPlan(epochs=30, batch_size=32, learning_rate=0.2, weight_decay=0.0, optimizer=Optimizer.SGD)
SPR = SprPlan(lambdas=(0.001, 0.3), alphas=(0.5,), threshold=0.05, accuracy_loss=0.05, finetuning_epochs=5)


@pytest.fixture(scope="module")
def baselines(digits):
    return train(digits, [20, 20], [0, 1], PLAN)


@pytest.fixture(scope="module")
def grid(digits, baselines):
    """Results of seed 0 with a weak and a strong term."""
    cells = [SprCell(lambda_, 0.5) for lambda_ in SPR.lambdas]
    return train_spr(digits, [SprTraining(0, baselines[0].network, cell) for cell in cells], PLAN, SPR)


def term(w, alpha, M):
    """Return the term by the three cases as printed, in plain numbers."""
    norm, largest = np.sqrt((w**2).sum()), np.abs(w).max() / M
    t = np.sqrt(alpha / (1 - alpha)) * norm
    if largest <= t <= 1:
        return 2 * np.sqrt(alpha * (1 - alpha)) * norm, 1
    if t <= largest <= 1:
        return alpha * norm**2 / largest + (1 - alpha) * largest, 2
    return alpha * norm**2 + 1 - alpha, 3


def test_the_term_has_the_three_cases_of_the_paper():
    random = np.random.default_rng(1)
    seen = set()
    for scale in (0.01, 0.1, 0.3, 1.0, 3.0):
        for alpha in (0.02, 0.1, 0.5, 0.9):
            W = random.normal(size=(2, 7, 5)) * scale * (random.random((2, 7, 5)) < 0.5)
            M = np.array([[1.0], [2.0]])
            got = spr_terms(torch.tensor(W), torch.full((2, 1), alpha, dtype=torch.float64), torch.tensor(M)).numpy()
            for s, j in np.ndindex(2, 5):
                if W[s, :, j].any():
                    expected, case = term(W[s, :, j], alpha, M[s, 0])
                    assert got[s, j] == pytest.approx(expected, rel=1e-12)
                    seen.add(case)
    assert seen == {1, 2, 3}


def test_the_term_is_the_best_price_over_y():
    """The reference minimizes alpha |w|^2 / y + (1 - alpha) y over y in [|w|_inf / M, 1] on a fine grid."""
    w = np.array([0.3, -0.2, 0.05])
    for alpha in (0.05, 0.5, 0.9):
        y = np.linspace(0.3 / 0.8, 1.0, 200_001)
        best = (alpha * (w**2).sum() / y + (1 - alpha) * y).min()
        (got,) = spr_terms(torch.tensor(w)[None, :, None], torch.tensor([[alpha]]), torch.tensor([[0.8]])).flatten()
        assert float(got) == pytest.approx(best, rel=1e-6)


def test_a_neuron_without_weights_has_no_term_and_no_gradient():
    W = torch.zeros(1, 4, 3, requires_grad=True)
    terms = spr_terms(W, torch.tensor([[0.5]]), torch.tensor([[1.0]]))
    terms.sum().backward()
    assert terms.tolist() == [[0.0, 0.0, 0.0]]
    assert torch.equal(W.grad, torch.zeros_like(W))


def test_constants_of_dead_neurons_move_into_the_next_biases():
    network = Network(
        (
            np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=np.float32),
            np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]], dtype=np.float32),
            np.array([[1.0, 8.0]], dtype=np.float32),
        ),
        (
            np.array([0.5, 3.0, -1.0], dtype=np.float32),
            np.array([0.25, 2.0], dtype=np.float32),
            np.array([1.0], dtype=np.float32),
        ),
    )
    kept = surviving_neurons(network, 0.1)
    assert [list(left) for left in kept] == [[0], [0]]
    small = keep_neurons(fold_constants(network, kept), kept)
    assert small.hidden_widths == (1, 1)
    assert small.biases[1].tolist() == [0.25 + 2.0 * 3.0]  # relu(3) moves, relu(-1) = 0
    assert small.biases[2].tolist() == [1.0 + 8.0 * 2.0]
    for x in ([0.0, 0.0], [0.75, 1.0], [-1.0, 0.5]):
        point = np.array(x)
        assert ExactNetwork(network).outputs(point) == ExactNetwork(small).outputs(point)


def test_at_least_one_neuron_of_a_layer_stays():
    W = np.array([[0.01], [0.03], [0.02]], dtype=np.float32)
    network = Network((W, np.ones((1, 3), np.float32)), (np.zeros(3, np.float32), np.zeros(1, np.float32)))
    assert [list(left) for left in surviving_neurons(network, 0.1)] == [[1]]


def test_a_strong_term_removes_neurons_and_a_weak_one_none(digits, grid):
    weak, strong = grid
    assert weak.network.hidden_widths == (20, 20)
    assert max(strong.network.hidden_widths) < 20
    assert all(width >= 1 for width in strong.network.hidden_widths)
    for result in grid:
        assert result.test_accuracy == accuracy(result.network, digits.test_images, digits.test_labels)
        numbers = np.concatenate([a.ravel() for a in (*result.network.weights, *result.network.biases)])
        assert ((numbers == 0) | (np.abs(numbers) >= MIN_WEIGHT)).all()
    assert strong.test_accuracy > 0.5


def test_other_seeds_train_beside_each_other(digits, baselines, grid):
    cell = grid[1].training.cell
    trainings = [SprTraining(seed, baseline.network, cell) for seed, baseline in enumerate(baselines)]
    short = TrainingPlan(epochs=2, batch_size=32, learning_rate=0.2, weight_decay=0.0, optimizer=Optimizer.SGD)
    beside = train_spr(digits, trainings, short, SPR)
    (alone,) = train_spr(digits, trainings[1:], short, SPR)
    assert beside[1].network.hidden_widths == alone.network.hidden_widths
    for W, V in zip(beside[1].network.weights, alone.network.weights, strict=True):
        np.testing.assert_allclose(W, V, atol=1e-4)
    assert train_spr(digits, [], short, SPR) == []
    for W, V in zip(
        train_spr(digits, trainings, short, SPR, Compute("cpu", 3))[0].network.weights,
        beside[0].network.weights,
        strict=True,
    ):
        assert np.array_equal(W, V)  # the number of threads does not matter


def test_the_smallest_cell_that_keeps_the_accuracy_is_chosen():
    sizes, accuracies = [9, 4, 4, 2], [0.97, 0.95, 0.96, 0.90]
    assert choose_cell(sizes, accuracies, 0.95) == 2
    assert choose_cell(sizes, accuracies, 0.5) == 3
    assert choose_cell(sizes, accuracies, 0.99) == 0
