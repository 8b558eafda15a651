"""Commands about libraries: what they print, and one line for everything that is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

import vnnbench.instances.formulations.numerics
import vnnbench.solvers.command_line.adapter
from support.command_lines import TINY_INSTANCE, one_error_line
from vnnbench.cli import run_command
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.solvers.command_line.description import PACKAGED


def test_suites_lists_the_built_in_ones_with_their_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["suites", "--format", "json"]) == 0
    counts = {suite["suite"]: suite["instances"] for suite in json.loads(capsys.readouterr().out)}
    assert counts["pham2025-smoke"] == 24
    assert run_command(["suites", "pham2025-smoke", "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["architectures"] == ["2x32", "4x64"]
    assert facts["bounds"] == {"tight": "split", "surrogatelib": "box"}


def test_a_suite_that_asks_for_the_largest_output_has_no_goal_of_classes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["suites", "tong2024-maximize", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"] == [{"norm": "box"}]


def test_show_fits_eighty_columns_and_knows_every_instance(
    tiny_library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["show", str(tiny_library)]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines()), out
    assert "\x1b" not in out
    assert run_command(["show", str(tiny_library), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["instances"] == 8 == sum(row["instances"] for row in document["grid"])


def test_show_instance_has_its_facts_and_its_picture(tiny_library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["show", str(tiny_library), TINY_INSTANCE]) == 0
    out = capsys.readouterr().out
    assert "constant_rounding" in out
    picture = [line for line in out.splitlines() if line.startswith("│")]
    assert len(picture) == 8 and all(len(line) == 18 for line in picture)
    assert any("█" in line for line in picture)


def test_check_finds_nothing_in_a_fresh_library(tiny_library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", str(tiny_library)]) == 0
    assert "8 instances" in capsys.readouterr().out


def test_library_made_before_a_column_came_is_shown_generated_checked_and_run(
    copied_library: Path, tiny_suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, manifest = copied_library / "catalog.csv", copied_library / "library.json"
    lines = [line.rpartition(",") for line in catalog.read_text().splitlines()]
    assert lines[0][2] == "zero_share" and float(lines[1][2]) > 0
    catalog.write_text("".join(f"{head}\n" for head, _, _ in lines))
    document = json.loads(manifest.read_text())
    document["files"]["catalog.csv"] = hashlib.sha256(catalog.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(document))
    assert run_command(["generate", str(tiny_suite), "--out", str(copied_library)]) == 0
    assert "mended" not in capsys.readouterr().out
    assert run_command(["check", str(copied_library), "--select", TINY_INSTANCE]) == 0
    capsys.readouterr()
    assert run_command(["show", str(copied_library), TINY_INSTANCE, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["zero_share"] is None
    results = tmp_path / "results"
    assert (
        run_command(
            ["run", str(copied_library), "--results", str(results), "--solver", "highs", "--select", TINY_INSTANCE]
        )
        == 0
    )
    assert read_runs(results / LEDGER_NAME).zero_share.isna().all()


def test_warnings_are_printed_and_are_not_findings(
    tiny_library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vnnbench.instances.formulations.numerics, "MAX_BIG_M", 1e-3)
    command = ["check", str(tiny_library), "--solver", "highs", "--select", TINY_INSTANCE]
    assert run_command(command) == 0
    warning, summary = capsys.readouterr().out.splitlines()
    assert warning.startswith(f"warning: models/{TINY_INSTANCE}.mps.gz: a big-M is ")
    assert summary.endswith("1 instance, re-read in highs: 0 findings, 1 warning")
    assert run_command([*command, "--format", "json"]) == 0
    assert [finding["severity"] for finding in json.loads(capsys.readouterr().out)] == ["warning"]


def test_solver_that_cannot_show_what_it_reads_is_refused_by_check(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (PACKAGED / "cbc.toml").read_text()
    (tmp_path / "mine.toml").write_text(text[: text.index("[rewrite]")])
    line = one_error_line(capsys, ["check", str(tiny_library), "--solver", str(tmp_path / "mine.toml")])
    assert "mine.toml cannot report what it has read (a TOML needs a table [rewrite]); leave it out" in line


def test_check_finds_a_changed_model(copied_library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copied_library / "models" / f"{TINY_INSTANCE}.mps.gz"
    text = gzip.decompress(path.read_bytes())
    text = re.sub(rb"UP BOUND (h_\S+) .*", rb"UP BOUND \1 0.5", text, count=1)
    path.write_bytes(gzip.compress(text))
    assert run_command(["check", str(copied_library), "--format", "json", "--solver", "highs"]) == 1
    assert any(TINY_INSTANCE in finding["where"] for finding in json.loads(capsys.readouterr().out))


def test_unknown_suite_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "pham" in one_error_line(capsys, ["generate", "pham2025-smok", "--out", str(tmp_path / "x")])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("change", [("seeds = [0, 1]", 'seeds = "all"'), ("seeds =", "seedz =")])
def test_suite_file_with_a_wrong_type_or_key_is_one_line(
    change: tuple[str, str], tiny_suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(tiny_suite.read_text().replace(*change))
    assert "seed" in one_error_line(capsys, ["generate", str(path), "--out", str(tmp_path / "x")])
    assert not (tmp_path / "x").exists()


def test_data_for_a_suite_that_needs_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "quickstart", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "x")]
    assert "none: the folder is not needed" in one_error_line(capsys, command)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_truncated_idx_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "pham2025-smoke", "--data", str(tmp_path), "--out", str(tmp_path / "x")]
    assert "train-images" in one_error_line(capsys, command)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / f"{name}-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03\0\0\xea\x60")[:20])
    assert "train-images" in one_error_line(capsys, command)
    assert not (tmp_path / "x" / "library.json").exists()
