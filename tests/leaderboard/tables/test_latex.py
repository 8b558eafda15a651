"""The LaTeX table for a paper is complete, escaped, and balanced, whatever the ledger holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.latex import latex_table, latex_text

HOSTILE = "[9] \\input{/etc/passwd} 50% _^~#&${}<>|\"'` -- \x1b[31m"


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
    assert "Setting & Rank & 95\\,\\% & Runs & Solved & Cex & Robust & Wrong & sgm10 & Ratio & PAR10 \\\\" in lines
    # sgm10: 3; 8; 100 twice; all are over the two runs that all made
    assert "highs & 1 & -- & 2 & 2 & 2 & 0 & 0 & 3.00 & 1.00 & 3.00 \\\\" in lines
    assert "\\emph{virtual best} &  &  &  &  &  &  &  & 3.00 & 1.00 & 3.00 \\\\" in lines
    assert any(line.startswith("cbc & -- & -- & 2 & 0 & 0 & 0 & 1 & 100 &") for line in lines)  # no rank
    rules = [place for place, line in enumerate(lines) if line == "\\midrule"]
    assert lines[rules[0] + 1].startswith("highs ")
    assert lines[rules[1] - 1].startswith("\\emph{virtual best}") and lines[rules[1] + 1].startswith("cbc ")
    assert len(rules) == 2


def test_long_name_is_folded_at_its_blanks(ledger):
    ledger.found("r", ledger.instance("a"), 3.0, settings=json.dumps({"presolve": "off", "heuristics": 0.5}))
    lines = latex_table(build_leaderboard(ledger.runs())).splitlines()
    name = "\\begin{tabular}[t]{@{}l@{}}highs \\\\ heuristics=0.5 \\\\ presolve=off\\end{tabular}"
    assert any(line.startswith(f"{name} & 1 & ") for line in lines)


def test_columns_without_any_value_are_left_out(ledger):
    ledger.found("r", ledger.instance("a"), 3.0)
    text = latex_table(build_leaderboard(ledger.runs()))
    assert "Setting & Rank & 95\\,\\% & Runs & Solved & Cex & Robust & sgm10 & Ratio & PAR10 \\\\" in text
    assert "highs & 1 & -- & 1 & 1 & 1 & 0 & 3.00 & 1.00 & 3.00 \\\\" in text
    assert "Wrong" not in text and "irtual best" not in text and "textcomp" not in text
    assert "(--: fewer than 6 independent problems)" in text
    ledger.run("o", ledger.instance("b", threshold=None), goal="optimize", termination="optimal", wall_seconds=1.0)
    ledger.judge("o", confirmed=1, evidence="exact", best_exact_value=0.5)
    assert "& Robust & Value & Best & To best & To bound & sgm10 &" in latex_table(build_leaderboard(ledger.runs()))


def test_caption_says_over_what_and_under_which_limits(ledger):
    for number in range(3):
        ledger.found(f"h{number}", ledger.instance(f"i{number}", problem=f"p{number}"), 3.0)
    ledger.run("s0", "sha-i0", solver="scip", solver_version="10_0")
    ledger.run("s1", "sha-i1", solver="scip", solver_version="10_0")
    (caption,) = [line for line in latex_table(build_leaderboard(ledger.runs())).splitlines() if "\\caption" in line]
    assert "over the 2 of 3 triples of instance, seed and permutation that every setting ran" in caption
    assert caption.endswith("Time limit 100 s, 1 thread; highs~1.0, scip~10\\_0.}")


def test_groups_have_headings(filled):
    lines = latex_table(build_leaderboard(filled.runs(), ["depth"])).splitlines()
    assert "\\multicolumn{11}{@{}l}{\\emph{depth 2}} \\\\" in lines
    assert lines.count("\\midrule") == 4


def test_names_of_a_ledger_are_not_latex_commands(filled):
    text = latex_table(build_leaderboard(filled.runs()))
    assert "\\input" not in text and "\x1b" not in text
    name = r"{[}9] \\ \textbackslash{}input\{/etc/passwd\} \\ 50\% \_\textasciicircum{}\textasciitilde{}\#\&\$\{\}"
    assert name in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {10}
    bare = re.sub(r"\\[{}\\]", "", text)
    assert bare.count("{") == bare.count("}")


def test_dashes_commas_and_quotes_make_no_ligatures():
    assert latex_text("a---b-c,,d ``e''") == (
        "a-{}-{}-b-c,{},d \\textasciigrave{}\\textasciigrave{}e\\textquotesingle{}\\textquotesingle{}"
    )


def test_name_at_the_start_of_a_row_is_not_an_argument_of_the_row_before():
    assert latex_text("[1ex]") == "{[}1ex]"
    assert latex_text("*x") == "{*}x"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_takes_it(filled, tmp_path):
    packages = "\\usepackage{booktabs}\\usepackage[T1]{fontenc}\\usepackage{textcomp}"
    table = latex_table(build_leaderboard(filled.runs(), ["depth"]))
    document = f"\\documentclass{{article}}{packages}\\begin{{document}}{table}\\end{{document}}"
    (tmp_path / "table.tex").write_text(document)
    command = ["pdflatex", "-halt-on-error", "-no-shell-escape", "table.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
