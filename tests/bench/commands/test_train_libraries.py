"""Commands about suites and libraries of training problems: what they print, and one line for what makes no sense."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.command_lines import one_error_line
from support.suites import TRAIN_SUITE
from vnnbench.cli import run_command

INSTANCE = "corner-2n-f101-s3--plain"


@pytest.fixture(scope="module")
def train_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("suite") / "tiny.toml"
    file.write_text(TRAIN_SUITE)
    return file


@pytest.fixture(scope="module")
def train_library(train_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "library"
    assert run_command(["generate", str(train_suite), "--out", str(folder)]) == 0
    return folder


def printed(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """Return what a command prints, after checking that it fits 80 columns."""
    assert run_command(list(command)) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines()), out
    return out


def test_the_list_of_suites_has_whole_names_and_several_data_sets_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["suites"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("rosenhahn2023 ")]
    assert line.split("  ")[0] == "rosenhahn2023" and "wine and 4 more" in line
    assert run_command(["suites", "--format", "json"]) == 0
    suites = {suite["suite"]: suite for suite in json.loads(capsys.readouterr().out)}
    assert suites["rosenhahn2023"]["dataset"] == "wine, breast-cancer, digits-pair, corner, spiral"
    assert suites["rosenhahn2023"]["instances"] == 900
    assert (suites["quickstart"]["dataset"], suites["tong2024-maximize"]["dataset"]) == ("digits", None)


@pytest.mark.parametrize(("width", "data_sets"), [(80, False), (120, True)])
def test_descriptions_of_suites_have_room_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, data_sets: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    assert run_command(["suites"]) == 0
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]
    assert ("dataset" in lines[0].split(), all(len(line) <= width for line in lines)) == (data_sets, True)
    assert len(lines[0].rstrip()) - len("description") + 35 <= width  # the column of descriptions has 35 at least


def test_a_suite_of_training_problems_is_shown_with_its_data_and_variants(
    train_suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = " ".join(printed(capsys, "suites", str(train_suite)).split())
    for words in (
        "family train", "datasets name corner, neurons 2, training samples 8", "variants 101, int", "splits 0, 3",
        "formulations plain, tight", "problems 4", "instances 8",
    ):  # fmt: skip
        assert words in shown
    assert not any(word in shown for word in ("networks", "architectures", "surrogates", "weight sum limit"))


def test_a_library_without_networks_is_shown_by_its_problems(
    train_library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, "show", str(train_library))
    assert "8 instances of suite tiny-train, 4 problems" in " ".join(out.split())
    (head,) = [line for line in out.splitlines() if line.startswith("problems")][-1:]
    assert head.split() == ["problems", "formulation", "n", "samples", "inputs", "rows", "cols", "bin", "kB"]
    rows = [line.split()[:5] for line in out.splitlines() if line.startswith("corner-")]
    assert rows == [
        ["corner-2n-f101", "plain", "2", "8", "2"],
        ["corner-2n-f101", "tight", "2", "8", "2"],
        ["corner-2n-int", "plain", "2", "8", "2"],
        ["corner-2n-int", "tight", "2", "8", "2"],
    ]
    assert not any(word in out for word in ("unst", "pruned", "acc:"))


def test_an_instance_is_shown_with_what_it_has(train_library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "show", str(train_library), INSTANCE)
    facts = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1] != " "}
    assert facts["variant"] == ["101"] and facts["samples"] == ["8"]
    absent = {"network", "accuracy", "radius", "train_seconds"}
    meaningless = {"pruning", "structure", "finetuned", "bounds", "strict", "centre_value"}
    assert facts.keys().isdisjoint(absent | meaningless) and "–" not in out
    assert run_command(["show", str(train_library), INSTANCE, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["network"] is None and found["pruning"] == "none" and found["centre_value"] == -8.0


def test_check_reads_the_models_and_finds_nothing(train_library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", str(train_library), "--solver", "highs"]) == 0
    assert "8 instances, re-read in highs: 0 findings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value"), [("--data", "DIR"), ("--networks", "LIBRARY"), ("--key", "FILE"), ("--device", "cuda")]
)
def test_options_about_trained_networks_are_one_line(
    train_suite: Path, train_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    (tmp_path / "FILE").write_text("secret")
    given = str({"LIBRARY": train_library, "FILE": tmp_path / "FILE", "DIR": tmp_path}.get(value, value))
    for more in ([], ["--dry-run"]):
        command = ["generate", str(train_suite), "--out", str(tmp_path / "library"), option, given]
        assert option in one_error_line(capsys, [*command, *more])
    assert not (tmp_path / "library").exists()
