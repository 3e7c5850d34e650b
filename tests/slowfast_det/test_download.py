"""Torchvision's weights, from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch

from ava_tools.errors import InputError
from slowfast_det.weights import download
from slowfast_det.weights.hub import cached_path, fetch_state_dict

STATE = {"layer.weight": torch.arange(12.0).view(3, 4), "layer.bias": torch.ones(3)}


def torch_file(content):
    data = io.BytesIO()
    torch.save(content, data)
    return data.getvalue()


def named(data, stem="weights"):
    """A file name as torchvision's: it ends in the first digits of the content's SHA-256."""
    return f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}.pth"


class Harmful:
    """A pickle of it makes a file when it is opened by a trusting reader."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


class Server:
    """Serves files by name, counts what it is asked for, and misbehaves as told."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.manner = "well"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, request):
        self.asked.append(request.path)
        data = self.files.get(request.path.lstrip("/"))
        request.close_connection = True
        if self.manner == "garbage":
            request.wfile.write(b"this is no HTTP\r\n\r\n")
        elif self.manner == "nothing":
            pass
        elif data is None:
            request.send_error(404)
        else:
            request.send_response(200)
            if self.manner == "breaks off in a chunk":
                request.send_header("Transfer-Encoding", "chunked")
                request.end_headers()
                request.wfile.write(b"%x\r\n" % len(data) + data[: len(data) // 2])
            else:
                request.send_header("Content-Length", str(len(data)))
                request.end_headers()
                request.wfile.write(data[: len(data) // 2] if self.manner == "breaks off" else data)

    def url(self, name):
        return f"http://127.0.0.1:{self._http.server_port}/{name}"

    def stop(self):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture(scope="module")
def running():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def server(running, tmp_path, monkeypatch):
    """The server, at its best, and a cache of its own."""
    running.files.clear()
    running.asked.clear()
    running.manner = "well"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return running


@pytest.fixture
def left(tmp_path):
    """What is in the cache."""

    def names():
        files = [path for path in (tmp_path / "hub").rglob("*") if path.is_file()]
        return sorted(path.name for path in files)

    return names


def test_fetched_once(server, left, tmp_path):
    data = torch_file(STATE)
    name = named(data)
    server.files[name] = data
    for _ in range(2):
        state = fetch_state_dict(server.url(name), progress=False)
        assert state.keys() == STATE.keys()
        assert all(torch.equal(state[key], STATE[key]) for key in STATE)
    assert server.asked == [f"/{name}"]
    assert left() == [name]
    assert cached_path(server.url(name) + "?download=1") == tmp_path / "hub" / "checkpoints" / name


def test_a_file_put_there_by_hand_is_used(server):
    data = torch_file(STATE)
    path = cached_path(server.url(named(data)))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert fetch_state_dict(server.url(path.name)).keys() == STATE.keys()
    assert server.asked == []


def test_a_name_without_a_hash(server, left):
    server.files["plain.pth"] = torch_file(STATE)
    assert fetch_state_dict(server.url("plain.pth"), check_hash=False, progress=False).keys() == STATE.keys()
    assert left() == ["plain.pth"]


@pytest.mark.parametrize(
    "manner",
    [
        pytest.param("breaks off", id="breaks off"),
        pytest.param("breaks off in a chunk", id="breaks off in a chunk"),
        pytest.param("garbage", id="speaks no HTTP"),
        pytest.param("nothing", id="hangs up"),
    ],
)
def test_a_bad_connection(server, left, manner):
    data = torch_file(STATE)
    name = named(data)
    server.files[name] = data
    server.manner = manner
    url = server.url(name)
    with pytest.raises(InputError, match=re.escape(f"download {url} and put it at {cached_path(url)}")):
        fetch_state_dict(url, progress=False)
    assert name not in left()
    server.manner = "well"
    assert fetch_state_dict(url, progress=False).keys() == STATE.keys()
    assert left() == [name]


@pytest.mark.parametrize(
    "served",
    [
        pytest.param(torch_file({"other": torch.ones(1)}), id="another file"),
        pytest.param(b"<html>please log in</html>", id="web page"),
        pytest.param(b"", id="nothing"),
        pytest.param(None, id="not found"),
    ],
)
def test_wrong_content(server, left, served):
    name = named(torch_file(STATE))
    if served is not None:
        server.files[name] = served
    with pytest.raises(InputError, match=f"the weights {re.escape(name)} are not here and cannot be fetched"):
        fetch_state_dict(server.url(name), progress=False)
    assert left() == []


def test_no_server_at_all(server, left):
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch_state_dict("http://127.0.0.1:1/weights-01234567.pth", progress=False)
    assert left() == []


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda harmful: torch_file({"layer.weight": harmful}), id="in a torch file"),
        pytest.param(lambda harmful: pickle.dumps({"layer.weight": harmful}), id="as a bare pickle"),
    ],
)
def test_code_in_a_pickle_never_runs(server, tmp_path, wrap):
    trace = tmp_path / "it ran"
    data = wrap(Harmful(trace))
    name = named(data)
    server.files[name] = data
    for _ in range(2):  # fetched, then from the cache
        with pytest.raises(InputError):
            fetch_state_dict(server.url(name), progress=False)
    assert not trace.exists()
    torch.load(io.BytesIO(torch_file(Harmful(trace))), weights_only=False)
    assert trace.exists(), "the harmful file is harmful"


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}], ids=["list", "no tensors", "empty"])
def test_a_file_that_holds_no_state_dict(server, content):
    data = torch_file(content)
    server.files[named(data)] = data
    with pytest.raises(InputError, match="holds no state dict; delete it"):
        fetch_state_dict(server.url(named(data)), progress=False)
