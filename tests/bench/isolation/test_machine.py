from __future__ import annotations

import json
import os
import platform

import pytest

import vnnbench.common.cpu_model
import vnnbench.isolation.machine
from vnnbench.common.cpu_model import cpu_model
from vnnbench.isolation.machine import machine_facts, machine_name, package_versions
from vnnbench.leaderboard.records.schema import MACHINE_COLUMNS


def test_facts_are_the_columns_of_the_ledger():
    facts = machine_facts()
    assert list(facts.document) == list(MACHINE_COLUMNS)
    assert facts.cores == len(os.sched_getaffinity(0))
    assert json.loads(facts.packages) == package_versions()
    assert {"numpy", "vnnbench", "onnxruntime"} <= package_versions().keys()


def test_equal_machines_are_one_row_and_others_are_not(monkeypatch):
    first = machine_facts()
    assert machine_facts() == first
    monkeypatch.setattr(vnnbench.isolation.machine.platform, "release", lambda: "other")
    assert machine_facts().machine != first.machine


def test_hosts_are_rows_of_their_own_with_the_same_type_of_cpu(monkeypatch):
    first = machine_facts()
    assert first.host == platform.node()
    monkeypatch.setattr(vnnbench.isolation.machine.platform, "node", lambda: "another")
    other = machine_facts()
    assert (other.host, other.cpu) == ("another", first.cpu)
    assert other.machine != first.machine


def test_a_fact_that_was_not_recorded_leaves_the_name_as_it_was():
    assert machine_name({"cpu": "c", "host": None}) == machine_name({"cpu": "c"}) != machine_name({"cpu": "d"})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: A 1 @ 2 GHz\nprocessor\t: 1\nmodel name\t: B\n", "A 1 @ 2 GHz"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "arch implementer 0x41 part 0xd0c"),
        ("processor\t: 0\n", "arch"),
        (None, "arch"),
    ],
)
def test_type_of_cpu_is_what_linux_says(monkeypatch, tmp_path, text, name):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(vnnbench.common.cpu_model, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(vnnbench.common.cpu_model.platform, "machine", lambda: "arch")
    assert cpu_model() == name


def test_missing_packages_are_left_out(monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.machine, "_PACKAGES", ("numpy", "no-such-package"))
    assert package_versions().keys() == {"numpy"}
