"""Large json files; every value is checked where it is taken."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ava_tools.errors import InputError
from ava_tools.json_text import parsed

_LARGEST = 1_000_000_000  # bytes
_MOST_CONTAINERS, _MOST_VALUES = 20_000_000, 100_000_000  # what a file of a few bytes each would swell to
_LONGEST = 300  # characters of a message
_MOST = 1e9  # of any number: pixels, frames, seconds


def read_json(path: Path) -> Any:
    """The content of a json file.

    Raises:
        InputError: it cannot be read, is no json, or would not fit into memory.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file; a json file is expected")
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: has more than {_LARGEST:,} bytes; a file for each part of the films is expected")
        data = path.read_bytes()
        if data.count(b"{") + data.count(b"[") > _MOST_CONTAINERS or data.count(b",") > _MOST_VALUES:
            raise InputError(f"{path}: has more than {_MOST_CONTAINERS:,} objects; fewer in a file are expected")
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None
    return parsed(data, str(path))


class Record:
    """An object of a json file.

    Attributes:
        source: the file.
        what: the object, for messages: ``annotation 7``.
        values: its keys and values, unchecked.
    """

    __slots__ = ("source", "values", "what")

    def __init__(self, source: Path, what: str, values: Any) -> None:
        """Raises `InputError` where ``values`` are no object."""
        self.source, self.what = source, what
        if not isinstance(values, dict):
            raise self.wrong(f"is {reprlib.repr(values)}; an object with keys is expected")
        self.values: dict[str, Any] = values

    def wrong(self, sentence: str) -> InputError:
        """An error that says where it is."""
        whole = " ".join(f"{self.what} {sentence}".split())
        return InputError(f"{self.source}: {whole if len(whole) <= _LONGEST else whole[:_LONGEST] + '...'}")

    def has(self, key: str) -> bool:
        """Whether a key stands there, with another value than null."""
        return self.values.get(key) is not None

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number; a text of one counts."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        return self.checked(value, f"has {key}")

    def checked(self, value: Any, lead: str) -> float:
        """A value that must be a finite number; ``lead`` begins the complaint."""
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not abs(number) <= _MOST:  # NaN neither
            raise self.wrong(f"{lead} {reprlib.repr(value)}; a number is expected")
        return number

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number from 0."""
        number = self.number(key, default)
        if number < 0 or number != int(number):
            raise self.wrong(f"has {key} {number:g}; a whole number is expected")
        return int(number)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; a number counts as its digits, so that ids of both kinds agree."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(f"has {key} {reprlib.repr(value)}; a text or number is expected")
        return str(value)

    def items(self, key: str) -> list[Any]:
        """A list, or the values of an object with ids as keys; empty where the key is lacking."""
        value = self.values.get(key)
        if value is None:
            return []
        if isinstance(value, dict):
            return list(value.values())
        if not isinstance(value, list):
            raise self.wrong(f"has {key} {reprlib.repr(value)}; a list is expected")
        return value

    def records(self, key: str, what: str) -> Iterator[Record]:
        """The objects of a list, numbered from 1 in messages."""
        for number, value in enumerate(self.items(key), start=1):
            yield Record(self.source, f"{what} {number}", value)

    def record(self, key: str) -> Record:
        """An object within; an empty one where the key is lacking."""
        value = self.values.get(key)
        return Record(self.source, f"{key} of {self.what}", {} if value is None else value)

    def numbers(self, key: str, count: int) -> list[float]:
        """A list of finite numbers.

        Args:
            key: where it stands.
            count: how many it must have.
        """
        value = self.values.get(key)
        if not isinstance(value, list) or len(value) != count:
            raise self.wrong(f"has {key} {reprlib.repr(value)}; {count} numbers are expected")
        return [self.checked(each, f"has in {key}") for each in value]
