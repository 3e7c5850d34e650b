"""Folders that hold what we did not put there."""

from __future__ import annotations

import json
import re

import pytest

from ava_tools.errors import InputError
from slowfast_det.weights.download import fetch, part_of, verify, weights_home

DATA = b"PK\x03\x04" + bytes(20_000)
TAG = '"one"'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights" / "net.pth"


def left(path):
    return sorted(file.name for file in path.parent.iterdir())


def note_of(path):
    return part_of(path).with_name(part_of(path).name + ".json")


def put_part(path, url, validator):
    path.parent.mkdir(exist_ok=True)
    part_of(path).write_bytes(DATA[:100])
    note_of(path).write_text(json.dumps({"url": url, "validator": validator}))


@pytest.mark.parametrize("validator", [{"a": 1}, 7, "a\nb", "a\x7f", "\u1234", "", "x" * 9999], ids=str)
def test_a_note_that_we_did_not_write(server, path, validator):
    server.files["net.pth"], server.tags["net.pth"] = DATA, TAG
    put_part(path, server.url("net.pth"), validator)
    assert fetch(server.url("net.pth"), path, progress=False).read_bytes() == DATA
    assert server.asked == [("/net.pth", None, None)]
    assert left(path) == ["net.pth"]


def test_such_a_note_discards_the_part_at_once(path):
    url = "http://127.0.0.1:1/net.pth"
    put_part(path, url, "a\nb")
    with pytest.raises(InputError, match="Connection refused"):
        fetch(url, path, progress=False)
    assert left(path) == []


def test_a_note_that_nests(server, path):
    server.files["net.pth"] = DATA
    put_part(path, "", "")
    note_of(path).write_text("[" * 100_000)
    assert fetch(server.url("net.pth"), path, progress=False).read_bytes() == DATA


@pytest.mark.parametrize("validator", [TAG, None])
def test_links_are_not_written_through(server, path, tmp_path, validator):
    server.files["net.pth"], server.tags["net.pth"] = DATA, TAG
    put_part(path, server.url("net.pth"), validator)
    note = note_of(path).read_text()
    for place in (part_of(path), note_of(path)):
        place.rename(tmp_path / place.name)
        place.symlink_to(tmp_path / place.name)
    assert fetch(server.url("net.pth"), path, progress=False).read_bytes() == DATA
    assert (tmp_path / part_of(path).name).read_bytes() == DATA[:100]
    assert (tmp_path / note_of(path).name).read_text() == note
    assert not path.is_symlink()


def test_a_folder_has_the_name_already(server, path):
    path.mkdir(parents=True)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: is a folder, where the weights"):
        fetch(server.url("net.pth"), path, progress=False)
    assert server.asked == []
    assert left(path) == ["net.pth"]


def test_nobodys_home(monkeypatch):
    monkeypatch.setenv("SLOWFAST_DET_HOME", "~nobody-of-that-name/x")
    with pytest.raises(InputError, match=r"^~nobody-of-that-name/x: whose home folder"):
        weights_home()


def test_a_piece_of_a_file_without_end(server, path):
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100-199/*\r\n\r\n"
    server.scripts["net.pth"] = lambda request: request.wfile.write(head + DATA[100:200])
    url = server.url("net.pth")
    put_part(path, url, TAG)
    with pytest.raises(InputError, match="which was not asked for"):  # the part is gone by the second try
        fetch(url, path, progress=False)
    assert left(path) == []


def test_a_file_that_lies_there_is_looked_at(tmp_path):
    (tmp_path / "net.pth").write_bytes(b'{"error": "gone"}')
    with pytest.raises(InputError, match=r"net\.pth: it is no weight file; delete it, and it will be fetched again"):
        verify(tmp_path / "net.pth", None, None)
    with pytest.raises(InputError, match="cannot be read"):
        verify(tmp_path / "none.pth", None, None)
