"""Attributes of a person: which of them name actions, and which actions their values are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ava_tools.errors import InputError

IDENTITIES = frozenset({"track_id", "track", "person_id", "person", "id", "identity", "instance_id"})  # who is who
_NO_ACTION = frozenset({"", "none", "__undefined__", "no", "false", "0", "-"})  # values that stand for no action
_YES = frozenset({"true", "yes"})
_OF_TOOLS = frozenset(
    {"occluded", "rotation", "keyframe", "outside", "iscrowd", "is_crowd", "difficult", "truncated", "ignore", "score"}
)  # attributes that tools add by themselves


def named_actions(name: str, value: Any, kind: str = "") -> list[str]:
    """Actions that the value of one attribute names.

    A checkbox that is set is the action of its name, of several options those that are set; a text may list actions
    between commas.

    Args:
        name: of the attribute.
        value: as its file has it: a truth value, text, list of texts, or an object ``{option: set or not}``.
        kind: ``checkbox``, ``select``, ``radio``; others may have commas.
    """
    if isinstance(value, Mapping):
        return named_actions(name, [option for option, chosen in value.items() if chosen], "select")
    if isinstance(value, list):
        return [action for each in value for action in named_actions(name, each, "select")]
    if value is True:
        return [name]
    if value is False or value is None:
        return []
    words = [str(value)] if kind in ("checkbox", "select", "radio") else str(value).split(",")
    found = [word.strip() for word in words if word.strip().lower() not in _NO_ACTION]
    return [name if kind == "checkbox" or word.lower() in _YES else word for word in found]


class ActionAttributes:
    """The attributes of a file's persons, as they are met."""

    def __init__(self, wanted: Sequence[str] | None, lost: Counter[str]) -> None:
        """``wanted``: the only ones that name actions; None: all that can. ``lost`` counts the others."""
        self.wanted = wanted
        self.used: dict[str, None] = {}
        self._lost = lost
        self._met: dict[str, None] = {}

    def actions(self, values: Mapping[str, Any], kinds: Mapping[str, str] = {}) -> list[str] | None:
        """What a person with these attributes does; None where no attribute could say it."""
        found: list[str] | None = None
        for name, value in values.items():
            self._met[name] = None
            if not self._names_actions(name, value):
                self._lost[f"attribute {name!r}"] += name.lower() not in IDENTITIES and bool(value)
                continue
            self.used[name] = None
            found = (found or []) + named_actions(name, value, kinds.get(name, ""))
        return found

    def _names_actions(self, name: str, value: Any) -> bool:
        if self.wanted is not None:
            return name in self.wanted
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return not number and name.lower() not in IDENTITIES | _OF_TOOLS

    def declared(self, name: str, options: list[str]) -> list[str]:
        """Actions among the options of an attribute that the file describes."""
        self._met[name] = None
        return named_actions(name, options) if self._names_actions(name, options) else []

    def identity(self, values: Mapping[str, Any]) -> str | None:
        """Who a person with these attributes is."""
        for name, value in values.items():
            if name.lower() in IDENTITIES and isinstance(value, str | int | float) and str(value).strip():
                return str(value)
        return None

    def check(self, source: object) -> None:
        """Every wanted attribute was met.

        Raises:
            InputError: one was not; those that were are listed.
        """
        if unknown := set(self.wanted or ()) - set(self._met):
            raise unknown_attribute(source, unknown, self._met)

    @property
    def notes(self) -> list[str]:
        """Which attributes named actions."""
        return [f"actions are the attributes {', '.join(self.used)}"] if self.used else []


def unknown_attribute(source: object, unknown: set[str], known: Mapping[str, object]) -> InputError:
    """An error for ``--attributes`` that a file does not have."""
    return InputError(f"{source}: has no attribute {min(unknown)!r}; it has {', '.join(sorted(known)) or 'none'}")
