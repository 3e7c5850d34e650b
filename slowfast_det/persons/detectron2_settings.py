"""What Detectron2's weights do not say, and what its model zoo means by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ava_tools.errors import InputError
from slowfast_det.persons.detectron2_weights import Detectron2Weights

Three = tuple[float, float, float]

_MEAN: Three = (103.53, 116.28, 123.675)  # ImageNet's, BGR
_STD: Three = (57.375, 57.12, 58.395)
_NONE: Three = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Detectron2Settings:
    """The part of Detectron2's configuration that changes results and leaves no trace in the weights.

    None stands for the convention of its model zoo: plain ResNets come from Caffe2 (no deviation, stride in the
    first 1 x 1 convolution), ResNeXts from PyTorch. A training that started from torchvision's weights has
    ``channels="rgb"``, ``pixel_std=(58.395, 57.12, 57.375)`` and ``stride_in_1x1=False``.

    Attributes:
        pixel_mean: ``MODEL.PIXEL_MEAN``, of 0-255, in the order of the channels.
        pixel_std: ``MODEL.PIXEL_STD``.
        stride_in_1x1: ``MODEL.RESNETS.STRIDE_IN_1X1``.
        channels: ``INPUT.FORMAT``, of the network; frames are RGB in any case.
        person: index of the class that is a person; the background comes last.
        min_size: ``INPUT.MIN_SIZE_TEST``, shorter side of the resized frame, pixels.
        max_size: ``INPUT.MAX_SIZE_TEST``, its longer side at most, which wins.
        max_overlap: ``MODEL.ROI_HEADS.NMS_THRESH_TEST``, the largest IoU of two detections of a class.
    """

    pixel_mean: Three | None = None
    pixel_std: Three | None = None
    stride_in_1x1: bool | None = None
    channels: Literal["bgr", "rgb"] | None = None
    person: int = 0
    min_size: int = 800
    max_size: int = 1333
    max_overlap: float = 0.5

    def __post_init__(self) -> None:
        for name in ("min_size", "max_size"):
            if not 1 <= getattr(self, name) <= 8192:
                raise InputError(f"Detectron2's {name} is {getattr(self, name)}; 1 to 8192 pixels are expected")
        if not 0 <= self.max_overlap <= 1:
            raise InputError(f"Detectron2's max_overlap is {self.max_overlap:g}; an IoU from 0 to 1 is expected")
        if self.channels not in (None, "bgr", "rgb"):
            raise InputError(f"Detectron2's channels are {self.channels}; bgr or rgb is expected")
        if self.pixel_std is not None and not all(value > 0 for value in self.pixel_std):
            raise InputError(f"Detectron2's pixel_std is {_text(self.pixel_std)}; numbers above 0 are expected")


@dataclass(frozen=True)
class Convention:
    """What `Detectron2Settings` come to with the weights of one network."""

    mean: Three
    std: Three
    stride_in_1x1: bool
    channels: Literal["bgr", "rgb"]
    settings: Detectron2Settings


def convention_of(weights: Detectron2Weights, settings: Detectron2Settings = Detectron2Settings()) -> Convention:
    """Settle what is open: by the user's word, else by the file's, else by the model zoo's convention.

    Raises:
        InputError: the user contradicts the file, or there is no such class.
    """
    classes = weights.architecture.classes
    if not 0 <= settings.person < classes:
        raise InputError(f"{weights.source}: has no class {settings.person}; it has the classes 0 to {classes - 1}")
    grouped = weights.architecture.groups > 1
    mean = _settled(weights, "pixel_mean", settings.pixel_mean)
    std = _settled(weights, "pixel_std", settings.pixel_std)
    # A red above the blue is ImageNet's mean in RGB; that much the mean tells of the channels.
    channels = settings.channels or ("rgb" if mean is not None and mean[0] > mean[2] else "bgr")
    order = 1 if channels == "bgr" else -1
    return Convention(
        mean=mean or _ordered(_MEAN, order),
        std=std or (_ordered(_STD, order) if grouped else _NONE),
        stride_in_1x1=not grouped if settings.stride_in_1x1 is None else settings.stride_in_1x1,
        channels=channels,
        settings=settings,
    )


def _settled(weights: Detectron2Weights, name: str, given: Three | None) -> Three | None:
    held = weights.pixels.get(name)
    if held is None:
        return given
    if len(held) != 3:
        raise InputError(f"{weights.source}: its {name} has {len(held)} numbers; 3 are expected")
    if given is not None and any(abs(one - other) > 1e-3 for one, other in zip(given, held, strict=True)):
        raise InputError(f"{weights.source}: its {name} is {_text(held)}, not {_text(given)} as was given")
    return held[0], held[1], held[2]


def _ordered(values: Three, order: int) -> Three:
    return values if order == 1 else (values[2], values[1], values[0])


def _text(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
