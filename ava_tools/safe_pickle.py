"""The one place where a pickle is opened: plain containers and numpy arrays of numbers, nothing else.

A pickle is a program. This reader refuses every instruction that names something outside a short list,
so that a file from elsewhere can at worst be refused, never run.
"""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ava_tools.errors import InputError


def _encode(text: str, encoding: str = "latin1", errors: str = "strict") -> bytes:
    """Protocol-2 pickles write bytes as ``_codecs.encode(text, 'latin1')``; other codecs could be costly."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the codec {encoding!r} is not allowed")
    return text.encode(encoding, errors)


class _Dtype:
    """Stands for numpy.dtype while a pickle is read: numbers and text only, no fields, no Python objects.

    numpy's own dtype would take flags and fields from the file as they come.
    """

    def __init__(self, code: str, *_: Any) -> None:
        if not re.fullmatch(r"[<>|=]?(\?|b1|[iuf][1248]|c8|c16|[SU]\d{1,4})", code):
            raise pickle.UnpicklingError(f"arrays of {code!r} are not allowed")
        self.numpy: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, fields = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or fields != (None, None, None):
            raise pickle.UnpicklingError("arrays with fields are not allowed")
        self.numpy = self.numpy.newbyteorder(order)


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array that takes its content only as raw bytes of an allowed dtype."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, shape, dtype, fortran, raw = state
        if isinstance(raw, str):  # Python 2 wrote bytes as text
            raw = raw.encode("latin1")
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("an array's content must be plain bytes")
        super().__setstate__((version, shape, dtype.numpy, fortran, raw))

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as the plain array it is: data loaders send arrays to other processes."""
        return self.view(np.ndarray).__reduce_ex__(protocol)


class _OrderedDict(OrderedDict[Any, Any]):
    """A dict whose methods a pickle cannot replace."""

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a dict has no state")


class _Function:
    """A function that a pickle may call but not alter (BUILD would set its attributes)."""

    __slots__ = ("_function",)

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("functions cannot be altered")


def _no_bytes(*arguments: Any) -> bytes:
    """Python 3 writes b"" as ``bytes()`` in protocols 0 to 2; with an argument it could claim memory."""
    if arguments:
        raise pickle.UnpicklingError("bytes are not made by call")
    return b""


def _reconstruct(*_: Any) -> _Array:
    return _Array((0,), dtype=np.uint8)


def _scalar(dtype: _Dtype, raw: bytes | str) -> Any:
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    return np.frombuffer(data, dtype.numpy, count=1)[0]


def _frombuffer(data: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> Any:
    """Protocol 5's way to write an array."""
    return np.frombuffer(data, dtype.numpy).reshape(shape, order=order)


_DEEPEST = 8  # levels of nested tuples; arrays need two
_LONGEST = 1000  # parts of a tuple; arrays need five

_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",  # only named by _reconstruct, never called
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Function(_encode),
    ("__builtin__", "bytes"): _Function(_no_bytes),
    ("collections", "OrderedDict"): _OrderedDict,
}
for _package in ("numpy.core", "numpy._core"):  # numpy 1 and 2
    _ALLOWED[f"{_package}.multiarray", "_reconstruct"] = _Function(_reconstruct)
    _ALLOWED[f"{_package}.multiarray", "scalar"] = _Function(_scalar)
    _ALLOWED[f"{_package}.numeric", "_frombuffer"] = _Function(_frombuffer)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python: the one in C can be made to overflow its stack or claim memory."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.depths: dict[int, int] = {}
        self.tuples: list[tuple[Any, ...]] = []

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def _shallow(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """After an instruction that makes a tuple: refuse deep nesting, hashing it would overflow the stack."""

    def checked(unpickler: Any) -> None:
        load(unpickler)
        made = unpickler.stack[-1]
        depth = 1 + max((unpickler.depths.get(id(part), 0) for part in made if isinstance(part, tuple)), default=0)
        if depth > _DEEPEST or len(made) > _LONGEST:
            raise pickle.UnpicklingError("tuples are nested or long beyond all use")
        unpickler.depths[id(made)] = depth
        unpickler.tuples.append(made)  # alive, so that no other object gets its id

    return checked


def _refuse(unpickler: Any) -> None:
    raise pickle.UnpicklingError("sets are not plain data")


for _code in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
    _Unpickler.dispatch[_code[0]] = _shallow(_Unpickler.dispatch[_code[0]])
for _code in (pickle.FROZENSET, pickle.EMPTY_SET):
    _Unpickler.dispatch[_code[0]] = _refuse


def loads(data: bytes, name: str) -> Any:
    """Read a pickle of plain containers, numbers, text and numeric numpy arrays.

    Args:
        data: the bytes of the pickle. Python 2 text is read as latin1.
        name: what to call it in an error.

    Raises:
        InputError: it is no pickle, is cut off, or asks for anything but those; nothing in it has run.
    """
    try:
        return _Unpickler(data).load()
    except pickle.UnpicklingError as problem:
        reason = str(problem)
    except Exception as problem:  # a damaged pickle can fail in any of its instructions
        reason = f"{type(problem).__name__}: {problem}"
    raise InputError(
        f"{name}: not a pickle of plain data ({reason}); allowed are containers, numbers, text and "
        "numpy arrays of numbers"
    )


def load(path: str | Path) -> Any:
    """`loads` for a file."""
    return loads(Path(path).read_bytes(), str(path))
