"""Small valid files of every kind, to be mutated."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes


def _small_network() -> Network:
    generator = np.random.default_rng(5)
    sizes = (3, 4, 4, 2)
    weights = [generator.normal(size=(m, n)).astype(np.float32) for n, m in pairwise(sizes)]
    return Network(tuple(weights), tuple(generator.normal(size=m).astype(np.float32) for m in sizes[1:]))


SMALL_ONNX = onnx_bytes(_small_network())
"""A network of 3 inputs, two layers of 4 ReLUs and 2 outputs."""

SMALL_VNNLIB = """; a property
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const X_2 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 -0.1))
(assert (<= X_0 1.0))
(assert (and (>= X_1 0) (<= X_1 1)))
(assert (<= X_2 7e-1))
(assert (>= X_2 -1.5))
(assert (or (and (>= Y_1 Y_0)) (>= (+ Y_0 (* -2.0 Y_1)) 2e-1)))
"""
"""A property of `SMALL_ONNX`."""

SMALL_VNNLIB_2 = """; a property
(vnnlib-version <2.0>)
(declare-network f
  (declare-input X real [1,3])
  (declare-output Y real [1,2])
)
(assert (>= X[0,0] -0.1))
(assert (<= X[0,0] 1.0))
(assert (and (>= X[0,1] 0.0) (<= X[0,1] 1.0)))
(assert (<= X[0,2] 0.7))
(assert (>= X[0,2] -1.5))
(assert (or (and (> Y[0,1] Y[0,0])) (>= (+ Y[0,0] (* -2.0 Y[0,1])) 0.2)))
"""
"""The same in VNN-LIB 2.0, but that one target beats the source strictly."""
