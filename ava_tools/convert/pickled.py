"""A pickle of annotations, looked into with a sentence for what is not as expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ava_tools import safe_pickle
from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown

_LARGEST = 10_000_000  # of whole numbers: frames of a film of four days


class Pickled:
    """Plain data of a file.

    A part may be shared by many others, so that a small file is without end to whoever walks it: the parts that are
    asked for have to be in proportion to the file.
    """

    def __init__(self, source: Path, name: str) -> None:
        """Read ``source``, or ``name`` in it if it is a folder; nothing in the file is run.

        Raises:
            InputError: it cannot be read, or asks for more than plain data.
        """
        self.path = source / name if source.is_dir() else source
        self.content: Any = safe_pickle.load(self.path)
        self._left = 100_000 + 2 * self.path.stat().st_size

    def mapping(self, value: Any, what: str, *keys: str) -> Mapping[Any, Any]:
        """A dict that has these keys.

        Raises:
            InputError: it is none, or lacks one.
        """
        if not isinstance(value, Mapping):
            raise self.wrong(what, value, "a dict is expected")
        if lacking := [key for key in keys if key not in value]:
            raise InputError(f"{self.path}: {what} has no {lacking[0]}; {', '.join(keys)} are expected")
        self._count(len(value))
        return value

    def sequence(self, value: Any, what: str) -> Sequence[Any]:
        """A list, a tuple, or an array as a list.

        Raises:
            InputError: it is none.
        """
        if not isinstance(value, list | tuple) and (not isinstance(value, np.ndarray) or value.ndim == 0):
            raise self.wrong(what, value, "a list is expected")
        self._count(len(value))
        return list(value)

    def text(self, value: Any, what: str) -> str:
        """A text; a number counts as its digits.

        Raises:
            InputError: it is neither.
        """
        if isinstance(value, int | np.integer) and not isinstance(value, bool) and -1 <= value <= _LARGEST:
            return str(value)
        if not isinstance(value, str):
            raise self.wrong(what, value, "a text is expected")
        return value

    def whole(self, value: Any, what: str) -> int:
        """A whole number, of Python's kinds or of numpy's.

        Raises:
            InputError: it is none.
        """
        right = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not right or abs(int(value)) > _LARGEST:
            raise self.wrong(what, value, "a whole number is expected")
        return int(value)

    def rows(self, value: Any, columns: int, what: str) -> NDArray[np.float64]:
        """Numbers ``float64[K, columns]``.

        Raises:
            InputError: they are none.
        """
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.shape[1:] != (columns,):
            raise self.wrong(what, value, f"an array of rows of {columns} numbers is expected")
        self._count(value.size)
        return np.array(value, dtype=np.float64)

    def wrong(self, what: str, found: Any, expected: str) -> InputError:
        """The sentence of something that is not as expected."""
        if isinstance(found, np.ndarray):
            said = f"{found.dtype} of shape {list(found.shape)}"
        else:
            plain = isinstance(found, float | str | np.generic) or (isinstance(found, int) and abs(found) < 10**18)
            kind = type(found).__name__
            said = shown(repr(found)) if plain else f"a{'n' if kind[0] in 'aeio' else ''} {kind}"
        return InputError(f"{self.path}: {what} is {said}; {expected}")

    def _count(self, parts: int) -> None:
        self._left -= parts + 1
        if self._left < 0:
            raise InputError(f"{self.path}: its parts are shared beyond all use")
