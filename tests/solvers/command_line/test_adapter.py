"""Programs as solvers: their arguments, how their output is read, and that they end when they should.

The program here is a Python script that the test writes, beside the TOML that describes it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

import vnnbench.solvers.command_line.adapter
from support.solving import Recorder
from vnnbench.solvers.base import NotInstalledError, OptionError, SolveRequest, SolverError, Termination
from vnnbench.solvers.command_line.adapter import Command
from vnnbench.solvers.registry import get_solver, installed_solvers

TOML = """
title = "Mine"
program = "./mine"
needs = "write it"
licence = "none"
version = ["--version"]
version_pattern = 'mine (\\S+)'

[solve]
words = [
    "{model}", "{solution}", "{seconds}", "{whole_seconds}", "{threads}", "{seed}",
    ["--gap={mip_gap}"], ["--nodes", "{node_limit}"],
]
nodes = '^nodes (\\d+)'

[solution]
format = "names"
feasible = '^found$'
objective = ['^objective (\\S+)']

[[status]]
pattern = '^proven both'
termination = "infeasible_or_unbounded"

[[status]]
pattern = '^proven'
termination = "optimal"

[[status]]
pattern = '^time is up'
termination = "time_limit"

[[dual_bound]]
pattern = '^bound (\\S+)'
absolute = 0.5
relative = 0.01
"""

OPTIMAL = """
print("objective 7.75")  # passed over: the last counts
print("objective -2.75025", "bound -3", "nodes 12", "found", sep=chr(10))
print("proven")
open(arguments[1], "w").write("# mine\\ny 2\\na 1\\nb 1.0\\nc 1e0\\nfree -0.001\\n")
"""
SOLUTION = {"y": 2.0, "c": 1.0, "free": -0.001, "b": 1.0, "a": 1.0}


@pytest.fixture
def mine(tmp_path):
    """A function that writes the program with this body, and returns the adapter of its TOML, changed if wanted."""

    def make(body: str, *changes: tuple[str, str]) -> Command:
        program = tmp_path / "mine"
        program.write_text(
            f"#!{sys.executable}\nimport os, signal, sys, time\narguments = sys.argv[1:]\n"
            f"if arguments == ['--version']:\n    sys.exit(print('this is mine 1.2'))\n{body}"
        )
        program.chmod(0o755)
        text = TOML
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "mine.toml").write_text(text)
        return get_solver(str(tmp_path / "mine.toml"))

    return make


@pytest.fixture
def solve(mine, milp, tmp_path):
    """A function that solves `milp` with the program of this body; keywords go to the request."""

    def run(body, *changes, listener=None, compressed=False, **settings):
        heard = listener or Recorder()
        settings = {"time_limit_seconds": 20.0, **settings}
        request = SolveRequest(milp.write(tmp_path, compressed), tmp_path / "solver.log", **settings)
        return mine(body, *changes).solve(request, heard), heard

    return run


def told(tmp_path: Path) -> list[str]:
    return (tmp_path / "told").read_text().splitlines()


TELL = "open('{folder}/told', 'w').write(chr(10).join(arguments))\n"


# -- what the program is told -------------------------------------------------------------------------------------


def test_words_are_separate_arguments_and_defaults_leave_their_lists_out(solve, tmp_path):
    solve(TELL.format(folder=tmp_path), time_limit_seconds=12.5)
    model, solution, seconds, whole_seconds, threads, seed = told(tmp_path)
    assert model == str(tmp_path / "milp.mps")
    assert Path(solution).is_absolute()
    assert 11.5 < float(seconds) <= 12.5
    assert (whole_seconds, threads, seed) == ("13", "1", "1")


def test_words_are_filled_in_from_the_request(solve, tmp_path):
    solve(TELL.format(folder=tmp_path), threads=4, seed=41, mip_gap=0.125, node_limit=0)
    assert told(tmp_path)[4:] == ["4", "42", "--gap=0.125", "--nodes", "0"]


@pytest.mark.parametrize(("seed", "word"), [(0, 1), (2**31 - 3, 2**31 - 2), (2**31 - 2, 2**31 - 1), (2**31 - 1, 1)])
def test_seeds_are_from_one_to_the_largest_of_31_bits(seed, word, solve, tmp_path):
    solve(TELL.format(folder=tmp_path), seed=seed)
    assert told(tmp_path)[5] == str(word)


def test_words_do_not_pass_through_a_shell(solve, tmp_path):
    words = 'words = ["$(touch x); {model}", "{solution}"]'
    solve(TELL.format(folder=tmp_path), (TOML[TOML.index("words") : TOML.index("nodes =")], f"{words}\n"))
    assert told(tmp_path)[0] == f"$(touch x); {tmp_path / 'milp.mps'}"


def test_program_that_cannot_unzip_gets_an_unzipped_copy(solve, tmp_path):
    body = TELL.format(folder=tmp_path) + f"open('{tmp_path}/copy', 'w').write(open(arguments[0]).read())"
    solve(body, ("[solve]", "[model]\ngzip = false\n[solve]"), compressed=True)
    assert told(tmp_path)[0].endswith("model.mps")
    assert not Path(told(tmp_path)[0]).exists()
    assert (tmp_path / "copy").read_text().endswith("ENDATA\n")


def test_limit_that_no_word_takes_is_refused_in_one_line(mine):
    adapter = mine("", ('["--gap={mip_gap}"], ', ""))
    adapter.validate_limits(0.0, 5)
    with pytest.raises(OptionError, match=r"mine: option mip_gap cannot be set: its TOML has no word with {mip_gap}"):
        adapter.validate_limits(0.1, None)


# -- how its words are read ----------------------------------------------------------------------------------------


def test_final_word_is_read_from_log_and_solution_file(solve, milp):
    result, heard = solve(OPTIMAL, mip_gap=0.1)
    assert (result.termination, result.raw_status, result.nodes) == (Termination.OPTIMAL, "proven", 12)
    assert (result.primal_bound, result.dual_bound) == (-2.75025, -3.53)  # -3 - 0.5 - 0.01 * 3
    assert heard.names == ["y", "c", "free", "b", "a"]
    assert heard.values(heard.incumbents[-1]) == SOLUTION
    assert milp.violation(heard.values(heard.incumbents[-1])) <= 1e-9
    assert heard.dual_bounds == [-3.53]


def test_optimal_without_a_gap_is_a_bound_of_its_own(solve):
    result, _ = solve(OPTIMAL)
    assert result.dual_bound == result.primal_bound == -2.75025


def test_negated_constant_of_a_program_is_corrected(solve):
    """The program's objective is -10 - 7.25: the file's constant is 7.25."""
    body = OPTIMAL.replace("-2.75025", "-17.25025").replace("bound -3", "bound -17.5")
    result, _ = solve(body, ("[solve]", '[model]\nconstant = "negated"\n[solve]'), mip_gap=0.1)
    assert result.primal_bound == pytest.approx(-2.75025, abs=1e-12)
    assert result.dual_bound == pytest.approx(-17.5 - 0.5 - 0.175 + 14.5, abs=1e-12)


def test_without_an_objective_in_the_log_the_columns_give_it(solve):
    result, _ = solve(OPTIMAL.replace("objective", "value"))
    assert result.primal_bound == pytest.approx(-2.75025, abs=1e-12)


def test_first_pattern_that_matches_counts(solve):
    result, _ = solve("print('proven')\nprint('proven both')")
    assert result.termination is Termination.INFEASIBLE_OR_UNBOUNDED


@pytest.mark.parametrize(
    ("body", "termination", "raw_status"),
    [
        ("print('well')", Termination.UNRESOLVED, "exit code 0"),
        ("print('oh no')\nsys.exit(3)", Termination.ERROR, "exit code 3"),
        ("print('proven')\nsys.stdout.flush()\nos.abort()", Termination.ERROR, "killed by signal 6"),
        ("print('time is up', flush=True)\nsys.exit(1)", Termination.TIME_LIMIT, "time is up"),
    ],
)
def test_output_that_matches_nothing_is_unresolved_or_an_error(body, termination, raw_status, solve):
    result, heard = solve(body)
    assert (result.termination, result.raw_status) == (termination, raw_status)
    assert result.columns is None and result.primal_bound is None and result.dual_bound is None
    assert not heard.incumbents
    assert bool(result.message) is (termination is Termination.ERROR)


def test_solution_file_without_a_feasible_solution_gives_no_columns(solve):
    result, heard = solve(OPTIMAL.replace('"found"', '"lost"').replace("proven", "time is up"))
    assert result.termination is Termination.TIME_LIMIT
    assert result.columns is None and not heard.incumbents
    assert result.dual_bound == -3.53


def test_an_optimum_whose_solution_no_pattern_finds_is_an_error(solve):
    result, heard = solve(OPTIMAL.replace('"found"', '"lost"'))
    assert result.termination is Termination.ERROR and not heard.incumbents
    assert result.message == "mine: says optimal, but the pattern `feasible` of [solution] matches nothing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("y 2", "y two"), "mine: solution file: line 2: column y is 'two', it must be a finite decimal number"),
        (("y 2", "y nan"), "mine: solution file: line 2: column y is 'nan', it must be a finite decimal number"),
        (
            ("y 2", "y 1.0D+00"),
            "mine: solution file: line 2: column y is '1.0D+00', it must be a finite decimal number",
        ),
        (("y 2", "y 2\\ny 1"), "mine: solution file: line 3: column y has a value already, 2.0"),
        (("y 2", "slack 2"), "mine: solution file: line 2: 'slack' is not a column of the instance"),
        (("y 2\\n", ""), "mine: solution file: line 6: the file ends, and column y had no line"),
        (
            ("y 2", "y = 2"),
            "mine: solution file: line 2: 'y = 2' is not a column and its value, nor is the file of "
            "another layout that is known",
        ),
        (
            ("# mine", "<CPLEXSolution>"),
            "mine: solution file: line 1: the layout is that of CPLEX, XML; [solution] format wants names",
        ),
        (
            ('"w").write("# mine', '"w").write("\\x00'),
            "mine: solution file: line 1: '\\x00' is not a column and its value, "
            "nor is the file of another layout that is known",
        ),
        (
            ('open(arguments[1], "w")', 'open("elsewhere", "w")'),
            "mine: solution file: it is missing or empty, but the pattern `feasible` matches",
        ),
        (
            ('"w").write("', '"w").write("#" * 2000000 + "'),
            "mine: solution file: it holds more than 1053696 bytes, the most that is read",
        ),
        (("objective -2.75025", "objective good"), "mine: 'good' in its log is not a number"),
        (("bound -3", "bound low"), "mine: 'low' in its log is not a number"),
    ],
)
def test_broken_answer_is_an_error_that_says_so(change, message, solve):
    result, heard = solve(OPTIMAL.replace(*change))
    assert (result.termination, result.message) == (Termination.ERROR, message)
    assert result.columns is None and result.dual_bound is None and not heard.incumbents


@pytest.mark.parametrize(
    ("written", "change"),
    [
        ("# mine\\ny 2\\na 1\\nb 1.0\\nc 1e0\\nfree -0.001\\n", ("", "")),
        ("\\ufeff# mine\\r\\ny 2\\r\\na 1\\r\\nb 1.0\\r\\nc 1e0\\r\\nfree -0.001\\r\\n", ("", "")),
        ("=obj= 1\\ny 2\\na 1\\nb 1.0\\nc 1e0\\nfree -0.001\\n", ("", "")),
        (
            "<CPLEXSolution><variables>"
            + "".join(f"<variable name='{name}' value='{value}'/>" for name, value in SOLUTION.items())
            + "</variables></CPLEXSolution>",
            ('format = "names"\n', ""),
        ),
    ],
)
def test_solution_file_of_every_layout_is_read_where_the_toml_names_none(written, change, solve):
    start = OPTIMAL.index("open(")
    result, heard = solve(f'{OPTIMAL[:start]}open(arguments[1], "w", newline="").write("{written}")', change)
    assert result.termination is Termination.OPTIMAL
    assert heard.values(heard.incumbents[-1]) == SOLUTION


def test_program_that_leaves_zeros_out_says_so_in_its_file(solve):
    """The column `a` is 1 in the optimum; without it the point is another, but has the claimed objective."""
    body = OPTIMAL.replace("a 1\\n", "")
    result, _ = solve(body)
    assert result.message == "mine: solution file: line 6: the file ends, and column a had no line"
    result, heard = solve(body, ('format = "names"', "leaves_zeros_out = true"))
    assert result.termination is Termination.OPTIMAL
    assert heard.values(heard.incumbents[-1]) == SOLUTION | {"a": 0}


def test_infeasible_without_a_solution_file_is_not_an_error_whatever_else_matches(solve):
    result, heard = solve("print('proven')", ("'^found$'", "'.'"), ('"optimal"', '"infeasible"'))
    assert (result.termination, result.message) == (Termination.INFEASIBLE, "")
    assert not heard.incumbents


# -- patterns that never end ---------------------------------------------------------------------------------------

ENDLESS = "(?:x+x+)+y"
FOOD = "print('x' * 60)\n"
"""An output on which that pattern would take years."""


@pytest.mark.parametrize(
    "change",
    [
        ("'^found$'", f"'{ENDLESS}'"),
        ("'^proven both'", f"'{ENDLESS}'"),
        ("'^objective (\\S+)'", f"'{ENDLESS}(z)'"),
        ("'^bound (\\S+)'", f"'{ENDLESS}(z)'"),
        ("'^nodes (\\d+)'", f"'{ENDLESS}(z)'"),
    ],
)
def test_pattern_that_never_ends_makes_the_run_an_error(change, solve, monkeypatch):
    monkeypatch.setattr(vnnbench.solvers.command_line.adapter, "_PATTERN_SECONDS", 0.25)
    result, heard = solve(FOOD + OPTIMAL, change)
    assert result.termination is Termination.ERROR
    assert result.message.startswith(f"mine: the pattern '{ENDLESS}") and "takes more than 0.2 s" in result.message
    assert result.dual_bound is None and not heard.incumbents


def test_version_pattern_that_never_ends_is_one_clear_line(mine, monkeypatch):
    monkeypatch.setattr(vnnbench.solvers.command_line.adapter, "_PATTERN_SECONDS", 0.25)
    adapter = mine("", ("mine (", f"{ENDLESS}("))
    program = Path(adapter.description.folder, "mine")
    program.write_text(program.read_text().replace("this is mine", "x" * 60))
    with pytest.raises(SolverError, match=r"^mine: version_pattern: the pattern '.*' takes more than 0\.2 s; it may"):
        adapter.version()


def test_complaint_that_never_ends_is_one_clear_line(mine, milp, tmp_path, monkeypatch):
    monkeypatch.setattr(vnnbench.solvers.command_line.adapter, "_PATTERN_SECONDS", 0.25)
    rewrite = '[rewrite]\nwords = ["{model}", "{output}"]\nformat = "mps"\ntolerance = 0\n[[status]]\n'
    error = f"pattern = '{ENDLESS}'\ntermination = \"error\"\n"
    adapter = mine(FOOD, ("[[dual_bound]]", f"{rewrite}{error}[[dual_bound]]"))
    with pytest.raises(SolverError, match=r"mine cannot read .*: the pattern '.*' takes more than 0\.2 s; it may"):
        adapter.read_model(milp.write(tmp_path))


# -- what it leaves ------------------------------------------------------------------------------------------------


def test_log_holds_what_the_program_prints(solve, tmp_path, capfd):
    solve("print('to stdout', flush=True)\nprint('to stderr', file=sys.stderr)")
    assert (tmp_path / "solver.log").read_text() == "to stdout\nto stderr\n"
    assert capfd.readouterr() == ("", "")


def test_nothing_is_left_behind(solve, tmp_path):
    solve("open('litter', 'w').write('x')\n" + OPTIMAL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["milp.mps", "mine", "mine.toml", "solver.log"]


# -- that it ends --------------------------------------------------------------------------------------------------

STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open('{folder}/pid.new', 'w').write(str(os.getpid()))
os.rename('{folder}/pid.new', '{folder}/pid')  # whoever sees the file can read all of it
time.sleep(60)
"""


def has_ended(tmp_path: Path) -> bool:
    return not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_stop_ends_a_program_that_ignores_it(solve, tmp_path):
    stopping = Recorder(stop_when=lambda r: (tmp_path / "pid").exists())
    result, _ = solve(STUBBORN.format(folder=tmp_path), listener=stopping)
    assert (result.termination, result.raw_status) == (Termination.INTERRUPTED, "ended by vnnbench")
    assert result.wall_seconds < 30  # of 60
    assert has_ended(tmp_path)


def test_program_past_its_time_limit_is_ended(solve, tmp_path):
    result, _ = solve(STUBBORN.format(folder=tmp_path), time_limit_seconds=0.5)
    assert result.termination is Termination.INTERRUPTED
    assert 2 < result.wall_seconds < 30
    assert has_ended(tmp_path)


def test_program_has_time_to_write_its_solution_when_the_limit_is_up(solve, monkeypatch):
    """The harness asks for a stop at the limit, just before the answer comes."""
    monkeypatch.setattr(vnnbench.solvers.command_line.adapter, "OVERTIME_SECONDS", 20.0)
    stopping = Recorder(stop_when=lambda r: True)
    late = "time.sleep(0.7)\n" + OPTIMAL.replace("proven", "time is up")
    result, _ = solve(late, listener=stopping, time_limit_seconds=0.0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.primal_bound == -2.75025


def test_program_dies_with_its_worker(mine, milp, tmp_path):
    mine(STUBBORN.format(folder=tmp_path))
    code = (
        "import os\nfrom pathlib import Path\nfrom vnnbench.solvers.base import SolveRequest\n"
        "from vnnbench.solvers.registry import get_solver\n"
        "class Deaf:\n"
        "    on_columns = on_incumbent = on_dual_bound = lambda *_: None\n"
        "    should_stop = lambda _: Path('pid').exists() and os.kill(os.getpid(), 9)\n"
        f"request = SolveRequest(Path('{milp.write(tmp_path).name}'), Path('log'), 60.0)\n"
        "get_solver('mine.toml').solve(request, Deaf())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = psutil.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    assert child.wait(60) == -9
    deadline = time.monotonic() + 30
    while not has_ended(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert has_ended(tmp_path)


# -- what it is ----------------------------------------------------------------------------------------------------


def test_name_version_and_licence_come_from_the_file(mine):
    adapter = mine("")
    assert (adapter.name, adapter.title, adapter.version()) == ("mine", "Mine", "1.2")
    assert adapter.licence().text == "none"
    assert adapter.installed() and not adapter.streams
    assert "mine" not in installed_solvers()


def test_content_of_the_file_is_part_of_the_settings(mine):
    first = mine("").validate_options({})
    assert mine("").validate_options({}) == first
    other = mine("", ('"Mine"', '"Other"')).validate_options({})
    assert set(first) == set(other) == {"toml"} and first != other
    assert len(str(first["toml"])) == 12 and int(str(first["toml"]), 16) >= 0


def test_file_that_changed_since_the_plan_is_not_run(solve):
    with pytest.raises(SolverError, match="mine: its TOML has changed since the run was planned"):
        solve(OPTIMAL, options={"toml": "0" * 12})


@pytest.mark.parametrize("name", ["cbc", "glpk"])
def test_packaged_ones_have_no_settings_and_no_options(name):
    adapter = get_solver(name)
    assert adapter.validate_options({}) == {}
    with pytest.raises(OptionError, match=f"{name}: option presolve cannot be set here"):
        adapter.validate_options({"presolve": "off"})


def test_missing_program_is_one_clear_line(mine, milp, tmp_path):
    adapter = mine("", ("./mine", "no-such-program"))
    assert not adapter.installed()
    request = SolveRequest(milp.write(tmp_path), tmp_path / "log", 5.0)
    for call in (adapter.version, lambda: adapter.solve(request, Recorder())):
        with pytest.raises(NotInstalledError, match=r"^mine: no-such-program is not on PATH; to get it: write it$"):
            call()


def test_file_that_is_not_a_program_is_one_clear_line(mine, solve, tmp_path):
    adapter = mine("")
    (tmp_path / "mine").write_bytes(b"\x7fELF nothing")
    with pytest.raises(SolverError, match=r"/mine cannot be started \(Exec format error\)$"):
        adapter.version()


def test_version_that_is_not_printed_is_one_clear_line(mine):
    with pytest.raises(SolverError, match=r"^mine: version_pattern matches nothing that ./mine prints$"):
        mine("", ("mine (", "yours (")).version()


def test_program_without_rewrite_cannot_show_what_it_reads(mine, milp, tmp_path):
    adapter = mine("")
    assert not adapter.rereads
    with pytest.raises(SolverError, match=r"mine: its TOML has no table \[rewrite\]"):
        adapter.read_model(milp.write(tmp_path))
