"""The action vocabulary: id, name, kind, and whether AVA scores it.

AVA's 80 actions are packaged (``data/ava_actions.csv``; names, kinds and the 60 scored ids are AVA's, CC BY 4.0,
research.google.com/ava), and the classes of Kinetics (CC BY 4.0, DeepMind): 400, 600 and 700 in the order of the
alphabet, as all publishers number them, and the 710 of them together in mmaction2's order.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from typing import Literal

from ava_tools.errors import InputError

Kind = Literal["pose", "object", "person"]
KINDS: tuple[Kind, ...] = ("pose", "object", "person")


@dataclass(frozen=True)
class Action:
    """One action: its id in annotation files, its name, AVA's kind, and whether the metric counts it."""

    id: int
    name: str
    kind: Kind | None = None
    scored: bool = True


@dataclass(frozen=True)
class Labels:
    """The actions of a model or a data set, in the order of the network's outputs."""

    actions: tuple[Action, ...]

    def __post_init__(self) -> None:
        if len(self._by_id) != len(self.actions):
            raise InputError("the label list names one action id twice")

    def __len__(self) -> int:
        return len(self.actions)

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    @cached_property
    def _by_id(self) -> dict[int, Action]:
        return {action.id: action for action in self.actions}

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """Action id of each output column."""
        return tuple(action.id for action in self.actions)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each output column."""
        return tuple(action.name for action in self.actions)

    @cached_property
    def display_names(self) -> tuple[str, ...]:
        """Names without their explanations in brackets, where that leaves them distinct."""
        shared = Counter(short_name(name) for name in self.names)
        return tuple(short_name(name) if shared[short_name(name)] == 1 else name for name in self.names)

    def columns(self, wanted: Iterable[str]) -> tuple[int, ...]:
        """Output columns of actions given by name or by id.

        A name counts as a whole, without regard to case, or up to AVA's explanation in brackets: ``talk
        to`` is one action, ``watch`` both of AVA's.

        Raises:
            InputError: an action is not in the list; close names are offered.
        """
        whole: dict[str, list[int]] = {}
        short: dict[str, list[int]] = {}
        for column, action in enumerate(self.actions):
            whole.setdefault(action.name.lower(), []).append(column)
            whole.setdefault(str(action.id), []).append(column)
            short.setdefault(short_name(action.name).lower(), []).append(column)
        by_name = short | whole
        columns: dict[int, None] = {}
        for name in wanted:
            asked = name.strip().lower()
            if asked not in by_name:
                close = get_close_matches(asked, by_name, n=3)
                hint = f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
                raise InputError(f"{name!r} is none of the model's {len(self)} actions{hint}")
            columns |= dict.fromkeys(by_name[asked])
        return tuple(columns)


def short_name(name: str) -> str:
    """AVA's name without its explanation in brackets: ``talk to (e.g., self, a person)`` -> ``talk to``."""
    return name.split(" (", 1)[0]


def split_names(text: str) -> list[str]:
    """Split at commas, but not at those within the brackets of AVA's names."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def ava_labels() -> Labels:
    """AVA's 80 actions, ids 1 to 80."""
    text = files("ava_tools").joinpath("data/ava_actions.csv").read_text(encoding="utf-8")
    kinds: dict[str, Kind] = {kind: kind for kind in KINDS}
    return Labels(
        tuple(
            Action(int(row["id"]), row["name"], kinds[row["kind"]], row["scored"] == "1")
            for row in csv.DictReader(text.splitlines())
        )
    )


KINETICS = (400, 600, 700, 710)
"""How many classes Kinetics' packaged lists have."""


def kinetics_labels(count: int) -> Labels:
    """Kinetics' classes, ids from 0; ``count`` is one of `KINETICS`."""
    names = files("ava_tools").joinpath(f"data/kinetics{count}.txt").read_text(encoding="utf-8").splitlines()
    return Labels(tuple(Action(number, name) for number, name in enumerate(names)))


PACKAGED = {"ava": 80, **{f"kinetics{count}": count for count in KINETICS}}
"""What configurations call the packaged labels, and how many each has."""


def packaged_labels(name: str) -> Labels:
    """Labels by the name that configurations give them: ``ava``, ``kinetics400``, ...

    Raises:
        KeyError: there are none of that name.
    """
    return ava_labels() if name == "ava" else kinetics_labels(PACKAGED[name])


def numbered_labels(count: int) -> Labels:
    """Stand-in names ``action 1`` .. ``action N`` for a model that does not say what it was trained on."""
    return Labels(tuple(Action(number, f"action {number}") for number in range(1, count + 1)))
