"""The table for a paper: complete, escaped, and balanced whatever the ledger holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from leaderboard.latex import latex_table, latex_text
from leaderboard.ranking import build_leaderboard

HOSTILE = "\\input{/etc/passwd} 50% _^~#&${}<>|\"'` -- \x1b[31m"


@pytest.fixture
def filled(ledger):
    for name, depth in (("a", 2), ("b", 4)):
        sha = ledger.instance(name, problem=name, depth=depth)
        ledger.found(f"h{name}", sha, 3.0)
        ledger.robust(f"s{name}", sha, 8.0, solver=HOSTILE, settings=json.dumps({"a_b": 0.5}), bound=1.0)
    ledger.run("liar", "sha-a", solver="cbc", termination="unbounded")
    ledger.run("other", "sha-b", solver="cbc")
    return ledger


def test_rows_by_hand(filled):
    text = latex_table(build_leaderboard(filled.runs()))
    lines = text.splitlines()
    # sgm10: 3; 100 twice; both are over the two runs that all made
    assert "highs & 1 & 1 & 2 & 2 & 0 & 0 & 3.00 & 1.00 & 3.00 \\\\" in lines
    assert any(line.startswith("cbc &  & -- & 0 & 0 & 0 & 1 & 100 &") for line in lines)  # no rank
    assert [line for line in lines if "rule" in line] == ["\\toprule", "\\midrule", "\\bottomrule"]


def test_groups_have_headings(filled):
    lines = latex_table(build_leaderboard(filled.runs(), ["depth"])).splitlines()
    assert "\\multicolumn{10}{l}{\\emph{depth 2}} \\\\" in lines
    assert lines.count("\\midrule") == 2


def test_names_of_a_ledger_are_no_commands(filled):
    text = latex_table(build_leaderboard(filled.runs()))
    assert "\\input" not in text and "\x1b" not in text
    assert r"\textbackslash{}input\{/etc/passwd\} 50\% \_\textasciicircum{}\textasciitilde{}\#\&\$\{\}" in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {9}
    bare = re.sub(r"\\[{}\\]", "", text)
    assert bare.count("{") == bare.count("}")


def test_dashes_and_quotes_make_no_ligatures():
    assert latex_text("a--b ``c''") == (
        "a{-}{-}b \\textasciigrave{}\\textasciigrave{}c\\textquotesingle{}\\textquotesingle{}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_takes_it(filled, tmp_path):
    packages = "\\usepackage{booktabs}\\usepackage[T1]{fontenc}\\usepackage{textcomp}"
    table = latex_table(build_leaderboard(filled.runs(), ["depth"]))
    document = f"\\documentclass{{article}}{packages}\\begin{{document}}{table}\\end{{document}}"
    (tmp_path / "table.tex").write_text(document)
    command = ["pdflatex", "-halt-on-error", "-no-shell-escape", "table.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
