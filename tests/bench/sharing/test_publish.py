"""`vnnbench publish` on real runs: what the library adds to the ledger, and what it refuses."""

from __future__ import annotations

import gzip
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.folders import contents
from support.tiny_libraries import BEST
from vnnbench.cli import run_command
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.judging.counterexample import find_counterexample
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.output.progress import ProgressBar
from vnnbench.runs.run_texts import LOG_BYTES_SHOWN
from vnnbench.sharing.publish import collect_evidence, read_logs


@pytest.fixture
def results(tiny_results: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(tiny_results, tmp_path / "results"))


def evidence_of(results: Path, library: Path):
    found, _ = collect_evidence(
        read_runs(results / "ledger.sqlite"), results, LibrarySet.open([library]), ProgressBar("publish")
    )
    return found


def test_the_best_point_is_the_one_of_the_ledger_with_its_pictures(results, tiny_library):
    library, runs = Library.open(tiny_library), read_runs(results / "ledger.sqlite")
    clear = find_counterexample(runs, results, library)
    assert clear is not None
    row = library.row(clear.instance)
    evidence = evidence_of(results, tiny_library)[row.instance_sha256]
    best = evidence.best
    assert best is not None
    assert best.run in set(runs.loc[runs["instance"] == row.instance, "run"])
    assert (best.value, best.norm) == (clear.value, clear.norm)
    assert best.distance == pytest.approx(clear.distance)
    assert best.changed == int((clear.clean != clear.perturbed).sum())
    assert best.outputs is not None and evidence.clean_outputs is not None
    assert best.outputs.exact[clear.target] == clear.value
    assert best.outputs.exact[clear.source] == evidence.clean_outputs.exact[clear.source] == 0
    assert np.argmax(evidence.clean_outputs.exact) == clear.source == evidence.source
    assert best.outputs.float32 == pytest.approx(best.outputs.exact, abs=1e-4)
    pixels = np.asarray(Image.open(io.BytesIO(best.picture)), dtype=float).ravel() / 255
    assert pixels == pytest.approx(clear.perturbed, abs=0.5 / 255 + 1e-9)
    assert evidence.clean == (tiny_library / "pictures" / f"{row.problem}.png").read_bytes()
    opaque = np.asarray(Image.open(io.BytesIO(best.difference)))[..., 3].ravel() > 0
    assert (opaque == (clear.clean != clear.perturbed)).all()


def test_without_its_candidates_an_instance_has_no_best_point(results, tiny_library):
    shutil.rmtree(results / "candidates")
    evidence = evidence_of(results, tiny_library)
    assert evidence
    assert all(found.best is None and found.clean for found in evidence.values())


def test_a_candidate_of_another_value_is_not_shown(results, tiny_library):
    for path in (results / "candidates").glob("*.npz"):
        with np.load(path) as arrays:
            changed = {name: arrays[name] for name in arrays.files}
        changed["inputs"] = changed["inputs"] * 0
        np.savez_compressed(path, **changed)
    assert all(found.best is None for found in evidence_of(results, tiny_library).values())


def test_problems_without_images_have_facts_and_no_pictures(play, library, steps, tmp_path):
    s = steps("adv--tight")
    play("adv--tight", [s.incumbent(BEST), ["wait_stop", 5]], "find")
    evidence, lost = collect_evidence(
        read_runs(play.results / "ledger.sqlite"), play.results, LibrarySet((library,)), ProgressBar("publish")
    )
    (found,) = evidence.values()
    assert lost == 0
    assert found.clean is None and found.best is not None and found.best.picture is None
    assert (found.best.value, found.best.distance, found.best.largest_step) == (0.25, 1.0, 0.5)
    assert found.best.outputs is not None and found.best.outputs.exact == (0.0, 0.25, -11.0)
    out = tmp_path / "site"
    command = ["publish", str(play.results), "--library", str(library.folder), "--out", str(out)]
    assert run_command(command) == 0
    page = (out / "instances" / "adv--tight.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert len(found.best.inputs) > 1
    for i, (centre, point) in enumerate(found.best.inputs):
        row = f'<tr><th scope="row">x<sub>{i}</sub></th><td>{centre}</td><td>{point}</td></tr>'
        assert row in page


def test_the_logs_of_a_wrong_run_and_of_its_witness_are_shown_and_no_others(play, library, steps, tmp_path):
    s = steps("adv--tight")
    witness = play("adv--tight", [s.incumbent(BEST), ["wait_stop", 5]], "find")
    other = play("rob--tight", [["bound", -1.0]])
    wrong = play("adv--tight", [["result", "infeasible"]])
    assert wrong["fault"] == "solver"
    assert witness["run"] in wrong["fault_reason"]
    out = tmp_path / "site"
    command = ["publish", str(play.results), "--library", str(library.folder), "--out", str(out)]
    assert run_command(command) == 0
    assert {page.stem for page in (out / "logs").iterdir()} == {wrong["run"], witness["run"]} - {other["run"]}
    assert "scripted log" in (out / "logs" / f"{wrong['run']}.html").read_text(encoding="utf-8")
    (play.results / "logs" / f"{wrong['run']}.log.gz").write_bytes(b"broken")
    assert run_command(command) == 0
    assert [page.stem for page in (out / "logs").iterdir()] == [witness["run"]]


def test_the_beginning_and_the_end_of_a_long_log_are_read(tmp_path):
    (tmp_path / "logs").mkdir()
    text = "".join(f"{number:07d}\n" for number in range(1 << 15))
    for run, log in (("long", text.encode()), ("short", b"caf\xe9\n")):
        (tmp_path / "logs" / f"{run}.log.gz").write_bytes(gzip.compress(log))
    logs = read_logs(tmp_path, ["short", "long"])
    assert logs["short"] == "caf\ufffd\n"
    half = LOG_BYTES_SHOWN
    cut = f"\n\n[... {len(text) - 2 * half} bytes are left out here ...]\n\n"
    assert logs["long"] == text[:half] + cut + text[-half:]


def test_files_that_are_not_logs_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("vnnbench.runs.run_texts.MAX_LOG_BYTES", 1 << 20)
    (tmp_path / "logs" / "folder.log.gz").mkdir(parents=True)
    whole = gzip.compress(b"log")
    for run, data in (("bomb", gzip.compress(bytes((1 << 20) + 1))), ("text", b"log"), ("half", whole[:-5])):
        (tmp_path / "logs" / f"{run}.log.gz").write_bytes(data)
    (tmp_path / "elsewhere.log.gz").write_bytes(whole)
    names = ["bomb", "text", "half", "folder", "gone", "../elsewhere", "a\0b", "\udc00" * 2, "x" * 300]
    assert read_logs(tmp_path, names) == {}


def test_publish_writes_a_site_and_says_where(results, tiny_library, tmp_path, capsys):
    out = tmp_path / "site"
    command = ["publish", str(results), "--library", str(tiny_library), "--out", str(out)]
    assert run_command(command) == 0
    assert re.search(rf"^{out / 'index.html'}: written, with \d+ more files$", capsys.readouterr().err, re.MULTILINE)
    assert len(list((out / "instances").glob("*.html"))) == len(Library.open(tiny_library).rows)
    assert (out / "assets" / "plotly.js").stat().st_size > 1_000_000
    assert run_command(command) == 0  # a folder that holds a site is replaced


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda out, results: (out / "mine").write_text(""), "is not a file of the site"),
        (lambda out, results: (results / "ledger.sqlite").unlink(), "no ledger here"),
        (lambda out, results: (results / "ledger.sqlite").write_text("x"), "not a ledger"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(change, complaint, results, tiny_library, tmp_path, capsys):
    out = tmp_path / "site"
    out.mkdir()
    change(out, results)
    before = sorted(tmp_path.rglob("*"))
    assert run_command(["publish", str(results), "--library", str(tiny_library), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert complaint in line
    assert sorted(tmp_path.rglob("*")) == before


def test_title_and_authors_are_given_on_the_command_line(results, tiny_library, tmp_path, capsys):
    out = tmp_path / "site"
    command = ["publish", str(results), "--library", str(tiny_library), "--out", str(out)]
    assert run_command([*command, "--title", "100 % & more", "--author", "Ada", "--author", "Alan"]) == 0
    assert "<h1>100 % &amp; more</h1>" in (out / "index.html").read_text(encoding="utf-8")
    entry = (out / "downloads" / "vnnbench.bib").read_text(encoding="utf-8").partition("\n\n")[0]
    assert "author = {Ada and Alan}" in entry and r"title = {{100 \% \& more}}" in entry
    before = contents(out)
    for option in (["--title", "two\nlines"], ["--author", ""], ["--title", "a" * 201]):
        capsys.readouterr()
        assert run_command([*command, *option]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"Error: {option[0]}: ")
    assert contents(out) == before


def test_runs_of_another_library_have_a_site_without_pictures(results, library, tmp_path, capsys):
    out = tmp_path / "site"
    assert run_command(["publish", str(results), "--library", str(library.folder), "--out", str(out)]) == 0
    assert not (out / "pictures").exists()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(" more files; without pictures, because no --library has them: 8 instances")


def test_candidates_that_are_missing_or_altered_are_counted(results, tiny_library, tmp_path, capsys):
    runs = read_runs(results / "ledger.sqlite")
    gone, altered, *others = runs[runs["verdict"] == "adversarial"]["run"]
    (results / "candidates" / f"{gone}.npz").unlink()
    (results / "candidates" / f"{altered}.npz").write_bytes(b"nonsense")
    command = ["publish", str(results), "--library", str(tiny_library), "--out", str(tmp_path / "site")]
    assert run_command(command) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(" more files; missing or altered, so their points are not shown: 2 candidates files")
    found = evidence_of(results, tiny_library)
    assert {evidence.best.run for evidence in found.values() if evidence.best} == set(others)


def test_a_library_that_was_changed_is_refused_in_one_line(results, tiny_library, tmp_path, capsys):
    broken = Path(shutil.copytree(tiny_library, tmp_path / "library"))
    network = next((broken / "networks").glob("*-s0.onnx"))
    network.write_bytes(network.read_bytes()[:-1])
    assert run_command(["publish", str(results), "--library", str(broken), "--out", str(tmp_path / "site")]) == 2
    assert f"Error: {network}: is not the file that library.json knows" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()
