"""Clips to train on, read from their films in any order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from ava_tools.boxes import Boxes, area
from ava_tools.errors import InputError
from ava_tools.media.frames import FrameSource, Image
from ava_tools.media.reader import open_film
from slowfast_det.clips.augment import Recolouring, View, draw_recolouring, draw_view
from slowfast_det.clips.sample import read_clip
from slowfast_det.config import ClipConfig
from slowfast_det.recipe import AugmentationConfig
from slowfast_det.training.key_frames import KeyFrames

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_FILMS_OPEN = 4  # of each process; clips of a film are rarely drawn one after the other
_SUBSTITUTES = 20  # samples tried in the place of one that cannot be read


class Draw(NamedTuple):
    """Which sample, in which epoch and step: together they decide everything about it."""

    epoch: int
    sample: int
    step: int = 0


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
        self._told: set[Path] = set()

    def film(self, path: Path) -> FrameSource:
        """The film, open."""
        if path not in self._open:
            threads = None if get_worker_info() is None else 1  # a worker shares the machine with others
            self._open[path] = open_film(path, self._frame_rate, warn=path not in self._told, threads=threads)
            self._told.add(path)
            if len(self._open) > self._most:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(path)
        return self._open[path]

    def drop(self, path: Path) -> None:
        """Close a film that has failed."""
        if path in self._open:
            self._open.pop(path).close()


class Readable(Protocol[T_co]):
    """Samples of which any may turn out to be unreadable."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def name(self, sample: int) -> str:
        """What to call one in messages."""
        ...

    def read(self, draw: Draw, problems: tuple[str, ...]) -> T_co:
        """Read a sample; ``problems`` are why those before it in this place could not be read."""
        ...

    def failed(self, sample: int) -> None:
        """Let go of what a sample is read from."""
        ...


def first_readable(samples: Readable[T], draw: Draw) -> T:
    """A sample, or the next one that can be read.

    Raises:
        InputError: many in a row cannot.
    """
    problems: list[str] = []
    total = len(samples)
    for offset in range(min(_SUBSTITUTES, total)):
        index = (draw.sample + offset) % total
        try:
            return samples.read(draw._replace(sample=index), tuple(problems))
        except Exception as problem:  # films fail in every way that FFmpeg and OpenCV know
            name = samples.name(index)
            problems.append(str(problem) if str(problem).startswith(name) else f"{name}: {problem}")
            samples.failed(index)
    raise InputError(f"{len(problems)} samples in a row cannot be read; the last one: {problems[-1]}")


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

    def name(self, sample: int) -> str:
        """What to call a sample in messages."""
        return self.key_frames.name(sample)

    def __getitem__(self, draw: Draw) -> Sample:
        """Read a sample; one that cannot be read is replaced by the next that can, and reported."""
        return first_readable(self, draw)

    def failed(self, sample: int) -> None:
        """Close the film of a sample that could not be read."""
        if self._shelf is not None:
            self._shelf.drop(self.key_frames.film(sample).path)

    def read(self, draw: Draw, problems: tuple[str, ...]) -> Sample:
        """The sample itself."""
        random = np.random.default_rng([self.seed, draw.epoch, draw.sample])
        variation, frames = self.augmentation, self.key_frames
        info = frames.film(draw.sample)
        sizes = variation.short_side
        if variation.crop is None:  # clips of a step must have one size to share a tensor
            shared = np.random.default_rng([self.seed, draw.epoch, draw.step]).uniform(1 / sizes[1], 1 / sizes[0])
            sizes = (round(1 / shared), round(1 / shared))
        view = draw_view(
            random,
            info.height,
            info.width,
            short_side=sizes,
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
            index_base=self.clip.index_base,
        )
        if clip is None:
            raise InputError("lies beyond the film's end")
        if not keeping:
            return clip.frames
        self._kept[sample] = clip.frames
        self._kept_bytes += sum(image.nbytes for image in clip.frames)
        return [view.image(image) for image in clip.frames]
