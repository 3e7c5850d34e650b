"""The one place where a pickle is opened: plain containers and numpy arrays of numbers, nothing else.

A pickle is a program. This reader refuses every instruction that names something outside a short list,
so that a file from elsewhere can at worst be refused, never run.
"""

from __future__ import annotations

import io
import pickle
import re
import reprlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ava_tools.errors import InputError


def shown(text: str) -> str:
    """The start of a text from a file, for a message: on one line, and without power over a terminal."""
    start = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[:100])
    return f"{start}..." if len(text) > 100 else start


def encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Protocol-2 pickles write bytes as ``_codecs.encode(text, 'latin1')``; other codecs could be costly."""
    if not isinstance(text, str) or not isinstance(encoding, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the codec {reprlib.repr(encoding)} is not allowed")
    return text.encode(encoding)


class _Dtype:
    """Stands for numpy.dtype while a pickle is read: numbers and text only, no fields, no Python objects.

    numpy's own dtype would take flags and fields from the file as they come.
    """

    def __init__(self, code: Any, *_: Any) -> None:
        # text of no length would let an array of any shape do without content
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(\?|b1|[iuf][1248]|c8|c16|[SU][1-9]\d{0,3})", code):
            raise pickle.UnpicklingError(f"arrays of {reprlib.repr(code)} are not allowed")
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


class PlainOrderedDict(OrderedDict[Any, Any]):
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


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",  # only named by _reconstruct, never called
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Function(encode),
    ("__builtin__", "bytes"): _Function(_no_bytes),
    ("collections", "OrderedDict"): PlainOrderedDict,
}
for _package in ("numpy.core", "numpy._core"):  # numpy 1 and 2
    _ALLOWED[f"{_package}.multiarray", "_reconstruct"] = _Function(_reconstruct)
    _ALLOWED[f"{_package}.multiarray", "scalar"] = _Function(_scalar)
    _ALLOWED[f"{_package}.numeric", "_frombuffer"] = _Function(_frombuffer)


class Reader(pickle._Unpickler):
    """Python's own unpickler in Python: the one in C can be made to overflow its stack or claim memory.

    What is hashed or handed to a function is walked as often as that happens: a tuple of shared tuples is
    small in the file, but without end to whoever walks it, so the parts walked have to be in proportion to the file.
    """

    dispatch = dict(pickle._Unpickler.dispatch)
    deepest = 8  # levels of nested tuples; arrays need two
    longest = 1000  # parts of a tuple; arrays need five
    stack: list[Any]
    append: Callable[[Any], None]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._depths: dict[int, int] = {}
        self._tuples: list[tuple[Any, ...]] = []
        self._left = 100_000 + 5 * len(data)

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for, if it is one of the few that may be asked for."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        """What an object outside the file stands for: nothing."""
        raise pickle.UnpicklingError("it refers to objects outside the file")

    def walk(self, value: Any) -> None:
        """Count the parts of a value, shared ones as often as they are met; refuse it where these are too many."""
        waiting = [value]
        while waiting:
            part = waiting.pop()
            if isinstance(part, tuple | list | dict):
                self._left -= 1 + len(part)
                if self._left < 0:
                    raise pickle.UnpicklingError("its parts are shared beyond all use")
                waiting.extend(part)
                if isinstance(part, dict):
                    waiting.extend(part.values())

    def check_tuple(self) -> None:
        """Refuse deep nesting of the tuple just made: hashing it would overflow the stack."""
        made = self.stack[-1]
        depth = 1
        for part in made:
            if isinstance(part, tuple):
                depth = max(depth, 1 + self._depths.get(id(part), 0))
        if depth > self.deepest or len(made) > self.longest:
            raise pickle.UnpicklingError("tuples are nested or long beyond all use")
        self._depths[id(made)] = depth
        self._tuples.append(made)  # alive, so that no other object gets its id

    def check_keys(self, keys: list[Any], target: Any) -> None:
        """Before a dict takes keys: numpy's arrays take indices too, at any cost."""
        if not isinstance(target, dict):
            raise pickle.UnpicklingError("only dicts take keys")
        for key in keys:
            if isinstance(key, tuple):
                self.walk(key)

    def _instantiate(self, function: Any, arguments: Any) -> None:
        self.walk(arguments)
        self.append(function(*arguments))  # never a class that Python's own could spare the call


def _making_tuples(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def checked(reader: Reader) -> None:
        load(reader)
        reader.check_tuple()

    return checked


def _setitem(reader: Any) -> None:
    reader.check_keys(reader.stack[-2:-1], reader.stack[-3])
    pickle._Unpickler.dispatch[pickle.SETITEM[0]](reader)


def _setitems(reader: Any) -> None:
    reader.check_keys(reader.stack[::2], reader.metastack[-1][-1])
    pickle._Unpickler.dispatch[pickle.SETITEMS[0]](reader)


def _dict(reader: Any) -> None:
    reader.check_keys(reader.stack[::2], {})
    pickle._Unpickler.dispatch[pickle.DICT[0]](reader)


def _reduce(reader: Any) -> None:
    arguments = reader.stack.pop()
    reader._instantiate(reader.stack.pop(), arguments)


def _bytearray(reader: Any) -> None:
    """Protocol 5's arrays; Python's own reader claims the length that is written before it looks for the bytes."""
    length = int.from_bytes(reader.read(8), "little")
    data = reader.read(length)
    if len(data) < length:
        raise EOFError
    reader.append(bytearray(data))


def _refuse_set(_: Any) -> None:
    raise pickle.UnpicklingError("sets are not plain data")


for _code in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
    Reader.dispatch[_code[0]] = _making_tuples(Reader.dispatch[_code[0]])
for _code, _checked in (
    (pickle.SETITEM, _setitem),
    (pickle.SETITEMS, _setitems),
    (pickle.DICT, _dict),
    (pickle.REDUCE, _reduce),
    (pickle.FROZENSET, _refuse_set),
    (pickle.EMPTY_SET, _refuse_set),
    (pickle.BYTEARRAY8, _bytearray),
):
    Reader.dispatch[_code[0]] = _checked


def reason_of(problem: Exception) -> str:
    """Why a pickle could not be read; a problem that holds more than text could be endless, and goes unsaid."""
    said = problem.args[0] if problem.args and isinstance(problem.args[0], str) else ""
    if isinstance(problem, pickle.UnpicklingError):
        return shown(said)
    return shown(f"{type(problem).__name__}: {said}" if said else type(problem).__name__)


def loads(data: bytes, name: str) -> Any:
    """Read a pickle of plain containers, numbers, text and numeric numpy arrays.

    Args:
        data: the bytes of the pickle. Python 2 text is read as latin1.
        name: what to call it in an error.

    Raises:
        InputError: it is no pickle, is cut off, or asks for anything but those; nothing in it has run.
    """
    try:
        return Reader(data).load()
    except Exception as problem:  # a damaged pickle can fail in any of its instructions
        reason = reason_of(problem)
    raise InputError(
        f"{name}: not a pickle of plain data ({reason}); allowed are containers, numbers, text and "
        "numpy arrays of numbers"
    )


def load(path: str | Path) -> Any:
    """`loads` for a file; a pipe or device, which might never end, is refused."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file")
        data = path.read_bytes()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None
    return loads(data, str(path))
