"""`prove`: the answers of a library's problems, each with a proof that is checked before it is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import vnnbench.prover.problems
import vnnbench.proving
from support.brute_force import brute_force
from support.command_lines import one_error_line
from support.proofs import excluded_proof, witness_proof
from support.tiny_libraries import CENTRE, GOOD, Question, tiny_box, tiny_network, write_library, write_tiny_library
from vnnbench.checking import check_library
from vnnbench.cli import run_command
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proven_answers import AnswerTable
from vnnbench.instances.progress import Silent
from vnnbench.instances.properties.property import ClosestProperty, MaximizeProperty
from vnnbench.prover.device import Torch


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return write_tiny_library(tmp_path / "library")


def prove(library: Library, *words: str) -> int:
    return run_command(["prove", str(library.folder), *words])


def answers(library: Library) -> dict[str, str]:
    return {name: str(proven.answer) for name, proven in AnswerTable.open(library.folder).problems.items()}


def proof_bytes(library: Library, name: str) -> bytes:
    return (library.folder / "proofs" / f"{name}.npz").read_bytes()


def test_all_problems_get_answers_whose_proofs_hold(library, capsys):
    assert prove(library) == 0
    assert answers(library) == {"adv": "adversarial", "rob": "robust"}
    assert (
        "library: proven answers to 2 of 2 problems: 1 adversarial, 1 robust; proving took" in capsys.readouterr().err
    )
    assert check_library(library, library.rows, [], Silent()) == []
    assert run_command(["verify-proof", f"{library.folder}/proofs/rob.npz", "--library", str(library.folder)]) == 0


def test_a_gpu_that_is_not_there_is_one_line_and_nothing_is_written(library, capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU (device)")
    line = one_error_line(capsys, ["prove", str(library.folder), "--device", "cuda"])
    assert "--device cuda: torch finds no GPU here" in line
    assert not (library.folder / "proofs").exists()


def test_a_gpu_that_fails_is_one_line_and_what_is_proven_stays(library, capsys, monkeypatch):
    class Failing(Torch):
        def put(self, value):
            raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later")

    assert prove(library, "--select", "adv*") == 0
    kept = proof_bytes(library, "adv")
    capsys.readouterr()
    for module in (vnnbench.proving, vnnbench.prover.problems):
        monkeypatch.setattr(module, "device_named", Failing)
    line = one_error_line(capsys, ["prove", str(library.folder), "--device", "cuda"])
    assert line == "Error: --device cuda: CUDA error: out of memory"
    assert answers(library) == {"adv": "adversarial"} and proof_bytes(library, "adv") == kept


def test_a_maximum_and_a_least_distance_are_proven_as_values(tmp_path, capsys):
    networks = tiny_network(1.0), tiny_network(1.0, pruned=True)
    props = {
        "most": MaximizeProperty(tiny_box(), 1, None, None),
        "near": ClosestProperty(tiny_box(), 0, (1,), Fraction(1, 8), None, None),
    }
    library = write_library(tmp_path / "library", {name: Question(prop, *networks) for name, prop in props.items()})
    assert prove(library) == 0
    assert answers(library) == {"most": "value", "near": "value"}
    for name, proven in AnswerTable.open(library.folder).problems.items():
        assert proven.lower == pytest.approx(brute_force(networks[0], props[name]), abs=1e-6)
        assert 0 <= proven.upper - proven.lower <= 1e-6
    assert check_library(library, library.rows, [], Silent()) == []
    capsys.readouterr()
    assert run_command(["verify-proof", f"{library.folder}/proofs/near.npz", "--library", str(library.folder)]) == 0
    assert "near: value, minus the least distance is about -0." in capsys.readouterr().out


@pytest.mark.usefixtures("worker_processes")
def test_several_workers_prove_the_same(library, tmp_path):
    assert prove(library, "--jobs", "2") == 0
    other = write_tiny_library(tmp_path / "other")
    assert prove(other) == 0
    assert answers(library) == answers(other)
    for name in ("adv", "rob"):
        assert proof_bytes(library, name) == proof_bytes(other, name)


def test_only_the_problems_of_selected_instances_are_proven(library):
    assert prove(library, "--select", "rob*") == 0
    assert answers(library) == {"rob": "robust"}
    assert prove(library) == 0
    assert answers(library) == {"rob": "robust", "adv": "adversarial"}


def test_a_decided_problem_is_left_as_it_is(library, monkeypatch):
    with adding_answers(library) as growing:
        growing.add(witness_proof(library, "adv", GOOD), None)
    kept, asked = proof_bytes(library, "adv"), []
    real = vnnbench.proving.prove_problem
    monkeypatch.setattr(vnnbench.proving, "prove_problem", lambda *task: asked.append(task[1]) or real(*task))
    assert prove(library) == 0
    assert prove(library) == 0
    assert asked == ["rob"] and proof_bytes(library, "adv") == kept


def test_a_problem_whose_proof_is_missing_or_altered_is_proven_again(library):
    assert prove(library) == 0
    kept = {name: proof_bytes(library, name) for name in ("adv", "rob")}
    (library.folder / "proofs" / "adv.npz").unlink()
    (library.folder / "proofs" / "rob.npz").write_bytes(kept["rob"] + b"x")
    assert check_library(library, library.rows, [], Silent()) != []
    assert prove(library) == 0
    assert {name: proof_bytes(library, name) for name in kept} == kept
    assert check_library(library, library.rows, [], Silent()) == []


def test_an_open_problem_is_tried_again(library):
    with adding_answers(library) as growing:
        growing.add(witness_proof(library, "adv", CENTRE), None)
    assert answers(library) == {"adv": "open"}
    assert prove(library) == 0
    assert answers(library) == {"adv": "adversarial", "rob": "robust"}


def test_what_the_checker_rejects_is_not_kept_and_said(library, monkeypatch, capsys):
    wrong = {
        "adv": witness_proof(library, "adv", CENTRE),
        "rob": replace(excluded_proof(library, "adv"), problem="rob"),
    }
    monkeypatch.setattr(vnnbench.proving, "prove_problem", lambda _folder, name, *_: (wrong[name].to_bytes(), 0.5))
    assert prove(library) == 1
    assert answers(library) == {"adv": "open"}
    assert "the checker rejects a proof, please report it: rob: " in capsys.readouterr().err


def test_a_problem_that_the_prover_cannot_take_is_named_and_others_go_on(library, monkeypatch, capsys):
    real = vnnbench.proving.prove_problem

    def refuse(folder, name, *more):
        if name == "adv":
            raise NetworkError("the weights are too large")
        return real(folder, name, *more)

    monkeypatch.setattr(vnnbench.proving, "prove_problem", refuse)
    assert prove(library) == 0
    assert answers(library) == {"rob": "robust"}
    err = capsys.readouterr().err
    assert "adv is left out: the weights are too large" in err and "proven answers to 1 of 2 problems" in err


def test_nothing_found_leaves_the_library_without_answers(library, monkeypatch, capsys):
    monkeypatch.setattr(vnnbench.proving, "prove_problem", lambda *_: (None, 1.0))
    assert prove(library) == 0
    assert answers(library) == {} and not (library.folder / "answers.csv").exists()
    assert capsys.readouterr().err.endswith("library: proven answers to 0 of 2 problems\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--time-limit", "0"], "--time-limit"),
        (["--time-limit", "nan"], "--time-limit"),
        (["--jobs", "0"], "--jobs"),
        (["--select", "nothing*"], "nothing*"),
    ],
    ids=str,
)
def test_wrong_options_are_one_line(library, capsys, words, message):
    assert message in one_error_line(capsys, ["prove", str(library.folder), *words])


def test_an_altered_network_is_one_line_and_nothing_is_written(library, capsys):
    path = library.dense_network_path(library.rows[0])
    path.write_bytes(path.read_bytes()[:-1])
    assert path.name in one_error_line(capsys, ["prove", str(library.folder)])
    assert not (library.folder / "answers.csv").exists()


SLOW = """
import sys, time
import vnnbench.proving
from vnnbench.cli import run_command
from vnnbench.instances.generation import workers
from concurrent.futures import ThreadPoolExecutor
real = vnnbench.proving.prove_problem
def prove(folder, name, *more):
    if name == "rob":
        print("now", flush=True)
        time.sleep(60)
    return real(folder, name, *more)
vnnbench.proving.prove_problem = prove
workers.worker_pool = ThreadPoolExecutor
sys.exit(run_command(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_prover_that_is_killed_loses_nothing_proven(library, how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SLOW, "prove", str(library.folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None and process.stdout.readline() == b"now\n"
        deadline = time.monotonic() + 30
        while "adv" not in answers(library) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(how)
    assert answers(library) == {"adv": "adversarial"}
    assert prove(library) == 0
    assert answers(library) == {"adv": "adversarial", "rob": "robust"}


def test_proofs_do_not_depend_on_when_they_are_made(library, tmp_path):
    assert prove(library) == 0
    other = write_tiny_library(tmp_path / "other")
    assert prove(other) == 0
    assert proof_bytes(other, "rob") == proof_bytes(library, "rob")
    assert np.array_equal(*(np.load(one.folder / "proofs" / "adv.npz")["witness"] for one in (library, other)))
