"""``ava-tools convert``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.claims import claimed_folder
from ava_tools.cli.run import MisuseError, console, patience
from ava_tools.convert.formats import FOLDER, FORMATS, Format, format_of
from ava_tools.errors import InputError

if TYPE_CHECKING:
    from ava_tools.convert.annotations import Annotations
    from ava_tools.convert.films import Films


def convert(
    *sources: Path,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: str = FOLDER,
    out: Path,
    videos: Path | None = None,
    attributes: str | None = None,
    every: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1e6))] = None,
    frame_rate: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1000))] = None,
    time_origin: Annotated[float | None, Parameter(validator=Number(gte=-1e9, lte=1e9))] = None,
    labels: Path | None = None,
    min_score: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None,
    held_back: Annotated[float, Parameter(validator=Number(gte=0, lt=1))] = 0.2,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Make a data set folder of annotation files, or annotation files of a data set folder.

    The folder has dataset.yaml, labels.csv and a csv for each split; the films stay where they are.

    Args:
        sources: Annotation files or folders.
        from_: Their format: cvat, coco, coco-video, via, label_studio, supervisely, ava, mmaction2, mot, ucf101_24,
            jhmdb, multisports, predictions. Default: what each looks like, such as results of predict.
        to: Format that is wanted: cvat, coco, label_studio, mot, ava; without it a data set folder.
        out: The folder, or the file.
        videos: Folder of the films, or of folders of frames, named as the annotations name them.
        attributes: The only attributes of persons that name actions, with commas between. Default: all that can.
        every: Seconds between key frames. Default: all annotated frames; half a second where they are dense. 0: all.
        frame_rate: Images a second of folders of frames, and of films that are not there.
        time_origin: Timestamp of the films' start in AVA's csv files, 900 where AVA's films are cut at 900 seconds.
        labels: List of the actions, for csv files of action ids. Default: the pbtxt beside them, or AVA's 80.
        min_score: Least score of actions that a model found.
        held_back: Share of the examples, in whole films, that become the split val; 0: none. More, or fewer, where an
            action would be on one side alone.
        seed: Decides between splits that are equally good.
        overwrite: Replace what exists; otherwise the next free name is used, and told.
    """
    from ava_tools.convert.annotations import joined
    from ava_tools.convert.films import Films
    from ava_tools.convert.folder import write_data_set
    from ava_tools.convert.key_frames import spaced

    if not sources:
        raise MisuseError("a SOURCE is missing: an annotation file, or a data set's folder")
    _refuse_unknown("--to", to, "writes")
    if from_ is not None:
        _refuse_unknown("--from", from_, "reads")
    formats = [from_ or format_of(source) for source in sources]
    if set(formats) == {to}:
        raise MisuseError("--from FORMAT or --to FORMAT is missing")
    wanted = None if attributes is None else [name.strip() for name in attributes.split(",") if name.strip()]
    given: dict[str, object] = {"attributes": wanted, "labels": labels, "min_score": min_score}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if not any(name in FORMATS[each].options for each in formats):
            able = ", ".join(each for each, form in FORMATS.items() if name in form.options)
            option = f"--{name.replace('_', '-')}"
            raise MisuseError(f"{option} is given, but {formats[0]} has no use for it; {able} have")
    _refuse_to_replace(sources if overwrite else (), out)
    if videos is not None and not videos.is_dir():
        raise InputError(f"{videos}: no such folder; that of the films is expected")
    given |= {} if time_origin is None else {"time_origin": time_origin}
    films = Films(videos or _folder_of_films(sources, formats[0]), frame_rate)
    with patience("reading"):
        parts = [_read(FORMATS[each], source, films, given) for each, source in zip(formats, sources, strict=True)]
        annotations = joined(parts, [str(source) for source in sources])
        if time_origin is not None:
            annotations = replace(annotations, time_origin=time_origin)
    _tell(annotations, films)
    with claimed_folder(out, overwrite) as folder:
        assert folder is not None
        if folder != out:
            console.print(f"note: {out} exists; {folder} is written, --overwrite would replace {out}")
        if to == FOLDER:
            assert films.folder is not None
            annotations, told = spaced(annotations, every)
            console.print(f"note: {told}")
            _tell_nobody(annotations)
            files = write_data_set(annotations, folder, films.folder, held_back, seed, films.frame_rate, console.print)
        else:
            files = FORMATS[to].write(annotations, folder, films)
    print("\n".join(map(str, files)))


def _tell_nobody(annotations: Annotations) -> None:
    """How many key frames teach that nobody is there: where nobody looked, that would be wrong."""
    occupied = len(annotations.persons[["video", "timestamp"]].drop_duplicates())
    if occupied < len(annotations.key_frames):
        empty = len(annotations.key_frames) - occupied
        console.print(f"note: {empty:,} of {len(annotations.key_frames):,} key frames say that nobody is there")


def _refuse_to_replace(sources: Sequence[Path], out: Path) -> None:
    for source in sources:
        if out.resolve() in (source.resolve(), *source.resolve().parents):
            raise InputError(f"{out}: holds {source}, which --overwrite might replace; another folder is expected")


def _refuse_unknown(option: str, name: str, able: str) -> None:
    names = [each for each, form in FORMATS.items() if getattr(form, able)]
    if name not in names:
        raise MisuseError(f"{option} is {name!r}; any of {', '.join(names)} is expected")


def _read(form: Format, source: Path, films: Films, given: Mapping[str, object]) -> Annotations:
    return form.read(source, films, **{name: value for name, value in given.items() if name in form.options})


def _folder_of_films(sources: Sequence[Path], format_name: str) -> Path:
    """Where films are, if nobody says it: where a data set has them, else beside the annotations."""
    from ava_tools.manifest import read_data_set

    if format_name == FOLDER:
        return read_data_set(sources[0]).films
    return sources[0] if sources[0].is_dir() else sources[0].parent


def _tell(annotations: Annotations, films: Films) -> None:
    """What was found, what was lost, and which films are not there."""
    for note in annotations.notes:
        console.print(f"note: {note}")
    persons, key_frames = annotations.persons, annotations.key_frames
    console.print(
        f"{len(persons):,} boxes of persons with {len(annotations.actions):,} actions of {len(annotations.labels)} "
        f"kinds on {len(key_frames):,} frames of {len(annotations.films):,} films"
    )
    for what, count in annotations.lost.items():
        if count:
            console.print(f"lost: {what}, {count:,} times")
    absent = [film.name for film in annotations.films if films.info(film.name) is None]
    if absent:
        shown = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        console.print(f"warning: {len(absent):,} films are not in {films.folder} or cannot be read: {shown}")
