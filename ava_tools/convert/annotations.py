"""What every annotation format comes to: films, their annotated key frames, persons, and what each of them does."""

from __future__ import annotations

import reprlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels
from ava_tools.tables import COORDINATES, KEY

_LONGEST_NAME = 250
_UNSEEN = {"Cc", "Cs"}  # line breaks and others that control, halves of characters
FILM = "a film"  # what `check_names` calls it
NOBODY = -1  # the identity of a person who has none


@dataclass(frozen=True)
class AnnotatedFilm:
    """A film as its annotations know it.

    Attributes:
        name: what the tables call it: its file without suffix, or its folder of frames; folders before it count.
        width, height: pixels of its frames; 0: not known.
        rate: frames a second; None: not known.
        frames: how many it has; None: not known.
        file: its name with suffix, as the annotations give it.
        split: the part of a data set that it belongs to, where the format says so.
    """

    name: str
    width: int = 0
    height: int = 0
    rate: float | None = None
    frames: int | None = None
    file: str = ""
    split: str | None = None


@dataclass(frozen=True)
class Annotations:
    """Who does what in films.

    Attributes:
        films: those that are annotated.
        key_frames: video, timestamp (seconds from the film's start) of all that were looked at, those with nobody too.
        persons: video, timestamp, x1 y1 x2 y2 (0-1 of the frame), person (`NOBODY`: no identity), score (NaN: none);
            a row a person and key frame, numbered from 0.
        actions: box (number of the row in ``persons``), action_id; a row an action, each once. A person without any
            does nothing that the labels name. Those of a model have a score besides.
        labels: the actions.
        lost: what the format says that has no place here, and how often.
        notes: a sentence for each decision that a user should know.
        proposals: boxes of a person detector, as `read_person_boxes` gives them; None: there are none.
        time_origin: timestamp that the start of a film has in csv files, where these have been read or are written.
    """

    films: tuple[AnnotatedFilm, ...]
    key_frames: pd.DataFrame
    persons: pd.DataFrame
    actions: pd.DataFrame
    labels: Labels
    lost: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    proposals: pd.DataFrame | None = None
    time_origin: float = 0.0

    def moved(self, seconds: float) -> Annotations:
        """With timestamps that are later by some seconds."""

        def later(table: pd.DataFrame) -> pd.DataFrame:
            return table.assign(timestamp=(table["timestamp"] + seconds).round(6))

        return replace(
            self,
            key_frames=later(self.key_frames),
            persons=later(self.persons),
            proposals=None if self.proposals is None else later(self.proposals),
        )

    def of_key_frames(self, key_frames: pd.DataFrame) -> Annotations:
        """The part that lies on some key frames."""
        wanted = pd.MultiIndex.from_frame(key_frames[KEY])
        chosen = np.flatnonzero(pd.MultiIndex.from_frame(self.persons[KEY]).isin(wanted))
        place = pd.Series(np.arange(len(chosen)), index=chosen)
        actions = self.actions[self.actions["box"].isin(chosen)]
        proposals = self.proposals
        if proposals is not None:
            proposals = proposals[pd.MultiIndex.from_frame(proposals[KEY]).isin(wanted)].reset_index(drop=True)
        return replace(
            self,
            key_frames=key_frames[KEY].reset_index(drop=True),
            persons=self.persons.iloc[chosen].reset_index(drop=True),
            actions=actions.assign(box=actions["box"].map(place).astype(np.int64)).reset_index(drop=True),
            proposals=proposals,
        )


def joined(parts: Sequence[Annotations], names: Sequence[str]) -> Annotations:
    """Several files as one; actions of one name are one.

    Args:
        parts: what they hold.
        names: of the files, for messages.

    Raises:
        InputError: a film is in two of them.
    """
    if len(parts) == 1:
        return parts[0]
    owner: dict[str, str] = {}
    for part, name in zip(parts, names, strict=True):
        for film in part.films:
            if film.name in owner:
                raise InputError(f"{name}: annotates the film {film.name!r}, as {owner[film.name]} does")
            owner[film.name] = name
    labels = _common_labels([part.labels for part in parts])
    ids = {action.name: action.id for action in labels}
    offsets = np.cumsum([0, *(len(part.persons) for part in parts)])
    actions = [
        part.actions.assign(
            box=part.actions["box"] + offset,
            action_id=part.actions["action_id"].map({action.id: ids[action.name] for action in part.labels}),
        )
        for part, offset in zip(parts, offsets, strict=False)
    ]
    lost: Counter[str] = Counter()
    for part in parts:
        lost.update(part.lost)
    proposals = [part.proposals for part in parts if part.proposals is not None]
    origins = {part.time_origin for part in parts}
    return Annotations(
        films=tuple(film for part in parts for film in part.films),
        key_frames=pd.concat([part.key_frames for part in parts], ignore_index=True),
        persons=pd.concat([part.persons for part in parts], ignore_index=True),
        actions=pd.concat(actions, ignore_index=True),
        labels=labels,
        lost=lost,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        proposals=pd.concat(proposals, ignore_index=True) if proposals else None,
        time_origin=origins.pop() if len(origins) == 1 else 0.0,
    )


def _common_labels(lists: Sequence[Labels]) -> Labels:
    """One list for all: the first one's ids stay, and those of the others where they are free."""
    known = {action.name: action for action in lists[0]}
    for labels in lists[1:]:
        for action in labels:
            taken = {each.id for each in known.values()}
            if action.name not in known:
                known[action.name] = replace(action, id=max(taken) + 1) if action.id in taken else action
    return Labels(tuple(sorted(known.values(), key=lambda action: action.id)))


class Person(NamedTuple):
    """One person on one key frame, as readers find them.

    Attributes:
        time: seconds from the film's start.
        box: x1 y1 x2 y2, 0-1 of the frame.
        actions: names.
        person: an identity within the film, of any kind; None: none.
    """

    video: str
    time: float
    box: Sequence[float]
    actions: Iterable[str] = ()
    person: object = None
    score: float = float("nan")


def collected(
    films: Sequence[AnnotatedFilm],
    persons: Sequence[Person],
    names: Iterable[str] = (),
    empty: Mapping[str, Iterable[float]] = {},
    lost: Mapping[str, int] = {},
    notes: Sequence[str] = (),
    labels: Labels | None = None,
) -> Annotations:
    """Annotations of persons.

    Args:
        films: those that are annotated.
        persons: in any order; identities of any kind become numbers from 0, film by film.
        names: actions in the order of their ids, from 1; those that persons do besides follow.
        empty: times of key frames that were looked at, by film; those of persons need not be among them.
        lost, notes: see `Annotations`.
        labels: instead of names, with ids of their own; must have all that persons do.

    Raises:
        InputError: the name of a film or an action is none that a table can hold.
    """
    shown = [person for person in persons if not _is_outside(person.box)]
    lost = {**lost, "boxes outside of the frame": len(persons) - len(shown)}
    persons = shown
    if labels is None:
        done = dict.fromkeys([*names, *(action for person in persons for action in person.actions)])
        labels = Labels(tuple(Action(number, name) for number, name in enumerate(done, start=1)))
    check_names(FILM, (film.name for film in films))
    check_names("an action", labels.names)
    ids = {action.name: action.id for action in labels}
    numbers: dict[str, dict[object, int]] = {film.name: {} for film in films}
    table = pd.DataFrame(np.array([person.box for person in persons], dtype=float).reshape(-1, 4), columns=COORDINATES)
    table.insert(0, KEY[0], pd.Series([person.video for person in persons], dtype=object))
    table.insert(1, KEY[1], np.array([person.time for person in persons], dtype=float).round(6))
    table["person"] = np.array([_number(numbers[one.video], one.person) for one in persons], dtype=np.int64)
    table["score"] = np.array([person.score for person in persons], dtype=float)
    rows = [(place, ids[name]) for place, one in enumerate(persons) for name in dict.fromkeys(one.actions)]
    actions = pd.DataFrame(rows, columns=["box", "action_id"], dtype=np.int64)
    looked_at = [pd.DataFrame({KEY[0]: video, KEY[1]: np.round([*times], 6)}) for video, times in empty.items()]
    key_frames = pd.concat([*looked_at, table[KEY]]).drop_duplicates()
    order = {film.name: number for number, film in enumerate(films)}
    key_frames = key_frames.sort_values(KEY, key=lambda column: column.map(order) if column.name == KEY[0] else column)
    return Annotations(
        tuple(films), key_frames.reset_index(drop=True), table, actions, labels, dict(lost), tuple(notes)
    )


def _is_outside(box: Sequence[float]) -> bool:
    """Whether nothing of a box is left on the frame: it was cut off at its border."""
    return any(low == high and low in (0.0, 1.0) for low, high in ((box[0], box[2]), (box[1], box[3])))


def while_annotated(looked_at: Mapping[str, Iterable[float]], persons: Iterable[Person]) -> dict[str, list[float]]:
    """Of films whose every frame may have been looked at the times from the first annotated person to the last.

    Before and behind them nobody may have looked: an absence there is no word that nobody is to be seen.
    """
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for person in persons:
        first[person.video] = min(person.time, first.get(person.video, person.time))
        last[person.video] = max(person.time, last.get(person.video, person.time))
    return {
        video: [time for time in times if first[video] <= time <= last[video]]
        for video, times in looked_at.items()
        if video in first
    }


def check_names(what: str, names: Iterable[str]) -> None:
    """Refuse names that a line of a table cannot hold.

    Raises:
        InputError: one is empty, or too long, or breaks the line.
    """
    for name in names:
        if not name.strip() or len(name) > _LONGEST_NAME or any(unicodedata.category(sign) in _UNSEEN for sign in name):
            raise InputError(
                f"{what} is called {reprlib.repr(name)}; 1 to {_LONGEST_NAME} characters on one line are expected"
            )
        if what == FILM and any(part in ("", ".", "..") for part in name.split("/")):
            raise InputError(
                f"{what} is called {reprlib.repr(name)}; the name of a file, or of one in folders, is expected"
            )


def file_stems(films: Iterable[AnnotatedFilm]) -> dict[str, str]:
    """What a file for each film is called, all of them in one folder."""
    stems: dict[str, str] = {}
    for film in films:
        stem = film.name.replace("/", "_")
        numbered = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        stems[film.name] = next(each for each in numbered if each not in stems.values())
    return stems


def _number(numbers: dict[object, int], identity: Any) -> int:
    return NOBODY if identity is None else numbers.setdefault(identity, len(numbers))
