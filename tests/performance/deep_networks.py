"""Measure how many questions about wide and deep networks the prover answers: local robustness on MNIST.

The networks have 4 and 6 layers of 256 ReLUs, as those of VNN-COMP's benchmark `mnist_fc`, and are trained here: least
squares to the classes' unit vectors, by Adam with step 2e-3, 20 epochs of batches of 128, from twice torch's initial
weights. About each, of the first test images that it classifies correctly, it is asked whether an image within radius
0.03, or 0.05, of L-infinity has another class. Printed are the answers with their times, and how many are decided; a
network takes two minutes to train. Everything runs on one core.

    .venv/bin/python tests/performance/deep_networks.py --data DIR --time-limit 30
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.prover.aim import Decision
from vnnbench.prover.prove import prove
from vnnbench.prover.search import Ending

DEPTHS, WIDTH, RADII = (4, 6), 256, (0.03, 0.05)
EPOCHS, BATCH, STEP, SCALE = 20, 128, 2e-3, 2.0
ANSWERS = {Ending.WITNESS: "adversarial", Ending.EXCLUDED: "robust"}


def main() -> None:
    """Train the networks, and prove what the module's docstring says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=15, help="test images of each network")
    parser.add_argument("--time-limit", type=float, default=300.0, help="seconds for each question")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    data = load_dataset("mnist", 28, arguments.data)
    for depth in DEPTHS:
        network = trained(torch.tensor(data.train_images), torch.tensor(data.train_labels), depth)
        images = list(zip(data.test_images.astype(np.float64), data.test_labels.tolist(), strict=True))
        correct = [(x, label) for x, label in images if classify(network, x) == label][: arguments.images]
        for radius in RADII:
            decided = sum(answer(network, x, label, radius, arguments.time_limit) for x, label in correct)
            print(f"{depth}x{WIDTH}, radius {radius}: {decided} of {len(correct)} decided", flush=True)


def trained(images: Tensor, labels: Tensor, depth: int) -> LayeredNetwork:
    """Train a network of some layers of `WIDTH` ReLUs."""
    torch.manual_seed(0)
    linear = [nn.Linear(a, b) for a, b in pairwise([images.shape[1], *[WIDTH] * depth, 10])]
    with torch.no_grad():
        for layer in linear[:-1]:
            layer.weight *= SCALE
    network = nn.Sequential(*(part for layer in linear for part in (layer, nn.ReLU())))[:-1]
    optimizer = torch.optim.Adam(network.parameters(), lr=STEP)
    targets = nn.functional.one_hot(labels.long(), 10).float()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = ((network(images[batch]) - targets[batch]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    layers = []
    for place, layer in enumerate(linear):
        W, b = (array.detach().numpy().astype(np.float64) for array in (layer.weight, layer.bias))
        layers.append(Layer(W, b, everywhere(len(b)) if place < depth else nowhere(len(b))))
    return LayeredNetwork(tuple(layers))


def classify(network: LayeredNetwork, x: np.ndarray) -> int:
    """Return the class of an image."""
    for layer in network.layers:
        x = layer.activate(layer.W @ x + layer.b)
    return int(x.argmax())


def answer(network: LayeredNetwork, x: np.ndarray, label: int, radius: float, seconds: float) -> bool:
    """Ask about one image, print the answer, and return whether there is one."""
    others = tuple(k for k in range(10) if k != label)
    ball = InputSet(Norm.LINF, x, radius, np.zeros(len(x)), np.ones(len(x)))
    prop = VerifyProperty(ball, label, others, False, "mnist", None)
    question, started = Question.about(prop), time.perf_counter()
    outcome = prove(question, network, Decision(VerifyProblem(prop), network, question), seconds)
    took = time.perf_counter() - started
    print(f"  {ANSWERS.get(outcome.ending, 'open')}, {took:.2f} s, {outcome.n_cases} cases", flush=True)
    return outcome.ending in ANSWERS


if __name__ == "__main__":
    main()
