"""Look through what torch.save wrote before torch reads it.

torch's reader runs nothing, but it believes the file: a few hundred bytes can make it hash or print values
without end, overflow the stack, or unpack more than the memory holds. So the pickle inside is first read by
our own reader, in which every name stands for an object that does nothing.
"""

from __future__ import annotations

import _compat_pickle
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from ava_tools import safe_pickle
from ava_tools.errors import InputError

_PICKLE = 32 << 20  # bytes; the largest checkpoints take less than one million
_NAME = 200  # characters of module and name
_LEGACY = 5  # pickles before the tensors' bytes: magic, protocol, system, content, keys


class _Named:
    """What a name in the file stands for; a call of it makes another that does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> Any:
        if self.name == "torch._tensor._rebuild_from_type_v2":  # calls a function that it is given
            function, _, inner, _ = arguments
            function(*inner)
        elif self.name == "builtins.bytearray" and any(isinstance(each, int) for each in arguments):
            raise pickle.UnpicklingError("a length without bytes claims memory")
        elif self.name.startswith("torch.") and self.name.endswith(("Tensor", "Storage")) and arguments:
            raise pickle.UnpicklingError("a tensor without bytes claims memory")
        return _Named(f"the result of {self.name}"[:_NAME])

    def __setstate__(self, state: Any) -> None:
        pass


class _OrderedDict(safe_pickle.PlainOrderedDict):
    """State dicts carry their version as state."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Reader(safe_pickle.Reader):
    """Reads as torch does, and makes nothing."""

    dispatch = dict(safe_pickle.Reader.dispatch)
    deepest = 50
    longest = 100_000  # the names of a data set's classes may be a tuple

    def find_class(self, module: str, name: str) -> Any:
        if len(module) + len(name) > _NAME:
            raise pickle.UnpicklingError(f"a name of more than {_NAME} characters")
        if (module, name) in _compat_pickle.NAME_MAPPING:
            module, name = _compat_pickle.NAME_MAPPING[module, name]
        module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        if (module, name) == ("collections", "OrderedDict"):
            return _OrderedDict
        return safe_pickle.encode if (module, name) == ("_codecs", "encode") else _Named(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """A storage: torch makes a text of its key and place, whatever these are."""
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
            raise pickle.UnpicklingError("it refers to objects that are no tensors' bytes")
        _, kind, key, place, length, *_ = pid
        if not (isinstance(kind, _Named) and isinstance(key, str) and isinstance(place, str)):
            raise pickle.UnpicklingError("it refers to tensors' bytes by no text")
        if not isinstance(length, int) or length < 0:
            raise pickle.UnpicklingError("it refers to tensors' bytes of no length")
        return _Named("a storage")


def _new(reader: Any) -> None:
    """NEWOBJ: for torch a call, too."""
    arguments = reader.stack.pop()
    reader._instantiate(reader.stack.pop(), arguments)


_Reader.dispatch[pickle.NEWOBJ[0]] = _new


def check_archive(path: Path) -> None:
    """Check a zip that is to be one of torch.save.

    Raises:
        InputError: it is none, or would be costly to read; one sentence.
    """
    with ZipFile(path) as archive:
        members = archive.infolist()
        names = {member.filename.casefold() for member in members}
        # torch has its own reader of zips: what two readers could see differently is refused
        if archive.comment or len(names) < len(members) or min(member.header_offset for member in members) != 0:
            raise InputError(f"{path}: is an archive with parts that torch.save does not write")
        if any(each.compress_type != ZIP_STORED or each.file_size != each.compress_size for each in members):
            raise InputError(f"{path}: is a compressed archive, which torch.save does not write")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise InputError(f"{path}: is an archive whose parts are larger than itself")
        pickles = [member for member in members if member.filename.casefold().endswith("data.pkl")]
        if any(member.file_size > _PICKLE for member in pickles):
            raise InputError(f"{path}: holds a pickle of more than {_PICKLE >> 20} MB beside its tensors")
        for member in pickles:
            _check(path, _Reader(archive.read(member)).load)


def check_legacy(path: Path) -> None:
    """Check a file that is to be one of torch.save before torch 1.6: pickles, and the tensors' bytes after them.

    Raises:
        InputError: it would be costly to read; one sentence.
    """
    with path.open("rb") as file:
        reader = _Reader(file.read(_PICKLE))
    for _ in range(_LEGACY):
        _check(path, reader.load)


def _check(path: Path, load: Callable[[], Any]) -> None:
    try:
        load()
    except Exception as problem:  # a damaged pickle can fail in any of its instructions
        reason = safe_pickle.reason_of(problem)
        raise InputError(f"{path}: is damaged, cut off, or no weight file at all ({reason})") from None
