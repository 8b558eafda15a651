"""The site's folder: written whole or not at all, and other files are not touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.folders import contents
from vnnbench.leaderboard.site.folder import SiteError, write_folder

ONE = [("index.html", b"one"), ("pages/a.html", b"a")]


def test_a_site_is_written_and_replaced_whole(tmp_path):
    out = tmp_path / "deep" / "site"
    assert write_folder(out, ONE) == 2
    assert contents(out).keys() == {"index.html", "pages/a.html", "site.json"}
    assert write_folder(out, [("index.html", b"two")]) == 1
    assert contents(out).keys() == {"index.html", "site.json"}
    assert [path.name for path in out.parent.iterdir()] == ["site"]


def test_an_empty_folder_is_taken(tmp_path):
    write_folder(tmp_path, ONE)
    assert (tmp_path / "index.html").read_bytes() == b"one"


def test_a_foreign_folder_file_or_link_is_refused_and_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "site.json").write_text('{"made_by": "another program"}')
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "site.json")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path)
    for name in ("folder", "pipe", "file", "link"):
        with pytest.raises(SiteError, match=name):
            write_folder(tmp_path / name, ONE)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mine", [".git/HEAD", "CNAME", "pages/notes.html"])
def test_a_site_that_holds_another_file_is_refused_and_stays(tmp_path, mine):
    out = tmp_path / "site"
    write_folder(out, ONE)
    (out / mine).parent.mkdir(exist_ok=True)
    (out / mine).write_text("mine")
    before = contents(out)
    with pytest.raises(SiteError, match=mine):
        write_folder(out, [("index.html", b"two")])
    assert contents(out) == before


def test_a_site_that_fails_half_way_leaves_the_old_one(tmp_path):
    def failing():
        yield "index.html", b"two"
        raise ValueError("half way")

    out = tmp_path / "site"
    write_folder(out, ONE)
    with pytest.raises(ValueError, match="half way"):
        write_folder(out, failing())
    assert (out / "index.html").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SiteError, match="cannot be written") as refused:
        write_folder(tmp_path / "file" / "site", ONE)
    assert "\n" not in str(refused.value)


def test_an_interrupt_between_the_two_renames_leaves_the_old_site(tmp_path, monkeypatch):
    out = tmp_path / "site"
    write_folder(out, ONE)
    rename = Path.rename

    def interrupted(self, target):
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(out, [("index.html", b"two")])
    assert (out / "index.html").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
