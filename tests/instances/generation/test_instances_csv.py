"""instances.csv as the benchmark folders of VNN-COMP have it, and all that is refused about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnnbench.instances.errors import InputError, PropertyError
from vnnbench.instances.generation import instances_csv
from vnnbench.instances.generation.import_names import problem_name
from vnnbench.instances.generation.instances_csv import ListedPair, read_instances


def listed(folder: Path, text: str | bytes, *files: str) -> list[ListedPair]:
    """Read a list in a folder with these files, which are empty."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folder.mkdir(exist_ok=True)
    (folder / "instances.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_instances(folder / "instances.csv")


def test_a_line_has_a_network_a_property_and_a_limit(tmp_path):
    (pair,) = listed(tmp_path, "onnx/net.onnx,vnnlib/p_1.vnnlib,116\n", "onnx/net.onnx", "vnnlib/p_1.vnnlib.gz")
    files = tmp_path / "onnx" / "net.onnx", tmp_path / "vnnlib" / "p_1.vnnlib.gz"
    assert pair == ListedPair(*files, 116.0, "net-p_1", "net")


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfonnx/a.onnx,vnnlib/b.vnnlib,9.5\r\n\r\n",
        b"./onnx/a.onnx,./vnnlib/b.vnnlib,9.5",
        b'\n  \n"onnx/a.onnx", "vnnlib/b.vnnlib" , 9.5 \n,,\n',
        b"onnx/../onnx/a.onnx,vnnlib/b.vnnlib,9.5\n",
    ],
)
def test_marks_blanks_quotes_and_empty_lines_change_nothing(text, tmp_path):
    (pair,) = listed(tmp_path, text, "onnx/a.onnx", "vnnlib/b.vnnlib")
    assert (pair.name, pair.network, pair.time_limit_seconds) == ("a-b", "a", 9.5)
    assert pair.onnx.samefile(tmp_path / "onnx" / "a.onnx")


def test_a_line_of_several_networks_has_no_network(tmp_path):
    (pair,) = listed(tmp_path, "\"[('f', 'onnx/a.onnx'), ('g', 'onnx/b.onnx')]\",./vnnlib/c.vnnlib,100\n")
    assert (pair.onnx, pair.vnnlib) == (None, tmp_path / "vnnlib" / "c.vnnlib")


def test_second_files_of_a_name_get_a_number_in_the_order_of_the_list(tmp_path):
    text = (
        "x/net.onnx,x/p.vnnlib,1\ny/net.onnx,y/p.vnnlib,1\nx/net.onnx,y/p.vnnlib,1\nx/net.onnx,x/p.vnnlib,2\n"
        "x/net.onnx,x/q.vnnlib,1\ny/net.onnx,x/q.vnnlib,1\n"
    )
    pairs = listed(tmp_path, text)
    assert [pair.name for pair in pairs] == ["net-p", "net-p-2", "net-p-3", "net-p", "net-q", "net-q-2"]
    assert [pair.network for pair in pairs] == ["net", "net-2", "net", "net", "net", "net-2"]


def test_long_names_are_cut_and_stay_different():
    onnx, names = Path("n" * 100 + ".onnx"), [f"{'p' * 60}{k}.vnnlib" for k in (1, 2)]
    one, other = (problem_name(onnx, Path(name)) for name in names)
    assert len(one) == len(other) == 120
    assert one != other
    assert one[:111] == other[:111] == "n" * 100 + "-" + "p" * 10


@pytest.mark.parametrize(
    ("path", "link"),
    [("../net.onnx", None), ("/net.onnx", None), ("onnx/../../net.onnx", None), ("out/net.onnx", "out"), (".", None)],
)
def test_paths_out_of_the_folder_are_refused_before_anything_is_read(path, link, tmp_path):
    (tmp_path / "list").mkdir()
    (tmp_path / "net.onnx").touch()
    if link:
        (tmp_path / "list" / link).symlink_to(tmp_path)
    with pytest.raises(PropertyError, match=r"instances\.csv, line 2: '.*' leads out of the folder of the list"):
        listed(tmp_path / "list", f"a.onnx,a.vnnlib,1\n{path},a.vnnlib,1\n")
    with pytest.raises(PropertyError, match=r"instances\.csv, line 1: '.*' leads out of the folder of the list"):
        listed(tmp_path / "list", f"a.onnx,{path},1\n")


def test_links_within_the_folder_are_followed_and_are_the_same_file(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.onnx").touch()
    (tmp_path / "onnx").symlink_to("nets")
    pairs = listed(tmp_path, "onnx/net.onnx,p.vnnlib,1\nnets/net.onnx,p.vnnlib,1\n")
    assert [pair.name for pair in pairs] == ["net-p", "net-p"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not list an instance; a line is NETWORK.onnx,PROPERTY.vnnlib,SECONDS"),
        ("onnx/a.onnx,b.vnnlib\n", "line 1: is not NETWORK.onnx,PROPERTY.vnnlib,SECONDS"),
        ("\na.onnx,b.vnnlib,3,4\n", "line 2: is not NETWORK.onnx,PROPERTY.vnnlib,SECONDS"),
        ("a.onnx,,3\n", "line 1: is not NETWORK.onnx,PROPERTY.vnnlib,SECONDS"),
        ("network,property,timeout\n", "line 1: the time limit is 'timeout'; give seconds above 0"),
        ("a.onnx,b.vnnlib,0\n", "the time limit is '0'"),
        ("a.onnx,b.vnnlib,nan\n", "the time limit is 'nan'"),
        ("a.onnx,b.vnnlib,1e30\n", "the time limit is '1e30'"),
        ("a.onnx,b.vnnlib,1_0\n", "the time limit is '1_0'"),
        ("a.onnx,b.vnnlib,\uff11\uff10\n", "the time limit is '\uff11\uff10'"),
        ("a\0.onnx,b.vnnlib,1\n", "null"),
        ('"a.onnx,b.vnnlib,1\n', "line 1: is not NETWORK.onnx,PROPERTY.vnnlib,SECONDS"),
        ("a" * 200_000, "is not a CSV file (field larger than field limit"),
        (b"\xff\xfe,b.vnnlib,1\n", "is not a CSV file"),
        ("--.onnx,b.vnnlib,1\n", "cannot be a name"),
    ],
)
def test_a_broken_list_is_refused_in_one_line(text, message, tmp_path):
    with pytest.raises(InputError) as raised:
        listed(tmp_path, text)
    assert message in str(raised.value)
    assert str(raised.value).count("\n") == 0


def test_lists_and_files_that_are_too_large_are_refused(tmp_path, monkeypatch):
    with pytest.raises(PropertyError, match="cannot be read"):
        read_instances(tmp_path / "none.csv")
    monkeypatch.setattr(instances_csv, "MAX_INSTANCES", 2)
    with pytest.raises(PropertyError, match="lists more than 2 instances"):
        listed(tmp_path, "a.onnx,b.vnnlib,1\n" * 3)
    monkeypatch.setattr(instances_csv, "MAX_LIST_BYTES", 20)
    with pytest.raises(PropertyError, match="holds more than 20 bytes"):
        listed(tmp_path, "a.onnx,b.vnnlib,1\n" * 2)
