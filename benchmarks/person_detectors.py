"""Images a second of every person detector, beside torchvision's plain call.

    python benchmarks/person_detectors.py [--rounds 7] [--height 720] [--width 1280] [--batch 1] [--device auto]

Weights are drawn, so nothing is downloaded; times hardly depend on them: the number of regions is fixed. The plain
call is what torchvision documents: an image as numbers from 0 to 1 into the model, in inference mode. ``fp32`` is
the same arithmetic step by step, ``auto`` and ``bf16`` are what `load_person_detector` calls so. Detectron2's weights
are compared with torchvision's detector of the same size, and with Detectron2 itself where it is installed. All ways
are measured in turn within each round, so that a busy machine disturbs them alike; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN

from ava_tools.media.frames import Image
from slowfast_det.device import resolve_device
from slowfast_det.persons.detectron2_native import NativeDetector
from slowfast_det.persons.detectron2_network import Detectron2Network
from slowfast_det.persons.detectron2_rcnn import Detectron2Detector
from slowfast_det.persons.detectron2_settings import Convention, Detectron2Settings
from slowfast_det.persons.detectron2_weights import Architecture, their_name
from slowfast_det.persons.options import COCO_CLASSES, COCO_LABELS, DetectorOptions, Kept
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.persons.torchvision_networks import DETECTORS, SMALL, V1, build
from slowfast_det.persons.torchvision_rcnn import TorchvisionDetector
from slowfast_det.precision import Precision

Way = Callable[[], object]
PRECISIONS: tuple[Precision, ...] = ("fp32", "auto", "bf16")
SCORE = 0.5


def plain(network: FasterRCNN, frames: Sequence[Image], device: torch.device) -> Way:
    """Torchvision's own call."""

    def call() -> object:
        with torch.inference_mode():
            return network([torch.from_numpy(frame).to(device).permute(2, 0, 1) / 255 for frame in frames])

    return call


def ours(detector: PersonDetector, frames: Sequence[Image]) -> Way:
    """One of our detectors."""
    return lambda: detector(frames)


def torchvision_ways(kind: str, frames: Sequence[Image], device: torch.device) -> dict[str, Way]:
    """A detector of torchvision's form in every way."""
    torch.manual_seed(0)
    network = build(kind, len(COCO_LABELS) + 1, min_score=SCORE).eval().to(device)
    ways = {"torchvision": plain(network, frames, device)}
    for precision in PRECISIONS:
        options = DetectorOptions(SCORE, precision=precision)
        ways[precision] = ours(TorchvisionDetector(network, options, COCO_LABELS).to(device), frames)
    return ways


def detectron2_ways(frames: Sequence[Image], device: torch.device) -> dict[str, Way]:
    """Weights of Detectron2's R50-FPN in every way."""
    torch.manual_seed(0)
    classes = len(COCO_CLASSES)
    network = Detectron2Network(Architecture((3, 4, 6, 3), 1, 64, 256, 1024, classes, classes), stride_in_1x1=True)
    for name, buffer in network.named_buffers():
        buffer.fill_(float(name.endswith(("weight", "running_var"))))
    for layer in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layer.weight.data.mul_(0.5)
    mean, ones = (103.53, 116.28, 123.675), (1.0, 1.0, 1.0)
    convention = Convention(mean, ones, True, "bgr", Detectron2Settings())
    other = build(V1, len(COCO_LABELS) + 1, min_score=SCORE).eval().to(device)
    ways = {"torchvision": plain(other, frames, device)}
    if find_spec("detectron2") is not None:
        ways["Detectron2"] = ours(native(network, device), frames)
    for precision in PRECISIONS:
        options = DetectorOptions(SCORE, precision=precision)
        ways[precision] = ours(Detectron2Detector(network.eval(), convention, options).to(device), frames)
    return ways


def native(network: Detectron2Network, device: torch.device) -> NativeDetector:
    """Detectron2's own predictor with the same weights."""
    from detectron2 import model_zoo  # type: ignore[import-not-found]
    from detectron2.engine import DefaultPredictor  # type: ignore[import-not-found]

    configuration: Any = model_zoo.get_config("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml")
    configuration.MODEL.WEIGHTS, configuration.MODEL.DEVICE = "", str(device)
    configuration.MODEL.ROI_HEADS.SCORE_THRESH_TEST = SCORE
    predictor = DefaultPredictor(configuration)
    state = {their_name(name): tensor for name, tensor in network.state_dict().items()}
    predictor.model.load_state_dict(state, strict=False)
    return NativeDetector(predictor, Kept(("person",), [0]), DetectorOptions(SCORE))


def measure(ways: dict[str, Way], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each call, way by way; the first round warms up and does not count."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = perf_counter()
            way()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:
                spent[name].append(perf_counter() - begin)
    return spent


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    device = resolve_device(chosen.device)
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (chosen.height, chosen.width, 3), dtype=np.uint8) for _ in range(chosen.batch)]
    print(f"{chosen.width}x{chosen.height}, {chosen.batch} at a time, {device}, {torch.get_num_threads()} threads")
    print("\nimages a second (times torchvision's)")
    for kind in (*DETECTORS, SMALL, "Detectron2 R50-FPN"):
        ways = detectron2_ways(frames, device) if " " in kind else torchvision_ways(kind, frames, device)
        spent = {name: np.array(seconds) for name, seconds in measure(ways, chosen.rounds, device).items()}
        told = [
            f"{name} {len(frames) / np.median(seconds):.2f} ({np.median(spent['torchvision'] / seconds):.2f})"
            for name, seconds in spent.items()
        ]
        print(f"{kind:38} {'   '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
