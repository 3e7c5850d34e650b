"""Label lists in the forms that the field uses: pbtxt, json, csv, txt; recognised by content."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from ava_tools.errors import InputError
from ava_tools.labels import Action, Kind, Labels, ava_labels
from ava_tools.regular_files import check_regular

_KINDS: dict[str, Kind] = {
    "PERSON_MOVEMENT": "pose",
    "OBJECT_MANIPULATION": "object",
    "PERSON_INTERACTION": "person",
    "pose": "pose",
    "object": "object",
    "person": "person",
}
_ENTRY = re.compile(r"\b(?:item|label)\s*\{(.*?)\}", re.DOTALL)
_FIELD = re.compile(r'(\w+)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+))')
_ESCAPED = re.compile(r"\\(.)")
# a number that is no id, or one before a strange separator
_WRONG_ID = re.compile(r"\s*[-+]?\d[\d.]*\s*[,;]|\s*[-+]\d+\s|\s*\d+\.\d+\s")
_FORMS = (
    "pbtxt (item { name id } or label { name label_id label_type }), "
    "json (names, {id: name} or {name: id}), csv (id,name[,kind[,scored]]) or txt (a name a line) is expected"
)


def read_labels(path: str | Path) -> Labels:
    """Read a label list.

    - pbtxt: AVA's ``label { name label_id label_type }`` and ``item { name id }``;
    - json: a list of names (ids from 1), ``{"name": id}``, ``{"id": "name"}``, or a list of ``{"id", "name"}``;
    - csv: ``id,name[,kind[,scored]]``, with or without a header line;
    - txt: a name a line (ids from 1), or ``id name``, ``id: name``.

    A list whose names are AVA's own is taken as the part of AVA that is scored: the other ids of AVA's 80
    are known, but do not count.

    Raises:
        InputError: none of these, an id twice, or no action at all.
    """
    check_regular(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is no utf-8"
        raise InputError(f"{path}: cannot be read as text ({reason})") from None
    stripped = text.strip()
    if _ENTRY.search(stripped) or re.match(r"(item|label)\s*\{", stripped):
        actions = _pbtxt(stripped, str(path))
    elif stripped[:1] in ("{", "["):
        actions = _json(stripped, str(path))
    elif re.match(r"\s*(id|\d+)\s*,", stripped):
        actions = _csv(stripped, str(path))
    else:
        actions = _txt(stripped, str(path))
    if not actions:
        raise InputError(f"{path}: names no action; {_FORMS}")
    broken = next((action for action in actions if action.id < 0 or not action.name.strip()), None)
    if broken is not None:
        raise InputError(f"{path}: has the action {broken.id} {broken.name!r}; an id from 0 and a name are expected")
    counts = Counter(action.id for action in actions)
    twice = next((number for number, count in counts.items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{path}: names the action id {twice} twice")
    return within_ava(Labels(tuple(actions)))


def within_ava(labels: Labels) -> Labels:
    """AVA's 80 with only these scored, if they are AVA's by id and name; else the labels themselves."""
    ava = {action.id: action for action in ava_labels()}
    if all(action.id in ava and ava[action.id].name == action.name for action in labels):
        chosen = {action.id for action in labels if action.scored}
        return Labels(tuple(replace(action, scored=action.id in chosen) for action in ava.values()))
    return labels


def _pbtxt(text: str, name: str) -> list[Action]:
    actions = []
    if text.count("{") != text.count("}"):
        raise InputError(f"{name}: is pbtxt that is cut off: its brackets do not close")
    for entry in _ENTRY.finditer(text):
        found = _FIELD.findall(entry[1])
        fields = {key: _ESCAPED.sub(r"\1", double or single) or bare for key, double, single, bare in found}
        number = fields.get("id") or fields.get("label_id")
        if number is None or not re.fullmatch(r"\d{1,9}", number) or "name" not in fields:
            line = text.count("\n", 0, entry.start()) + 1
            raise InputError(f"{name}, line {line}: the entry lacks a name or a whole id (or label_id)")
        actions.append(Action(int(number), fields["name"], _KINDS.get(fields.get("label_type", ""))))
    return actions


def _json(text: str, name: str) -> list[Action]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        raise InputError(f"{name}, line {problem.lineno}: is no json ({problem.msg})") from None
    except (RecursionError, ValueError):
        raise InputError(f"{name}: is json beyond all use (nested or with numbers without end)") from None
    try:
        return _actions_of(content)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: holds json of another form; {_FORMS}") from None


def _actions_of(content: Any) -> list[Action]:
    if isinstance(content, dict):
        if all(isinstance(value, int) and not isinstance(value, bool) for value in content.values()):
            return [Action(number, str(label)) for label, number in content.items()]
        return [Action(int(number), str(label)) for number, label in content.items()]
    if all(isinstance(entry, str) for entry in content):
        return [Action(number, label) for number, label in enumerate(content, start=1)]
    return [Action(int(entry["id"]), str(entry["name"]), _KINDS.get(entry.get("kind", ""))) for entry in content]


def _csv(text: str, name: str) -> list[Action]:
    actions = []
    for line, row in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [cell.strip() for cell in row]
        if not cells or (line == 1 and cells[0].lower() == "id"):
            continue
        if not 2 <= len(cells) <= 4 or not re.fullmatch(r"\d{1,9}", cells[0]):
            raise InputError(f"{name}, line {line}: is {','.join(row)!r}; id,name[,kind[,scored]] is expected")
        kind = _KINDS.get(cells[2]) if len(cells) > 2 else None
        actions.append(Action(int(cells[0]), cells[1], kind, len(cells) < 4 or cells[3] not in ("0", "false", "False")))
    return actions


def _txt(text: str, name: str) -> list[Action]:
    for line, content in enumerate(text.splitlines(), start=1):
        if _WRONG_ID.match(content):
            raise InputError(f"{name}, line {line}: is {content.strip()!r}; {_FORMS}")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [re.fullmatch(r"(\d{1,9})\s*[:\s]\s*(\S.*)", line) for line in lines]
    if lines and all(numbered):
        return [Action(int(match[1]), match[2]) for match in numbered if match]
    return [Action(number, label) for number, label in enumerate(lines, start=1)]
