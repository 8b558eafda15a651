"""What the options of a cluster mean, and that a wrong one is one line before anything is submitted."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from support.silent import Silent
from vnnbench.engines.choice import EngineChoice
from vnnbench.engines.cluster import Cluster
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.local import LocalEngine
from vnnbench.engines.providers import MARK, cancel_noted, make_provider
from vnnbench.errors import ResultsError, UsageError


def parsed(*texts: str) -> ClusterOptions:
    return ClusterOptions.parse(texts)


def test_without_options_the_workers_are_on_this_machine():
    assert parsed() == ClusterOptions("local", 1, None, 1, None, None, None, None, {})


def test_each_option_has_its_place():
    options = parsed(
        "provider=slurm", "blocks=10", "workers_per_node=32", "nodes_per_block=2", "walltime=04:30:00",
        "address=10.0.0.1", "max_gurobi=5", "scratch=/local", "partition=long",
        "scheduler_options=#SBATCH --mail-type=END",
    )  # fmt: skip
    others = {"partition": "long", "scheduler_options": "#SBATCH --mail-type=END"}
    assert options == ClusterOptions("slurm", 10, 32, 2, 16200, "10.0.0.1", 5, "/local", others)
    assert options.walltime == "04:30:00"


def test_a_walltime_is_rounded_down_to_minutes_as_schedulers_count():
    assert parsed("provider=slurm", "walltime=100:02:59").walltime == "100:02:00"


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["provider"], "must be KEY=VALUE"),
        (["=3"], "must be KEY=VALUE"),
        (["blocks="], "must be KEY=VALUE"),
        (["blocks=1", "blocks=2"], "each key only once"),
        (["provider=dask"], "must be one of local, slurm, pbspro, lsf, condor, kubernetes"),
        (["blocks=0"], "must be a whole number from 1 to 100000"),
        (["blocks=1e3"], "must be a whole number"),
        (["max_gurobi=-1"], "must be a whole number"),
        (["workers_per_node=²"], "must be a whole number"),
        (["provider=slurm"], "give the time after which slurm ends a job, as HH:MM:SS"),
        (["provider=slurm", "walltime=4h"], "must be HH:MM:SS"),
        (["provider=slurm", "walltime=00:00:30"], "must be HH:MM:SS, at least a minute"),
        (["scratch=here"], "scratch=here: must be an absolute path"),
        (["walltime=01:00:00"], "provider local ends no jobs"),
        (["address=10.0.0.1"], "the workers of provider local are on this machine"),
    ],
)
def test_a_wrong_option_is_one_line(texts, what):
    with pytest.raises(UsageError) as caught:
        parsed(*texts)
    assert what in str(caught.value) and str(caught.value).startswith("--engine-option ")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs of schedulers that answer nothing."""
    for name in ("sbatch", "sacct", "squeue", "qsub", "bsub", "condor_submit"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\nexit 0\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("provider", "cores"),
    [("slurm", "cores_per_node"), ("pbspro", "cpus_per_node"), ("lsf", "cores_per_node"), ("condor", None)],
)
def test_providers_get_blocks_walltime_and_cores(provider, cores):
    options = parsed(f"provider={provider}", "walltime=02:00:00", "blocks=7", "workers_per_node=8")
    made = make_provider(options, 3, "mark")
    assert (made.max_blocks, made.init_blocks, made.min_blocks) == (7, 0, 0)
    assert made.walltime == "02:00:00"
    assert cores is None or getattr(made, cores) == 24
    assert "vnnbench.isolation.granted_cores" in made.worker_init


@pytest.mark.usefixtures("programs")
def test_options_of_a_provider_are_passed_on():
    slurm = make_provider(
        parsed(
            "provider=slurm", "walltime=01:00:00", "partition=long", "mem_per_node=16", "exclusive=false",
            "worker_init=module load python", "nodes_per_block=2",
        ),
        1,
        "mark",
    )  # fmt: skip
    assert (slurm.partition, slurm.mem_per_node, slurm.exclusive, slurm.nodes_per_block) == ("long", 16, False, 2)
    assert slurm.worker_init.startswith("module load python\n")
    assert type(slurm.launcher).__name__ == "SrunLauncher"
    pbs = make_provider(parsed("provider=pbspro", "walltime=01:00:00", "queue=day", "account=us"), 1, "mark")
    assert pbs.queue == "day"


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["provider=slurm", "walltime=01:00:00", "queue=day"], "queue: is not an option of slurm: account, clusters"),
        (["provider=slurm", "walltime=01:00:00", "max_blocks=3"], "max_blocks: is not an option of slurm"),
        (["provider=slurm", "walltime=01:00:00", "mem_per_node=16g"], "mem_per_node=16g: must be a whole number"),
        (["provider=slurm", "walltime=01:00:00", "exclusive=yes"], "exclusive=yes: must be true or false"),
        (["provider=lsf", "walltime=01:00:00", "nodes_per_block=2"], "jobs of several nodes need provider=slurm"),
        (["provider=kubernetes", "persistent_volumes=data"], "must be CLAIM:PATH"),
        (["partition=long"], "partition: is not an option of local"),
        (["nodes_per_block=0"], "nodes_per_block=0: must be a whole number from 1 to"),
        (["provider=kubernetes"], "image: provider kubernetes needs it"),
    ],
)
def test_an_option_that_the_provider_does_not_have_is_one_line(texts, what):
    with pytest.raises(UsageError) as caught:
        make_provider(parsed(*texts), 1, "mark")
    assert what in str(caught.value)


def test_a_scheduler_that_is_not_here_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="provider=slurm: sbatch is not on this machine's PATH"):
        make_provider(parsed("provider=slurm", "walltime=01:00:00"), 1, "mark")


def test_kubernetes_without_its_package_or_cluster_is_one_line():
    with pytest.raises(UsageError, match=r"^--engine-option provider=kubernetes: [^\n]+$"):
        make_provider(parsed("provider=kubernetes", "image=python:3.11"), 1, "mark")


@pytest.mark.parametrize("job", ["7 | touch x", "$(touch x)", "", "a\nb", "7;8"])
def test_what_is_not_the_id_of_a_job_reaches_no_command(job):
    with pytest.raises(ResultsError, match="is not the id of a job of local"):
        cancel_noted(parsed(), "mark", ["12", job])


def test_only_processes_with_the_mark_are_ended():
    marked, other = (subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark}) for mark in ("one", "other"))
    try:
        cancel_noted(parsed(), "one", [str(other.pid)])
        assert marked.wait(10) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("name", ["a b", "$(touch x)", "r{x}", "r'q", "r%j", "é"])
def test_a_path_that_a_shell_reads_otherwise_is_one_line(library, tmp_path, name):
    with pytest.raises(UsageError, match="a cluster's scripts need a path without"):
        Cluster(tmp_path / name, parsed(), 1, None, print, print)
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / name}: a cluster's scripts need a path without")):
        EngineChoice.parse("parsl", 1, []).engine(library, tmp_path / name, Silent())
    assert not (tmp_path / name).exists()


def test_the_command_that_repeats_runs_of_a_cluster_names_it():
    options = ["provider=local", "blocks=2"]
    words = EngineChoice.parse("parsl", 1, options).words
    assert words == ("--engine", "parsl", "--engine-option", "provider=local", "--engine-option", "blocks=2")
    assert EngineChoice.parse("local", 2, []).words == ()


def test_the_engine_of_this_machine_is_the_default(library, tmp_path):
    choice = EngineChoice.parse("local", 3, [])
    engine = choice.engine(library, tmp_path, print)
    assert isinstance(engine, LocalEngine) and engine.jobs == choice.at_a_time == 3


def test_a_cluster_executes_as_many_runs_as_its_options_say():
    assert EngineChoice.parse("parsl", 1, ["blocks=4", "workers_per_node=8"]).at_a_time == 32


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("local", 1, ["blocks=3"]), "--engine-option blocks=3: has a meaning only with --engine parsl"),
        (("parsl", 2, []), "--jobs: has no meaning with --engine parsl"),
        (("dask", 1, []), "--engine dask: must be local or parsl"),
    ],
)
def test_an_engine_that_does_not_fit_is_one_line(words, what):
    with pytest.raises(UsageError) as caught:
        EngineChoice.parse(*words)
    assert what in str(caught.value)


def test_a_missing_parsl_is_one_line(monkeypatch):
    monkeypatch.setattr("vnnbench.engines.choice.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'vnnbench\[cluster\]'"):
        EngineChoice.parse("parsl", 1, [])
