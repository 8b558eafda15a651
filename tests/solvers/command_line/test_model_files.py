"""Models as programs write them: the numbers, the defaults, and one line for what is not supported."""

from __future__ import annotations

import gzip
from math import inf

import pytest

from vnnbench.solvers.command_line.model_files import ModelFormat, parse_model, text_of

MPS = """* as CBC writes it
NAME          mine  FREE
OBJSENSE
    MAX
ROWS
 N OBJROW
 N other
 L cap
 G low
 E same
COLUMNS
    x OBJROW -1 cap 2.5
    x other 7
    MARKER 'MARKER' 'INTORG'
    k low 1e-3 same 1
    MARKER 'MARKER' 'INTEND'
    y same 1
    z same 1
    f cap 1
RHS
    RHS OBJROW -7.25 cap 5
    low -1
BOUNDS
 UP BOUND x 1e30
 LI BOUND k -2
 UI BOUND k 9
 BV BOUND y 1
 MI BOUND z
 UP BOUND z -1
 FX BOUND f 0.5
ENDATA
whatever follows
"""

GLP = """c a comment
p mip min 3 4 4
n p mine
n z cost
i 1 u 5
n i 1 cap
i 2 d -1 1
n i 2 low
n i 3 same
j 1 c d -1.5 2
n j 1 x
n j 2 y
j 3 i l 0
n j 3 k
j 4 c f
n j 4 f
a 0 0 -7.25
a 0 1 1
a 1 1 -0.5
a 2 4 1
a 3 2 3
a 3 3 0.001
e o f
"""


def test_mps_of_others_is_understood():
    read = parse_model(MPS, ModelFormat.MPS, 1e-14)
    assert not read.minimize
    assert (read.offset, read.tolerance) == (7.25, 1e-14)
    assert read.column_names == ["x", "k", "y", "z", "f"]
    assert read.column_integer == [False, True, True, False, False]
    assert read.column_lower == [0, -2, 0, -inf, 0.5]
    assert read.column_upper == [inf, 9, 1, -1, 0.5]
    assert read.objective == [-1, 0, 0, 0, 0]
    assert (read.row_names, read.row_lower, read.row_upper) == (["cap", "low", "same"], [-inf, -1, 0], [5, inf, 0])
    assert read.entries == [(0, 0, 2.5), (1, 1, 1e-3), (2, 1, 1), (2, 2, 1), (2, 3, 1), (0, 4, 1)]


def test_glpk_s_own_format_is_understood():
    read = parse_model(GLP, ModelFormat.GLPK)
    assert read.minimize and read.offset == -7.25
    assert read.column_names == ["x", "y", "k", "f"]
    assert read.column_integer == [False, True, True, False]
    assert read.column_lower == [-1.5, 0, 0, -inf]
    assert read.column_upper == [2, 1, inf, inf]
    assert read.objective == [1, 0, 0, 0]
    assert (read.row_names, read.row_lower, read.row_upper) == (["cap", "low", "same"], [-inf, -1, 0], [5, 1, 0])
    assert read.entries == [(0, 0, -0.5), (1, 3, 1), (2, 1, 3), (2, 2, 0.001)]


def test_glpk_s_linear_programs_have_other_defaults():
    read = parse_model("p lp max 0 2 0\nn j 1 x\nn j 2 y\nj 2 u 3\ne o f\n", ModelFormat.GLPK)
    assert not read.minimize
    assert (read.column_integer, read.column_lower, read.column_upper) == ([False] * 2, [0, -inf], [inf, 3])


@pytest.mark.parametrize(
    ("kind", "old", "new", "what"),
    [
        (ModelFormat.MPS, " E same", " E cap", "line 10: row cap occurs twice"),
        (ModelFormat.MPS, " FX BOUND f", " XX BOUND f", "line 30: bound type XX is not known here"),
        (ModelFormat.MPS, " FX BOUND f", " FX BOUND g", "line 30: not understood: 'FX BOUND g 0.5'"),
        (ModelFormat.MPS, "    y same 1", "    y same one", "line 17: could not convert"),
        (ModelFormat.MPS, "    y same 1", "    y nowhere 1", "line 17: not understood: 'y nowhere 1'"),
        (ModelFormat.MPS, "RHS\n", "RANGES\n", "line 21: section RANGES is not known here"),
        (ModelFormat.MPS, " L cap", " L", "line 8: not understood: 'L'"),
        (ModelFormat.MPS, "ENDATA", "", "it ends before its end mark"),
        (ModelFormat.GLPK, "n i 3 same\n", "", "line 22: a row or a column has no name"),
        (ModelFormat.GLPK, "i 1 u 5", "i 9 u 5", "line 5: not understood: 'i 9 u 5'"),
        (ModelFormat.GLPK, "i 1 u 5", "i 1 q 5", "line 5: bound type q is not known here"),
        (ModelFormat.GLPK, "e o f\n", "", "it ends before its end mark"),
    ],
)
def test_unsupported_text_is_named_by_its_line(kind, old, new, what):
    text = MPS if kind is ModelFormat.MPS else GLP
    assert old in text
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        parse_model(text.replace(old, new, 1), kind)
    assert what in str(caught.value)


def test_text_is_unzipped_by_its_name_and_only_whole(tmp_path):
    whole = gzip.compress(MPS.encode())
    (tmp_path / "a.mps.gz").write_bytes(whole)
    (tmp_path / "a.mps").write_text(MPS)
    assert text_of(tmp_path / "a.mps.gz") == text_of(tmp_path / "a.mps") == MPS
    for name, data in (("cut.gz", whole[:-9]), ("junk.gz", b"junk"), ("bytes.mps", b"\xff")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            text_of(tmp_path / name)
    with pytest.raises(ValueError, match="No such file"):
        text_of(tmp_path / "none.mps")
