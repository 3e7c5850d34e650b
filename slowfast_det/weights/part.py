"""A file on its way: what is here of it, and whose it is."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO


def may_be_said(validator: str) -> bool:
    """Whether a header may hold it."""
    return re.fullmatch(r"[ -~\xa0-\xff]{1,500}", validator) is not None


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
        """Bytes that are here; a link's are another file's."""
        return self.path.stat().st_size if self.path.is_file() and not self.path.is_symlink() else 0

    def discard(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """The bytes are complete: whose they were no longer matters."""
        self._origin.unlink(missing_ok=True)

    def begin(self, url: str, validator: str | None) -> None:
        """The next bytes are the first ones of this version of the file at ``url``."""
        self.discard()  # links too: nothing is written to where they lead
        self.path.open("xb").close()  # before the note, so that it never speaks of older bytes
        with self._origin.open("x", encoding="utf-8") as file:
            json.dump({"url": url, "validator": validator}, file)

    def open(self) -> IO[bytes]:
        """To write what follows."""
        no_link = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
        return open(self.path, "ab", opener=lambda path, flags: os.open(path, flags | no_link, 0o666))

    def validator(self, url: str) -> str | None:
        """What tells that the file at ``url`` is still the one whose bytes are here; None: nothing does."""
        try:
            origin = json.loads(self._origin.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(origin, dict) or origin.get("url") != url or not self.size:
            return None
        validator = origin.get("validator")
        if validator is None or (isinstance(validator, str) and may_be_said(validator)):
            return validator
        self.discard()  # not written by us
        return None
