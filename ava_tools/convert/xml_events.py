"""Large xml files, element by element; nothing but plain elements is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ava_tools.errors import InputError
from ava_tools.regular_files import check_regular

_LONGEST_HEAD = 64_000


def elements(path: Path, *tags: str) -> Iterator[Element]:
    """Elements of some tags as they end, wherever they are; their content is gone when the next one comes.

    Raises:
        InputError: the file cannot be read, is no xml, or declares entities, which could stand for anything.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            if b"<!" in file.read(_LONGEST_HEAD).replace(b"<!--", b"").replace(b"<![CDATA[", b""):
                raise InputError(f"{path}: declares a document type, which plain annotations do not")
            file.seek(0)
            for _, element in ElementTree.iterparse(file, ["end"]):
                if element.tag in tags:
                    yield element
                    element.clear()
    except InputError:
        raise
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None
    except (ElementTree.ParseError, LookupError, ValueError) as problem:  # of an encoding that nobody knows, too
        raise InputError(f"{path}: is no xml ({problem})") from None
