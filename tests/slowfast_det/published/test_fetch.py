"""Fetching a file: whole or not at all, gone on with, verified, and only once."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep

import pytest

from ava_tools.errors import InputError
from slowfast_det.weights.download import fetch, part_of, weights_home

DATA = b"\x80" + bytes(range(256)) * 4000 + b"\x80"  # begins as a pickle does, from behind too
DIGITS = hashlib.sha256(DATA).hexdigest()[:8]
TAG = '"one"'
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights" / "net.pth"


@pytest.fixture
def url(server):
    server.files["net.pth"] = DATA
    server.tags["net.pth"] = TAG
    return server.url("net.pth")


def left(path):
    return sorted(file.name for file in path.parent.iterdir())


def cut_off(server, url, path, after=100_000):
    """Fetch until the server breaks off and goes on breaking off at once."""
    server.cuts = [after, 0, 0]
    with pytest.raises(InputError, match=rf"the connection broke after {after:,} of {len(DATA):,} bytes"):
        fetch(url, path, progress=False)
    assert part_of(path).read_bytes() == DATA[:after]
    assert not path.exists()
    server.asked.clear()


def test_whole(server, url, path):
    assert fetch(url, path, sha256=DIGITS, size=len(DATA), progress=False) == path
    assert path.read_bytes() == DATA
    assert [file.name for file in path.parent.iterdir()] == ["net.pth"]
    assert fetch(url, path, progress=False) == path
    assert server.asked == [("/net.pth", None, None)]


def test_what_is_there_is_taken_as_it_is(server, url, path):
    path.parent.mkdir()
    path.write_bytes(b"put here by hand")
    assert fetch(url, path, sha256=DIGITS).read_bytes() == b"put here by hand"
    assert server.asked == []


@pytest.mark.parametrize(
    ("tag", "date", "said"),
    [
        pytest.param(TAG, None, TAG, id="ETag"),
        pytest.param(None, DATE, DATE, id="Last-Modified"),
        pytest.param('W/"one"', DATE, DATE, id="weak ETag"),
    ],
)
def test_goes_on_after_a_cut(server, url, path, tag, date, said):
    server.tags = {"net.pth": tag} if tag else {}
    server.dates = {"net.pth": date} if date else {}
    cut_off(server, url, path)
    fetch(url, path, sha256=DIGITS, progress=False)
    assert server.asked == [("/net.pth", "bytes=100000-", said)]
    assert path.read_bytes() == DATA
    assert left(path) == ["net.pth"]


def test_tries_again_by_itself_as_long_as_it_gets_further(server, url, path):
    server.cuts = [200_000] * 5
    fetch(url, path, sha256=DIGITS, progress=False)
    assert [asked.range for asked in server.asked] == [None, *(f"bytes={n}00000-" for n in (2, 4, 6, 8, 10))]
    assert path.read_bytes() == DATA


def test_a_server_in_trouble_is_asked_again(server, url, path):
    server.failures = [503, 500]
    assert fetch(url, path, progress=False).read_bytes() == DATA
    assert len(server.asked) == 3


def test_a_server_that_cannot_continue(server, url, path):
    cut_off(server, url, path)
    server.ranges = False
    assert fetch(url, path, sha256=DIGITS, progress=False).read_bytes() == DATA


def test_a_server_that_cannot_continue_and_always_breaks_off(server, url, path):
    server.ranges, server.cuts = False, [100_000] * 9
    with pytest.raises(InputError, match="the connection broke"):
        fetch(url, path, progress=False)
    assert len(server.asked) == 3


def test_nothing_tells_whether_the_file_is_still_the_same(server, url, path):
    server.tags.clear()
    server.cuts = [100_000] * 3
    with pytest.raises(InputError):
        fetch(url, path, progress=False)
    server.asked.clear()
    assert fetch(url, path, progress=False).read_bytes() == DATA
    assert server.asked == [("/net.pth", None, None)]


def test_the_file_has_changed(server, url, path):
    cut_off(server, url, path)
    server.files["net.pth"], server.tags["net.pth"] = DATA[::-1], '"two"'
    assert fetch(url, path, progress=False).read_bytes() == DATA[::-1]
    assert server.asked == [("/net.pth", "bytes=100000-", TAG)]


def test_the_file_has_changed_and_the_server_does_not_mind(server, url, path):
    cut_off(server, url, path)
    server.heeds = False
    server.files["net.pth"], server.tags["net.pth"] = DATA[::-1], '"two"'
    assert fetch(url, path, progress=False).read_bytes() == DATA[::-1]
    assert [asked.range for asked in server.asked] == ["bytes=100000-", None]


def test_a_server_that_continues_elsewhere(server, url, path):
    cut_off(server, url, path)
    server.shift = 10
    assert fetch(url, path, progress=False).read_bytes() == DATA


def test_a_part_of_another_address_is_not_gone_on_with(server, url, path):
    cut_off(server, url, path)
    server.files["other.pth"], server.tags["other.pth"] = DATA[::-1], TAG
    assert fetch(server.url("other.pth"), path, progress=False).read_bytes() == DATA[::-1]
    assert server.asked == [("/other.pth", None, None)]


@pytest.mark.parametrize("more", [pytest.param(0, id="all of it"), pytest.param(7, id="too much")])
def test_the_part_has_all_bytes_already(server, url, path, more):
    cut_off(server, url, path)
    part_of(path).write_bytes(DATA + bytes(more))
    assert fetch(url, path, sha256=DIGITS, progress=False).read_bytes() == DATA
    assert [asked.range for asked in server.asked] == [f"bytes={len(DATA) + more}-", None][: 2 if more else 1]


def test_a_part_whose_origin_is_unreadable(server, url, path):
    cut_off(server, url, path)
    part_of(path).with_name("net.pth.part.json").write_text("[")
    assert fetch(url, path, progress=False).read_bytes() == DATA


@pytest.mark.parametrize("known", [True, False], ids=["length known", "length unknown"])
@pytest.mark.parametrize(
    ("expected", "reasons"),
    [
        ({"sha256": "01234567"}, {f"its SHA-256 begins with {DIGITS}, 01234567 is expected"}),
        ({"size": 5}, {f"has {len(DATA):,} bytes, 5 are expected", "the server sends more than 5 bytes"}),
    ],
    ids=["hash", "size"],
)
def test_not_what_it_should_be(server, url, path, expected, reasons, known):
    server.tells_length = known
    with pytest.raises(InputError, match="|".join(map(re.escape, reasons))):
        fetch(url, path, **expected, progress=False)
    assert left(path) == []
    assert len(server.asked) == 1


def test_the_hash_of_joined_parts_is_checked(server, url, path):
    cut_off(server, url, path)
    part_of(path).write_bytes(bytes(100_000))
    with pytest.raises(InputError, match="SHA-256"):
        fetch(url, path, sha256=DIGITS, progress=False)
    assert left(path) == []


def test_a_web_page(server, url, path):
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(InputError, match="the server sends a web page, no weights"):
        fetch(url, path, progress=False)
    assert left(path) == []
    assert len(server.asked) == 1


def test_not_found(server, path):
    with pytest.raises(InputError) as caught:
        fetch(server.url("none.pth"), path, size=1234, progress=False)
    assert str(caught.value) == (
        f"the weights net.pth are not here and cannot be fetched (the server answers 404 Not Found); "
        f"download {server.url('none.pth')} (1,234 bytes) and put it at {path}"
    )
    assert len(server.asked) == 1


def test_offline(path):
    url = "http://127.0.0.1:1/net.pth"
    with pytest.raises(InputError, match=re.escape(f"(Connection refused); download {url} and put it at {path}")):
        fetch(url, path, progress=False)


def test_offline_keeps_the_part(server, url, path):
    cut_off(server, url, path)
    port = url.split(":")[2].split("/")[0]
    with pytest.raises(InputError, match="Connection refused"):
        fetch(url.replace(port, "1"), path, progress=False)
    assert part_of(path).read_bytes() == DATA[:100_000]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/a", "net.pth", ""])
def test_an_address_of_another_kind(path, address):
    with pytest.raises(InputError, match="http:// or https:// is expected"):
        fetch(address, path)
    assert not path.parent.exists()


@pytest.mark.parametrize("address", ["http://", "http://[bad/net.pth", "http://a b/c"])
def test_an_address_that_is_none(path, address):
    with pytest.raises(InputError, match=re.escape(f"download {address} and put it at")):
        fetch(address, path, progress=False)


def test_a_folder_that_cannot_be_made(server, url, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch(url, tmp_path / "file" / "net.pth", progress=False)


def start(url, path):
    """Another process that fetches; it says so when it begins."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from slowfast_det.weights.download import fetch; print('begins', flush=True)\n"
        "fetch(sys.argv[1], sys.argv[2])"
    )
    command = [sys.executable, "-c", code, url, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


def wait_until(condition):
    end = monotonic() + 20
    while not condition():
        assert monotonic() < end, "it does not happen"
        sleep(0.02)


def held(path):
    return part_of(path).stat().st_size if part_of(path).exists() else 0


def test_two_processes_download_once(server, url, path):
    server.gate = threading.Event()
    first = start(url, path)
    wait_until(lambda: held(path) == len(DATA) // 2)
    second = start(url, path)
    sleep(0.3)
    assert second.poll() is None
    server.gate.set()
    for process in (first, second):
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0
    assert len(server.asked) == 1
    assert path.read_bytes() == DATA
    assert left(path) == ["net.pth"]


def test_the_second_takes_over_when_the_first_is_killed(server, url, path):
    server.gate = threading.Event()
    first = start(url, path)
    wait_until(lambda: held(path) == len(DATA) // 2)
    second = start(url, path)
    first.kill()
    first.communicate(timeout=20)
    server.gate.set()
    second.communicate(timeout=20)
    assert path.read_bytes() == DATA
    assert [asked.range for asked in server.asked] == [None, f"bytes={len(DATA) // 2}-"]


def test_interrupted_and_gone_on_with(server, url, path):
    server.gate = threading.Event()
    process = start(url, path)
    wait_until(lambda: held(path) == len(DATA) // 2)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=20)[1]
    assert held(path) == len(DATA) // 2
    server.gate.set()
    server.asked.clear()
    assert fetch(url, path, sha256=DIGITS, progress=False).read_bytes() == DATA
    assert server.asked == [("/net.pth", f"bytes={len(DATA) // 2}-", TAG)]


def test_where_files_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SLOWFAST_DET_HOME", str(tmp_path))
    assert weights_home() == tmp_path
    monkeypatch.delenv("SLOWFAST_DET_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights_home() == Path(tmp_path) / ".cache" / "slowfast_det"
