"""Training to find persons: a Faster R-CNN on single frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.models.detection import FasterRCNN

from ava_tools.boxes import Boxes, area, to_pixels
from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.clips.sample import read_clip
from slowfast_det.distributed import World
from slowfast_det.persons.torchvision_rcnn import PERSON, TorchvisionDetector
from slowfast_det.recipe import TrainingConfig
from slowfast_det.training.batches import Plan, load_batches
from slowfast_det.training.key_frames import KeyFrames
from slowfast_det.training.samples import Draw, FilmShelf, first_readable

Evaluation = Callable[[TorchvisionDetector, World], dict[str, float]]


@dataclass(frozen=True)
class Portrait:
    """A frame with the persons in it.

    Attributes:
        name: film and timestamp, for messages.
        image: ``uint8[H, W, 3]`` RGB.
        boxes: ``float64[K, 4]``, pixels of the frame.
        problems: why other samples that were wanted in this place could not be read.
    """

    name: str
    image: Image
    boxes: Boxes
    problems: tuple[str, ...] = ()


@dataclass
class PersonSamples(Dataset[Portrait]):
    """Key frames, mirrored and brightened anew in every epoch.

    Attributes:
        key_frames: what is annotated, and where.
        flip: share of mirrored frames.
        colour: largest change of brightness, and of each colour.
        seed: with epoch and index it decides every draw.
        memory: bytes of frames that are kept for the next epoch.
    """

    key_frames: KeyFrames
    flip: float = 0.5
    colour: float = 0.0
    seed: int = 0
    memory: float = 0.0
    _shelf: FilmShelf | None = field(default=None, repr=False)
    _kept: dict[int, Image] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.key_frames)

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
        boxes = to_pixels(self.key_frames.persons(draw.sample)[0], width, height)
        boxes = boxes[area(boxes) > 0]
        if random.uniform() < self.flip:
            image = image[:, ::-1]
            boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        if self.colour:
            tint = 1 + random.uniform(-self.colour, self.colour, 3)
            light = 255 * random.uniform(-self.colour, self.colour) / 2
            image = np.clip(image * tint + light, 0, 255).astype(np.uint8)
        return Portrait(self.key_frames.name(draw.sample), np.ascontiguousarray(image), boxes, problems)

    def _frame(self, sample: int) -> Image:
        if sample in self._kept:
            return self._kept[sample]
        frames = self.key_frames
        self._shelf = self._shelf or FilmShelf(frames.frame_rate)
        film = self._shelf.film(frames.film(sample).path)
        clip = read_clip(film, float(frames.times[sample]), num_frames=1, sampling_rate=1, prepare=lambda image: image)
        if clip is None:
            raise InputError(f"{frames.name(sample)} lies beyond the film's end")
        if len(self._kept) * clip.frames[0].nbytes < self.memory:
            self._kept[sample] = clip.frames[0]
        return clip.frames[0]


@dataclass(frozen=True)
class PortraitBatch:
    """Frames that are computed at once.

    Attributes:
        images: ``uint8 Tensor[3, H, W]`` each.
        boxes: ``Tensor[K, 4]`` each, pixels of the frame.
        names: of the frames.
    """

    images: tuple[Tensor, ...]
    boxes: tuple[Tensor, ...]
    names: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """How many frames."""
        return len(self.images)

    def pin_memory(self) -> PortraitBatch:
        """The same in memory that a GPU can read while the processor goes on."""
        pinned = tuple(image.pin_memory() for image in self.images), tuple(boxes.pin_memory() for boxes in self.boxes)
        return PortraitBatch(*pinned, self.names, self.problems)


def collate(samples: Sequence[Portrait]) -> PortraitBatch:
    """Join frames, which may differ in size, into a batch."""
    return PortraitBatch(
        tuple(torch.from_numpy(sample.image).permute(2, 0, 1) for sample in samples),
        tuple(torch.from_numpy(sample.boxes.astype(np.float32)) for sample in samples),
        tuple(sample.name for sample in samples),
        tuple(problem for sample in samples for problem in sample.problems),
    )


@dataclass
class PersonTask:
    """A detector and the frames that it is trained on.

    Attributes:
        network: what is trained.
        samples: frames with the persons in them.
        settings: the optimisation.
        evaluation: measures a detector.
    """

    network: nn.Module
    samples: PersonSamples
    settings: TrainingConfig
    evaluation: Evaluation

    def plan(self) -> Plan:
        """In which order the frames are seen."""
        settings = self.settings
        batch = min(settings.batch, len(self.samples))
        identity = self.samples.key_frames.identity
        return Plan(len(self.samples), batch, settings.epochs, settings.seed, identity=identity)

    def batches(self, plan: Plan, world: World, first_step: int) -> Iterator[PortraitBatch]:
        """Batches of this process, from a step on."""
        return load_batches(self.samples, collate, plan, world, first_step, self.settings)

    def losses(self, network: nn.Module, batch: PortraitBatch) -> Tensor:
        """Of each frame the mean over all of them: the detector itself averages over its regions."""
        device = next(network.parameters()).device
        images = [image.to(device).float() / 255 for image in batch.images]
        targets = [
            {"boxes": boxes.to(device), "labels": torch.full((len(boxes),), PERSON, device=device)}
            for boxes in batch.boxes
        ]
        parts: dict[str, Tensor] = network(images, targets)
        return torch.stack(list(parts.values())).sum().expand(len(images))

    def evaluate(self, network: nn.Module, world: World) -> dict[str, float]:
        """Measure a detector on held-out key frames."""
        return self.evaluation(_as_detector(network), world)

    def save(self, network: nn.Module, path: Path) -> None:
        """Write the detector as a file that `load_person_detector` reads."""
        _as_detector(network).save(path)


def _as_detector(network: nn.Module) -> TorchvisionDetector:
    assert isinstance(network, FasterRCNN)
    return TorchvisionDetector(network)
