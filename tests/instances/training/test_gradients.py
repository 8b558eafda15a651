from itertools import pairwise

import pytest
import torch

from vnnbench.instances.training.gradients import StackGradients

N_IMAGES = 50


def stack(n_networks, widths):
    random = torch.Generator().manual_seed(0)
    parameters = []
    for n_in, n_out in pairwise(widths):
        parameters.append(torch.randn(n_networks, n_in, n_out, generator=random).requires_grad_())
        parameters.append(torch.randn(n_networks, 1, n_out, generator=random).requires_grad_())
    images = torch.rand(N_IMAGES, widths[0], generator=random)
    labels = torch.randint(widths[-1], (N_IMAGES,), generator=random)
    return parameters, images, labels, random


def differentiated(parameters, images, labels, further=lambda parameters: 0):
    """The gradients of torch's automatic differentiation at images (S, B, n_0) and labels (S, B)."""
    h = images
    for k in range(0, len(parameters), 2):
        z = torch.baddbmm(parameters[k + 1], h, parameters[k])
        h = torch.relu(z) if k + 2 < len(parameters) else z
    terms = torch.log_softmax(h.transpose(1, 2), dim=1).gather(1, labels[:, None])
    return torch.autograd.grad(-terms.sum() / labels.shape[1] + further(parameters), parameters)


@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("widths", [(5, 4), (7, 16, 10), (30, 8, 9, 10), (64, 32, 32, 32, 32, 10)])
def test_gradients_have_the_bits_of_automatic_differentiation(n_networks, widths):
    parameters, images, labels, random = stack(n_networks, widths)
    gradients = StackGradients(parameters)
    for batch_size in (16, 7, 16):  # the last batch of an epoch is smaller
        rows = torch.randint(N_IMAGES, (n_networks, batch_size), generator=random)
        gradients.compute(images, rows, labels[rows])
        expected = differentiated(parameters, images[rows], labels[rows])
        assert all(torch.equal(a, b) for a, b in zip(gradients.arrays, expected, strict=True))


def test_automatic_differentiation_adds_the_gradients_of_a_further_term():
    parameters, images, labels, random = stack(2, (6, 8, 10))
    gradients = StackGradients(parameters)
    rows = torch.randint(N_IMAGES, (2, 16), generator=random)
    gradients.compute(images, rows, labels[rows])

    def squares(parameters):
        return sum(W.square().sum() for W in parameters[::2])

    torch.autograd.backward(squares(parameters))
    expected = differentiated(parameters, images[rows], labels[rows], squares)
    assert all(torch.equal(a, b) for a, b in zip(gradients.arrays, expected, strict=True))
