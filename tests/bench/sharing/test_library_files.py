"""`vnnbench publish --with-files`: a site from which its libraries can be downloaded, without their planted answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from support.folders import contents
from support.proofs import add_proofs, break_proof, witness_proof
from support.tiny_libraries import BEST, write_tiny_library
from vnnbench.cli import run_command
from vnnbench.instances.families import read_problem
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import ANSWERS, MANIFEST, PROOFS_MANIFEST, SEALED, proof_file
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.sharing.library_files import instance_files, shared_libraries

SECRET = b'{"answer": "planted"}\n'


@pytest.fixture
def sealed(tiny_library: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_library` that lists a sealed file, and has files that its manifest does not list."""
    folder = Path(shutil.copytree(tiny_library, tmp_path / "sealed library"))
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][SEALED] = sha256(SECRET)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / SEALED).write_bytes(SECRET)
    (folder / "notes.txt").write_bytes(SECRET)
    return folder


def publish(results: Path, out: Path, *libraries: Path, files: bool = True) -> int:
    named = [text for library in libraries for text in ("--library", str(library))]
    return run_command(["publish", str(results), *named, "--out", str(out), *(["--with-files"] if files else [])])


def pages_with_links(site: Path) -> dict[Path, list[str]]:
    """The relative links of every page, without their fragments."""
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    return {path: list(map(unquote, re.findall(r'href="([^"#:]+)["#]', text))) for path, text in texts.items()}


def test_a_library_from_a_site_is_the_library(tiny_results, tiny_library, tmp_path, capsys):
    assert publish(tiny_results, tmp_path / "site", tiny_library) == 0
    copy = tmp_path / "site" / "libraries" / tiny_library.name
    assert (copy / MANIFEST).read_bytes() == (tiny_library / MANIFEST).read_bytes()
    listed = {MANIFEST, *Library.open(tiny_library).hashes}
    assert {name: data for name, data in contents(tiny_library).items() if name in listed} == contents(copy)
    capsys.readouterr()
    assert run_command(["check", str(copy), "--solver", "highs"]) == 0
    assert "0 findings" in capsys.readouterr().out
    assert Library.open(copy).rows == Library.open(tiny_library).rows


def test_the_sealed_answers_are_not_published(tiny_results, sealed, tmp_path, capsys):
    site = tmp_path / "site"
    assert publish(tiny_results, site, sealed) == 0
    assert not [path for path in site.rglob("*") if path.is_file() and SECRET in path.read_bytes()]
    assert not list(site.rglob(SEALED)) and not list(site.rglob("notes.txt"))
    (copy,) = (path for path in (site / "libraries").iterdir() if path.is_dir())
    assert Library.open(copy).hashes[SEALED] == sha256(SECRET)  # which the manifest binds its author to
    capsys.readouterr()
    assert run_command(["check", str(copy), "--solver", "highs"]) == 0
    assert "is withheld" in "".join(capsys.readouterr())


def test_instance_pages_link_their_files_with_sizes(tiny_results, sealed, tmp_path):
    site = tmp_path / "site"
    assert publish(tiny_results, site, sealed) == 0
    pages = pages_with_links(site)
    for path, links in pages.items():
        for link in links:
            target = (path.parent / link).resolve()
            assert target.is_file() and target.is_relative_to(site), (path, link)
    library = Library.open(sealed)
    (folder,) = (path for path in (site / "libraries").iterdir() if path.is_dir())
    assert " " not in folder.name
    for row in library.rows:
        page = site / "instances" / f"{row.instance}.html"
        for relative in (row.model, row.property, *row.data_files().values()):
            assert f"../libraries/{folder.name}/{relative}" in pages[page]
            kilobytes = (sealed / relative).stat().st_size / 1e3
            assert f'{relative}</a> <span class="muted">{kilobytes:.1f} kB<' in page.read_text(encoding="utf-8")


def test_without_the_option_files_are_named_and_not_linked(tiny_results, tiny_library, tmp_path):
    site = tmp_path / "site"
    assert publish(tiny_results, site, tiny_library, files=False) == 0
    assert not (site / "libraries").exists()
    for row in Library.open(tiny_library).rows:
        page = (site / "instances" / f"{row.instance}.html").read_text(encoding="utf-8")
        assert f"<code>{row.model}</code>" in page
    assert not [link for links in pages_with_links(site).values() for link in links if "libraries" in link]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_on_the_page_fetch_the_whole_library(tiny_results, tiny_library, tmp_path):
    site = tmp_path / "site"
    assert publish(tiny_results, site, tiny_library) == 0
    page = (site / "downloads.html").read_text(encoding="utf-8")
    (commands,) = re.findall(r"<pre[^>]*>SITE=https://\.\.\.\n(.*?)\nvnnbench check library</pre>", page, re.DOTALL)
    (tmp_path / "elsewhere").mkdir()
    script = f"SITE={site.as_uri()}\n{commands}"
    subprocess.run(["bash", "-euc", script], cwd=tmp_path / "elsewhere", check=True)
    fetched = contents(tmp_path / "elsewhere" / "library")
    assert fetched == contents(site / "libraries" / "library")


@pytest.fixture
def proven(tiny_library: Path, tmp_path: Path) -> Library:
    """A copy of `tiny_library` with a proven answer to its first problem: the value at the clean input."""
    library = Library.open(Path(shutil.copytree(tiny_library, tmp_path / "proven")))
    clean = read_problem(library.property_path(library.rows[0])).centre
    add_proofs(library, witness_proof(library, library.rows[0].problem, clean.tolist()))
    return library


def test_proven_answers_are_published_with_their_proofs(tiny_results, proven, tmp_path, capsys):
    site = tmp_path / "site"
    assert publish(tiny_results, site, proven.folder) == 0
    copy, proof = site / "libraries" / "proven", proof_file(proven.rows[0].problem)
    answers = {ANSWERS, PROOFS_MANIFEST, proof}
    assert {name: contents(copy)[name] for name in answers} == {name: contents(proven.folder)[name] for name in answers}
    assert answers <= {*(site / "downloads" / "proven.txt").read_text().splitlines()}
    capsys.readouterr()
    assert run_command(["verify-proof", str(copy / proof), "--library", str(copy)]) == 0
    assert run_command(["check", str(copy), "--solver", "highs"]) == 0
    page = site / "instances" / f"{proven.rows[0].instance}.html"
    assert f"../libraries/proven/{proof}" in pages_with_links(site)[page]


def test_a_proof_that_is_rejected_is_not_published(tiny_results, proven, tmp_path, capsys):
    problem = proven.rows[0].problem
    break_proof(proven, problem, witness=[9.0])
    assert publish(tiny_results, tmp_path / "site", proven.folder) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert error == f"Error: {proven.folder}/{proof_file(problem)}: the witness is not in the set"
    assert not (tmp_path / "site").exists()
    assert publish(tiny_results, tmp_path / "site", proven.folder, files=False) == 0


@pytest.mark.parametrize("alter", [Path.unlink, lambda path: path.write_bytes(path.read_bytes() + b"x")])
def test_a_missing_or_altered_file_is_one_line_and_the_old_site_stays(alter, tiny_results, sealed, tmp_path, capsys):
    site = tmp_path / "site"
    assert publish(tiny_results, site, sealed) == 0
    before = contents(site)
    model = sealed / Library.open(sealed).rows[-1].model
    alter(model)
    capsys.readouterr()
    assert publish(tiny_results, site, sealed) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert error.startswith(f"Error: {model}: ") and error.endswith("; generate the library again")
    assert contents(site) == before
    assert publish(tiny_results, site, sealed, files=False) == 0  # which needs no model


def test_the_same_libraries_give_the_same_files(tiny_results, tiny_library, tmp_path):
    for name in ("one", "two"):
        assert publish(tiny_results, tmp_path / name, tiny_library) == 0
    one, two = (contents(tmp_path / name / "libraries") for name in ("one", "two"))
    assert one == two
    listed = (tmp_path / "one" / "downloads" / "library.txt").read_text().splitlines()
    assert {f"library/{relative}" for relative in listed} == one.keys()


def test_libraries_of_one_name_have_folders_of_their_own_and_others_are_left_out(tmp_path):
    libraries = [
        write_tiny_library(tmp_path / folder / name, {"p": bias})
        for folder, name, bias in (
            ("a", "mine", 0.5), ("b", "mine", 0.25), ("c", "mine-2", 0.125), ("d", "unused", 1.0),
        )
    ]  # fmt: skip
    asked = [library.rows[0].instance_sha256 for library in libraries[:3]]
    library_set = LibrarySet((*libraries, libraries[0]))
    shared = shared_libraries(library_set, [asked[2], "0" * 64, asked[0], asked[1]])
    assert [(own.library.folder, own.name) for own in shared] == [
        (tmp_path / "a" / "mine", "mine"), (tmp_path / "b" / "mine", "mine-3"), (tmp_path / "c" / "mine-2", "mine-2"),
    ]  # fmt: skip


def test_a_library_without_runs_is_not_published(play, library, steps, tmp_path):
    s = steps("adv--tight")
    play("adv--tight", [s.incumbent(BEST), ["wait_stop", 5]], "find")
    other = write_tiny_library(tmp_path / "other" / library.folder.name, {"far": 0.5})
    assert publish(play.results, tmp_path / "site", other.folder, library.folder) == 0
    copies = [path for path in (tmp_path / "site" / "libraries").iterdir() if path.is_dir()]
    assert [Library.open(copy).rows for copy in copies] == [library.rows]


@pytest.mark.parametrize("files", [True, False])
def test_a_library_in_the_site_that_is_replaced_is_refused(files, tiny_results, tiny_library, tmp_path, capsys):
    site = tmp_path / "site"
    assert publish(tiny_results, site, tiny_library) == 0
    before = contents(site)
    capsys.readouterr()
    copy = site / "libraries" / "library"
    assert publish(tiny_results, site, copy, files=files) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"Error: {copy}: lies in {site}, which is replaced; copy the library to another folder"
    )
    assert contents(site) == before


def test_a_link_out_of_the_library_is_refused(tiny_results, sealed, tmp_path, capsys):
    model = sealed / Library.open(sealed).rows[0].model
    outside = model.rename(tmp_path / "outside.mps.gz")
    model.symlink_to(outside)
    assert publish(tiny_results, tmp_path / "site", sealed) == 2
    assert "leads out of the library through a link" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_each_file_of_an_instance_is_listed_once(library):
    dense, pruned = library.row("adv--tight"), library.row("adv-mag-u10--tight")
    assert [(file.kind, file.path) for file in instance_files(library, pruned, None)] == [
        ("model, MPS", pruned.model),
        ("network, ONNX", "networks/adv-mag-u10.onnx"),
        ("dense network, ONNX", "networks/adv.onnx"),
        ("property, JSON", "properties/adv.json"),
    ]
    with_vnnlib = replace(library, hashes={**library.hashes, "properties/adv.vnnlib": "0" * 64})
    assert [(file.kind, file.path) for file in instance_files(with_vnnlib, dense, None)] == [
        ("model, MPS", dense.model),
        ("network, ONNX", "networks/adv.onnx"),
        ("property, JSON", "properties/adv.json"),
        ("property, VNN-LIB", "properties/adv.vnnlib"),
    ]
