"""The gradients of a stack: of the cross entropy of its networks, layer by layer, without automatic differentiation.

The kernels, their order and the layouts of their operands are those that torch's automatic differentiation uses, and so
the bytes are the same. But nothing is recorded, and results go into buffers that every step uses again: a step of ten
small networks takes three quarters of the time.

Dimensions as in `batched`: S networks, B images per batch, W (S, n_{k-1}, n_k), b (S, 1, n_k), activations (S, B, n_k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class StackGradients:
    """The gradients of the parameters of a stack: `arrays`, one for each parameter, which each `compute` overwrites.

    They are also the parameters' own, so that automatic differentiation adds to them what a further term of the loss
    has.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.arrays = [torch.empty_like(parameter) for parameter in parameters]
        for parameter, array in zip(parameters, self.arrays, strict=True):
            parameter.grad = array
        self._weights, self._biases = parameters[::2], parameters[1::2]
        self._buffers: dict[int, _Buffers] = {}

    @torch.no_grad()
    def compute(self, images: Tensor, rows: Tensor, labels: Tensor) -> None:
        """Compute the gradients of the cross entropy at the rows (S, B) of images (n, n_0), with labels (S, B).

        The loss is the mean over each network's batch, summed over networks, so that no gradient depends on another
        network.
        """
        batch_size = rows.shape[1]
        if batch_size not in self._buffers:
            self._buffers[batch_size] = _Buffers.of(self._weights, batch_size)
        buffers = self._buffers[batch_size]
        torch.index_select(images, 0, rows.flatten(), out=buffers.activations[0].flatten(0, 1))
        self._forward(buffers)
        self._backward(buffers, _at_outputs(buffers, labels))

    def _forward(self, buffers: _Buffers) -> None:
        last = len(self._weights) - 1
        for k, (W, b) in enumerate(zip(self._weights, self._biases, strict=True)):
            z = torch.baddbmm(b, buffers.activations[k], W, out=buffers.activations[k + 1])
            if k < last:
                z.relu_()

    def _backward(self, buffers: _Buffers, gradient: Tensor) -> None:
        """Compute the gradients of the parameters from the one at the outputs (S, B, n_L)."""
        for k in reversed(range(len(self._weights))):
            torch.sum(gradient, 1, keepdim=True, out=self.arrays[2 * k + 1])
            torch.bmm(buffers.activations[k].transpose(1, 2), gradient, out=self.arrays[2 * k])
            if k > 0:
                below = torch.bmm(gradient, self._weights[k].transpose(1, 2), out=buffers.gradients[k - 1])
                gradient = _RELU_BACKWARD(below, buffers.activations[k], 0, grad_input=below)


@dataclass(frozen=True, slots=True, eq=False)
class _Buffers:
    """What a step computes on the way, for one size of batches.

    activations: the inputs, hidden layers and outputs, (S, B, n_k). gradients: of the hidden layers, (S, B, n_k). The
    others are (S, n_L, B). Classes are in the middle, because along the last dimension log-softmax takes twice as long.
    """

    activations: list[Tensor]
    gradients: list[Tensor]
    log_softmax: Tensor
    at_log_softmax: Tensor
    at_outputs: Tensor

    @classmethod
    def of(cls, weights: Sequence[Tensor], batch_size: int) -> _Buffers:
        first, n_networks = weights[0], len(weights[0])
        widths = [first.shape[1], *(W.shape[2] for W in weights)]
        layers = [first.new_empty(n_networks, batch_size, width) for width in widths]
        by_class = [first.new_empty(n_networks, widths[-1], batch_size) for _ in range(3)]
        return cls(layers, [torch.empty_like(layer) for layer in layers[1:-1]], *by_class)


# The kernels of automatic differentiation, which torch offers under no other name.
_RELU_BACKWARD = torch.ops.aten.threshold_backward.grad_input
_LOG_SOFTMAX_BACKWARD = torch.ops.aten._log_softmax_backward_data.out


def _at_outputs(buffers: _Buffers, labels: Tensor) -> Tensor:
    """Return the gradient of the loss at the outputs, (S, B, n_L)."""
    torch.log_softmax(buffers.activations[-1].transpose(1, 2), 1, out=buffers.log_softmax)
    buffers.at_log_softmax.zero_().scatter_(1, labels[:, None], -1 / labels.shape[1])
    _LOG_SOFTMAX_BACKWARD(
        buffers.at_log_softmax, buffers.log_softmax, 1, buffers.log_softmax.dtype, out=buffers.at_outputs
    )
    return buffers.at_outputs.transpose(1, 2)
