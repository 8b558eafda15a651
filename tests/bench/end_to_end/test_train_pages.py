"""A training problem from its library to its page: measures, features, decision plane, and the network as ONNX."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from support.suites import TRAIN_SUITE
from vnnbench.cli import run_command
from vnnbench.instances.datasets.table_sources import load_table, named_table
from vnnbench.instances.families import read_problem
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.reader import read_runs

INSTANCE = "corner-2n-f101-s3--tight"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library, the run of one of its instances, and the site of these."""
    folder = tmp_path_factory.mktemp("train")
    (folder / "tiny.toml").write_text(TRAIN_SUITE)
    library, results = str(folder / "library"), str(folder / "results")
    assert run_command(["generate", str(folder / "tiny.toml"), "--out", library]) == 0
    limits = ["--solver", "highs", "--goal", "optimize", "--time-limit", "20"]
    assert run_command(["run", library, "--results", results, "--select", INSTANCE, *limits]) == 0
    assert run_command(["publish", results, "--library", library, "--out", str(folder / "site")]) == 0
    return folder


def measured(folder: Path) -> dict[str, float]:
    (text,) = read_runs(folder / "results/ledger.sqlite").measures
    found: dict[str, float] = json.loads(text)
    return found


def test_the_measures_of_the_best_network_are_stored_and_confirmed(ran, capsys):
    runs = read_runs(ran / "results/ledger.sqlite")
    assert runs.variant.tolist() == ["101"] and runs.samples.tolist() == [8]
    found = measured(ran)
    objective = found["errors"] + 0.1 * (found["weights"] + found["neurons"])  # weights are 0 or 1 in this variant
    assert runs.best_exact_value[0] == pytest.approx(-objective)
    assert run_command(["confirm", str(ran / "results"), "--library", str(ran / "library")]) == 0
    assert "0 differences" in capsys.readouterr().out


def test_the_page_shows_the_best_network_and_offers_the_one_that_was_measured(ran):
    page = (ran / f"site/instances/{INSTANCE}.html").read_text()
    assert '<h2 id="h-model">Best network</h2>' in page and "features that it uses" in page
    (picture,) = re.findall(r'src="\.\./(pictures/[0-9a-f]{20}\.png)" width="896"', page)
    assert (ran / "site" / picture).read_bytes().startswith(b"\x89PNG")
    ((href, name),) = re.findall(r'href="\.\./(best/[0-9a-f]{20}\.onnx)" download="([^"]*)"', page)
    assert name == f"best-{INSTANCE}.onnx"
    library = Library.open(ran / "library")
    split = read_problem(library.property_path(library.row(INSTANCE))).property.split
    session = onnxruntime.InferenceSession(ran / "site" / href)
    table = load_table(named_table("corner"))  # the file takes features as they are in the data
    for data, rows, accuracy in (
        (split.training, split.origin.training_rows, "train_accuracy"),
        (split.test, split.origin.test_rows, "test_accuracy"),
    ):
        outputs, _ = session.run(["output", "steps"], {"input": table.values[list(rows)]})
        assert (np.argmax(outputs, axis=1) == data.classes).mean() == measured(ran)[accuracy]


def test_without_its_candidates_the_page_has_no_network(ran, tmp_path):
    for file in (ran / "results/candidates").glob("*.npz"):
        file.rename(tmp_path / file.name)
    try:
        out = tmp_path / "site"
        assert run_command(["publish", str(ran / "results"), "--library", str(ran / "library"), "--out", str(out)]) == 0
    finally:
        for file in tmp_path.glob("*.npz"):
            file.rename(ran / "results/candidates" / file.name)
    page = (out / f"instances/{INSTANCE}.html").read_text()
    assert "Best network" not in page and "Best exact value" in page and not (out / "best").exists()


def test_a_report_shows_decision_planes_where_it_is_given_the_library(ran, tmp_path):
    report = ["report", str(ran / "results"), "--paper", "rosenhahn2023"]
    assert run_command([*report, "--library", str(ran / "library"), "--out", str(tmp_path / "with")]) == 0
    (picture,) = (tmp_path / "with").glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"![Decision planes]({picture.name})" in (tmp_path / "with/report.md").read_text()
    assert run_command([*report, "--out", str(tmp_path / "without")]) == 0
    assert "Decision planes" not in (tmp_path / "without/report.md").read_text()
    assert [path.name for path in (tmp_path / "without").iterdir()] == ["report.md"]
