"""The title and the authors of a site: on its pages, in its BibTeX entry, and escaped in both."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tiny_sites import source_of
from vnnbench.leaderboard.site.citations import LONGEST_AUTHOR, LONGEST_TITLE, TITLE, Byline, bibliography
from vnnbench.leaderboard.site.folder import SiteError
from vnnbench.leaderboard.site.pages import site_files

HOSTILE = '}{ \\input{x} 50 % <script>alert(1)</script> "\'"><b>&amp;{{7*7}} ~^_#$@'


@pytest.fixture
def source(ledger):
    ledger.found("r", ledger.instance("one"), 1.0)
    return source_of(ledger)


def pages_of(source) -> dict[str, str]:
    return {path: data.decode() for path, data in site_files(source) if path.endswith((".html", ".bib"))}


def test_title_and_authors_are_on_the_pages_and_in_the_bibtex_entry(source):
    files = pages_of(replace(source, byline=Byline("Solvers on digits", ("Ada Lovelace", "Turing, Alan"))))
    overview = files["index.html"]
    assert "<title>Overview · Solvers on digits</title>" in overview
    assert "<h1>Solvers on digits</h1>" in overview
    assert '<p class="authors">Ada Lovelace, Turing, Alan</p>' in overview
    assert '<meta name="citation_author" content="Turing, Alan">' in overview
    for path, page in files.items():
        if path.endswith(".html"):
            assert "· Solvers on digits</title>" in page
            assert '<meta name="author" content="Ada Lovelace">\n<meta name="author" content="Turing, Alan">' in page
    entry = files["downloads/vnnbench.bib"].partition("\n\n")[0]
    assert entry.splitlines()[:3] == [
        "@misc{comparison,",
        "  author = {Ada Lovelace and Turing, Alan},",
        "  title = {{Solvers on digits}},",
    ]
    assert "year = {2026}" in entry
    assert "To cite this comparison" in files["downloads.html"] and "@misc{comparison," in files["downloads.html"]


def test_without_title_and_authors_a_site_has_neither(source):
    files = pages_of(source)
    assert f"<h1>{TITLE}</h1>" in files["index.html"]
    assert "<title>Overview · vnnbench</title>" in files["index.html"]
    for text in files.values():
        assert "comparison," not in text and 'name="author"' not in text and "citation_" not in text


def test_authors_alone_are_cited_with_the_usual_title(source):
    files = pages_of(replace(source, byline=Byline(authors=("Ada Lovelace",))))
    assert f"title = {{{{{TITLE}}}}}" in files["downloads/vnnbench.bib"]
    assert f"<h1>{TITLE}</h1>" in files["index.html"]


def test_a_hostile_title_is_text_on_every_page(source):
    for text in pages_of(replace(source, byline=Byline(HOSTILE, (HOSTILE,)))).values():
        assert "<script>alert" not in text.partition("@misc")[0]
        assert "49}}" not in text
        assert 'content=""' not in text and '"><b>' not in text


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda text: text.strip()))
def test_whatever_the_text_the_braces_of_its_entry_are_balanced(text):
    try:
        byline = Byline(text, (text, text))
    except SiteError as error:
        assert not text.isprintable() and "\n" not in str(error)
        return
    entry = byline.reference(2026).bibtex()
    inside = entry.removeprefix("@misc{").removesuffix("}\n")
    depths = list(accumulate((character == "{") - (character == "}") for character in inside))
    assert min(depths) == depths[-1] == 0
    assert not re.search(r"(?<!\\)%", entry)


@pytest.mark.parametrize(
    ("title", "authors", "complaint"),
    [
        ("two\nlines", (), r"--title: has the character \n; give one line of visible text"),
        ("a\x1b[31m", (), r"--title: has the character \x1b"),
        (" ", (), "--title: is empty"),
        ("", (), "--title: is empty"),
        ("a" * (LONGEST_TITLE + 1), (), f"--title: has {LONGEST_TITLE + 1} characters; at most {LONGEST_TITLE}"),
        (None, ("Ada", "a\u2028b"), r"--author: has the character \u2028"),
        (None, ("",), "--author: is empty"),
        (None, ("a" * (LONGEST_AUTHOR + 1),), f"--author: has {LONGEST_AUTHOR + 1} characters"),
    ],
)
def test_a_text_that_is_not_a_line_is_refused(title, authors, complaint):
    with pytest.raises(SiteError, match=f"^{re.escape(complaint)}"):
        Byline(title, authors)


def test_one_author_stays_one_author():
    """BibTeX reads " and " as the end of a name, and more than two commas as an error."""
    entry = Byline("t", ("Simon and Sons", "A, B, C, D", "King, Jr., Martin")).reference(2026).bibtex()
    assert "author = {{Simon and Sons} and {A, B, C, D} and King, Jr., Martin}" in entry


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="bibtex is not installed")
def test_bibtex_reads_the_bibliography_without_a_warning(tmp_path):
    own = Byline(HOSTILE, (HOSTILE, "Simon and Sons", "A, B, C, D", "O'Brien, J_ohn")).reference(2026)
    (tmp_path / "site.bib").write_text(bibliography(own), encoding="utf-8")
    (tmp_path / "site.aux").write_text("\\citation{*}\n\\bibstyle{plain}\n\\bibdata{site}\n")
    done = subprocess.run(["bibtex", "site"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Warning" in done.stdout) == (0, False), done.stdout
    assert "O'Brien" in (tmp_path / "site.bbl").read_text(encoding="utf-8").replace("~", " ")
