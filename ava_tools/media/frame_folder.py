"""Folders of extracted frames, one image each."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from ava_tools.media.probe import FilmInfo

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


class ImageFrame:
    """One image file of a folder of frames."""

    def __init__(self, folder: FrameFolder, number: int) -> None:
        self.time = number / folder.info.rate
        self._folder = folder
        self._number = number

    def rgb(self) -> Image:
        """Read and decode the file."""
        return self._folder.read(self._number)


class FrameFolder:
    """A folder of extracted frames, one image each, in the order of the numbers in their names.

    An image that cannot be read is replaced by the one before, with one warning for the folder.
    """

    def __init__(self, path: Path, frame_rate: float = 30.0, warn: bool = True) -> None:
        if not 0 < frame_rate <= 1000:
            raise InputError(f"a frame rate of {frame_rate:g} is given; above 0 and at most 1000 is allowed")
        self._warned = not warn
        self._images = image_files(path)
        if not self._images:
            raise InputError(f"{path}: the folder holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        rate = Fraction(frame_rate).limit_denominator(1001)
        height, width = read_image(self._images[0]).shape[:2]
        self.info = FilmInfo(
            path=path,
            name=path.resolve().name,
            width=width,
            height=height,
            rate=rate,
            duration=float(len(self._images) / rate),
            time_base=1 / rate,
        )

    def frames(self, start: float | Fraction = 0.0, moments: Iterable[Fraction] | None = None) -> Iterator[ImageFrame]:
        """Frames from the one shown at ``start`` to the end; nothing is read before `ImageFrame.rgb`.

        So ``moments``, for which few frames would do, saves nothing.
        """
        first = min(max(0, int(Fraction(start) * self.info.rate)), len(self._images) - 1)
        for number in range(first, len(self._images)):
            yield ImageFrame(self, number)

    def read(self, number: int) -> Image:
        """The picture of a number, in the size of the first one."""
        import cv2

        for earlier in range(number, -1, -1):
            try:
                image = read_image(self._images[earlier])
                break
            except InputError as problem:
                self._warn(f"{problem}; the one before is shown")
        else:
            raise InputError(f"{self.info.path}: not one image up to {self._images[number].name} can be read")
        if image.shape[:2] == (self.info.height, self.info.width):
            return image
        self._warn("its images differ in size; they are shown in the size of the first one")
        return cv2.resize(image, (self.info.width, self.info.height))  # type: ignore[return-value]

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning("%s: %s", self.info.path, message)

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def image_files(folder: Path) -> list[Path]:
    """Images of a folder, ``frame_9.jpg`` before ``frame_10.jpg``."""
    images = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    images = [path for path in images if path.is_file()]  # reading from a pipe would never end
    return sorted(
        images, key=lambda path: [int(part) if place % 2 else part for place, part in enumerate(_split(path.name))]
    )


def _split(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def read_image(path: Path) -> Image:
    """One image.

    Raises:
        InputError: it is none.
    """
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: not an image that can be read")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)  # type: ignore[return-value]
