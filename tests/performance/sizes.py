"""Measure the import of a large convolutional network, and its bounds by blocks beside those by whole matrices.

The network has the shape of VNN-COMP 2022's cifar_biasfield: 16 coefficients of a field that changes an image, then
seven convolutions with 45,056 ReLUs, 363,914 parameters and 9.4 million weights in windows. Weights are random, and the
box is so small that as many neurons are unstable as in a trained network over the benchmark's box. One thread; the
import is a process of its own, from its start to its end, with its peak memory.

    .venv/bin/python tests/performance/sizes.py

Takes two or three minutes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from threadpoolctl import threadpool_limits

from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.bounds.relaxation import Relaxation
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib

MAPS_AND_STRIDES = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1))
N_COEFFICIENTS, CLASSES, SIDE, ROOM = 16, 10, 32, 0.006


def main() -> None:
    """Print a line for the import, and one for the bounds."""
    with tempfile.TemporaryDirectory() as name, threadpool_limits(limits=1):
        folder = Path(name)
        onnx, vnnlib = folder / "network.onnx", folder / "property.vnnlib"
        write_network(onnx)
        vnnlib.write_text(question())
        program = [str(Path(sys.executable).with_name("vnnbench")), "import", str(folder / "library")]
        given = ["--onnx", str(onnx), "--vnnlib", str(vnnlib), "--bounds", BoundLevel.BACKWARD]
        start = time.perf_counter()
        subprocess.run([*program, *given], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        gibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"import, {BoundLevel.BACKWARD}: {time.perf_counter() - start:.1f} s, {gibibytes:.2f} GiB")
        by_blocks, whole = seconds_of_bounds(onnx, vnnlib)
        print(f"bounds: by blocks {by_blocks:.1f} s, by whole matrices {whole:.1f} s, {whole / by_blocks:.1f} times")


def write_network(path: Path) -> None:
    """Write the network: an affine layer, an image, convolutions, and one map of the last window for each class."""
    random = np.random.default_rng(0)
    arrays, nodes = {}, []

    def draw(name: str, *shape: int) -> None:
        spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.05
        arrays[name] = random.normal(0, spread, shape).astype(np.float32)

    draw("field", 3 * SIDE**2, N_COEFFICIENTS)
    draw("image", 3 * SIDE**2)
    arrays["shape"] = np.array([1, 3, SIDE, SIDE])
    nodes.append(helper.make_node("Gemm", ["x", "field", "image"], ["values"], transB=1))
    nodes.append(helper.make_node("Reshape", ["values", "shape"], ["h"]))
    h, n_maps, side = "h", 3, SIDE
    for k, (n_out, stride) in enumerate(MAPS_AND_STRIDES):
        draw(f"W{k}", n_out, n_maps, 3, 3)
        draw(f"b{k}", n_out)
        nodes.append(helper.make_node("Conv", [h, f"W{k}", f"b{k}"], [f"z{k}"], strides=[stride] * 2, pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"z{k}"], [f"h{k}"]))
        h, n_maps, side = f"h{k}", n_out, side // stride
    draw("W", CLASSES, n_maps, side, side)
    draw("b", CLASSES)
    nodes += [helper.make_node("Conv", [h, "W", "b"], ["z"]), helper.make_node("Flatten", ["z"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "sizes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, N_COEFFICIENTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def question() -> str:
    """Return whether any class reaches the first one in a small box, in VNN-LIB."""
    declared = [f"(declare-const X_{i} Real)" for i in range(N_COEFFICIENTS)]
    declared += [f"(declare-const Y_{i} Real)" for i in range(CLASSES)]
    box = [f"(assert (<= X_{i} {1 + ROOM}))\n(assert (>= X_{i} {1 - ROOM}))" for i in range(N_COEFFICIENTS)]
    classes = " ".join(f"(and (>= Y_{i} Y_0))" for i in range(1, CLASSES))
    return "\n".join([*declared, *box, f"(assert (or {classes}))", ""])


def seconds_of_bounds(onnx: Path, vnnlib: Path) -> tuple[float, float]:
    """Return the seconds of `backward` as it is, and by products with whole matrices, as without sparse layers."""
    prop = parse_vnnlib(vnnlib.read_bytes(), vnnlib.name).prop
    chain = prop.goal.chain(read_onnx(onnx))

    def seconds() -> float:
        start = time.perf_counter()
        bounds = bound_layers(chain, prop.input_set, BoundLevel.BACKWARD)
        taken = time.perf_counter() - start
        n = sum(int((own.unstable & layer.relu).sum()) for own, layer in zip(bounds, chain.layers, strict=True))
        print(f"{sum(int(layer.relu.sum()) for layer in chain.layers)} ReLUs, {n} of them unstable")
        return taken

    by_blocks = seconds()
    Relaxation._down_by_neuron = lambda self, A, constant: self._down(A, constant, None)  # type: ignore[method-assign]
    return by_blocks, seconds()


if __name__ == "__main__":
    main()
