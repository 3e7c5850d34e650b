"""What is measured: the network, the person detectors, loading, a whole prediction, a training step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import FasterRCNN

from ava_tools.boxes import to_pixels
from ava_tools.media.frames import Image
from ava_tools.media.probe import FilmInfo
from ava_tools.media.reader import open_film
from ava_tools.safe_pickle import shown
from slowfast_det.benchmark.measuring import Part, Way
from slowfast_det.checkpoints.model import Model
from slowfast_det.clips.geometry import clip_size
from slowfast_det.clips.stream import ClipStream
from slowfast_det.persons.options import COCO_LABELS, DetectorOptions
from slowfast_det.persons.protocol import PersonBoxes, PersonDetector
from slowfast_det.persons.torchvision_networks import build
from slowfast_det.persons.torchvision_rcnn import TorchvisionDetector
from slowfast_det.pipeline import ActionDetector
from slowfast_det.precision import Precision, arithmetic, half_type
from slowfast_det.recipe import TrainingConfig
from slowfast_det.span import Span
from slowfast_det.training.optimiser import make_optimiser

_BOXES = ((0.10, 0.15, 0.55, 0.90), (0.50, 0.05, 0.98, 0.75), (0.33, 0.40, 0.41, 0.52))  # again and again
_SCORE = 0.5  # with drawn weights no person is found, so that all ways do the same


@dataclass(frozen=True)
class Setting:
    """What is common to the parts.

    Attributes:
        model: the action detector.
        detector: kind of the person detector, of `build`; its weights are drawn, for times hardly depend on them.
        film: a film; where the size of clips is given, the network and the training step need none.
        device: what computes.
        batch: clips or frames at once, of network, persons and training; a prediction takes what it takes.
        persons: boxes of a clip.
        size: height and width of the clips; None: what the film gives.
        halves: precisions besides fp32.
        compiled: whether torch.compile is measured too.
    """

    model: Model
    detector: str
    film: FilmInfo
    device: torch.device
    batch: int = 1
    persons: int = 3
    size: tuple[int, int] | None = None
    halves: tuple[Precision, ...] = ()
    compiled: bool = False

    @property
    def usual(self) -> Precision:
        """The fastest precision."""
        return self.halves[0] if self.halves else "auto"

    @property
    def clip_size(self) -> tuple[int, int]:
        """Height and width of the clips."""
        look = self.model.clip
        return self.size or clip_size(self.film.height, self.film.width, look.short_side, look.geometry)


def network_part(setting: Setting) -> Part:
    """The action network on clips that are there, as `--precision` says; fp32 is as it is written."""
    written, (clip, boxes) = setting.model.network, _inputs(setting)
    fast: dict[str, nn.Module] = {"auto": written.optimized("auto")}
    fast |= {precision: written.optimized(precision) for precision in setting.halves}
    if setting.compiled:
        for precision in ("auto", *setting.halves):
            fast[f"{precision}, compiled"] = written.optimized(precision, compile=True)
    ways: dict[str, Way] = {"fp32": partial(_infer, written, clip, boxes)}
    ways |= {name: partial(_infer, network, clip, boxes) for name, network in fast.items()}
    height, width = setting.clip_size
    told = f"{setting.model.name}, {setting.batch} x {height}x{width}, {setting.persons} persons each"
    return Part("network", told, "clips", setting.batch, _gflop(ways["fp32"]), ways)


def persons_part(setting: Setting) -> Part:
    """The person detector on frames that are there; the first way is torchvision's own call."""
    film = setting.film
    random = np.random.default_rng(0)
    frames: list[Image] = [
        random.integers(0, 256, (film.height, film.width, 3), dtype=np.uint8) for _ in range(setting.batch)
    ]
    network = _drawn_detector(setting)
    ways: dict[str, Way] = {"torchvision": partial(_plain, network, frames, setting.device)}
    for precision in ("fp32", "auto", *setting.halves):
        ways[precision] = partial(_detector(setting, precision, network), frames)
    told = f"{setting.detector}, {setting.batch} x {film.height}x{film.width}"
    return Part("persons", told, "frames", setting.batch, _gflop(ways["torchvision"]), ways)


def loading_part(setting: Setting) -> Part:
    """Decoding a film, against decoding, sampling and resizing it for a key frame every second."""
    look, film = setting.model.clip, setting.film

    def decode() -> None:
        import av

        with av.open(str(film.path)) as container:
            for _ in container.decode(video=0):
                pass

    def clips() -> None:
        with open_film(film.path) as source:
            size = replace(setting, size=None).clip_size
            with ClipStream(
                source, Span().moments, size, num_frames=look.num_frames, sampling_rate=look.sampling_rate
            ) as cut:
                for _ in cut:
                    pass

    span = look.num_frames * look.sampling_rate
    told = f"{shown(film.name)}, {film.height}x{film.width}, {look.num_frames} of {span} frames"
    return Part("loading", told, "films", 1, None, {"PyAV alone": decode, "clips": clips})


def predict_part(setting: Setting) -> Part:
    """A whole prediction, against its network and detector alone, called as often."""
    persons = _FixedPersons(_detector(setting, setting.usual, _drawn_detector(setting)), setting.persons)
    action = ActionDetector(setting.model, persons, str(setting.device), setting.usual)
    with open_film(setting.film.path) as source:
        frame = next(iter(source.frames())).rgb()
    key_frames = len(action(setting.film.path))
    clip, boxes = _inputs(replace(setting, size=None, batch=1))

    def alone() -> None:
        for _ in range(key_frames):
            persons.detector([frame])
            _infer(action.scorer.network, clip, boxes)

    film = f"{shown(setting.film.name)}, {setting.film.height}x{setting.film.width}"
    told = f"{setting.model.name}, {setting.detector}, {film}, {setting.persons} persons, {setting.usual}"
    ways: Mapping[str, Way] = {"network and detector alone": alone, "predict": lambda: action(setting.film.path)}
    return Part("predict", told, "key frames", key_frames, None, ways)


def fixed_detector(setting: Setting) -> ActionDetector:
    """Finds actions of persons that are looked for with drawn weights, and found wherever they are not."""
    persons = _FixedPersons(_detector(setting, setting.usual, _drawn_detector(setting)), setting.persons)
    return ActionDetector(setting.model, persons, str(setting.device), setting.usual)


def network_way(setting: Setting) -> Way:
    """The action network, made for inference, on clips that are there."""
    return partial(_infer, setting.model.network.optimized(setting.usual), *_inputs(setting))


def training_part(setting: Setting) -> Part:
    """Forward, backward and update, of a clip that is there; the first way is fp32 in torch's usual layout."""
    plain = _training_step(setting, "fp32", torch.contiguous_format)
    ways: dict[str, Way] = {"fp32, usual layout": plain}
    for precision in ("fp32", *setting.halves):
        ways[precision] = _training_step(setting, precision, torch.channels_last_3d)
    height, width = setting.clip_size
    told = f"{setting.model.name}, {setting.batch} x {height}x{width}, {setting.persons} persons each"
    return Part("training", told, "clips", setting.batch, _gflop(plain), ways)


PARTS: Mapping[str, Callable[[Setting], Part]] = {
    "network": network_part,
    "persons": persons_part,
    "loading": loading_part,
    "predict": predict_part,
    "training": training_part,
}


class _FixedPersons:
    """Looks for persons, and finds some wherever they are not."""

    def __init__(self, detector: PersonDetector, count: int) -> None:
        self.detector, self._count = detector, count

    def __call__(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        self.detector(frames)
        return [
            PersonBoxes(to_pixels(_boxes(self._count), frame.shape[1], frame.shape[0]), np.ones(self._count))
            for frame in frames
        ]


def _boxes(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.resize(np.array(_BOXES), (count, 4))


def _inputs(setting: Setting) -> tuple[Tensor, Tensor]:
    count, (height, width) = setting.batch, setting.clip_size
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(count, 3, setting.model.clip.num_frames, height, width, generator=generator)
    pixels = np.concatenate([to_pixels(_boxes(setting.persons), width, height)] * count)
    indices = np.repeat(np.arange(count), setting.persons)
    boxes = torch.from_numpy(np.column_stack([indices, pixels]).astype(np.float32))
    return clip.to(setting.device), boxes.to(setting.device)


def _infer(network: nn.Module, clip: Tensor, boxes: Tensor) -> None:
    with torch.inference_mode():
        network(clip, boxes)


def _gflop(way: Way) -> float:
    """Multiplications and additions of a call that is made of torch's own layers, in billions."""
    with FlopCounterMode(display=False) as counter:
        way()
    flop: int = counter.get_total_flops()
    return flop / 1e9


def _plain(network: nn.Module, frames: Sequence[Image], device: torch.device) -> None:
    with torch.inference_mode():
        network([torch.from_numpy(frame).to(device).permute(2, 0, 1) / 255 for frame in frames])


def _drawn_detector(setting: Setting) -> FasterRCNN:
    torch.manual_seed(0)
    network = build(setting.detector, len(COCO_LABELS) + 1, min_score=_SCORE).eval()
    network.to(setting.device)
    return network


def _detector(setting: Setting, precision: Precision, network: FasterRCNN) -> TorchvisionDetector:
    options = DetectorOptions(_SCORE, precision=precision)
    return TorchvisionDetector(network, options, COCO_LABELS).to(setting.device)


def _training_step(setting: Setting, precision: Precision, layout: torch.memory_format) -> Way:
    network = copy.deepcopy(setting.model.network).train().to(memory_format=layout)
    optimiser = make_optimiser(network, TrainingConfig())
    clip, boxes = _inputs(setting)
    clip = clip.to(memory_format=layout)
    targets = torch.zeros(len(boxes), len(setting.model.labels), device=setting.device)
    assert half_type(precision, setting.device) != torch.float16, "which needs its gradients scaled"

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with arithmetic(precision, setting.device):
            loss = binary_cross_entropy_with_logits(network(clip, boxes).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step
