"""The repair of a solver's network: a network exactly inside the feasible set, near the given one, with its steps.

Solvers leave pre-activations slightly above 0 or below eps. The steps of the training samples are kept as the given
network has them; integers are rounded; then each neuron in turn gets parameters at which every sample is exactly on its
side: first by moving the bias, then by scaling weights and bias, and last by the linear program that maximizes the
distance of all samples from both sides. What leaves the boxes is not a repair.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate
from vnnbench.instances.step_networks.train_property import Box, TrainProperty
