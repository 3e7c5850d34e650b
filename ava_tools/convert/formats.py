"""The annotation formats that are read and written, by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ava_tools.convert.annotations import Annotations
    from ava_tools.convert.films import Films


class Format(NamedTuple):
    """A format.

    Attributes:
        module: of this package, with ``read(source, films)`` or ``write(annotations, out, films)``, or both.
        what: one line for the list.
        reads, writes: what of the two it has.
        options: names of what its ``read`` takes besides.
    """

    module: str
    what: str
    reads: bool = True
    writes: bool = False
    options: frozenset[str] = frozenset()

    def read(self, source: Path, films: Films, **options: object) -> Annotations:
        """Read a file or folder."""
        found: Annotations = import_module(f"ava_tools.convert.{self.module}").read(source, films, **options)
        return found

    def write(self, annotations: Annotations, out: Path, films: Films) -> list[Path]:
        """Write files; returns them."""
        files: list[Path] = import_module(f"ava_tools.convert.{self.module}").write(annotations, out, films)
        return files


_ATTRIBUTES = frozenset({"attributes"})
_TABLE = frozenset({"labels", "time_origin"})
FOLDER = "folder"
FORMATS: Mapping[str, Format] = {
    FOLDER: Format("folder", "a data set folder, its dataset.yaml", writes=True),
    "ava": Format("ava", "AVA's and AVA-Kinetics' csv, a pbtxt beside it", writes=True, options=_TABLE),
    "coco": Format("coco", "COCO's json with images of films", writes=True, options=_ATTRIBUTES),
    "coco-video": Format("coco", "COCO's json with videos: COCO-VID, TAO, YouTube-VIS", options=_ATTRIBUTES),
    "cvat": Format(
        "cvat", "CVAT for video 1.1, CVAT for images 1.1: annotations.xml", writes=True, options=_ATTRIBUTES
    ),
    "jhmdb": Format("jhmdb", "JHMDB-GT.pkl, UCF101v2-GT.pkl: tubes of the ACT detector's form"),
    "label_studio": Format("label_studio", "Label Studio's json of video rectangles", writes=True, options=_ATTRIBUTES),
    "mmaction2": Format("mmaction2", "csv of AVA or MultiSports with proposals, exclusions, labels", options=_TABLE),
    "mot": Format("mot", "MOTChallenge's gt/gt.txt with seqinfo.ini; CVAT's MOT 1.1", writes=True),
    "multisports": Format("multisports", "multisports_GT.pkl"),
    "predictions": Format(
        "predictions", "results of predict: FILM.jsonl, FILM.csv", options=_TABLE | frozenset({"min_score"})
    ),
    "supervisely": Format("supervisely", "Supervisely's video project, or NAME.mp4.json"),
    "ucf101_24": Format("ucf101_24", "pyannot.pkl of the corrected UCF101-24"),
    "via": Format("via", "VIA's json, projects and annotations of VIA 2, projects of VIA 3", options=_ATTRIBUTES),
}


def format_of(source: Path) -> str:
    """What a source looks like: lines of json and csv files with scores are results of predict; else a data set."""
    suffix = source.suffix.lower()
    if suffix == ".xml":
        return "cvat"
    if suffix == ".jsonl":
        return "predictions"
    if suffix == ".csv" and source.is_file():  # no pipe
        with source.open(encoding="utf-8", errors="replace") as file:
            cells = file.readline(10_000).strip().split(",")
        return "predictions" if len(cells) == 8 and "." in cells[-1] else "ava"
    return FOLDER
