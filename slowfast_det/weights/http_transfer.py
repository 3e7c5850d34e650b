"""One file over HTTP into a part that a later try goes on with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from pathlib import Path
from typing import Protocol, cast
from urllib.error import HTTPError, URLError
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

Advance = Callable[[int, int | None], None]
_SILENCE = 30.0  # seconds without a byte, while connecting too
_BLOCK = 1 << 18
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # a server in trouble, not one that refuses

_HANDLERS: tuple[type[BaseHandler], ...] = (
    ProxyHandler,
    HTTPHandler,
    HTTPSHandler,
    UnknownHandler,
    HTTPDefaultErrorHandler,
    HTTPRedirectHandler,
    HTTPErrorProcessor,
)


class TransferError(Exception):
    """The file did not come, and another try will not help."""


class BrokenTransferError(TransferError):
    """The connection broke; another try goes on where this one ended."""


class UnreachableError(TransferError):
    """There was no connection at all."""


@dataclass(frozen=True)
class Part:
    """A file on its way: its bytes so far, and beside them whose bytes they are.

    Attributes:
        path: where its bytes are.
    """

    path: Path

    @property
    def _origin(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def discard(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """The bytes are complete: whose they were no longer matters."""
        self._origin.unlink(missing_ok=True)

    def begin(self, url: str, validator: str | None) -> None:
        """The next bytes are the first ones of this version of the file at ``url``."""
        self.path.write_bytes(b"")  # before the note, so that it never speaks of older bytes
        self._origin.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def validator(self, url: str) -> str | None:
        """What tells that the file at ``url`` is still the one whose bytes are here; None: nothing does."""
        try:
            origin = json.loads(self._origin.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(origin, dict) and origin.get("url") == url and self.size
        return origin.get("validator") if known else None


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
        if "text/html" in (answer.headers.get_content_type() or ""):
            raise TransferError("the server sends a web page, no weights")
        goes_on = answer.status == 206
        if goes_on and (_range(answer)[0] != held or _validator(answer) not in (None, validator)):
            part.discard()
            raise BrokenTransferError("the server continues another file than asked, or elsewhere in it")
        total = _range(answer)[1] if goes_on else _length(answer)
        if size is not None and total is not None and total != size:
            part.discard()
            raise TransferError(f"the server's file has {total:,} bytes, {size:,} are expected")
        if not goes_on:
            part.begin(url, _validator(answer))
        _append(answer, part, total, advance)
    if total is not None and part.size != total:
        raise BrokenTransferError(f"the connection broke after {part.size:,} of {total:,} bytes")


class _NothingLeftError(Exception):
    """The server has no byte after those that are here; ``total`` is how many it has, if it says so."""

    def __init__(self, total: int | None) -> None:
        self.total = total


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    opener = OpenerDirector()  # urllib's own would also open files and ftp, by a redirection too
    for handler in _HANDLERS:
        opener.add_handler(handler())
    try:
        request = Request(url, headers={"User-Agent": "slowfast-det", **headers})
        return cast(HTTPResponse, opener.open(request, timeout=_SILENCE))
    except HTTPError as problem:
        with problem:
            if problem.code == 416:
                raise _NothingLeftError(_range(cast(_Answer, problem))[1]) from None
            kind = BrokenTransferError if problem.code in _PASSING else TransferError
            raise kind(f"the server answers {problem.code} {problem.reason}") from None
    except URLError as problem:
        raise UnreachableError(str(getattr(problem.reason, "strerror", None) or problem.reason)) from None
    except (ValueError, InvalidURL) as problem:
        raise TransferError(str(problem)) from None
    except (OSError, HTTPException) as problem:
        raise BrokenTransferError(_named(problem)) from None


def _append(answer: HTTPResponse, part: Part, total: int | None, advance: Advance) -> None:
    with part.path.open("ab") as file:
        while True:
            advance(file.tell(), total)
            try:
                block = answer.read1(_BLOCK)
            except (OSError, HTTPException) as problem:
                raise BrokenTransferError(_named(problem)) from None
            if not block:
                return
            file.write(block)
            file.flush()  # a process that is killed leaves them too


def _range(answer: _Answer) -> tuple[int | None, int | None]:
    """First byte and size of the whole file, from ``bytes 100-199/200`` or ``bytes */200``."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", answer.headers.get("Content-Range", "").strip())
    first, total = found.groups() if found else (None, None)
    return int(first) if first else None, int(total) if total else None


def _length(answer: _Answer) -> int | None:
    length = answer.headers.get("Content-Length", "").strip()
    return int(length) if length.isdecimal() else None


def _validator(answer: _Answer) -> str | None:
    tag = answer.headers.get("ETag")
    if tag and not tag.startswith("W/"):  # a weak one says nothing of the bytes
        return tag
    return answer.headers.get("Last-Modified")


def _named(problem: Exception) -> str:
    return f"the connection broke: {' '.join(str(problem).split()) or type(problem).__name__}"
