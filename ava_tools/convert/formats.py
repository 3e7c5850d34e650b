"""The annotation formats that are read and written, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        attributes: whether ``read`` takes as third argument which attributes of persons name actions.
    """

    module: str
    what: str
    reads: bool = True
    writes: bool = False
    attributes: bool = False

    def read(self, source: Path, films: Films, attributes: Sequence[str] | None = None) -> Annotations:
        """Read a file or folder."""
        choice = (attributes,) if self.attributes else ()
        found: Annotations = import_module(f"ava_tools.convert.{self.module}").read(source, films, *choice)
        return found

    def write(self, annotations: Annotations, out: Path, films: Films) -> list[Path]:
        """Write files; returns them."""
        files: list[Path] = import_module(f"ava_tools.convert.{self.module}").write(annotations, out, films)
        return files


FOLDER = "folder"
FORMATS: Mapping[str, Format] = {
    FOLDER: Format("folder", "a data set folder, its dataset.yaml", writes=True),
    "cvat": Format("cvat", "CVAT for video 1.1, CVAT for images 1.1: annotations.xml", writes=True, attributes=True),
    "coco": Format("coco", "COCO's json with images of films", writes=True, attributes=True),
    "coco-video": Format("coco", "COCO's json with videos: COCO-VID, TAO, YouTube-VIS", attributes=True),
    "label_studio": Format("label_studio", "Label Studio's json of video rectangles", writes=True, attributes=True),
    "via": Format("via", "VIA's json, projects and annotations of VIA 2, projects of VIA 3", attributes=True),
}
