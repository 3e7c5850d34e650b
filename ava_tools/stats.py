"""What a data set holds, in numbers: split by split, and in all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from ava_tools.atomic import replacing
from ava_tools.boxes import SIZES, area
from ava_tools.convert.annotations import Annotations
from ava_tools.convert.folder import annotations_of
from ava_tools.manifest import DataSet
from ava_tools.media.frame_times import frame_times
from ava_tools.media.library import open_library
from ava_tools.media.probe import FilmInfo
from ava_tools.metrics.average_precision import Floats, Ints
from ava_tools.tables import COORDINATES, KEY, read_truth

ALL = "all"
_PAIRED = 100  # actions whose pairs are counted, the most frequent ones


@dataclass(frozen=True)
class Spread:
    """Where numbers lie: the least, what a tenth, half and nine tenths of them do not exceed, the most, the mean."""

    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float
    mean: float

    @staticmethod
    def of(values: Floats | Ints) -> Spread | None:
        """The spread of some numbers; None of none."""
        if not len(values):
            return None
        least, tenth, median, ninetieth, most = np.quantile(values, (0, 0.1, 0.5, 0.9, 1)).tolist()
        return Spread(least, tenth, median, ninetieth, most, float(np.mean(values)))


@dataclass(frozen=True)
class Part:
    """A split, or the whole data set.

    Attributes:
        name: of the split, or `ALL`.
        hours: of its films that can be read.
        persons_a_frame: ``int[key frames]``.
        frames_a_film: ``int[films]``, key frames.
        spacing: seconds from each key frame to the next one of its film.
        actions_a_person: ``int[persons]``; a person without action has 0.
        area: ``float[persons]``, 0-1 of the frame.
        aspect: width over height of boxes as displayed, of films whose size is known.
        per_action: by action_id: name, short (name), examples, films, share (of the persons who do it); the
            labels' first, in their order, then those that they lack.
        together: first, second (action_ids), persons (who do both), share (of those who do the rarer one); most first.
    """

    name: str
    hours: float
    persons_a_frame: Ints
    frames_a_film: Ints
    spacing: Floats
    actions_a_person: Ints
    area: Floats
    aspect: Floats
    per_action: pd.DataFrame
    together: pd.DataFrame

    @property
    def sizes(self) -> dict[str, int]:
        """Boxes by size."""
        return {name: int(((self.area >= least) & (self.area < most)).sum()) for name, least, most in SIZES}

    @property
    def idle(self) -> int:
        """Persons without action."""
        return int((self.actions_a_person == 0).sum())

    @property
    def empty(self) -> int:
        """Key frames with nobody in them."""
        return int((self.persons_a_frame == 0).sum())

    @property
    def examples(self) -> int:
        """Actions of persons."""
        return int(self.actions_a_person.sum())


@dataclass(frozen=True)
class DataSetStats:
    """A data set in numbers.

    Attributes:
        splits: its parts.
        whole: all of it; what is in two splits counts once.
        problems: one sentence each for films that are missing and that cannot be read; boxes of theirs count.
    """

    splits: tuple[Part, ...]
    whole: Part
    problems: tuple[str, ...]


def data_set_stats(data_set: DataSet, advance: Callable[[], None] = lambda: None) -> DataSetStats:
    """Count what a data set's truth holds, where it counts (time range, excluded key frames).

    Args:
        data_set: see `read_data_set`.
        advance: called after each film that was looked into.

    Raises:
        InputError: a file of it is wrong.
    """
    labels = data_set.read_labels()
    truths = {
        name: data_set.counted(pd.concat([read_truth(file) for file in split.truth], ignore_index=True), split)
        for name, split in data_set.splits.items()
    }
    whole = pd.concat(list(truths.values()), ignore_index=True)
    library = open_library(data_set.films, whole[KEY[0]], data_set.frame_rate, advance)
    seconds = {name: _seconds(info) for name, info in library.films.items()}

    def part(name: str, truth: pd.DataFrame) -> Part:
        return _part(name, annotations_of(truth, (), labels), library.films, seconds)

    splits = tuple(part(name, truth) for name, truth in truths.items())
    return DataSetStats(splits, part(ALL, whole), library.report)


def _seconds(info: FilmInfo) -> float:
    return info.duration if info.duration is not None else len(frame_times(info.path)) / float(info.rate)


def _part(name: str, annotations: Annotations, films: Mapping[str, FilmInfo], seconds: Mapping[str, float]) -> Part:
    persons, key_frames = annotations.persons, annotations.key_frames.sort_values(KEY, kind="stable")
    boxes = persons[COORDINATES].to_numpy(dtype=float)
    frames_a_film = key_frames[KEY[0]].value_counts(sort=False)
    shapes = {film: info.width * float(info.pixel_aspect) / info.height for film, info in films.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        aspect = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1]) * persons[KEY[0]].map(shapes).to_numpy(float)
    return Part(
        name=name,
        hours=sum(seconds.get(str(film), 0.0) for film in frames_a_film.index) / 3600,
        persons_a_frame=_counts(key_frames, persons),
        frames_a_film=np.asarray(frames_a_film, dtype=np.int64),
        spacing=key_frames.groupby(KEY[0], sort=False)[KEY[1]].diff().dropna().round(6).to_numpy(dtype=float),
        actions_a_person=np.bincount(annotations.actions["box"], minlength=len(persons)),
        area=area(boxes),
        aspect=aspect[np.isfinite(aspect) & (aspect > 0)],
        per_action=_per_action(annotations),
        together=_together(annotations.actions, len(persons)),
    )


def _counts(key_frames: pd.DataFrame, persons: pd.DataFrame) -> Ints:
    """Persons of each key frame."""
    frames = pd.MultiIndex.from_frame(key_frames[KEY])
    counts = persons.groupby(KEY, sort=False).size()
    return np.asarray(counts.reindex(frames, fill_value=0).to_numpy(dtype=np.int64))


def _per_action(annotations: Annotations) -> pd.DataFrame:
    actions, labels = annotations.actions, annotations.labels
    video = annotations.persons[KEY[0]].to_numpy()[actions["box"]]
    groups = pd.DataFrame({"action_id": actions["action_id"], "video": video}).groupby("action_id")["video"]
    table = pd.DataFrame({"examples": groups.size(), "films": groups.nunique()})
    unknown = [action for action in table.index if action not in set(labels.ids)]
    table = table.reindex([*labels.ids, *unknown], fill_value=0).rename_axis("action_id").astype(np.int64)
    strange = [f"{action} (not in the labels)" for action in unknown]
    table.insert(0, "name", [*labels.names, *strange])
    table.insert(1, "short", [*labels.display_names, *strange])
    return table.assign(share=table["examples"] / max(len(annotations.persons), 1))


def _together(actions: pd.DataFrame, persons: int) -> pd.DataFrame:
    """Pairs of actions that persons do at once."""
    frequent = actions["action_id"].value_counts().head(_PAIRED)
    ids = np.sort(frequent.index.to_numpy(dtype=np.int64))
    counted = actions[actions["action_id"].isin(ids)]
    columns = np.searchsorted(ids, counted["action_id"])
    done = csr_array((np.ones(len(counted), np.int64), (counted["box"], columns)), shape=(persons, len(ids)))
    both = (done.T @ done).toarray()  # [N, N]
    first, second = np.nonzero(np.triu(both, 1))
    rarer = np.minimum(both.diagonal()[first], both.diagonal()[second])
    number = both[first, second]
    pairs = {"first": ids[first], "second": ids[second], "persons": number, "share": number / np.maximum(rarer, 1)}
    return pd.DataFrame(pairs).sort_values("persons", ascending=False, kind="stable", ignore_index=True)


def duration(hours: float) -> str:
    """Hours in words: ``1.25 h``, and minutes where they are few."""
    if hours == 0:
        return "-"
    return f"{hours:.2f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def as_json(stats: DataSetStats, path: Path) -> None:
    """Write ``{"splits": {name: part}, "all": part, "problems": [sentence]}``; what there is none of is null."""
    content = {
        "splits": {part.name: _content(part) for part in stats.splits},
        "all": _content(stats.whole),
        "problems": stats.problems,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _content(part: Part) -> dict[str, object]:
    actions = part.per_action.drop(columns="short")
    return {
        "films": len(part.frames_a_film),
        "hours": part.hours,
        "key_frames": len(part.persons_a_frame),
        "key_frames_with_nobody": part.empty,
        "persons": len(part.area),
        "persons_without_action": part.idle,
        "examples": part.examples,
        "actions": {str(action): row for action, row in zip(actions.index, actions.to_dict("records"), strict=True)},
        "together": part.together.to_dict("records"),
        "box_sizes": part.sizes,
        "box_width_over_height": _spread(part.aspect),
        "persons_a_key_frame": _spread(part.persons_a_frame),
        "actions_a_person": _spread(part.actions_a_person),
        "key_frames_a_film": _spread(part.frames_a_film),
        "seconds_between_key_frames": _spread(part.spacing),
    }


def _spread(values: Floats | Ints) -> dict[str, float] | None:
    spread = Spread.of(values)
    return None if spread is None else asdict(spread)
