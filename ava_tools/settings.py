"""Strict settings from yaml: unknown keys and wrong values end in one sentence that names them."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ava_tools.errors import InputError


class Settings(BaseModel):
    """A section of settings: no key but the named ones, and no change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Settings)


def parse_settings(kind: type[S], content: Any, name: str) -> S:
    """Check a mapping against a kind of settings.

    Raises:
        InputError: one sentence with each wrong key, what was found and what is allowed.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as problem:
        findings = []
        for error in problem.errors():
            where = ".".join(str(part) for part in error["loc"])
            if error["type"] == "extra_forbidden":
                findings.append(f"{where} is no setting{_meant(kind, error['loc'])}")
                continue
            found = error["input"]
            shown = f" (found {reprlib.repr(found)})" if isinstance(found, str | int | float) else ""
            message = error["msg"].removeprefix("Value error, ")
            findings.append(f"{where}: {message}{shown}" if where else message)
        raise InputError(f"{name}: {'; '.join(findings)}") from None


def _meant(kind: type[Settings], place: tuple[int | str, ...]) -> str:
    """The settings that may have been meant by an unknown one, by their names."""
    section: Any = kind
    for part in place[:-1]:
        field = (
            section.model_fields.get(str(part)) if isinstance(section, type) and issubclass(section, Settings) else None
        )
        section = None if field is None else field.annotation
    if not (isinstance(section, type) and issubclass(section, Settings)):
        return ""
    names = list(section.model_fields)
    close = get_close_matches(str(place[-1]), names, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else f"; {', '.join(names)} are"


_LONGEST = 256_000  # characters of a text of settings; PySlowFast's dumps take ten thousand
_DIGITS = 100
_SHORT = 100  # values of a list that an alias may repeat


class _Loader(yaml.SafeLoader):
    """Aliases of aliases, and merges of them, could stand for more than any memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()  # type: ignore[no-untyped-call] # a gap in yaml's stubs
            meant = self.anchors.get(alias.anchor)
            # dumps write an alias where two settings share a list; one without an end is still being read
            if isinstance(meant, yaml.CollectionNode) and not (
                isinstance(meant, yaml.SequenceNode)
                and meant.end_mark is not None
                and len(meant.value) <= _SHORT
                and all(isinstance(value, yaml.ScalarNode) for value in meant.value)
            ):
                reason = "aliases are allowed only of single values and short lists of them"
                raise yaml.composer.ComposerError(None, None, reason, alias.start_mark)
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            first = {key.value: key for key in reversed(keys)}
            again = next((key for key in keys if first[key.value] is not key), None)
            if again is not None:
                reason = f"the key {again.value!r} is there twice"
                raise yaml.composer.ComposerError(None, None, reason, again.start_mark)
        # longer ones take long to read, and cannot be printed
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int" and len(node.value) > _DIGITS:
            reason = f"a number of more than {_DIGITS} digits"
            raise yaml.composer.ComposerError(None, None, reason, node.start_mark)
        return node


def read_yaml(text: str, name: str) -> dict[str, Any]:
    """A yaml text that holds a mapping; only plain data is ever built from it."""
    content = _load(text, name)
    if not isinstance(content, dict):
        raise InputError(f"{name}: holds {type(content).__name__} at the top; sections with keys are expected")
    return content


def read_text(path: Path) -> str:
    """A text file of settings; one sentence if it is none, or longer than any."""
    try:
        if path.exists() and not path.is_file():  # a pipe or device may never end
            raise InputError(f"{path}: is no regular file")
        with path.open("rb") as file:
            if len(file.read(4 * _LONGEST + 1)) > 4 * _LONGEST:
                raise InputError(f"{path}: is too long for settings, which have at most {_LONGEST} characters")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: cannot be read as text ({problem})") from None


def overridden(content: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Settings with ``key=value`` texts laid over them; dots lead into sections, values are yaml.

    Raises:
        InputError: a text has no ``=``, no key or no readable value, or leads into something that is no section.
    """
    changed = dict(content)
    for text in overrides:
        key, equals, value = text.partition("=")
        *sections, last = key.strip().split(".")
        if not equals or not last or not all(sections):
            raise InputError(f"{text!r} is no setting; key=value is expected, such as training.epochs=5")
        place = changed
        for section in sections:
            inner = place.get(section)
            if inner is not None and not isinstance(inner, Mapping):
                raise InputError(f"{text!r}: {section} is {reprlib.repr(inner)}, which has no keys of its own")
            place[section] = dict(inner or {})
            place = place[section]
        place[last] = _load(value, repr(text))
    return changed


def _load(text: str, name: str) -> Any:
    if len(text) > _LONGEST:
        raise InputError(f"{name[:200]}: is too long for settings, which have at most {_LONGEST} characters")
    try:
        return yaml.load(text, _Loader)  # a safe loader, made safer
    except RecursionError:
        raise InputError(f"{name}: is no yaml of settings (nested too deeply)") from None
    except (yaml.YAMLError, ValueError) as problem:
        line = getattr(getattr(problem, "problem_mark", None), "line", None)
        where = f", line {line + 1}" if line is not None else ""
        reason = str(getattr(problem, "problem", None) or problem)[:200]
        shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in reason)
        raise InputError(f"{name}{where}: is no yaml ({shown})") from None
