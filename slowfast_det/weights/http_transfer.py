"""One file over HTTP into a part that a later try goes on with."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from time import monotonic
from typing import IO, Protocol, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from slowfast_det.weights.part import Part, may_be_said

Advance = Callable[[int, int | None], None]
_SILENCE = 30.0  # seconds without a byte, while connecting too
_BLOCK = 1 << 18
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # a server in trouble, not one that refuses
_LARGEST = 2_000_000_000  # bytes of a file whose size nobody has published
_PACE, _SPELL = 1_000, 60.0  # bytes a second, over that many seconds: what is slower counts as broken off
_WORDS = 120  # characters of what a server says that are repeated
_NO_WEIGHTS = re.compile(r"text/.*|application/(.*\+)?(json|xml)")


class TransferError(Exception):
    """The file did not come, and another try will not help."""


class BrokenTransferError(TransferError):
    """The connection broke; another try goes on where this one ended."""


class UnreachableError(TransferError):
    """There was no connection at all."""


class Redirects(HTTPRedirectHandler):
    """Goes where a server leads, by http and https only, and never from https back to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The request that follows, as urllib asks for it."""
        fp.close()  # urllib would read its body, which may have no end
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after == "http"):
            raise TransferError(_plain(f"the server leads from {before} to {after}: {newurl}"))
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_HANDLERS: tuple[type[BaseHandler], ...] = (
    ProxyHandler,
    HTTPHandler,
    HTTPSHandler,
    UnknownHandler,
    HTTPDefaultErrorHandler,
    Redirects,
    HTTPErrorProcessor,
)


class _Answer(Protocol):
    status: int
    headers: HTTPMessage


def transfer(url: str, part: Part, *, size: int | None = None, advance: Advance = lambda done, total: None) -> None:
    """Add to ``part`` the bytes of ``url`` that it lacks.

    A server that cannot continue, or whose file has changed (RFC 9110, sections 13.1.5 and 14), sends all of
    it, and the part begins anew.

    Args:
        url: http or https.
        part: what is here already, and where the rest goes.
        size: bytes that the file must have, if that is known.
        advance: told the bytes that are here, and how many they will be if the server says so.

    Raises:
        TransferError: what is wrong, in a few words.
        OSError: the part cannot be written.
    """
    validator = part.validator(url)
    held = part.size if validator else 0
    headers = {"Range": f"bytes={held}-", "If-Range": validator} if validator else {}
    try:
        answer = _open(url, headers)
    except _NothingLeftError as problem:
        if problem.total == held:
            return
        part.discard()
        raise BrokenTransferError("the server's file is shorter than the part that is here") from None
    with answer:
        _refuse_what_is_no_file(answer)
        goes_on = answer.status == 206
        if goes_on:
            _check_piece(answer, part, held, validator)
        total = _range(answer)[1] if goes_on else _length(answer)
        if total is not None and (wrong := _wrong_size(total, size)):
            part.discard()
            raise TransferError(wrong)
        if not goes_on:
            part.begin(url, _validator(answer))
        most = next(known for known in (total, size, _LARGEST) if known is not None)
        _append(answer, part, total, most, advance)
    if part.size > most:
        part.discard()
        raise TransferError(f"the server sends more than {most:,} bytes")
    if total is not None and part.size != total:
        raise BrokenTransferError(f"the connection broke after {part.size:,} of {total:,} bytes")
    if not part.size:
        part.discard()
        raise TransferError("the server sends an empty file")


def _refuse_what_is_no_file(answer: HTTPResponse) -> None:
    if answer.status not in (200, 206):
        raise TransferError(f"the server answers {answer.status} {_plain(answer.reason)}, which brings no file")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if _NO_WEIGHTS.fullmatch(kind):
        raise TransferError(f"the server sends {'a web page' if kind == 'text/html' else _plain(kind)}, no weights")
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):  # unasked: what it would become has neither the size nor the hash
        raise TransferError(f"the server sends the file encoded as {_plain(coding)}")


def _check_piece(answer: HTTPResponse, part: Part, held: int, validator: str | None) -> None:
    first, total = _range(answer)
    if not held:
        part.discard()
        raise TransferError("the server sends a piece of the file, which was not asked for")
    if first != held or total is None or _validator(answer) not in (None, validator):
        part.discard()
        raise BrokenTransferError("the server continues another file than asked, or elsewhere in it")


def _wrong_size(total: int, size: int | None) -> str | None:
    if size is not None and total != size:
        return f"the server's file has {total:,} bytes, {size:,} are expected"
    return f"the server's file has {total:,} bytes, at most {_LARGEST:,} are taken" if total > _LARGEST else None


class _NothingLeftError(Exception):
    """The server has no byte after those that are here; ``total`` is how many it has, if it says so."""

    def __init__(self, total: int | None) -> None:
        self.total = total


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    opener = OpenerDirector()  # urllib's own would also open files and ftp, by a redirection too
    for handler in _HANDLERS:
        opener.add_handler(handler())
    try:
        about = {"User-Agent": "slowfast-det", "Accept-Encoding": "identity"}
        request = Request(url, headers=about | headers)
        return cast(HTTPResponse, opener.open(request, timeout=_SILENCE))
    except HTTPError as problem:
        with closing(problem):  # not `with problem`, which fails where its body is closed already
            if problem.code == 416 and headers:
                raise _NothingLeftError(_range(cast(_Answer, problem))[1]) from None
            kind = BrokenTransferError if problem.code in _PASSING else TransferError
            raise kind(f"the server answers {problem.code} {_plain(problem.reason)}") from None
    except URLError as problem:
        raise UnreachableError(_plain(getattr(problem.reason, "strerror", None) or problem.reason)) from None
    except (ValueError, InvalidURL) as problem:
        raise TransferError(_plain(problem)) from None
    except (OSError, HTTPException) as problem:
        raise BrokenTransferError(_named(problem)) from None


def _append(answer: HTTPResponse, part: Part, total: int | None, most: int, advance: Advance) -> None:
    with part.open() as file:
        since, before = monotonic(), file.tell()
        advance(before, total)
        while (done := file.tell()) <= most:
            try:
                block = answer.read1(_BLOCK)
            except (OSError, HTTPException, ValueError) as problem:
                raise BrokenTransferError(_named(problem)) from None
            if not block:
                return
            file.write(block)
            file.flush()  # a process that is killed leaves them too
            done += len(block)
            advance(done, total)
            if (now := monotonic()) - since > _SPELL:
                if done - before < _PACE * _SPELL:
                    raise BrokenTransferError(f"the connection brings fewer than {_PACE:,} bytes a second")
                since, before = now, done


def _range(answer: _Answer) -> tuple[int | None, int | None]:
    """First byte and size of the whole file, from ``bytes 100-199/200`` or ``bytes */200``."""
    text = answer.headers.get("Content-Range", "").strip()
    found = re.fullmatch(r"bytes (?:([0-9]{1,15})-[0-9]{1,15}|\*)/(?:([0-9]{1,15})|\*)", text)
    first, total = found.groups() if found else (None, None)
    return int(first) if first else None, int(total) if total else None


def _length(answer: HTTPResponse) -> int | None:
    length = answer.headers.get("Content-Length")
    if length is None or answer.chunked:  # RFC 9112, section 6.3: chunks end by themselves
        return None
    if not re.fullmatch("[0-9]{1,15}", length.strip()):
        raise TransferError(f"the server announces {_plain(length)} bytes")
    return int(length)


def _validator(answer: _Answer) -> str | None:
    tag = answer.headers.get("ETag")
    if not tag or tag.startswith("W/"):  # a weak one says nothing of the bytes
        tag = answer.headers.get("Last-Modified")
    return tag if tag and may_be_said(tag) else None


def _named(problem: Exception) -> str:
    return f"the connection broke: {_plain(problem) or type(problem).__name__}"


def _plain(words: object) -> str:
    """What a server says, fit for a sentence: one line, without control characters, not long."""
    line = " ".join(str(words).split())
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
    return shown if len(shown) <= _WORDS else f"{shown[:_WORDS]}..."
