"""Json of unknown origin: read without harm, and looked into with a sentence for what is not as expected."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown


def read_json(path: Path) -> Any:
    """A file's content.

    Raises:
        InputError: it cannot be read, or is no json.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; json is expected") from None
    return as_json(text, str(path))


def as_json(text: str, where: str) -> Any:
    """The content of a text; numbers that are none (NaN), and nesting without end, are refused.

    Raises:
        InputError: it is no such json.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as problem:
        raise InputError(f"{where}: is no json ({problem.msg} in line {problem.lineno})") from None
    except RecursionError:
        raise InputError(f"{where}: is json that is nested beyond all use") from None
    except ValueError as problem:  # whole numbers of thousands of digits too
        raise InputError(f"{where}: is no json of use ({shown(str(problem))})") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def member(entry: Any, key: str, kind: type, where: str, default: Any = None) -> Any:
    """A value of an object, of the kind that is expected; the default where it is missing or null.

    Raises:
        InputError: it is of another kind, or missing and there is no default.
    """
    if not isinstance(entry, dict):
        raise InputError(f"{where}: is {_said(entry)}; an object with {key!r} is expected")
    value = entry.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}: {key} is {_said(value)}; {_KINDS.get(kind, kind.__name__)} is expected")
    return value


def number(value: Any, what: str, where: str) -> float:
    """A finite number.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12 or math.isnan(value):
        raise InputError(f"{where}: {what} is {_said(value)}; a number is expected")
    return float(value)


_KINDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def _said(value: Any) -> str:
    return f"{_KINDS[type(value)]} of {len(value)}" if isinstance(value, dict | list) else shown(repr(value))
