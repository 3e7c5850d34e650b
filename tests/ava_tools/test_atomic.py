"""Files appear whole or not at all."""

from __future__ import annotations

import os

import pytest

from ava_tools import InputError
from ava_tools.atomic import replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "result.csv"
    path.write_text("old")
    with replacing(path) as temporary:
        assert temporary.parent == path.parent  # a rename must not cross file systems
        assert temporary.suffix == ".csv"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["result.csv"]


def _write_half(path, stop):
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise stop


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", ["old", None], ids=["replacing", "new"])
def test_a_failure_leaves_what_was_there(tmp_path, stop, old):
    path = tmp_path / "result.csv"
    if old is not None:
        path.write_text(old)
    with pytest.raises(stop):
        _write_half(path, stop)
    assert os.listdir(tmp_path) == (["result.csv"] if old else [])
    assert old is None or path.read_text() == old


@pytest.mark.parametrize(
    ("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)], ids=["usual", "private", "group"]
)
def test_the_file_has_the_usual_rights(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "result.csv") as temporary:
            temporary.write_text("new")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (tmp_path / "result.csv").stat().st_mode & 0o777 == mode


def test_a_missing_folder_is_an_error(tmp_path):
    with (
        pytest.raises(InputError, match=r"nowhere/result\.csv: cannot be written \(No such file"),
        replacing(tmp_path / "nowhere" / "result.csv"),
    ):
        pass


def test_the_current_folder_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with replacing("result.csv") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "result.csv").read_text() == "new"


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_never_replaced(tmp_path, kind):
    path = tmp_path / "taken"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(InputError, match=r"taken: cannot be written \(is no regular file\)"), replacing(path):
        pass
    assert not path.is_file()
    assert os.listdir(tmp_path) == ["taken"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
