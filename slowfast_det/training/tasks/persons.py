"""Training to find persons: a Faster R-CNN on single frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.models.detection import FasterRCNN

from ava_tools.boxes import Boxes, to_pixels
from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.clips.sample import read_clip
from slowfast_det.distributed import World
from slowfast_det.person_recipe import FrameVariationConfig, PersonTrainingConfig
from slowfast_det.persons.detector_file import About, save_detector
from slowfast_det.persons.optimize import keep_float
from slowfast_det.persons.options import DetectorOptions
from slowfast_det.persons.torchvision_networks import parts_of
from slowfast_det.persons.torchvision_rcnn import TorchvisionDetector
from slowfast_det.training.batches import Plan, load_batches
from slowfast_det.training.key_frames import KeyFrames
from slowfast_det.training.samples import Draw, FilmShelf, first_readable

Evaluation = Callable[[TorchvisionDetector, World], dict[str, float]]
"""Measures a detector; the processes share the work, and each gets the figures. An empty answer: not measured."""

LEAST_SCORE = 0.05  # of detections that are measured: COCO's AP counts the weak ones too
_LEAST_SIDE = 1e-3  # pixels; torchvision's training fails at boxes without area


@dataclass(frozen=True)
class Portrait:
    """A frame with the persons in it.

    Attributes:
        name: film and timestamp, for messages.
        image: ``uint8[H, W, 3]`` RGB.
        boxes: ``float64[K, 4]``, pixels of the frame.
        classes: ``int64[K]``, numbers of the actors, from 0.
        problems: why other samples that were wanted in this place could not be read.
    """

    name: str
    image: Image
    boxes: Boxes
    classes: NDArray[np.int64]
    problems: tuple[str, ...] = ()


@dataclass
class PersonSamples(Dataset[Portrait]):
    """Key frames, mirrored and brightened anew in every epoch.

    Attributes:
        key_frames: what is annotated, and where.
        variation: how they are varied.
        seed: with epoch and index it decides every draw.
        memory: bytes of frames that are kept for the next epoch.
    """

    key_frames: KeyFrames
    variation: FrameVariationConfig = field(default_factory=FrameVariationConfig)
    seed: int = 0
    memory: float = 0.0
    _shelf: FilmShelf | None = field(default=None, repr=False)
    _kept: dict[int, Image] = field(default_factory=dict, repr=False)
    _kept_bytes: int = 0

    def __len__(self) -> int:
        return len(self.key_frames)

    def name(self, sample: int) -> str:
        """What to call a sample in messages."""
        return self.key_frames.name(sample)

    def __getitem__(self, draw: Draw) -> Portrait:
        """Read a sample; one that cannot be read is replaced by the next that can, and reported."""
        return first_readable(self, draw)

    def failed(self, sample: int) -> None:
        """Close the film of a sample that could not be read."""
        if self._shelf is not None:
            self._shelf.drop(self.key_frames.film(sample).path)

    def read(self, draw: Draw, problems: tuple[str, ...]) -> Portrait:
        """The sample itself."""
        random = np.random.default_rng([self.seed, draw.epoch, draw.sample])
        image = self._frame(draw.sample)
        height, width = image.shape[:2]
        unit, targets = self.key_frames.persons(draw.sample)
        boxes = to_pixels(np.clip(unit, 0, 1), width, height)
        seen = (boxes[:, 2:] - boxes[:, :2] > _LEAST_SIDE).all(axis=1)
        boxes, classes = boxes[seen], targets[seen].argmax(axis=1)
        if random.uniform() < self.variation.flip:
            image = image[:, ::-1]
            boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        if colour := self.variation.colour:
            tint = 1 + random.uniform(-colour, colour, 3)
            light = 255 * random.uniform(-colour, colour) / 2
            image = np.clip(image * tint + light, 0, 255).astype(np.uint8)
        return Portrait(self.key_frames.name(draw.sample), np.ascontiguousarray(image), boxes, classes, problems)

    def _frame(self, sample: int) -> Image:
        if sample in self._kept:
            return self._kept[sample]
        frames = self.key_frames
        self._shelf = self._shelf or FilmShelf(frames.frame_rate)
        film = self._shelf.film(frames.film(sample).path)
        clip = read_clip(film, float(frames.times[sample]), num_frames=1, sampling_rate=1, prepare=lambda image: image)
        if clip is None:
            raise InputError("lies beyond the film's end")
        (image,) = clip.frames
        if self._kept_bytes < self.memory:
            self._kept[sample] = image
            self._kept_bytes += image.nbytes
        return image


@dataclass(frozen=True)
class PortraitBatch:
    """Frames that are computed at once.

    Attributes:
        images: ``uint8 Tensor[3, H, W]`` each.
        boxes: ``Tensor[K, 4]`` each, pixels of the frame.
        classes: ``int64 Tensor[K]`` each, numbers of the actors, from 0.
        names: of the frames.
        problems: why some of the wanted samples could not be read.
    """

    images: tuple[Tensor, ...]
    boxes: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    names: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """How many frames."""
        return len(self.images)

    def pin_memory(self) -> PortraitBatch:
        """The same in memory that a GPU can read while the processor goes on."""
        return replace(
            self,
            images=tuple(each.pin_memory() for each in self.images),
            boxes=tuple(each.pin_memory() for each in self.boxes),
            classes=tuple(each.pin_memory() for each in self.classes),
        )


def collate(samples: Sequence[Portrait]) -> PortraitBatch:
    """Join frames, which may differ in size, into a batch."""
    return PortraitBatch(
        tuple(torch.from_numpy(sample.image).permute(2, 0, 1) for sample in samples),
        tuple(torch.from_numpy(sample.boxes.astype(np.float32)) for sample in samples),
        tuple(torch.from_numpy(sample.classes) for sample in samples),
        tuple(sample.name for sample in samples),
        tuple(problem for sample in samples for problem in sample.problems),
    )


@dataclass
class PersonTask:
    """A detector and the frames that it is trained on.

    Attributes:
        network: what is trained.
        about: what it is, beside its weights.
        samples: frames with the persons in them.
        settings: the optimisation.
        evaluation: measures a detector.
    """

    network: nn.Module
    about: About
    samples: PersonSamples
    settings: PersonTrainingConfig
    evaluation: Evaluation
    memory_format: torch.memory_format = torch.channels_last

    def __post_init__(self) -> None:
        assert isinstance(self.network, FasterRCNN)
        self._size: int = self.network.transform.min_size[-1]
        self._max_size: int = self.network.transform.max_size
        self.network.transform.min_size = self.samples.variation.min_size or (self._size,)
        for part in parts_of(self.network):  # boxes are computed between them, for which half precision is too coarse
            keep_float(part)

    def plan(self) -> Plan:
        """In which order the frames are seen."""
        settings = self.settings
        batch = min(settings.batch, len(self.samples))
        identity = self.samples.key_frames.identity
        task = f"finding {', '.join(self.about.classes)} with min_size {self._size}, max_size {self._max_size}"
        return Plan(len(self.samples), batch, settings.epochs, settings.seed, identity=identity, task=task)

    def batches(self, plan: Plan, world: World, first_step: int) -> Iterator[PortraitBatch]:
        """Batches of this process, from a step on."""
        return load_batches(self.samples, collate, plan, world, first_step, self.settings)

    def losses(self, network: nn.Module, batch: PortraitBatch) -> Tensor:
        """Of each frame the mean over all of them: the detector itself averages over its regions."""
        device = next(network.parameters()).device
        frames = [_thickened(*frame, self._max_size) for frame in zip(batch.images, batch.boxes, strict=True)]
        images = [image.to(device, non_blocking=True).float().div_(255) for image, _ in frames]
        targets = [
            {"boxes": boxes.to(device), "labels": classes.to(device) + 1}
            for (_, boxes), classes in zip(frames, batch.classes, strict=True)
        ]
        parts: dict[str, Tensor] = network(images, targets)
        return torch.stack(list(parts.values())).sum().expand(len(images))

    def evaluate(self, network: nn.Module, world: World) -> dict[str, float]:
        """Measure a detector on held-out key frames."""
        assert isinstance(network, FasterRCNN)
        options = DetectorOptions(LEAST_SCORE, min_size=self._size, actors=self.about.classes)
        return self.evaluation(TorchvisionDetector(network, options, self.about.classes), world)

    def save(self, network: nn.Module, path: Path) -> None:
        """Write the detector as a file that `load_person_detector` reads."""
        save_detector(path, network.state_dict(), self.about)


def _thickened(image: Tensor, boxes: Tensor, max_size: int) -> tuple[Tensor, Tensor]:
    """A frame with its boxes; pixels repeated where nothing of them would be left, at which torchvision fails."""
    height, width = image.shape[1:]
    least = max(height, width) // max_size + 1  # pixels that are resized to one
    rows, columns = (-(-least // side) for side in (height, width))
    if rows == columns == 1:
        return image, boxes
    thick = image.repeat_interleave(rows, dim=1).repeat_interleave(columns, dim=2)
    return thick, boxes * boxes.new_tensor([columns, rows, columns, rows])
