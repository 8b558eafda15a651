"""`vnnbench import --instances`: a benchmark folder of VNN-COMP becomes a library, as far as it is supported."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

import vnnbench
from support.command_lines import one_error_line
from support.folders import contents
from vnnbench.cli import run_command
from vnnbench.instances.generation import import_benchmark as importing
from vnnbench.instances.generation import import_instance
from vnnbench.instances.library import additions
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.writer import LEDGER_NAME


def network(slope: float) -> bytes:
    """The network y = slope max(0, x), -slope max(0, x)."""
    weights = np.array([[1.0]], np.float32), np.array([[slope], [-slope]], np.float32)
    return onnx_bytes(Network(weights, (np.zeros(1, np.float32), np.zeros(2, np.float32))))


def onnx_file(nodes: list[NodeProto]) -> bytes:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in "xy"]
    graph = helper.make_graph(nodes, "elsewhere", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 13)
    return bytes(helper.make_model(graph, ir_version=8, opset_imports=[opset]).SerializeToString())


def question(threshold: float, output: str = "Y_0") -> str:
    declared = "".join(f"(declare-const {name} Real)\n" for name in ("X_0", "Y_0", "Y_1"))
    return f"{declared}(assert (and (>= X_0 0.25) (<= X_0 1.0)))\n(assert (>= {output} {threshold}))\n"


def benchmark(folder: Path, lines: list[str], files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    (folder / "instances.csv").write_text("".join(f"{line}\n" for line in lines))
    return folder / "instances.csv"


LINES = [
    "onnx/a.onnx,vnnlib/p.vnnlib,30",
    "onnx/b.onnx,vnnlib/p.vnnlib,60",
    "onnx/a.onnx,vnnlib/q.vnnlib,45.5",
]
FILES: dict[str, str | bytes] = {
    "onnx/a.onnx.gz": network(1.0), "onnx/b.onnx": network(2.0), "vnnlib/p.vnnlib.gz": question(1.5),
    "vnnlib/q.vnnlib": question(-0.5, "Y_1"),
}  # fmt: skip


def command(library: Path, instances: Path, *more: str) -> list[str]:
    return ["import", str(library), "--instances", str(instances), *more]


def limits(library: Path) -> dict[str, float | None]:
    return {row.instance: row.time_limit_seconds for row in Library.open(library).rows}


def test_a_folder_becomes_a_library_with_its_limits(tmp_path, capsys):
    instances, library = benchmark(tmp_path / "benchmark", LINES, FILES), tmp_path / "library"
    assert run_command(command(library, instances)) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"{library}: of 3 pairs, 3 added (3 instances), 0 already there, 0 refused"
    assert limits(library) == {"a-p--tight": 30.0, "a-q--tight": 45.5, "b-p--tight": 60.0}
    assert (library / "networks" / "a.onnx").read_bytes() == network(1.0)
    assert (library / "properties" / "a-p.vnnlib").read_text() == question(1.5)
    checked = run_command(["check", str(library)])
    assert checked == 0, capsys.readouterr().out
    capsys.readouterr()
    assert run_command(["show", str(library), "a-q--tight", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["time_limit_seconds"] == 45.5


def test_refused_pairs_are_left_out_with_a_line_for_each_reason(tmp_path, capsys):
    broken = {"onnx/c.onnx": b"nothing", "vnnlib/r.vnnlib": "(assert", "vnnlib/s.vnnlib": question(1.0) + "(check)"}
    lines = [
        *LINES, "onnx/c.onnx,vnnlib/p.vnnlib,1", "onnx/c.onnx,vnnlib/q.vnnlib,1", "onnx/none.onnx,vnnlib/p.vnnlib,1",
        "onnx/a.onnx,vnnlib/r.vnnlib,1", "onnx/b.onnx,vnnlib/s.vnnlib,1",
        "\"[('f', 'onnx/a.onnx'), ('g', 'onnx/b.onnx')]\",vnnlib/t.vnnlib,1",
    ]  # fmt: skip
    folder = tmp_path / "benchmark"
    instances, library = benchmark(folder, lines, FILES | broken), tmp_path / "library"
    assert run_command(command(library, instances)) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"{library}: of 9 pairs, 3 added (3 instances), 0 already there, 6 refused"
    reasons = [line for line in said if line.startswith("refused")]
    assert reasons[0].startswith(f"refused 2 pairs, such as {folder}/onnx/c.onnx: is not an ONNX file")
    assert len(reasons) == 5
    assert all(line.startswith("refused 1 pair, such as ") for line in reasons[1:])
    text = "\n".join(reasons)
    for part in ("none.onnx: cannot be read", "r.vnnlib: line 1: ", "s.vnnlib: line 6: ", "t.vnnlib: several networks"):
        assert part in text
    assert sorted(limits(library)) == ["a-p--tight", "a-q--tight", "b-p--tight"]


def test_reasons_that_differ_only_in_numbers_and_files_are_one(tmp_path, capsys):
    files = {f"vnnlib/p{k}.vnnlib": question(1.0).replace("X_0 0.25", f"X_{k} 0.25") for k in (1, 2)}
    lines = [LINES[0], "onnx/a.onnx,vnnlib/p1.vnnlib,1", "onnx/a.onnx,vnnlib/p2.vnnlib,1"]
    instances = benchmark(tmp_path, lines, FILES | files)
    assert run_command(command(tmp_path / "library", instances)) == 1
    (reason,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("refused")]
    assert reason.startswith(f"refused 2 pairs, such as {tmp_path}/vnnlib/p1.vnnlib: ")


def test_a_folder_of_which_nothing_is_taken_is_bad_input_and_leaves_no_library(tmp_path, capsys):
    instances = benchmark(tmp_path, LINES[:1], {"vnnlib/p.vnnlib": question(1.0)})
    assert run_command(command(tmp_path / "library", instances)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"Error: {instances}: none of its 1 pair could be imported"
    assert not (tmp_path / "library").exists()


def test_a_list_that_names_a_path_out_of_its_folder_is_bad_input(tmp_path, capsys):
    instances = benchmark(tmp_path / "benchmark", [*LINES, "../a.onnx,vnnlib/p.vnnlib,1"], FILES)
    assert "line 4: '../a.onnx' leads out of the folder" in one_error_line(capsys, command(tmp_path / "l", instances))
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--onnx", "a.onnx"], "--onnx: --instances lists the files"),
        (["--vnnlib", "a.vnnlib"], "--vnnlib: --instances lists the files"),
        (["--name", "mine"], "--name: --instances lists the files and names them"),
    ],
)
def test_options_of_a_single_pair_exclude_a_list(more, message, tmp_path, capsys):
    assert message in one_error_line(capsys, command(tmp_path / "library", tmp_path / "instances.csv", *more))


def test_a_single_pair_needs_both_files(tmp_path, capsys):
    line = one_error_line(capsys, ["import", str(tmp_path), "--onnx", "a.onnx"])
    assert "--vnnlib: name the file, or give --instances" in line


@pytest.fixture
def bounded(monkeypatch) -> list[str]:
    """The names of the problems that are bounded from now on."""
    names: list[str] = []
    make = importing.make_instances

    def recording(network, question, wanted, done):
        names.append(wanted.problem)
        return make(network, question, wanted, done)

    monkeypatch.setattr(importing, "make_instances", recording)
    return names


def test_pairs_that_are_there_are_not_bounded_again(tmp_path, bounded, capsys):
    instances, library = benchmark(tmp_path / "benchmark", LINES[:2], FILES), tmp_path / "library"
    assert run_command(command(library, instances)) == 0
    assert bounded == ["a-p", "b-p"]
    before = contents(library)
    assert run_command(command(library, instances)) == 0
    assert contents(library) == before
    benchmark(tmp_path / "benchmark", [*LINES, *LINES], FILES)
    assert run_command(command(library, instances)) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"{library}: of 6 pairs, 1 added (1 instance), 5 already there, 0 refused"
    assert bounded == ["a-p", "b-p", "a-q"]


def test_pairs_that_are_there_with_other_bounds_are_refused_without_bounding(tmp_path, bounded, capsys):
    instances, library = benchmark(tmp_path / "benchmark", LINES, FILES), tmp_path / "library"
    assert run_command(command(library, instances, "--bounds", "interval")) == 0
    assert run_command(command(library, instances, "--bounds", "backward")) == 2
    (reason,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("refused")]
    assert reason.startswith(
        "refused 3 pairs, such as a-p--tight: is there with bounds interval; use --bounds interval"
    )
    assert len(bounded) == 3


def test_files_of_a_pair_that_are_missing_or_altered_are_restored(tmp_path, bounded):
    instances, library = benchmark(tmp_path / "benchmark", LINES, FILES), tmp_path / "library"
    assert run_command(command(library, instances)) == 0
    before = contents(library)
    (library / "models" / "a-q--tight.mps.gz").unlink()
    (library / "properties" / "b-p.vnnlib").write_text("altered")
    assert run_command(command(library, instances)) == 0
    assert contents(library) == before
    assert bounded[3:] == ["a-q", "b-p"]


def test_without_the_record_of_origins_pairs_are_there_all_the_same(tmp_path, bounded, capsys):
    instances, library = benchmark(tmp_path / "benchmark", LINES, FILES), tmp_path / "library"
    assert run_command(command(library, instances)) == 0
    for record in ('{"imports": [3, {"onnx_sha256": [], "vnnlib_sha256": 1}]}', "[]", ""):
        (library / "provenance.json").write_text(record)
        assert run_command(command(library, instances)) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith("0 added (0 instances), 3 already there, 0 refused")


def test_an_import_that_is_stopped_keeps_what_it_has_and_continues(tmp_path, bounded, monkeypatch, capsys):
    instances, library = benchmark(tmp_path / "benchmark", LINES, FILES), tmp_path / "library"
    check = importing.check_pair

    def stopping(network, question, progress):
        if question.path.name == "q.vnnlib":
            raise KeyboardInterrupt
        check(network, question, progress)

    with monkeypatch.context() as patched:
        patched.setattr(importing, "check_pair", stopping)
        patched.setattr(additions, "_WRITING_SHARE", 0.0)  # so that what is made waits
        assert run_command(command(library, instances)) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped. The same command continues from here."
    assert limits(library) == {"a-p--tight": 30.0}
    assert run_command(command(library, instances)) == 0
    assert bounded == ["a-p", "a-q", "b-p"]
    assert len(limits(library)) == 3


def test_a_network_of_many_pairs_is_parsed_once(tmp_path, monkeypatch):
    parsed, parse = [], import_instance.parse_file

    def counting(data, source):
        parsed.append(Path(source).name)
        return parse(data, source)

    monkeypatch.setattr(import_instance, "parse_file", counting)
    files = FILES | {"onnx/c.onnx": onnx_file([helper.make_node("Tanh", ["x"], ["y"])])}
    lines = [*LINES, "onnx/c.onnx,vnnlib/p.vnnlib,1", "onnx/c.onnx,vnnlib/q.vnnlib,1", "onnx/b.onnx,vnnlib/q.vnnlib,1"]
    assert run_command(command(tmp_path / "library", benchmark(tmp_path, lines, files))) == 1
    assert parsed == ["a.onnx.gz", "b.onnx", "c.onnx"]


def test_another_list_with_other_files_of_the_same_names_is_refused(tmp_path, capsys):
    library = tmp_path / "library"
    assert run_command(command(library, benchmark(tmp_path / "one", LINES[:1], FILES))) == 0
    other = FILES | {"onnx/a.onnx.gz": network(3.0), "vnnlib/p.vnnlib.gz": question(9.0)}
    assert run_command(command(library, benchmark(tmp_path / "two", LINES[:1], other))) == 2
    said = capsys.readouterr().err
    assert "already has another file networks/a.onnx" in said
    assert "or use another library" in said


def test_limits_of_pairs_that_are_there_stay_and_that_is_said(tmp_path, capsys):
    instances, library = benchmark(tmp_path, LINES, FILES), tmp_path / "library"
    assert run_command(command(library, instances)) == 0
    benchmark(tmp_path, [LINES[0].replace(",30", ",31"), *LINES[1:]], FILES)
    assert run_command(command(library, instances)) == 0
    assert f"warning: for 1 pair the library keeps another time limit than {instances} has" in capsys.readouterr().err
    assert limits(library)["a-p--tight"] == 30.0


def test_published_files_come_in_as_a_folder(competition: Path, tmp_path: Path, capsys) -> None:
    folder = Path(shutil.copytree(competition, tmp_path / "benchmark"))
    names = sorted(path.name.removesuffix(".gz") for path in folder.glob("*.vnnlib.gz"))
    instances = folder / "instances.csv"
    instances.write_text("".join(f"./mnist-net_256x2.onnx,{name},120\n" for name in names))
    assert run_command(command(tmp_path / "library", instances, "--bounds", "interval")) == 0
    assert set(limits(tmp_path / "library").values()) == {120.0}
    assert len(limits(tmp_path / "library")) == len(names) == 4


# -- properties of several boxes

BOXES = """(declare-const X_0 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)
(assert (or (and (>= X_0 0.25) (<= X_0 0.5)) (and (>= X_0 0.75) (<= X_0 1.0))))
(assert (>= Y_0 0.625))
"""


def test_each_box_of_a_property_is_an_instance_and_they_are_recognized_together(tmp_path, bounded, capsys):
    instances = benchmark(tmp_path, ["onnx/b.onnx,vnnlib/two.vnnlib,9"], FILES | {"vnnlib/two.vnnlib": BOXES})
    library = tmp_path / "library"
    assert run_command(command(library, instances)) == 0
    assert "of 1 pair, 1 added (2 instances), 0 already there, 0 refused" in capsys.readouterr().err
    assert limits(library) == {"b-two-box0--tight": 9.0, "b-two-box1--tight": 9.0}
    assert run_command(command(library, instances)) == 0
    assert bounded == ["b-two"]
    before = contents(library)
    (library / "models" / "b-two-box1--tight.mps.gz").unlink()
    assert run_command(command(library, instances)) == 0
    assert contents(library) == before
    assert bounded == ["b-two"] * 2


def test_the_answer_of_a_property_of_several_boxes_is_sat_if_that_of_one_box_is(tmp_path, capsys):
    """y = max(0, x) reaches 0.625 in [0.75, 1], and not in [0.25, 0.5]."""
    folder = benchmark(tmp_path, LINES, FILES | {"vnnlib/two.vnnlib": BOXES}).parent
    library, results = tmp_path / "library", tmp_path / "results"
    words = ["--onnx", str(folder / "onnx" / "a.onnx.gz"), "--vnnlib", str(folder / "vnnlib" / "two.vnnlib")]
    assert run_command(["import", str(library), *words, "--name", "mine"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in said[-2:]] == ["mine-box0--tight", "mine-box1--tight"]
    assert run_command(["check", str(library)]) == 0
    assert run_command(["run", str(library), "--results", str(results), "--solver", "highs"]) == 0
    runs = read_runs(results / LEDGER_NAME)
    found = dict(zip(runs["instance"], runs["verdict"], strict=True))
    assert found == {"mine-box0--tight": "robust", "mine-box1--tight": "adversarial"}


# -- runs at the limits of the list


def test_runs_take_the_limit_of_their_instance_unless_one_is_given(tmp_path, capsys):
    library, results = tmp_path / "library", tmp_path / "results"
    assert run_command(command(library, benchmark(tmp_path, LINES, FILES))) == 0
    words = ["run", str(library), "--results", str(results), "--solver", "highs"]
    capsys.readouterr()
    assert run_command([*words, "--dry-run"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "At most 2.5 min with 1 job, if every run takes its whole time limit (30 to 60 s) and 5 s to stop." in out
    assert run_command(words) == 0
    assert run_command([*words, "--dry-run"]) == 0
    assert "3 runs planned, of which 3 are in the ledger: 0 to do." in capsys.readouterr().out
    assert run_command([*words, "--time-limit", "20", "--select", "a-p--tight"]) == 0
    runs = read_runs(results / LEDGER_NAME)
    found = sorted(zip(runs["instance"], runs["time_limit_seconds"], strict=True))
    assert found == [("a-p--tight", 20.0), ("a-p--tight", 30.0), ("a-q--tight", 45.5), ("b-p--tight", 60.0)]
    assert set(runs["default_time_limit_seconds"]) == {30.0, 45.5, 60.0}
    capsys.readouterr()
    assert run_command(["leaderboard", str(results), "--format", "json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    limits = {row["setting"]: (row["runs"], row["time_limit_seconds"]) for row in settings}
    assert limits == {"highs 20 s": (1, 20.0), "highs own limits": (3, None)}
    assert run_command(["publish", str(results), "--library", str(library), "--out", str(tmp_path / "site")]) == 0
    (page,) = (tmp_path / "site" / "settings").glob("*own*.html")
    assert "<dt>time limit</dt><dd>each instance's own</dd>" in page.read_text()


def ranked(results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of runs of every setting, and the number of triples that each lacks."""
    capsys.readouterr()
    assert run_command(["leaderboard", str(results), "--format", "json"]) == 0
    board = json.loads(capsys.readouterr().out)
    return {row["setting"]: row["runs"] for row in board["settings"]}, board["conditions"]["lacking"]


def test_a_limit_that_is_given_later_shares_runs_with_own_limits(tmp_path, capsys):
    """The run at 30 s, the own limit of one instance, is not repeated, and stands in both settings."""
    library, results = tmp_path / "library", tmp_path / "results"
    assert run_command(command(library, benchmark(tmp_path, LINES, FILES))) == 0
    words = ["run", str(library), "--results", str(results), "--solver", "highs"]
    assert run_command(words) == 0
    assert run_command([*words, "--time-limit", "30"]) == 0
    assert ranked(results, capsys) == ({"highs own limits": 3, "highs 30 s": 3}, {})
    assert len(read_runs(results / LEDGER_NAME)) == 5


def test_run_says_that_the_ledger_has_other_limits_of_the_same_instances(tmp_path, capsys):
    first, second, results = tmp_path / "first", tmp_path / "second", tmp_path / "results"
    instances = benchmark(tmp_path, LINES, FILES)
    assert run_command(command(first, instances)) == 0
    benchmark(tmp_path, [LINES[0], LINES[1].replace("60", "20"), LINES[2].replace("45.5", "25")], FILES)
    assert run_command(command(second, instances)) == 0
    words = ["--results", str(results), "--solver", "highs"]
    for library in (first, first, second):
        capsys.readouterr()
        assert run_command(["run", str(library), *words]) == 0
        (note,) = [line for line in capsys.readouterr().err.splitlines() if "another time limit" in line] or [None]
        assert (note is None) == (library is first)
    assert note == (
        f"{results}: 2 instances of {second} have another time limit there, such as a-q--tight: 25 s in the library, "
        "45.5 s there. A ranking has a setting for each of the library's limits, not one of own limits; to avoid that, "
        "use a new results folder or --time-limit"
    )
    assert run_command(["run", str(second), *words, "--time-limit", "20"]) == 0
    assert "another time limit" not in capsys.readouterr().err
    assert ranked(results, capsys)[0] == {"highs own limits": 3, "highs 20 s": 3, "highs 25 s": 1}


def test_run_begins_a_ledger_that_a_killed_run_left_empty(tmp_path):
    library, results = tmp_path / "library", tmp_path / "results"
    assert run_command(command(library, benchmark(tmp_path, LINES, FILES))) == 0
    results.mkdir()
    (results / LEDGER_NAME).touch()
    assert run_command(["run", str(library), "--results", str(results), "--solver", "highs"]) == 0
    assert len(read_runs(results / LEDGER_NAME)) == 3


def test_in_python_runs_take_the_limit_of_their_instance_too(tmp_path):
    library = tmp_path / "library"
    assert run_command(command(library, benchmark(tmp_path, LINES, FILES))) == 0
    runs = vnnbench.run(library, tmp_path / "results", ["highs"], select=["a-*"]).runs()
    assert sorted(runs["time_limit_seconds"]) == [30.0, 45.5]
    assert runs["setting_limit_seconds"].isna().all()
