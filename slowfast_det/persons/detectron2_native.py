"""Detectron2 itself as a person detector, where it is installed: for what of it is not at home here.

Nothing in a file is run: a configuration is read as plain yaml, weights by our own reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import torch

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.persons.detectron2_settings import Detectron2Settings
from slowfast_det.persons.detectron2_weights import arrays_of, as_numbers, beside_network, listed
from slowfast_det.persons.frames import in_colour
from slowfast_det.persons.options import PERSON, DetectorOptions, Kept
from slowfast_det.persons.protocol import PersonBoxes
from slowfast_det.precision import arithmetic
from slowfast_det.weights.files import open_weights

PREFIX = "detectron2:"
RECIPE = (
    "pip install 'setuptools<82' wheel ninja && FORCE_CUDA=0 pip install --no-build-isolation "
    "git+https://github.com/facebookresearch/detectron2"
)
_FORMS = f"{PREFIX}CONFIG or {PREFIX}CONFIG@WEIGHTS is expected, CONFIG a yaml file or a name of its model zoo"


class NativeDetector:
    """Detectron2's own predictor, reduced to persons."""

    def __init__(self, predictor: Any, kept: Kept, options: DetectorOptions) -> None:
        """``predictor``: a ``detectron2.engine.DefaultPredictor``; ``kept``: which of its classes are persons."""
        self._predictor = predictor
        self._kept = kept
        self._options = options

    @property
    def classes(self) -> tuple[str, ...]:
        """What it finds."""
        return self._kept.names

    def __call__(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """Find the persons of each RGB ``uint8[H, W, 3]`` frame, one after another as the predictor does it."""
        with arithmetic(self._options.precision, self._predictor.model.device):
            return [self._persons(self._predictor(frame[:, :, ::-1])["instances"]) for frame in in_colour(frames)]

    def _persons(self, found: Any) -> PersonBoxes:
        chosen, classes = self._kept.of(found.pred_classes)
        boxes, scores = found.pred_boxes.tensor[chosen], found.scores[chosen]
        above = scores > self._options.min_score  # one-stage detectors have a least score of their own
        return self._options.persons(boxes[above], scores[above], classes[above])

    def to(self, device: torch.device | str) -> Self:
        """The detector on another device."""
        self._predictor.model.to(device)
        return self


def native_detector(name: str, options: DetectorOptions, settings: Detectron2Settings | None = None) -> NativeDetector:
    """Detectron2's detector of a configuration.

    Args:
        name: ``detectron2:CONFIG`` or ``detectron2:CONFIG@WEIGHTS``. CONFIG is a yaml file or a name of the model
            zoo such as ``COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml``; without WEIGHTS they are the zoo's, or
            what the yaml's ``MODEL.WEIGHTS`` names.
        options: those that are not given are the configuration's.
        settings: its ``person`` counts; the rest is in the configuration.

    Raises:
        InputError: Detectron2 is not installed, or there is no such configuration or file.
    """
    text, _, weights = name.removeprefix(PREFIX).partition("@")
    if not text:
        raise InputError(f"{name}: {_FORMS}")
    model_zoo, engine = _import("model_zoo", name), _import("engine", name)
    cfg = _configuration(model_zoo, text, not weights, name)
    kept = _kept(cfg, options, settings, name)
    weights = weights or cfg.MODEL.WEIGHTS
    _apply(cfg, options)
    predictor = engine.DefaultPredictor(cfg)
    _load(predictor.model, weights, name)
    return NativeDetector(predictor, kept, options)


def _kept(cfg: Any, options: DetectorOptions, settings: Detectron2Settings | None, name: str) -> Kept:
    """Persons, or the actors that are asked for, by the names that Detectron2 has for the data it was trained on."""
    if options.actors is None:
        return Kept((PERSON,), [settings.person if settings else 0])
    catalogue = import_module("detectron2.data").MetadataCatalog
    known = [catalogue.get(data).get("thing_classes") for data in cfg.DATASETS.TRAIN]
    if not known or not known[0]:
        raise InputError(f"{name}: does not name its classes; a number is expected: Detectron2Settings(person=...)")
    return options.kept(known[0], name)


def _import(part: str, name: str) -> Any:
    try:
        return import_module(f"detectron2.{part}")
    except ImportError as problem:
        raise InputError(
            f"{name}: Detectron2 cannot be imported ({problem}); it is not on PyPI: {RECIPE}; its Faster R-CNN files "
            "of weights are read without it"
        ) from None


def _configuration(model_zoo: Any, text: str, trained: bool, name: str) -> Any:
    """A configuration; a file's must do without the tags of yaml that run something."""
    try:
        if not Path(text).is_file() and text.endswith(".yaml") and ".." not in Path(text).parts:
            return model_zoo.get_config(text, trained)  # part of the installed package; some have such tags
        cfg = import_module("detectron2.config").get_cfg()
        cfg.merge_from_file(text, allow_unsafe=False)
    except Exception as problem:  # yaml, unknown keys, no such name: each has an error of its own
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise InputError(f"{name}: is no configuration that Detectron2 reads ({first}); {_FORMS}") from None
    return cfg


def _apply(cfg: Any, options: DetectorOptions) -> None:
    cfg.MODEL.WEIGHTS = ""  # the predictor would unpickle them, and a pickle can run anything
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = options.min_score
    if options.min_size is not None:
        cfg.INPUT.MIN_SIZE_TEST = options.min_size
    if options.max_size is not None:
        cfg.INPUT.MAX_SIZE_TEST = options.max_size
    if options.max_overlap is not None:
        cfg.MODEL.ROI_HEADS.NMS_THRESH_TEST = options.max_overlap


def _load(model: Any, weights: str, name: str) -> None:
    """Weights by our reader, from a file or from wherever Detectron2 fetches and keeps its own."""
    if not weights:
        raise InputError(f"{name}: its configuration names no weights; {PREFIX}CONFIG@WEIGHTS is expected")
    paths = import_module("detectron2.utils.file_io").PathManager
    try:
        path = Path(weights) if Path(weights).is_file() else Path(paths.get_local_path(weights))
    except Exception as problem:  # whatever its downloads fail with
        raise InputError(f"{name}: the weights {weights} are not here and cannot be fetched ({problem})") from None
    arrays = arrays_of(open_weights(path).content)
    if arrays is None:
        raise InputError(f"{path}: holds no weights of Detectron2")
    try:
        keys = model.load_state_dict(as_numbers(arrays, str(path)), strict=False)
    except RuntimeError as problem:
        raise InputError(f"{path}: its tensors do not fit {name} ({str(problem).splitlines()[1].strip()})") from None
    missing, unknown = ([key for key in each if not beside_network(key)] for each in keys)
    if missing or unknown:
        problems = [listed("lacks", missing), listed("has unknown tensors", unknown)]
        raise InputError(f"{path}: {', '.join(filter(None, problems))} for {name}")
