"""What CVAT's xml says before its annotations: tasks with their films and frames, labels with their attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from ava_tools.convert.attributes import IDENTITIES, named_actions, unknown_attribute
from ava_tools.convert.films import film_name, is_film_file
from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown

EXPECTED = "CVAT's xml 1.1 is expected, for video or for images"
MOST_FRAMES = 10_000_000  # of a film: four days of it
_ACTIONS = {"checkbox", "select", "radio", "text"}  # kinds of attributes that name actions
_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}  # of tasks; others are no split


@dataclass(frozen=True)
class Task:
    """One task of the file.

    Attributes:
        source: its film's file; empty in dumps of projects, which do not say it.
        name: of the task.
        width, height: pixels of its frames; 0: not known.
        frames: those that it covers, numbers in the film.
        is_video: whether its frames are those of a film file.
        split: the part of a data set that it belongs to, where it says so.
    """

    source: str = ""
    name: str = ""
    width: int = 0
    height: int = 0
    frames: range = range(0)
    is_video: bool = False
    split: str | None = None

    @property
    def film(self) -> str:
        """What tables call the film; projects do not say its file, but for that the task's name."""
        return film_name(self.source or self.name)


@dataclass
class Meta:
    """All that is said before the annotations.

    Attributes:
        source: the file, for messages.
        wanted: the only attributes that name actions; None: all that can.
        tasks: by their ids.
        kinds: of the attributes of each label.
        names: of actions, in the order of the labels.
    """

    source: Path
    wanted: Sequence[str] | None
    tasks: dict[str, Task] = field(default_factory=dict)
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)

    def take(self, meta: Element) -> None:
        """Read the element ``meta``, of a task, a job or a project.

        Raises:
            InputError: a number is none, or a wanted attribute is not there.
        """
        for task in [*meta.iter("task"), *meta.iter("job")]:
            self.tasks[task.findtext("id") or ""] = self._task(task, meta)
        for label in meta.iter("label"):
            self._take_label(label)
        known = {name for kinds in self.kinds.values() for name in kinds}
        if unknown := set(self.wanted or ()) - known:
            raise unknown_attribute(self.source, unknown, dict.fromkeys(known))

    def _task(self, task: Element, meta: Element) -> Task:
        start, stop = self._whole(task, "start_frame", 0), self._whole(task, "stop_frame", -1)
        step = re.search(r"step\s*=\s*([0-9]{1,12})\b", task.findtext("frame_filter") or "")
        stop = self._whole(task, "size", 0) - 1 if stop < 0 else stop
        source = task.findtext("source") or meta.findtext("source") or ""
        return Task(
            source=source,
            name=task.findtext("name") or "",
            width=self._whole(task, "original_size/width", self._whole(meta, "original_size/width", 0)),
            height=self._whole(task, "original_size/height", self._whole(meta, "original_size/height", 0)),
            frames=range(start, stop + 1, min(max(1, int(step[1])), MOST_FRAMES) if step else 1),
            is_video=is_film_file(source) or task.findtext("mode") == "interpolation",
            split=_SPLITS.get((task.findtext("subset") or "").strip().lower()),
        )

    def _take_label(self, label: Element) -> None:
        kinds = self.kinds.setdefault(label.findtext("name") or "", {})
        for attribute in label.iter("attribute"):
            name, kind = attribute.findtext("name") or "", attribute.findtext("input_type") or "text"
            kinds[name] = kind
            if self.is_action(name, kind):
                values = (attribute.findtext("values") or "").splitlines()
                named = ["true"] if kind == "checkbox" else values if kind in ("select", "radio") else []
                self.names |= dict.fromkeys(each for value in named for each in named_actions(name, value, kind))
        if not any(self.is_action(name, kind) for name, kind in kinds.items()):
            self.names[label.findtext("name") or ""] = None

    def is_action(self, name: str, kind: str) -> bool:
        """Whether an attribute names actions."""
        if self.wanted is not None:
            return name in self.wanted
        return kind in _ACTIONS and name.lower() not in IDENTITIES

    def task_of(self, element: Element) -> Task:
        """The task of a track or an image.

        Raises:
            InputError: there is none.
        """
        key = element.get("task_id") or next(iter(self.tasks), None)
        if key is None or key not in self.tasks:
            raise InputError(
                f"{self.source}: a {element.tag} is of task {key}, which its meta does not describe; {EXPECTED}"
            )
        return self.tasks[key]

    def label_of(self, element: Element) -> str:
        """The label of a track or a shape.

        Raises:
            InputError: there is no such label.
        """
        label = element.get("label") or ""
        if label not in self.kinds:
            raise InputError(
                f"{self.source}: a {element.tag} has the label {label!r}; its meta has {', '.join(self.kinds)}"
            )
        return label

    @property
    def notes(self) -> list[str]:
        """A sentence for each decision that a user should know."""
        own = {
            label: [name for name, kind in kinds.items() if self.is_action(name, kind)]
            for label, kinds in self.kinds.items()
        }
        notes = [f"actions are the attributes {', '.join(names)} of {label!r}" for label, names in own.items() if names]
        unnamed = [task.film for task in self.tasks.values() if task.is_video and not task.source]
        if unnamed:
            notes.append(f"films are called as their tasks, whose files it does not name: {', '.join(unnamed[:5])}")
        return notes

    def _whole(self, element: Element, key: str, default: int) -> int:
        text = element.findtext(key)
        if text is None or not text.strip():
            return default
        if not re.fullmatch(r"\s*[0-9]{1,12}\s*", text):
            raise InputError(f"{self.source}: its {key} is {shown(text)!r}; a whole number is expected")
        if int(text) > MOST_FRAMES:
            raise InputError(f"{self.source}: its {key} is {int(text):,}; at most {MOST_FRAMES:,} are expected")
        return int(text)
