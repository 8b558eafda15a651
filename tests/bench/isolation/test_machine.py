from __future__ import annotations

import json
import os

import vnnbench.isolation.machine
from vnnbench.isolation.machine import machine_facts, package_versions
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


def test_missing_packages_are_left_out(monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.machine, "_PACKAGES", ("numpy", "no-such-package"))
    assert package_versions().keys() == {"numpy"}
