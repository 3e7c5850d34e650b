"""Clips of films of one class each, as samples and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ava_tools.class_films import ClassFilms
from ava_tools.errors import InputError
from ava_tools.media.frames import FrameSource, Image
from slowfast_det.class_recipe import ClassAugmentationConfig
from slowfast_det.clips.augment import Recolouring, View, draw_recolouring, draw_view
from slowfast_det.clips.sample import TIMELINE_RATE, read_frames
from slowfast_det.clips.views import Cut, draw_cut, drawn_start, film_length, view_indices
from slowfast_det.config import ClipConfig
from slowfast_det.training.samples import Draw, FilmShelf, first_readable


@dataclass(frozen=True)
class ClassSample:
    """A clip and its class.

    Attributes:
        name: of the film, for messages.
        frames: T pictures ``uint8[h, w, 3]`` RGB.
        column: of its class.
        recolouring: change of colours, still to be applied.
        problems: why other samples that were wanted in this place could not be read.
    """

    name: str
    frames: Sequence[Image]
    column: int
    recolouring: Recolouring | None = None
    problems: tuple[str, ...] = ()


@dataclass
class ClassSamples(Dataset[ClassSample]):
    """A clip of each film, from another place and varied anew in every epoch.

    Attributes:
        films: the films and their classes.
        clip: which frames a clip has.
        augmentation: how they are varied.
        mirrored: ``int64[N]`` class that each class becomes in the mirror.
        seed: with epoch and film it decides every draw, whichever process makes it.
        memory: bytes of films that are kept, decoded whole, for the next epoch.
    """

    films: ClassFilms
    clip: ClipConfig
    augmentation: ClassAugmentationConfig
    mirrored: NDArray[np.int64]
    seed: int = 0
    memory: float = 0.0
    _shelf: FilmShelf = field(default_factory=lambda: FilmShelf(30.0), repr=False)
    _kept: dict[int, list[Image]] = field(default_factory=dict, repr=False)
    _kept_bytes: float = 0.0
    _lengths: dict[int, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.films)

    def name(self, sample: int) -> str:
        """What to call a film in messages."""
        return str(self.films.paths[sample])

    def __getitem__(self, draw: Draw) -> ClassSample:
        """Read a sample; one that cannot be read is replaced by the next that can, and reported."""
        return first_readable(self, draw)

    def failed(self, sample: int) -> None:
        """Close a film that could not be read."""
        self._shelf.drop(self.films.paths[sample])

    def read(self, draw: Draw, problems: tuple[str, ...]) -> ClassSample:
        """The sample itself."""
        random = np.random.default_rng([self.seed, draw.epoch, draw.sample])
        whole = self._whole(draw.sample)
        length = self._length(draw.sample)
        start = drawn_start(random, length, self.clip.num_frames, self.clip.sampling_rate)
        indices = view_indices(start, self.clip.num_frames, self.clip.sampling_rate, length)
        if whole is not None:
            view = self._view(random, draw, *whole[0].shape[:2])
            pictures = {index: view.image(whole[index]) for index in set(indices)}
        else:
            film = self._shelf.film(self.films.paths[draw.sample])
            view = self._view(random, draw, film.info.height, film.info.width)
            read = read_frames(film, indices, view.image)
            if read.length is not None and read.length < length - 1:  # it ends before it says
                self._lengths[draw.sample] = read.length
                return self.read(draw, problems)
            pictures = read.at
        column = int(self.films.classes[draw.sample])
        column = int(self.mirrored[column]) if view.mirrored else column
        variation = self.augmentation
        recolouring = draw_recolouring(random, colour=variation.colour, lighting=variation.lighting)
        return ClassSample(self.name(draw.sample), [pictures[i] for i in indices], column, recolouring, problems)

    def _length(self, sample: int) -> int:
        """Frames of the time line in a film; what it turned out to have comes before what it says."""
        if sample not in self._lengths:
            self._lengths[sample] = film_length(self._shelf.film(self.films.paths[sample]))
        return self._lengths[sample]

    def _view(self, random: np.random.Generator, draw: Draw, height: int, width: int) -> View | Cut:
        variation, sides = self.augmentation, self.augmentation.short_side
        if variation.crop is None:  # clips of a step share a tensor
            shared = np.random.default_rng([self.seed, draw.epoch, draw.step]).uniform(1 / sides[1], 1 / sides[0])
            sides = (round(1 / shared), round(1 / shared))
        if variation.area is None or variation.crop is None:
            return draw_view(random, height, width, short_side=sides, crop=variation.crop, flip=variation.flip)
        return draw_cut(
            random,
            height,
            width,
            area=variation.area,
            aspect=variation.aspect,
            size=variation.crop,
            flip=variation.flip,
        )

    def _whole(self, sample: int) -> list[Image] | None:
        """All frames of a film on the time line, if there is room to keep them; they may be the same objects."""
        if sample in self._kept or self._kept_bytes >= self.memory:
            return self._kept.get(sample)
        film = self._shelf.film(self.films.paths[sample])
        if self._kept_bytes + _bytes(film) > self.memory:
            return None
        read = read_frames(film, range(self._length(sample)), lambda image: image)
        if not read.at:
            raise InputError("has no frame that can be read")
        if read.length is not None and read.length < self._length(sample) - 1:
            self._lengths[sample] = read.length
        self._kept[sample] = [read.at[index] for index in range(self._length(sample))]
        self._kept_bytes += _bytes(film)
        return self._kept[sample]


def _bytes(film: FrameSource) -> float:
    return film_length(film) / TIMELINE_RATE * float(film.info.rate) * film.info.height * film.info.width * 3


@dataclass(frozen=True)
class ClassBatch:
    """Clips that a process computes at once.

    Attributes:
        pixels: ``uint8 Tensor[B, T, h, w, 3]``, RGB.
        columns: ``int64 Tensor[B]`` of their classes.
        recolourings: changes of colours, of each clip.
        names: of their films.
        problems: why some of the wanted samples could not be read.
    """

    pixels: Tensor
    columns: Tensor
    recolourings: tuple[Recolouring | None, ...]
    names: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def weight(self) -> int:
        """How many clips there are."""
        return len(self.names)

    def pin_memory(self) -> ClassBatch:
        """The same in memory that a GPU can read while the processor goes on."""
        return replace(self, pixels=self.pixels.pin_memory(), columns=self.columns.pin_memory())

    def to(self, device: torch.device) -> ClassBatch:
        """The same on a device."""
        return replace(
            self,
            pixels=self.pixels.to(device, non_blocking=True),
            columns=self.columns.to(device, non_blocking=True),
        )


def collate_clips(samples: Sequence[ClassSample]) -> ClassBatch:
    """Join samples into a batch.

    Raises:
        InputError: they have different sizes.
    """
    shapes = {sample.frames[0].shape[:2]: sample.name for sample in samples}
    if len(shapes) > 1:
        (one, first), (other, second) = list(shapes.items())[:2]
        raise InputError(
            f"{first} makes clips of {one[1]}x{one[0]} pixels, {second} of {other[1]}x{other[0]}; films of several "
            "shapes need augmentation.crop"
        )
    frames = np.stack([image for sample in samples for image in sample.frames])  # [B * T, h, w, 3]
    return ClassBatch(
        pixels=torch.from_numpy(frames).unflatten(0, (len(samples), -1)),  # type: ignore[no-untyped-call]
        columns=torch.tensor([sample.column for sample in samples]),
        recolourings=tuple(sample.recolouring for sample in samples),
        names=tuple(sample.name for sample in samples),
        problems=tuple(problem for sample in samples for problem in sample.problems),
    )
