"""Servers that do what they should not: nothing gets a weight file's name that is none, and nothing lasts for ever."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from http.client import HTTPMessage
from time import sleep
from urllib.request import Request

import pytest
import torch
from safetensors.torch import save

from ava_tools.errors import InputError
from slowfast_det.weights import http_transfer
from slowfast_det.weights.download import fetch, verify
from slowfast_det.weights.http_transfer import Redirects, TransferError

DATA = b"PK\x03\x04" + bytes(20_000)
TAG = '"one"'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights" / "net.pth"


def left(path):
    return sorted(file.name for file in path.parent.iterdir())


def serve(server, answer):
    """Its address; ``answer`` is what is sent, or a function of the request that sends it."""
    server.scripts["net.pth"] = answer if callable(answer) else lambda request: request.wfile.write(answer)
    return server.url("net.pth")


def refused(server, answer, path, reason, **known):
    with pytest.raises(InputError, match=re.escape(reason)) as told:
        fetch(serve(server, answer), path, progress=False, **known)
    assert "\n" not in str(told.value)
    return str(told.value)


def message(*headers, status="200 OK", body=DATA):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1") + body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            message(status="204 No Content", body=b""), "answers 204 No Content, which brings no file", id="204"
        ),
        pytest.param(message(status="202 Accepted"), "answers 202 Accepted, which brings no file", id="202"),
        pytest.param(message(body=b""), "the server sends an empty file", id="empty"),
        pytest.param(message("Content-Length: 0", body=b""), "the server sends an empty file", id="length 0"),
        pytest.param(message("Content-Encoding: gzip"), "the server sends the file encoded as gzip", id="gzip"),
        pytest.param(message("Content-Type: TEXT/HTML; charset=x"), "sends a web page, no weights", id="web page"),
        pytest.param(message("Content-Type: text/plain"), "sends text/plain, no weights", id="text"),
        pytest.param(message("Content-Type: application/json"), "sends application/json, no weights", id="json"),
        pytest.param(message("Content-Type: application/problem+json"), "application/problem+json", id="problem"),
        pytest.param(message("Content-Type: application/xml"), "sends application/xml, no weights", id="xml"),
        pytest.param(message("Content-Length: -5"), "the server announces -5 bytes", id="negative length"),
        pytest.param(message("Content-Length: 1e9"), "the server announces 1e9 bytes", id="length in words"),
        pytest.param(message("Content-Length: " + "9" * 5000), "announces 999", id="length of 5000 digits"),
        pytest.param(message("Content-Length: 3000000000"), "3,000,000,000 bytes, at most", id="length too large"),
        pytest.param(message(body=b'{"error": "gone"}'), "it is no weight file", id="json that says nothing"),
        pytest.param(message(body=b"<Error/>"), "it is no weight file", id="xml that says nothing"),
        pytest.param(message(body=bytes(9)), "it is no weight file", id="zeros"),
        pytest.param(
            message("Content-Range: bytes 0-99/200", status="206 Partial Content", body=DATA[:100]),
            "a piece of the file, which was not asked for",
            id="206 unasked",
        ),
        pytest.param(
            message("Content-Range: bytes */0", status="416 No", body=b""),
            "the server answers 416 No",
            id="416 unasked",
        ),
        pytest.param(message(status="404 \x1b[31mno\x07"), r"answers 404 \x1b[31mno\x07)", id="control characters"),
        pytest.param(message(status="404 " + "so " * 9000), "answers 404 so so", id="long reason"),
    ],
)
def test_no_weights(server, path, answer, reason):
    told = refused(server, answer, path, reason)
    assert len(told) < 400 + len(str(path))
    assert told.isprintable()
    assert len(server.asked) == 1
    assert left(path) == []


def test_what_is_no_http_is_told_without_its_control_characters(server, path):
    assert refused(server, b"\0\1" + b"x" * 5000 + b"\r\n\r\n", path, r"\x00\x01xxx").isprintable()


def zipped():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("a", "b")
    return data.getvalue()


def legacy():
    data = io.BytesIO()
    torch.save({"a": torch.ones(1)}, data, _use_new_zipfile_serialization=False)
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(zipped(), id="zip"),
        pytest.param(legacy(), id="torch before 1.6"),
        *(pytest.param(pickle.dumps({"blobs": {}}, protocol), id=f"pickle {protocol}") for protocol in range(6)),
        pytest.param(save({"a": torch.ones(1)}), id="safetensors"),
    ],
)
def test_weights_by_their_first_bytes(server, path, data):
    assert fetch(serve(server, message(body=data)), path, progress=False).read_bytes() == data
    verify(path, None, None)


@pytest.mark.parametrize("known", [{}, {"size": 1000}], ids=["size unknown", "size known"])
def test_a_body_without_end(server, path, monkeypatch, known):
    monkeypatch.setattr(http_transfer, "_LARGEST", 1_000_000)

    def answer(request):
        request.wfile.write(message())
        while True:
            request.wfile.write(bytes(100_000))

    most = known.get("size", 1_000_000)
    refused(server, answer, path, f"the server sends more than {most:,} bytes", **known)
    assert left(path) == []


def test_a_few_bytes_at_a_time(server, path):
    def answer(request):
        first = int(request.headers.get("Range", "bytes=0-")[6:-1])
        if first == 0:
            request.wfile.write(message(f"ETag: {TAG}", f"Content-Length: {len(DATA)}", body=DATA[:100]))
        else:
            place = f"Content-Range: bytes {first}-{first + 99}/{len(DATA)}"
            piece = DATA[first : first + 100]
            request.wfile.write(message(place, f"ETag: {TAG}", status="206 Partial Content", body=piece))

    refused(server, answer, path, f"the connection broke after 300 of {len(DATA):,} bytes")
    assert len(server.asked) == 3
    assert left(path) == ["net.pth.part", "net.pth.part.json"]


def test_a_body_that_trickles(server, path, monkeypatch):
    monkeypatch.setattr(http_transfer, "_SPELL", 0.2)

    def answer(request):
        request.wfile.write(message(f"ETag: {TAG}", f"Content-Length: {len(DATA)}", body=b""))
        for _ in range(100):
            request.wfile.write(b"\x80")
            sleep(0.02)

    refused(server, answer, path, "the connection brings fewer than 1,000 bytes a second")
    assert len(server.asked) == 3
    assert left(path) == ["net.pth.part", "net.pth.part.json"]


def moved(place, body=b""):
    return message(f"Location: {place}", status="302 Found", body=body)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("ftp://127.0.0.1/net.pth", "the server leads from http to ftp: ftp://127.0.0.1/net.pth"),
        ("file:///etc/hostname", "'file:///etc/hostname' is not allowed"),
        ("data:,x", "is not allowed"),
        ("/net.pth", "infinite loop"),
    ],
)
def test_led_astray(server, path, place, reason):
    refused(server, moved(place), path, reason)
    assert left(path) == []


def test_led_on(server, path):
    server.files["other.pth"] = DATA

    def answer(request):
        request.wfile.write(moved("/other.pth"))
        while True:  # nobody wants to read this
            request.wfile.write(bytes(100_000))

    assert fetch(serve(server, answer), path, progress=False).read_bytes() == DATA


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [("https", "https", True), ("http", "https", True), ("http", "http", True), ("https", "http", False)],
)
def test_never_from_https_to_http(before, after, allowed):
    def lead():
        request = Request(f"{before}://a.org/net.pth", headers={"Range": "bytes=5-"})
        new = f"{after}://b.org/net.pth"
        return Redirects().redirect_request(request, io.BytesIO(), 302, "Found", HTTPMessage(), new)

    if allowed:
        assert (lead().full_url, lead().headers) == (f"{after}://b.org/net.pth", {"Range": "bytes=5-"})
    else:
        with pytest.raises(TransferError, match=r"leads from https to http: http://b\.org"):
            lead()
