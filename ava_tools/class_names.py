"""What classes of films are called, and which column a written label means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Action, Labels

_CLASS_LIST = re.compile(
    r"(?:.*[_-])?(?:labels|classes|class_?(?:names|ids|ind|list)|label_?map)(?:[_-].*)?\.(?:csv|json|txt|pbtxt)",
    re.IGNORECASE,
)
_MOST = 100_000  # classes; a higher number is a mistake, and would ask for that many outputs
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[-+]?[0-9][0-9.]*")
_LONGEST = 100  # characters of a text that a sentence shows


@dataclass(frozen=True)
class ClassNames:
    """The classes that films can have.

    Attributes:
        labels: in the order of a network's outputs.
        whose: they are, for sentences.
    """

    labels: Labels
    whose: str

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: column for column, name in reversed(list(enumerate(self.labels.names)))}

    @cached_property
    def _loose_columns(self) -> dict[str, int]:
        """By names without regard to case and underscores, where that leaves them distinct."""
        shared = Counter(map(_loose, self.labels.names))
        return {_loose(name): at for at, name in enumerate(self.labels.names) if shared[_loose(name)] == 1}

    def column(self, label: str, where: str, numbered: bool) -> int:
        """The column that a label means.

        Args:
            label: as it is written: a column's number from 0, or a name; case and underscores do not matter.
            where: it is written, for the sentence of an error.
            numbered: whether digits alone are a number.

        Raises:
            InputError: it is no class.
        """
        if numbered and _WHOLE.fullmatch(label) and int(label) < len(self.labels):
            return int(label)
        if numbered and _NUMBER.fullmatch(label):
            last = len(self.labels) - 1
            raise InputError(f"{where}: the class is {shown(label)}; numbers from 0 to {last:,} stand for {self.whose}")
        column = self._columns.get(label, self._loose_columns.get(_loose(label)))
        if column is None:
            close = get_close_matches(label, self.labels.names, n=3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise InputError(f"{where}: {shown(label)} is none of {self.whose}{hint}")
        return column


def class_list_in(folders: Iterable[Path]) -> Path | None:
    """The list of class names in the first of some folders that has one, by what it is called.

    Raises:
        InputError: there are several in it.
    """
    for folder in folders:
        found = sorted(path for path in folder.iterdir() if _CLASS_LIST.fullmatch(path.name) and path.is_file())
        if len(found) > 1:
            raise InputError(
                f"{folder}: several files may name the classes ({', '.join(path.name for path in found)}); "
                "one of them is to be given, or to stay"
            )
        if found:
            return found[0]
    return None


def listed_classes(path: Path) -> ClassNames:
    """The classes of a list of names (see `read_labels`), in the order of their ids.

    Raises:
        InputError: it is no such list, or has a name twice.
    """
    # AVA's own names are read as a part of AVA's 80; here only that part is meant
    listed = sorted((action for action in read_labels(path) if action.scored), key=lambda action: action.id)
    # PyTorchVideo's json has quotes within: "\"eating cake\""
    actions = [replace(action, name=re.sub(r'^"(.+)"$', r"\1", action.name.strip()).strip()) for action in listed]
    name, times = Counter(action.name for action in actions).most_common(1)[0]
    if times > 1:
        raise InputError(f"{path}: names the class {shown(name)} {times} times")
    return ClassNames(Labels(tuple(actions)), f"the {len(actions):,} classes of {path}")


def named_classes(names: Iterable[str]) -> ClassNames:
    """Classes by the alphabet, as everybody orders those of folders; numbers as names by their size."""
    different = set(names)
    digits = all(_WHOLE.fullmatch(name) for name in different)
    ordered = sorted(different, key=lambda name: (int(name) if digits else 0, name))
    labels = Labels(tuple(Action(column, name) for column, name in enumerate(ordered)))
    return ClassNames(labels, f"the {len(ordered):,} classes of the films")


def written_classes(labels: Sequence[str], places: Sequence[str]) -> ClassNames:
    """Classes of labels as they are written, all numbers or all names; numbers are called class 0, class 1, ...

    Raises:
        InputError: there are both, or a number is negative, broken or too high; ``places`` says where.
    """
    as_numbers = bool(_NUMBER.fullmatch(labels[0]))
    for label, place in zip(labels, places, strict=True):
        whole = _WHOLE.fullmatch(label)
        if as_numbers and not (whole and int(label) < _MOST):
            allowed = f"a whole number from 0 to {_MOST - 1:,} is expected"
            more = "" if _NUMBER.fullmatch(label) else ", as before it; names beside numbers need a list of class names"
            raise InputError(f"{place}: the class is {shown(label)}; {allowed}{more}")
        if not as_numbers and _NUMBER.fullmatch(label):
            raise InputError(
                f"{place}: the class is {shown(label)}; a name is expected, as before it; "
                "numbers beside names need a list of class names"
            )
    if not as_numbers:
        return named_classes(labels)
    count = max(map(int, labels)) + 1
    numbered = Labels(tuple(Action(number, f"class {number}") for number in range(count)))
    return ClassNames(numbered, f"the {count:,} classes of the films")


def shown(text: str) -> str:
    """A text from a file in quotes, cut if it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _loose(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()
