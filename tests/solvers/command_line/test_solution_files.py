"""Solution files of every layout are read as solvers write them, and refused where they are wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vnnbench.solvers.command_line.solution_files import SolutionFormat, max_bytes, read_columns, text_of_solution

NAMES = ("p_0", "z_1_0", "d_1_0", "y_1")

MODEL = """NAME t
ROWS
 N objective
 L z_1_0
 E y_1
COLUMNS
 p_0 objective -1
 p_0 z_1_0 1
 z_1_0 objective 0.25
 z_1_0 y_1 1
 M1 'MARKER' 'INTORG'
 d_1_0 objective -0.5
 d_1_0 z_1_0 1
 M2 'MARKER' 'INTEND'
 y_1 objective 0.001
 y_1 y_1 1
RHS
 RHS z_1_0 2.3
 RHS y_1 0.1
BOUNDS
 UP BND p_0 1.7
 UP BND d_1_0 1
ENDATA
"""
"""Rows z_1_0 and y_1 share their names with columns, as in `surrogatelib` files.

min -p - d/2 + z/4 + y/1000, p + d <= 2.3, p <= 1.7, z + y = 0.1: d = 1, p = 1.3, z = 0, y = 0.1.
"""
SOLUTION = [1.3, 0.0, 1.0, 0.1]
RELAXED = [1.7, 0.0, 0.6, 0.1]  # without integrality: d = 2.3 - 1.7

EVERY = {path.stem: path.read_text() for path in sorted((Path(__file__).parents[2] / "solutions").glob("*.sol"))}
"""A file of each layout that holds SOLUTION, by name."""
SPARSE = ("cbc", "miplib", "scip")
"""Layouts that leave zeros out, and of which a line that is missing leaves no trace."""
FULL = sorted(set(EVERY) - {*SPARSE, "cbc-all"})
every_layout = pytest.mark.parametrize("layout", EVERY)


def read(text: str, **rules) -> list[float]:
    return read_columns(text_of_solution(text.encode()), NAMES, **rules).columns.tolist()


# -- what is right -------------------------------------------------------------------------------------------------


@every_layout
def test_columns_have_the_file_s_values(layout):
    assert read(EVERY[layout]) == SOLUTION


@every_layout
def test_byte_order_mark_carriage_returns_and_blank_lines_change_nothing(layout):
    text = EVERY[layout]
    assert read("\ufeff" + text.replace("\n", "\r\n")) == SOLUTION
    assert read(text.rstrip("\n") + "\n\n \n") == SOLUTION


@pytest.mark.parametrize("layout", SPARSE)
def test_zeros_left_out_are_counted_beside_the_objective(layout):
    solution = read_columns(EVERY[layout], NAMES)
    assert (solution.absent, solution.objective) == (1, -1.7999)


def test_numbers_are_read_bit_for_bit():
    assert read(f"p_0 {1 / 3!r}\nz_1_0 -0.0\nd_1_0 +.5E-3\ny_1 5e-324\n") == [1 / 3, 0, 0.0005, 5e-324]


@pytest.mark.parametrize(
    ("wanted", "layouts"),
    [
        (SolutionFormat.CBC, {"cbc", "cbc-all"}),
        (SolutionFormat.GLPK, {"glpk", "glpk-lp"}),
        (SolutionFormat.NAMES, {"gurobi", "scip", "miplib", "highs", "highs-sparse"}),
    ],
)
def test_wanted_format_is_the_only_one_that_is_accepted(wanted, layouts):
    for layout, text in EVERY.items():
        if layout in layouts:
            assert read(text, wanted=wanted) == SOLUTION
        else:
            with pytest.raises(ValueError, match=rf"^line 1: .*; \[solution\] format wants {wanted}$"):
                read(text, wanted=wanted)


def test_absent_column_is_zero_in_every_layout_when_that_is_wanted():
    text = EVERY["gurobi"].replace("z_1_0 0\n", "")
    assert read(text, zeros_left_out=True) == SOLUTION


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", FULL)
def test_file_that_is_cut_off_anywhere_is_refused_or_has_all_its_values(layout):
    text = EVERY[layout]
    refused = 0
    for end in range(len(text)):
        try:
            assert read(text[:end]) == SOLUTION, end
        except ValueError as error:
            assert str(error).startswith("line ")
            refused += 1
    assert refused > 0.5 * len(text)


@pytest.mark.parametrize("layout", SPARSE)
def test_cut_off_number_of_a_layout_without_zeros_is_refused(layout):
    text = EVERY[layout]
    for end in range(text.index("1.3"), len(text)):
        try:
            found = read(text[:end])
        except ValueError:
            continue
        assert all(value in (0.0, right) for value, right in zip(found, SOLUTION, strict=True)), end


@pytest.mark.parametrize("layout", sorted(set(EVERY) - {"highs-numbered", "glpk", "glpk-lp"}))
def test_other_column_is_refused(layout):
    with pytest.raises(ValueError, match=r"^line \d+: 'q_0' is not a column of the instance$"):
        read(EVERY[layout].replace("p_0", "q_0"))


@every_layout
@pytest.mark.parametrize("word", ["nan", "inf", "1e999", "1,3", "1.0D+00", "0x1p0", "1_3", "\u0661", "--1", "1.3e"])
def test_value_that_is_not_a_finite_decimal_number_is_refused(layout, word):
    text = EVERY[layout].replace("1.30000000000000e+00", "1.3")
    with pytest.raises(ValueError, match=rf"^line \d+: column p_0 is {re.escape(ascii(word))}, it must be a finite"):
        read(text.replace("1.3", word))


@every_layout
def test_line_without_a_place_in_the_layout_is_refused(layout):
    lines = EVERY[layout].split("\n")
    at = next(number for number, line in enumerate(lines) if "1.3" in line)
    lines.insert(at, "<oops/>" if layout.startswith("cplex") else "what is this?")
    with pytest.raises(ValueError, match=rf"^line {at + 1}: "):
        read("\n".join(lines))


@pytest.mark.parametrize("layout", sorted(set(FULL) - {"cplex-nonzeros"}))
def test_absent_column_is_refused(layout):
    lines = [line for line in EVERY[layout].split("\n") if "1.3" not in line]
    with pytest.raises(ValueError, match=r"^line \d+: "):
        read("\n".join(lines))


@pytest.mark.parametrize("layout", sorted(set(EVERY) - {"gurobi"}))
def test_second_solution_is_refused(layout):
    with pytest.raises(ValueError, match=r"^line \d+: "):
        read(EVERY[layout] + EVERY[layout].replace("1.3", "1.2"))


@pytest.mark.parametrize("word", ["2", "1.3"])
def test_column_that_is_there_twice_is_refused(word):
    """Equal values are refused too: in a layout that counts its lines, the second stands where another was lost."""
    with pytest.raises(ValueError, match=r"^line 7: column p_0 has a value already, 1\.3$"):
        read(f"{EVERY['gurobi']}p_0 {word}\n")


@pytest.mark.parametrize(
    ("layout", "old", "new", "message"),
    [
        ("gurobi", "0.1\n", "0.1", "line 6: the last line may be cut off, for no line break ends it"),
        ("scip", "optimal solution found\n", "infeasible\nno solution available\n", "line 2: the file says that"),
        ("scip", "solution status: ", "no solution available\n", "line 1: the file says that it has no solution"),
        ("miplib", "=obj= -1.7999", "=infeas=", "line 1: the file says that it has no solution"),
        ("cbc", " 0 p_0", " 1 p_0", "line 2: column p_0 has the number 1, in the instance it has 0"),
        ("cbc-all", "      3 y_1 ", "      0 y_1 ", "line 7: a second solution begins here; leave one"),
        ("glpk", "s mip 2 4 o", "s mip 2 4 u", "line 4: the file says that it has no solution"),
        ("glpk", "s mip 2 4 o", "s mip 2 5 o", "line 4: it is of 5 columns, the instance has 4"),
        ("glpk", "s mip 2 4 o", "s mip 3 4 o", "line 11: there are 2 rows, not 3"),
        ("glpk", "j 4", "j 5", "line 10: is not a column's line: the instance has 4 columns"),
        ("glpk-printed", "INTEGER OPTIMAL", "INTEGER UNDEFINED", "line 5: the file says that it has no solution"),
        ("glpk-printed", "Columns:    4", "Columns:    3", "line 3: it is of 3 columns, the instance has 4"),
        ("highs", "Feasible\n", "None\n", "line 5: the file says that it has no solution"),
        ("highs", "# Columns 4", "# Columns 5", "line 7: it is of 5 columns, the instance has 4"),
        ("highs", "# Rows 2", "# Rows 20", "line 18: the file ends here; it may be cut off"),
        ("highs-sparse", "-3", "-4", "line 11: the file ends here; it may be cut off"),
        ("highs-sparse", "-3", "-2", "line 10: 'y_1 0.1 3' has no place here"),
        (
            "highs-pretty",
            "          1.3         -0.5 ",
            " ",
            "line 3: .* holds no column with its bounds and its value",
        ),
        ("highs-numbered", "T Primal", "F Primal", "line 4: the file says that it has no solution"),
        ("highs-numbered", "4 2 :", "3 2 :", "line 1: it is of 3 columns, the instance has 4"),
        ("cplex", "CPLEXSolution", "osrl", "line 2: the XML is 'osrl', not a CPLEXSolution"),
        ("cplex", "<variables>", "<other>", "line 10: a variable stands outside of the variables of a solution"),
        ("cplex", "value=", "x=", "line 10: 'variable' is not a variable with name and value"),
        ("cplex", '"1"', '"2"', "line 16: the file ends, and column q had no line"),
        ("cplex", "<CPLEXSolution ", "<!DOCTYPE x><CPLEXSolution ", "line 2: a document type is not allowed"),
        ("cplex", "1.3", "&big;", r"line 10: it is not complete and well-formed XML \(undefined entity\)"),
        ("xpress", "ENDATA\n", "", "line 6: the file ends here; it may be cut off"),
        ("mosek", "VARIABLES", "CONES", "line 19: the file ends here; it may be cut off"),
    ],
)
def test_errors_name_their_line(layout, old, new, message):
    text, names = EVERY[layout].replace(old, new), NAMES
    if message.endswith("column q had no line"):  # such files hold the integer columns alone
        names = (*NAMES, "q")
    with pytest.raises(ValueError, match=f"^{message}"):
        read_columns(text, names)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_empty_file_is_refused(text):
    with pytest.raises(ValueError, match=r"^line 1: the file is empty$"):
        read(text)


@pytest.mark.parametrize(
    "text", ['{"Vars": [{"X": 1}]}', "name,value\np_0,1.3\n", "p_0 = 1.3\n", "# nothing\np_0 1.3 0.0\n"]
)
def test_layout_that_is_not_known_is_refused(text):
    with pytest.raises(ValueError, match=r"^line \d: .* is not a column and its value, nor is the file of another"):
        read(text)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_other_encodings_are_refused(encoding):
    with pytest.raises(ValueError):
        read_columns(text_of_solution(EVERY["gurobi"].replace("# S", "# \u00e9S").encode(encoding)), NAMES)


def test_entities_are_not_expanded():
    bomb = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "x" * 10}">' for i in range(9))
    with pytest.raises(ValueError, match=r"^line 1: a document type is not allowed$"):
        read(f"<!DOCTYPE b [{bomb}]><CPLEXSolution>&a8;</CPLEXSolution>")


def test_deeply_nested_xml_is_refused():
    with pytest.raises(ValueError, match=r"^line 1: it is not complete and well-formed XML"):
        read("<CPLEXSolution>" + "<a>" * 300_000)


@pytest.mark.parametrize(
    "text",
    [
        " " * 10**6, "\n" * 10**6, "p_0 " + "1" * 10**6 + "x\n", "1" * 10**6, "c\n" * 500_000,
        "x - objective value" * 50_000,
        "a " * 500_000, "Optimal - objective value 1\n" + "** " * 300_000, "1 " * 500_000, "<" * 10**6,
        "Problem: \nRows: \nColumns: " + "9" * 10**6, "Model status\n" * 70_000, "=obj=" + " " * 10**6,
    ],
)  # fmt: skip
def test_a_megabyte_of_nonsense_is_refused(text):
    """It is refused in a moment, though a careless pattern would take a day for some of these texts."""
    with pytest.raises(ValueError, match=r"^line \d+: .{1,200}$"):
        read(text)


def test_size_that_is_read_grows_with_the_columns():
    assert max_bytes(0) >= max(len(text) for text in EVERY.values())
    assert max_bytes(1000) - max_bytes(0) > 1000 * 4 * 255


# -- what solvers write --------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "t.mps"
    path.write_text(MODEL)
    return path


def written(path: Path) -> list[float]:
    return read_columns(text_of_solution(path.read_bytes()), NAMES).columns.tolist()


@pytest.mark.parametrize("style", [-1, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("relaxed", [False, True])
def test_highs_files_are_read(model, tmp_path, style, relaxed):
    highspy = pytest.importorskip("highspy")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("solve_relaxation", relaxed)
    highs.readModel(str(model))
    with pytest.raises(ValueError):
        highs.writeSolution(str(tmp_path / "t.sol"), style)
        written(tmp_path / "t.sol")
    highs.run()
    highs.writeSolution(str(tmp_path / "t.sol"), style)
    assert written(tmp_path / "t.sol") == pytest.approx(RELAXED if relaxed else SOLUTION)


@pytest.mark.parametrize("zeros", [False, True])
def test_scip_file_is_read(model, tmp_path, zeros):
    pyscipopt = pytest.importorskip("pyscipopt")
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(model))
    scip.optimize()
    scip.writeBestSol(str(tmp_path / "t.sol"), write_zeros=zeros)
    assert ("z_1_0" in (tmp_path / "t.sol").read_text()) is zeros
    assert written(tmp_path / "t.sol") == pytest.approx(SOLUTION)


def test_gurobi_file_is_read_and_its_start_without_continuous_columns_is_refused(model, tmp_path):
    gurobipy = pytest.importorskip("gurobipy")
    try:
        environment = gurobipy.Env(params={"OutputFlag": 0})
    except gurobipy.GurobiError as error:
        pytest.skip(f"no licence: {error}")
    with environment, gurobipy.read(str(model), environment) as problem:
        problem.optimize()
        problem.write(str(tmp_path / "t.sol"))
        problem.write(str(tmp_path / "t.mst"))
    assert written(tmp_path / "t.sol") == pytest.approx(SOLUTION)
    with pytest.raises(ValueError, match="column p_0 and 2 more had no line"):
        written(tmp_path / "t.mst")


def program(name: str, folder: Path, *words: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    subprocess.run([name, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("printing", ["normal", "rows", "all"])
def test_cbc_files_are_read(model, tmp_path, printing):
    program("cbc", tmp_path, "t.mps", "-printingOptions", printing, "-solve", "-solution", "t.sol")
    assert written(tmp_path / "t.sol") == pytest.approx(SOLUTION)


@pytest.mark.parametrize("word", ["--write", "--output"])
@pytest.mark.parametrize(("kind", "right"), [("--intopt", SOLUTION), ("--nomip", RELAXED)])
def test_glpk_files_are_read(model, tmp_path, word, kind, right):
    kinds = [] if kind == "--intopt" else [kind]
    program("glpsol", tmp_path, "--freemps", "t.mps", *kinds, word, "t.sol")
    assert written(tmp_path / "t.sol") == pytest.approx(right)


def test_long_names_in_a_line_of_their_own_are_read(tmp_path):
    names = [f"{name}_with_a_long_name" for name in NAMES]
    (tmp_path / "t.mps").write_text(re.sub(rf"\b({'|'.join(NAMES)})\b", r"\1_with_a_long_name", MODEL))
    program("glpsol", tmp_path, "--freemps", "t.mps", "--output", "t.sol")
    read_back = read_columns((tmp_path / "t.sol").read_text(), names).columns.tolist()
    assert read_back == pytest.approx(SOLUTION)
