"""A server of files on this machine, which can do what servers do, and what they should not."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from slowfast_det.weights import download


class Asked(NamedTuple):
    path: str
    range: str | None
    if_range: str | None


class FileServer:
    """Serves ``files`` by name, with their ``tags``, and notes what it is asked for.

    Attributes:
        ranges: whether it can continue.
        heeds: whether it looks at If-Range.
        shift: bytes by which it continues elsewhere than asked.
        cuts: bytes of the body after which each of the next answers breaks off.
        failures: status codes of the next answers.
        gate: if set, the second half of a body waits for it.
        scripts: by name, what answers instead: a function of the request.
    """

    def __init__(self):
        self.files, self.tags, self.dates, self.scripts = {}, {}, {}, {}
        self.asked, self.cuts, self.failures = [], [], []
        self.ranges, self.gate, self.kind = True, None, "application/octet-stream"
        self.tells_length, self.heeds, self.shift = True, True, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self._http.server_port}/{name}"

    def answer(self, request):
        name = request.path.lstrip("/")
        asked = Asked(request.path, request.headers.get("Range"), request.headers.get("If-Range"))
        self.asked.append(asked)
        if self.failures:
            request.send_error(self.failures.pop(0))
            return
        if name in self.scripts:
            with suppress(OSError):  # the client left
                self.scripts[name](request)
            return
        if name not in self.files:
            request.send_error(404)
            return
        data = self.files[name]
        validators = {self.tags.get(name), self.dates.get(name)} - {None}
        first = 0
        if self.ranges and asked.range and (not self.heeds or asked.if_range in validators):
            first = int(asked.range.removeprefix("bytes=").removesuffix("-")) + self.shift
            if first >= len(data):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(data)}")
                request.end_headers()
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        else:
            request.send_response(200)
        body = data[first:]
        request.send_header("Content-Type", self.kind)
        if self.tells_length:
            request.send_header("Content-Length", str(len(body)))
        if name in self.tags:
            request.send_header("ETag", self.tags[name])
        if name in self.dates:
            request.send_header("Last-Modified", self.dates[name])
        request.end_headers()
        self._send(request, body[: self.cuts.pop(0)] if self.cuts else body)

    def _send(self, request, body):
        half = len(body) // 2
        try:
            request.wfile.write(body[:half])
            request.wfile.flush()
            if self.gate is not None:
                self.gate.wait(20)
            request.wfile.write(body[half:])
        except OSError:  # the client left
            pass

    def stop(self):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0))
    running = FileServer()
    yield running
    if running.gate is not None:
        running.gate.set()
    running.stop()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty place for fetched files."""
    monkeypatch.setenv("SLOWFAST_DET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
