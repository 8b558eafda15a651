"""The variables by which users set the threads of BLAS and OpenMP do not change the results of training."""

import os
import subprocess
import sys
from pathlib import Path

TRAIN_AND_FINETUNE = """
import hashlib
from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.finetuning import Surrogate, finetune
from vnnbench.instances.training.plan import FinetuningPlan, TrainingPlan
digits, plan = load_dataset("digits", 8), TrainingPlan(epochs=3)

def tell(results, *accuracies):
    digest = hashlib.sha256()
    for result in results:
        for array in (*result.network.weights, *result.network.biases):
            digest.update(array.tobytes())
        digest.update(repr([getattr(result, name) for name in accuracies]).encode())
    print(digest.hexdigest())
    return [result.network for result in results]

dense = tell(train(digits, [32, 32], [0, 1, 2, 3], plan), "train_accuracy", "test_accuracy")
methods = [(Method.MAGNITUDE, structure) for structure in Structure]
surrogates = [Surrogate(f"s{i}", d, f"d{i}", *methods[i % len(methods)], 0.5) for i, d in enumerate(dense)]
tell(finetune(digits, surrogates, plan, FinetuningPlan(2, 2)), "test_accuracy")
"""


def test_thread_variables_do_not_change_the_bytes():
    digests = set()
    for threads in ("1", "2", "5"):
        variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        child = subprocess.run(
            [sys.executable, "-c", TRAIN_AND_FINETUNE],
            env=os.environ | variables,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(child.stdout)
    (told,) = digests
    assert len(set(told.split())) == 2
