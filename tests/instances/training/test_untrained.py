import hashlib
import itertools

import numpy as np
import pytest
import torch

from vnnbench.instances.networks.network import MIN_WEIGHT
from vnnbench.instances.training.untrained import untrained_network


class TongNetwork(torch.nn.Module):
    """A network as the published code of [T] builds it, with the global generators."""

    def __init__(self, in_size, layer_dims, seed):
        torch.manual_seed(seed)
        super().__init__()
        self.linears = torch.nn.ModuleList([torch.nn.Linear(in_size, layer_dims[0])])
        for n_in, n_out in itertools.pairwise(layer_dims):
            self.linears.append(torch.nn.Linear(n_in, n_out))

    def forward(self, x):
        for linear in self.linears[:-1]:
            x = torch.relu(linear(x))
        return self.linears[-1](x)


@pytest.mark.parametrize(("n_inputs", "hidden", "seed"), [(10, [100], 50), (10, [100] * 3, 54), (100, [500] * 2, 51)])
def test_weights_are_those_of_the_papers_code(n_inputs, hidden, seed):
    theirs = TongNetwork(n_inputs, [*hidden, 1], seed)
    ours = untrained_network(n_inputs, hidden, seed)
    assert (ours.n_inputs, ours.hidden_widths, ours.n_outputs) == (n_inputs, tuple(hidden), 1)
    for linear, W, b in zip(theirs.linears, ours.weights, ours.biases, strict=True):
        for found, tensor in ((W, linear.weight), (b, linear.bias)):
            array = tensor.detach().numpy()
            assert found.dtype == np.float32
            assert np.array_equal(found, np.where(np.abs(array) < MIN_WEIGHT, 0, array))
    x = np.random.default_rng(0).random(n_inputs).astype(np.float32)
    assert ours.forward(x)[0] == pytest.approx(theirs(torch.tensor(x)).item(), abs=1e-6)


def test_weights_are_these_forever():
    """A torch version with other random numbers would make other problems under the same names."""
    network = untrained_network(10, [100], 50)
    digest = hashlib.sha256(b"".join(a.tobytes() for a in (*network.weights, *network.biases))).hexdigest()
    assert digest == "6d135b4006c5d0bb7a8bdd2be8750725e80778b3735909e1e4abd7245c79f675"


def test_weights_fill_the_interval_of_torch_linear():
    network = untrained_network(100, [100, 100], 52)
    for W, b in zip(network.weights, network.biases, strict=True):
        bound = 1 / np.sqrt(W.shape[1])
        assert 0.9 * bound < np.abs(W).max() <= bound * (1 + 1e-6)
        assert np.abs(b).max() <= bound * (1 + 1e-6)


def test_seeds_and_shapes_give_other_networks():
    first = untrained_network(10, [20, 20], 50).weights[0]
    assert not np.array_equal(first, untrained_network(10, [20, 20], 51).weights[0])
    assert np.array_equal(first, untrained_network(10, [20], 50).weights[0])  # drawn layer by layer


def test_torchs_own_state_stays_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    untrained_network(10, [20], 50)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("n_inputs", "hidden"), [(10, []), (0, [5]), (10, [5, 0]), (-1, [5])])
def test_impossible_widths_are_refused(n_inputs, hidden):
    with pytest.raises(ValueError, match="all positive"):
        untrained_network(n_inputs, hidden, 50)
