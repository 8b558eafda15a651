"""Commands about runs: what they print, and one line for everything that is wrong."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import vnnbench.instances.formulations.numerics
import vnnbench.solvers.command_line.adapter
from support.command_lines import TINY_INSTANCE, one_error_line
from vnnbench.cli import run_command
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.references.adapters import REFERENCES
from vnnbench.runs.plan import parse_setting


def test_solvers_prints_version_licence_and_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["solvers", "--format", "json"]) == 0
    rows = {row["solver"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) >= {"cbc", "glpk", "gurobi", "highs", "scip"}
    assert rows["highs"]["licence"] == "MIT"
    assert run_command(["solvers"]) == 0
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())


def test_solvers_prints_references_with_the_versions_of_their_runs_and_that_they_are_not_ranked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["solvers", "--format", "json"]) == 0
    rows = {row["solver"]: row for row in json.loads(capsys.readouterr().out)}
    assert [name for name, row in rows.items() if not row["ranked"]] == [*REFERENCES]
    for name in REFERENCES:
        assert rows[name]["version"] == parse_setting(name).version
        assert (rows[name]["max_columns"], rows[name]["max_rows"]) == (None, None)
    assert run_command(["solvers"]) == 0
    legend = " ".join(capsys.readouterr().out.split())
    assert "pgd: projected gradient ascent, not ranked. It reads the network and the property, not" in legend
    assert "perceptron: averaged perceptron, not ranked. It reads the property of family train, not" in legend
    said = dict(part.split(": ", 1) for part in re.split(r"(?<=\.) (?=[a-z-]+: )", legend[legend.index("pgd: ") :]))
    assert {name for name, text in said.items() if "proves nothing" in text} == {*REFERENCES} - {"prover"}
    assert "its bounds are judged like a solver's" in said["prover"]


def test_run_again_runs_nothing_and_leaderboard_ranks(
    tiny_library: Path, tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    logs = sorted(path.stat().st_mtime_ns for path in (results / "logs").iterdir())
    command = ["run", str(tiny_library), "--results", str(results), "--solver", "highs", "--time-limit", "30"]
    assert run_command(command) == 0
    assert sorted(path.stat().st_mtime_ns for path in (results / "logs").iterdir()) == logs
    capsys.readouterr()
    assert run_command(["leaderboard", str(results), "--by", "formulation"]) == 0
    out = capsys.readouterr().out
    assert "highs" in out and all(len(line) <= 80 for line in out.splitlines())
    assert run_command(["leaderboard", str(results), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    assert sum(row["runs"] for row in rows) == 8 and {row["wrong"] for row in rows} == {0}
    assert {(row["role"], row["formulation"]) for row in rows} == {
        (role, formulation) for role in ("dense", "surrogate") for formulation in ("surrogatelib", "tight")
    }


def test_permutations_are_run_beside_the_file_and_the_leaderboard_says_so(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    command = ["run", str(tiny_library), "--results", str(results), "--solver", "highs", "--select", TINY_INSTANCE]
    assert run_command([*command, "--permute", "2"]) == 0
    assert "3 runs:" in capsys.readouterr().err
    assert run_command(command) == 0  # the first plan had permutation 0, the file as it is
    assert ": 1 run (3 in all): " in capsys.readouterr().err
    assert len(list((results / "logs").iterdir())) == 3
    assert run_command(["leaderboard", str(results)]) == 0
    assert "3 of 3 triples of instance, seed and permutation" in " ".join(capsys.readouterr().out.split())
    assert run_command(["confirm", str(results), "--library", str(tiny_library)]) == 0
    assert "3 runs judged again, 0 differences" in capsys.readouterr().out


BROKEN = """
title = "Broken"
program = "./broken"
needs = "repair it"
licence = "none"
version = ["--version"]
version_pattern = 'broken (\\S+)'
[solve]
words = ["{model}", "{solution}", "{seconds}"]
[solution]
format = "names"
feasible = '^found$'
"""


def test_failed_run_is_repeated_on_request_only(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").write_text('#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit\nexit 3\n')
    (tmp_path / "broken").chmod(0o755)
    (tmp_path / "broken.toml").write_text(BROKEN)
    results = tmp_path / "results"
    command = ["run", str(tiny_library), "--results", str(results), "--solver", str(tmp_path / "broken.toml")]
    command += ["--select", TINY_INSTANCE]
    for retry, attempts in (([], 1), (["--retry", "crash"], 1), (["--retry", "error"], 2)):
        assert run_command([*command, *retry]) == 1
        assert f"{results}: 1 run: 1 unknown; 1 failed, 0 wrong" in capsys.readouterr().err
        assert len(list((results / "logs").iterdir())) == attempts
    assert run_command(["leaderboard", str(results)]) == 0
    assert "1 of 1 runs has several attempts" in capsys.readouterr().out


UNREADABLE = """#!/bin/sh
[ "$1" = --version ] && echo broken 1.0 && exit
echo "<?xml version='1.0'?><CPLEXSolution/>" > "$2"
echo found; echo bound -1000; echo proven
"""


def test_program_whose_solution_cannot_be_read_has_failed_and_is_not_at_fault(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").write_text(UNREADABLE)
    (tmp_path / "broken").chmod(0o755)
    status = "[[status]]\npattern = '^proven'\ntermination = 'optimal'\n"
    bound = "[[dual_bound]]\npattern = '^bound (\\S+)'\n"
    (tmp_path / "broken.toml").write_text(f"{BROKEN}{status}{bound}")
    results = tmp_path / "results"
    command = ["run", str(tiny_library), "--results", str(results), "--solver", str(tmp_path / "broken.toml")]
    assert run_command([*command, "--select", TINY_INSTANCE]) == 1
    what = "broken: solution file: line 1: the layout is that of CPLEX, XML; [solution] format wants names"
    assert f"  failed: broken on {TINY_INSTANCE}: {what}" in capsys.readouterr().err
    assert run_command(["leaderboard", str(results), "--format", "json"]) == 0
    (setting,) = json.loads(capsys.readouterr().out)["settings"]
    assert (setting["errors"], setting["wrong"], setting["solved"]) == (1, 0, 0)


def test_version_pattern_that_never_ends_stops_no_command(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vnnbench.solvers.command_line.adapter, "_PATTERN_SECONDS", 0.25)
    (tmp_path / "broken").write_text(f"#!/bin/sh\necho {'x' * 60}\n")
    (tmp_path / "broken").chmod(0o755)
    (tmp_path / "broken.toml").write_text(BROKEN.replace("broken (", "(?:x+x+)+y("))
    command = ["run", str(tiny_library), "--results", str(tmp_path / "results"), "--solver"]
    line = one_error_line(capsys, [*command, str(tmp_path / "broken.toml")])
    assert line.startswith("Error: broken: version_pattern: the pattern '(?:x+x+)+y(") and "takes more than" in line


def test_failed_runs_say_why_once_for_each_setting_and_reason(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program complains about an option for seeds 0, 1 and 2, else at length and differently for each seed."""
    complaint = "[ $4 -le 3 ] && echo \"invalid option '--cutz'\" || printf '%d%0400d\\n' $4 0"
    script = f'#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit\n{complaint}\nexit 3\n'
    (tmp_path / "broken").write_text(script)
    (tmp_path / "broken").chmod(0o755)
    words = '"{seconds}", "{seed}", ["--gap", "{mip_gap}"]'
    (path := tmp_path / "broken.toml").write_text(BROKEN.replace('"{seconds}"', words))
    command = ["run", str(tiny_library), "--results", str(tmp_path / "results"), "--select", TINY_INSTANCE, "--solver"]
    assert run_command([*command, str(path), "--seeds", "0,1,2,3,4,5,6,7,8"]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  ")]
    assert told[0] == f"  failed: broken on {TINY_INSTANCE} and 2 more: invalid option '--cutz'"
    assert told[1:5] == [f"  failed: broken on {TINY_INSTANCE}: {seed}{'0' * 156}..." for seed in (4, 5, 6, 7)]
    assert told[5:] == ["  failed: for 2 more reasons; see the logs"]
    assert run_command([*command, str(path), "--solver", f"{path}:mip_gap=0.5"]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  ")]
    assert sorted(re.sub("toml=[0-9a-f]{12}", "toml=X", line) for line in told) == [
        f"  failed: broken mip_gap=0.5 toml=X on {TINY_INSTANCE}: invalid option '--cutz'",
        f"  failed: broken toml=X on {TINY_INSTANCE}: invalid option '--cutz'",
    ]


def test_confirm_reproduces_every_judgement(
    tiny_library: Path, tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    assert run_command(["confirm", str(results), "--library", str(tiny_library)]) == 0
    assert "8 runs judged again, 0 differences" in capsys.readouterr().out


def test_judge_says_by_its_exit_code_whether_a_solution_is_confirmed(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = Library.open(tiny_library)
    names = read_mps(library.model_path(library.row(TINY_INSTANCE))).column_names
    solution = tmp_path / "clean.sol"
    solution.write_text("".join(f"{name} 0\n" for name in names))  # p = m = 0: the clean image
    assert run_command(["judge", str(tiny_library), TINY_INSTANCE, str(solution)]) == 1
    assert re.search(
        r"^not confirmed: the exact value of the point is -\S+, no answer to the problem$",
        capsys.readouterr().out,
        re.M,
    )
    np.savez(tmp_path / "clean.npz", inputs=np.full((2, 64), np.nan))
    assert (
        run_command(["judge", str(tiny_library), TINY_INSTANCE, str(tmp_path / "clean.npz"), "--format", "json"]) == 1
    )
    assert json.loads(capsys.readouterr().out)["exact_value"] is None


def test_judge_confirms_what_a_run_found(
    tiny_library: Path, tiny_results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = read_runs(tiny_results / "ledger.sqlite")
    found = runs[runs.verdict == "adversarial"].iloc[0]
    candidates = tiny_results / "candidates" / f"{found.run}.npz"
    assert run_command(["judge", str(tiny_library), found.instance, str(candidates)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("confirmed: a counterexample, in exact arithmetic")


def test_judge_says_that_a_point_outside_of_the_set_was_moved(
    tiny_library: Path, tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = read_runs(tiny_results / "ledger.sqlite")
    found = runs[runs.verdict == "adversarial"].sort_values("best_exact_value").iloc[-1]
    library = Library.open(tiny_library)
    centre = library.read_problem(library.row(found.instance)).centre
    with np.load(tiny_results / "candidates" / f"{found.run}.npz") as stored:
        point = stored["inputs"][-1]
    np.savez(tmp_path / "far.npz", inputs=(centre + 1.01 * (point - centre))[None, :])
    assert run_command(["judge", str(tiny_library), found.instance, str(tmp_path / "far.npz")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(
        "confirmed: a counterexample, in exact arithmetic, after the point, outside of the input set by"
    )


def test_unknown_solver_and_option_are_one_line(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(tiny_library), "--results", str(tmp_path / "r"), "--solver"]
    assert "'cplex'" in one_error_line(capsys, [*command, "cplex"])
    assert "presolv" in one_error_line(capsys, [*command, "highs:presolv=off"])
    assert "node_limit" in one_error_line(capsys, [*command, "highs:node_limit=-1"])
    (tmp_path / "mine.toml").write_text("title = 3\n")
    assert "mine.toml: key solve is missing" in one_error_line(capsys, [*command, str(tmp_path / "mine.toml")])
    assert "key=value" in one_error_line(capsys, [*command, "highs:presolve"])
    assert not (tmp_path / "r").exists()


def test_select_without_a_match_and_bad_numbers_are_one_line(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(tiny_library), "--results", str(tmp_path / "r"), "--solver", "highs"]
    assert "'mnist*'" in one_error_line(capsys, [*command, "--select", "mnist*"])
    assert "--seeds" in one_error_line(capsys, [*command, "--seeds", "0,x"])
    assert "--shard" in one_error_line(capsys, [*command, "--shard", "3/2"])
    assert "--retry" in one_error_line(capsys, [*command, "--retry", "wrong"])
    assert not (tmp_path / "r").exists()


def test_library_folder_is_refused_for_results(copied_library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(copied_library.rglob("*"))
    told = one_error_line(capsys, ["run", str(copied_library), "--results", str(copied_library), "--solver", "highs"])
    assert f"{copied_library}: is a library; results need a folder of their own, so name another" in told
    assert sorted(copied_library.rglob("*")) == files


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--time-limit", ("0", "-1", "nan", "inf", "1e300")),
        ("--memory-limit", ("63", str(10**20))),
        ("--threads", ("0", "2000")),
        ("--seeds", ("-1", "1,1", str(2**63), "9" * 5000)),
        ("--permute", ("-1", str(10**9))),
        ("--jobs", ("0", str(10**9))),
    ],
)
def test_numbers_that_no_run_can_have_are_one_line(
    option: str, values: tuple[str, ...], tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(tiny_library), "--results", str(tmp_path / "r"), "--solver", "highs", option]
    for value in values:
        assert option in one_error_line(capsys, [*command, value])
    assert not (tmp_path / "r").exists()


def test_largest_numbers_that_are_taken_are_stored(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(tiny_library), "--results", str(tmp_path), "--solver", "highs", "--select", TINY_INSTANCE]
    command += ["--time-limit", "1e8", "--memory-limit", str(2**30), "--seeds", str(2**63 - 1)]
    assert run_command(command) == 0
    assert f"{tmp_path}: 1 run: 1 " in capsys.readouterr().err


def test_incomplete_or_altered_library_is_one_line(
    copied_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", str(copied_library), "--results", str(tmp_path / "r"), "--solver", "highs"]
    network = next((copied_library / "networks").iterdir())
    network.write_bytes(network.read_bytes()[:-3])
    assert network.name in one_error_line(capsys, run)
    (copied_library / "library.json").unlink()
    assert "library.json" in one_error_line(capsys, run)
    assert not (tmp_path / "r" / "ledger.sqlite").exists()


def test_solution_of_another_instance_is_one_line(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.sol").write_text("# a comment\nz 1\n")
    line = one_error_line(capsys, ["judge", str(tiny_library), TINY_INSTANCE, str(tmp_path / "a.sol")])
    assert line == f"Error: {tmp_path / 'a.sol'}: line 2: 'z' is not a column of the instance"
    assert "did you mean" in one_error_line(capsys, ["judge", str(tiny_library), TINY_INSTANCE[:-1], "a.sol"])


def test_results_of_another_library_are_refused(
    tiny_suite: Path, tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    other = tmp_path / "other.toml"
    other.write_text(tiny_suite.read_text().replace("epochs = 40", "epochs = 39"))
    assert run_command(["generate", str(other), "--out", str(tmp_path / "l"), "--select", TINY_INSTANCE]) == 0
    capsys.readouterr()
    command = ["run", str(tmp_path / "l"), "--results", str(results), "--solver", "highs"]
    assert "another" in one_error_line(capsys, command)
    assert TINY_INSTANCE in one_error_line(capsys, ["confirm", str(results), "--library", str(tmp_path / "l")])


def test_second_run_on_the_same_results_is_refused_with_the_pid_of_the_first(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    command = ["run", str(tiny_library), "--results", str(results), "--solver", "highs", "--seeds", "0,1,2"]
    first = subprocess.Popen([sys.executable, "-m", "vnnbench", *command], stderr=subprocess.DEVNULL)
    try:
        while not list(results.glob("logs/*")) and first.poll() is None:
            time.sleep(0.02)
        first.send_signal(signal.SIGSTOP)  # otherwise it might end before the second command starts
        line = one_error_line(capsys, command)
    finally:
        first.send_signal(signal.SIGINT)
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 130
    assert f"another `vnnbench` (pid {first.pid}) is writing here" in line
    assert run_command(command) == 0


def test_ctrl_c_exits_with_130_and_the_same_command_goes_on(tiny_library: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    command = [sys.executable, "-m", "vnnbench", "run", str(tiny_library), "--results", str(results)]
    command += ["--solver", "highs", "--seeds", "0,1,2,3,4,5", "--time-limit", "30"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(results.glob("logs/*")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr and "continues from here" in stderr
    done = len(list(results.glob("logs/*")))
    assert subprocess.run(command, stderr=subprocess.PIPE, check=False).returncode == 0
    assert done < len(list(results.glob("logs/*"))) == 48


def test_log_names_files_of_the_run_without_saying_where_its_folder_was(tiny_library: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    name = Library.open(tiny_library).rows[0].instance
    command = ["run", str(tiny_library), "--results", str(results), "--solver", "gurobi", "--select", name]
    assert run_command(command) == 0
    (path,) = (results / "logs").iterdir()
    log = gzip.decompress(path.read_bytes()).decode()
    assert f"Read MPS format model from file {name}.mps.gz" in log
    assert str(tmp_path.resolve()) not in log
