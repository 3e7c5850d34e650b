"""Clips to train on, read from their films in any order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ava_tools.boxes import Boxes, area
from ava_tools.errors import InputError
from ava_tools.media.frames import FrameSource, Image
from ava_tools.media.reader import open_film
from slowfast_det.clips.augment import Recolouring, View, draw_recolouring, draw_view
from slowfast_det.clips.sample import read_clip
from slowfast_det.config import ClipConfig
from slowfast_det.recipe import AugmentationConfig
from slowfast_det.training.key_frames import KeyFrames

_FILMS_OPEN = 4  # of each process; clips of a film are rarely drawn one after the other
_SUBSTITUTES = 20  # samples tried in the place of one that cannot be read


class Draw(NamedTuple):
    """Which sample, and in which epoch: together they decide everything about it."""

    epoch: int
    sample: int


@dataclass(frozen=True)
class Sample:
    """A clip with its persons and what they do.

    Attributes:
        name: film and timestamp, for messages.
        frames: T pictures ``uint8[h, w, 3]`` RGB, of one size.
        boxes: ``float64[K, 4]``, pixels of the clip.
        targets: ``float32[K, N]``, 1 for each action that a person does.
        recolouring: change of colours, still to be applied.
        problems: why other samples that were wanted in this place could not be read.
    """

    name: str
    frames: Sequence[Image]
    boxes: Boxes
    targets: NDArray[np.float32]
    recolouring: Recolouring | None = None
    problems: tuple[str, ...] = ()


class FilmShelf:
    """Films that stay open between two clips; the ones not used for longest are closed."""

    def __init__(self, frame_rate: float, most: int = _FILMS_OPEN) -> None:
        self._frame_rate = frame_rate
        self._most = most
        self._open: OrderedDict[Path, FrameSource] = OrderedDict()

    def film(self, path: Path) -> FrameSource:
        """The film, open."""
        if path not in self._open:
            self._open[path] = open_film(path, self._frame_rate, warn=False, threads=1)
            if len(self._open) > self._most:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(path)
        return self._open[path]

    def drop(self, path: Path) -> None:
        """Close a film that has failed."""
        if path in self._open:
            self._open.pop(path).close()


@dataclass
class ActionSamples(Dataset[Sample]):
    """Clips around annotated key frames, varied anew in every epoch.

    Attributes:
        key_frames: what is annotated, and where.
        clip: which frames a clip has.
        augmentation: how they are varied.
        mirrored: ``int64[N]`` action that each action becomes in the mirror.
        seed: with epoch and index it decides every draw, whichever process makes it.
        memory: bytes of decoded clips that are kept for the next epoch.
    """

    key_frames: KeyFrames
    clip: ClipConfig
    augmentation: AugmentationConfig
    mirrored: NDArray[np.int64]
    seed: int = 0
    memory: float = 0.0
    _shelf: FilmShelf | None = field(default=None, repr=False)
    _kept: dict[int, Sequence[Image]] = field(default_factory=dict, repr=False)
    _kept_bytes: int = 0

    def __len__(self) -> int:
        return len(self.key_frames)

    def __getitem__(self, draw: Draw) -> Sample:
        """Read a sample; one that cannot be read is replaced by the next that can, and reported."""
        problems: list[str] = []
        for step in range(min(_SUBSTITUTES, len(self))):
            index = (draw.sample + step) % len(self)
            try:
                return self._read(Draw(draw.epoch, index), tuple(problems))
            except (InputError, OSError, ValueError) as problem:
                problems.append(f"{self.key_frames.name(index)}: {problem}")
                if self._shelf is not None:
                    self._shelf.drop(self.key_frames.film(index).path)
        raise InputError(f"{len(problems)} samples in a row cannot be read; the last one: {problems[-1]}")

    def _read(self, draw: Draw, problems: tuple[str, ...]) -> Sample:
        random = np.random.default_rng([self.seed, draw.epoch, draw.sample])
        variation, frames = self.augmentation, self.key_frames
        info = frames.film(draw.sample)
        view = draw_view(
            random,
            info.height,
            info.width,
            short_side=variation.short_side,
            crop=variation.crop,
            flip=variation.flip,
        )
        recolouring = draw_recolouring(random, colour=variation.colour, lighting=variation.lighting)
        pictures = self._pictures(draw.sample, view)
        boxes, targets = frames.persons(draw.sample)
        placed = view.boxes(boxes)
        if view.mirrored:
            targets = targets[:, self.mirrored]
        if not variation.keep_boxes_outside:
            seen = area(placed) > 0
            placed, targets = placed[seen], targets[seen]
        return Sample(frames.name(draw.sample), pictures, placed, targets, recolouring, problems)

    def _pictures(self, sample: int, view: View) -> Sequence[Image]:
        """The frames of a clip as the view shows them."""
        if sample in self._kept:
            return [view.image(image) for image in self._kept[sample]]
        info = self.key_frames.film(sample)
        keeping = self._kept_bytes < self.memory
        self._shelf = self._shelf or FilmShelf(self.key_frames.frame_rate)
        clip = read_clip(
            self._shelf.film(info.path),
            float(self.key_frames.times[sample]),
            num_frames=self.clip.num_frames,
            sampling_rate=self.clip.sampling_rate,
            prepare=(lambda image: image) if keeping else view.image,
        )
        if clip is None:
            raise InputError("lies beyond the film's end")
        if not keeping:
            return clip.frames
        self._kept[sample] = clip.frames
        self._kept_bytes += sum(image.nbytes for image in clip.frames)
        return [view.image(image) for image in clip.frames]
