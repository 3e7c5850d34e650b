"""Fetch a published file once: whole, verified, and never half under its name."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ava_tools.errors import InputError
from slowfast_det.weights.http_transfer import (
    Advance,
    BrokenTransferError,
    TransferError,
    UnreachableError,
    transfer,
)
from slowfast_det.weights.part import Part

_PAUSES = (0.5, 2.0, 5.0)  # seconds before each further try; counted anew after tries that got further
_FURTHER = 100_000  # bytes that count as that: a server that gives a few at a time is not asked for ever
# Zip (torch.save), pickles of protocol 2 and later (older torch.save too), 1 and 0 (a dict).
_BEGINNINGS = (b"PK\x03\x04", b"\x80", b"}q", b"(dp")


def weights_home() -> Path:
    """Where fetched files are kept: ``$SLOWFAST_DET_HOME``, else ``~/.cache/slowfast_det``.

    Raises:
        InputError: it begins with ``~`` or ``~user``, whose folder is not known.
    """
    folder = Path(os.environ.get("SLOWFAST_DET_HOME") or "~/.cache/slowfast_det")
    try:
        return folder.expanduser()
    except RuntimeError:
        raise InputError(
            f"{folder}: whose home folder that is cannot be found out; name a folder in SLOWFAST_DET_HOME"
        ) from None


def part_of(path: Path) -> Path:
    """Where the bytes of ``path`` are until it is complete."""
    return path.with_name(path.name + ".part")


def fetch(
    url: str, path: str | Path, *, sha256: str | None = None, size: int | None = None, progress: bool = True
) -> Path:
    """Download ``url`` to ``path`` unless it is there already; what is there is not looked at.

    An interrupted download goes on where it ended. Of several processes that want the same file one
    downloads, the others wait for it.

    Args:
        url: http or https.
        path: its place; it appears there when it is complete and verified.
        sha256: its SHA-256, or the first digits of it.
        size: its bytes.
        progress: show a bar on the standard error, if that is a terminal.

    Raises:
        InputError: it cannot be fetched, or is not what it should be; one sentence, which says where to put
            a file that was fetched by other means.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not url.lower().startswith(("http://", "https://")):
        raise InputError(f"{url}: cannot be fetched; an address that begins with http:// or https:// is expected")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, where the weights of {url} belong; move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path, progress):
            if not path.is_file():
                _fetch(url, path, sha256, size, progress)
    except (TransferError, OSError) as problem:
        known = f" ({size:,} bytes)" if size is not None else ""
        raise InputError(
            f"the weights {path.name} are not here and cannot be fetched ({_reason(problem)}); "
            f"download {url}{known} and put it at {path}"
        ) from None
    return path


@contextmanager
def _alone(path: Path, progress: bool) -> Iterator[None]:
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress and sys.stderr.isatty():
            Console(stderr=True, markup=False).print(f"{path.name}: another process downloads it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        # Whoever waits opens this name anew at each try (recent filelock also refuses a lock whose name is gone),
        # and then finds the file, or after a failure goes on with the part.
        with suppress(OSError):  # Windows removes no open file
            Path(lock.lock_file).unlink()
        lock.release()


def _fetch(url: str, path: Path, sha256: str | None, size: int | None, progress: bool) -> None:
    part = Part(part_of(path))
    with _bar(path.name, progress) as advance:
        _persist(url, part, size, advance)
    if problem := _difference(part.path, sha256, size):
        part.discard()
        raise TransferError(problem)
    os.replace(part.path, path)
    part.forget()


def _persist(url: str, part: Part, size: int | None, advance: Advance) -> None:
    pauses = list(_PAUSES)
    furthest, connected = part.size, False
    while True:
        try:
            return transfer(url, part, size=size, advance=advance)
        except (BrokenTransferError, UnreachableError) as problem:
            connected = connected or isinstance(problem, BrokenTransferError)
            if part.size >= furthest + _FURTHER:
                furthest, pauses = part.size, list(_PAUSES)
            if not (connected and pauses):  # without any network at all nobody wants to wait
                raise
            sleep(pauses.pop(0))


def verify(path: Path, sha256: str | None, size: int | None) -> None:
    """Hold a file to what its publisher says of it.

    Raises:
        InputError: it is another one, or cannot be read.
    """
    try:
        problem = _difference(path, sha256, size)
    except OSError as failure:
        raise InputError(f"{path}: cannot be read ({failure.strerror})") from None
    if problem:
        raise InputError(f"{path}: {problem}; delete it, and it will be fetched again")


def _difference(path: Path, sha256: str | None, size: int | None) -> str | None:
    found = path.stat().st_size
    if size is not None and found != size:
        return f"it has {found:,} bytes, {size:,} are expected"
    if sha256 is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(sha256.lower()):
            return f"its SHA-256 begins with {digest[: len(sha256)]}, {sha256} is expected"
    with path.open("rb") as file:
        head = file.read(9)
    safetensors = head[8:] == b"{" and int.from_bytes(head[:8], "little") < found
    return None if safetensors or head.startswith(_BEGINNINGS) else "it is no weight file"


@contextmanager
def _bar(name: str, progress: bool) -> Iterator[Advance]:
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not (progress and sys.stderr.isatty()),
    )
    with bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _reason(problem: TransferError | OSError) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return str(problem)
