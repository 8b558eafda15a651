"""The package as others install it finds its own modules alone, also beside foreign folders of the same names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.sources import FOLDERS, copy_sources


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plain install of the package."""
    sources = copy_sources(tmp_path_factory.mktemp("sources"))
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(sources)], check=True)
    return target


@pytest.fixture
def start(installed, tmp_path):
    """A function that starts Python with arguments in a folder that holds foreign packages, on the path first."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('raise RuntimeError("foreign")\n')

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": f".{os.pathsep}{installed}"}
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
        )

    return python


def test_every_module_is_installed_and_found_beside_foreign_folders(start, installed):
    code = (
        "import importlib, json, pkgutil, sys, vnnbench\n"
        "names = [m.name for m in pkgutil.walk_packages(vnnbench.__path__, 'vnnbench.') if '__main__' not in m.name]\n"
        "print(json.dumps({name: importlib.import_module(name).__file__ for name in names}))"
    )
    found = json.loads(start("-c", code).stdout)
    assert len(found) > 200
    assert {name for name, path in found.items() if not Path(path).is_relative_to(installed)} == set()


def test_a_plain_install_generates_runs_and_publishes(start, tiny_library, tmp_path):
    run = ["run", str(tiny_library), "--results", "results", "--solver", "highs", "--select", "*-s0-*--tight"]
    start("-m", "vnnbench", *run)
    start("-m", "vnnbench", "publish", "results", "--library", str(tiny_library), "--out", "site")
    assert (tmp_path / "site" / "assets" / "site.css").is_file()
    assert "quickstart" in start("-m", "vnnbench", "suites").stdout
    assert "cbc" in start("-m", "vnnbench", "solvers").stdout
