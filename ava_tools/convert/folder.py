"""A data set folder: dataset.yaml, labels, one csv a split; the films stay where they are."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from ava_tools.atomic import replacing
from ava_tools.convert.annotations import FILM, NOBODY, AnnotatedFilm, Annotations, check_names
from ava_tools.convert.films import Films
from ava_tools.convert.splits import split_films, split_time
from ava_tools.errors import InputError
from ava_tools.labels import Labels, ava_labels
from ava_tools.manifest import MANIFEST, read_data_set
from ava_tools.media.library import open_library
from ava_tools.media.probe import FilmInfo
from ava_tools.person_files import save_person_boxes
from ava_tools.tables import COORDINATES, KEY, format_timestamp, read_truth

LABELS = "labels.csv"


def write_data_set(
    annotations: Annotations,
    out: Path,
    films: Path,
    share: float = 0.2,
    seed: int = 0,
    frame_rate: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write a data set; each file appears when it is complete, the manifest last.

    Args:
        annotations: of key frames.
        out: the folder; made if it is not there.
        films: the folder of films.
        share: of the examples that are held back as ``val``; 0: none. Splits of the annotations stay.
        seed: of the splits.
        frame_rate: images a second of folders of frames.
        tell: gets a sentence about each split.

    Returns:
        The files.

    Raises:
        InputError: nothing is annotated, or the files cannot be written.
    """
    if annotations.key_frames.empty:
        raise InputError("no frame is annotated; there is nothing to make a data set of")
    parts = _parts(annotations.moved(annotations.time_origin), share, seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)  # what is cut off here must not pass for a data set with other labels
    manifest: dict[str, object] = {"films": _relative(films, out)}
    files = []
    if annotations.labels != ava_labels():
        files.append(_write(out / LABELS, _labels_csv(annotations.labels)))
        manifest["labels"] = LABELS
    if annotations.time_origin:
        manifest["time_origin"] = annotations.time_origin
    if frame_rate is not None:
        manifest["frame_rate"] = frame_rate
    splits = {}
    for name, part in parts.items():
        files.append(_write(out / f"{name}.csv", truth_csv(part)))
        splits[name] = {"truth": f"{name}.csv"}
        count = part.key_frames[KEY[0]].nunique()
        tell(f"{name}: {count:,} of {len(annotations.films):,} films, {len(part.persons):,} persons")
        if part.proposals is not None:
            splits[name]["boxes"] = f"{name}_boxes.csv"
            files.append(out / f"{name}_boxes.csv")
            save_person_boxes(part.proposals, files[-1])
    manifest["splits"] = splits
    files.append(_write(out / MANIFEST, yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)))
    return files


def _parts(annotations: Annotations, share: float, seed: int) -> Mapping[str, Annotations]:
    key_frames = annotations.key_frames
    placed = {film.name: film.split for film in annotations.films if film.split is not None}
    names = key_frames[KEY[0]].drop_duplicates().tolist()
    if len(names) == 1 and not placed and share:
        chosen = split_time(key_frames, share)
    elif share or placed:
        of_film = split_films(annotations, share, seed) if share else placed
        side = key_frames[KEY[0]].map(of_film).fillna("train")
        chosen = {
            name: key_frames[side == name] for name in sorted(side.unique(), key=lambda name: (name != "train", name))
        }
    else:
        chosen = {"train": key_frames}
    return {name: annotations.of_key_frames(part) for name, part in chosen.items() if len(part)}


def truth_csv(annotations: Annotations) -> str:
    """AVA's csv: a row an action; a person without action has an empty one; a row of two columns has nobody."""
    persons, actions = annotations.persons, annotations.actions
    rows = persons.reset_index(names="box").merge(actions, on="box", how="left")
    empty = annotations.key_frames[
        ~pd.MultiIndex.from_frame(annotations.key_frames[KEY]).isin(pd.MultiIndex.from_frame(persons[KEY]))
    ]
    order = {key: place for place, key in enumerate(annotations.key_frames[KEY].itertuples(index=False, name=None))}
    lines: list[tuple[int, list[object]]] = [
        (order[(video, time)], [video, format_timestamp(time)])
        for video, time in empty.itertuples(index=False, name=None)
    ]
    for video, time, x1, y1, x2, y2, person, action in rows[[*KEY, *COORDINATES, "person", "action_id"]].itertuples(
        index=False, name=None
    ):
        cells: list[object] = [video, format_timestamp(time), *(f"{value:.6f}" for value in (x1, y1, x2, y2))]
        cells.append("" if np.isnan(action) else int(action))
        lines.append((order[(video, time)], [*cells, *([] if person == NOBODY else [person])]))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(row for _, row in sorted(lines, key=lambda line: line[0]))
    return text.getvalue()


def read(path: Path, films: Films) -> Annotations:
    """A data set folder as annotations; times count from the films' start, films bring their sizes.

    Raises:
        InputError: it is none, or a file of it is wrong.
    """
    data_set = read_data_set(path)
    tables = []
    for name, split in data_set.splits.items():
        truth = data_set.counted(pd.concat([read_truth(file) for file in split.truth]), split)
        tables.append(truth.assign(split=name))
    truth = pd.concat(tables, ignore_index=True)
    truth["timestamp"] = (truth["timestamp"] - data_set.time_origin).round(6)
    library = open_library(data_set.films, truth[KEY[0]], data_set.frame_rate)
    film_splits = truth.groupby(KEY[0], sort=False)["split"].first()
    annotated = [film_of(str(name), library.films.get(str(name)), split) for name, split in film_splits.items()]
    return annotations_of(truth, annotated, data_set.read_labels(), time_origin=data_set.time_origin)


def film_of(name: str, info: FilmInfo | None, split: str | None = None) -> AnnotatedFilm:
    """A film that its annotations say nothing about but its name."""
    if info is None:
        return AnnotatedFilm(name, split=split)
    frames = None if info.duration is None else round(info.duration * float(info.rate))
    return AnnotatedFilm(name, info.width, info.height, float(info.rate), frames, info.path.name, split)


def annotations_of(
    truth: pd.DataFrame,
    films: Sequence[AnnotatedFilm],
    labels: Labels,
    lost: Mapping[str, int] = {},
    notes: Sequence[str] = (),
    time_origin: float = 0.0,
) -> Annotations:
    """A table of `read_truth`, or one with scores, as annotations; equal boxes of a key frame are one person.

    Where actions have scores, that of a person is the highest of them.

    Raises:
        InputError: the name of a film or an action is none that a table can hold.
    """
    check_names(FILM, (film.name for film in films))
    check_names("an action", labels.names)
    truth = truth.reset_index(drop=True)
    place = truth[KEY[0]].map({film.name: number for number, film in enumerate(films)})
    by_time = np.lexsort((truth["timestamp"].to_numpy(), place.to_numpy()))
    key_frames = truth.loc[by_time, KEY].drop_duplicates(ignore_index=True)
    rows = truth[truth["x1"].notna()].reset_index(drop=True)
    person = rows["person"].fillna(NOBODY).astype(np.int64) if "person" in rows else NOBODY
    rows = rows.assign(person=person)
    identity = rows.groupby([*KEY, *COORDINATES, "person"], sort=False).ngroup()
    persons = rows.loc[~identity.duplicated(), [*KEY, *COORDINATES, "person"]].reset_index(drop=True)
    actions = pd.DataFrame({"box": identity, "action_id": rows["action_id"]})
    if "score" in rows:
        persons["score"] = rows.groupby(identity)["score"].max()
        actions["score"] = rows["score"]
    else:
        persons["score"] = np.nan
    actions = actions[actions["action_id"].notna()].drop_duplicates(["box", "action_id"], ignore_index=True)
    actions = actions.astype({"box": np.int64, "action_id": np.int64})
    return Annotations(tuple(films), key_frames, persons, actions, labels, lost, tuple(notes), time_origin=time_origin)


def _labels_csv(labels: Labels) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(
        [action.id, action.name, *([action.kind or ""] if action.kind or not action.scored else [])]
        + ([] if action.scored else ["0"])
        for action in labels
    )
    return text.getvalue()


def _relative(films: Path, out: Path) -> str:
    """A path as the manifest says it: relative, so that both folders can move together."""
    return Path(os.path.relpath(films.resolve(), out.resolve())).as_posix()


def _write(path: Path, text: str) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
