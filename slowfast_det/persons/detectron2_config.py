"""The configuration that a training of Detectron2 leaves beside its weights (``config.yaml``)."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ava_tools.errors import InputError
from ava_tools.settings import read_text, read_yaml
from slowfast_det.persons.detectron2_settings import Detectron2Settings, Three

_EXPECTED = "the config.yaml that Detectron2 writes into the folder of a training is expected"
# What changes results, leaves no trace in the weights, and is here as in Detectron2's model zoo only.
_FIXED: dict[str, tuple[Any, ...]] = {
    "MODEL.ANCHOR_GENERATOR.SIZES": ([[32], [64], [128], [256], [512]],),
    "MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS": ([[0.5, 1.0, 2.0]],),
    "MODEL.ANCHOR_GENERATOR.OFFSET": (0.0,),
    "MODEL.FPN.FUSE_TYPE": ("sum",),
    "MODEL.PROPOSAL_GENERATOR.MIN_SIZE": (0,),
    "MODEL.RESNETS.RES5_DILATION": (1,),
    "MODEL.ROI_BOX_HEAD.BBOX_REG_WEIGHTS": ([10.0, 10.0, 5.0, 5.0],),
    "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION": (7,),
    "MODEL.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO": (0,),
    "MODEL.ROI_BOX_HEAD.POOLER_TYPE": ("ROIAlignV2",),
    "MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE": (False, None),  # configurations before 2022 lack it
    "MODEL.ROI_HEADS.IN_FEATURES": (["p2", "p3", "p4", "p5"],),
    "MODEL.RPN.BBOX_REG_WEIGHTS": ([1.0, 1.0, 1.0, 1.0],),
    "MODEL.RPN.IN_FEATURES": (["p2", "p3", "p4", "p5", "p6"],),
    "MODEL.RPN.NMS_THRESH": (0.7,),
    "MODEL.RPN.POST_NMS_TOPK_TEST": (1000,),
    "MODEL.RPN.PRE_NMS_TOPK_TEST": (1000,),
    "TEST.DETECTIONS_PER_IMAGE": (100,),
}


def read_settings(path: str | Path, person: int = 0) -> Detectron2Settings:
    """What Detectron2's weights do not say, from the configuration of their training.

    Args:
        path: its ``config.yaml``, which holds every value.
        person: index of the class that is a person; that is not in the configuration.

    Raises:
        InputError: it is no such file, or asks for what is not done here; the sentence names it.
    """
    try:
        content = read_yaml(read_text(Path(path)), str(path))
    except InputError as problem:
        raise InputError(f"{problem}; {_EXPECTED}") from None
    for key, allowed in _FIXED.items():
        if (found := _value(content, key)) not in allowed:
            asked = reprlib.repr(found)
            raise InputError(f"{path}: {key} is {asked}, where only {allowed[0]} is supported; {_EXPECTED}")
    try:
        return Detectron2Settings(
            pixel_mean=_three(content, "MODEL.PIXEL_MEAN"),
            pixel_std=_three(content, "MODEL.PIXEL_STD"),
            stride_in_1x1=bool(_value(content, "MODEL.RESNETS.STRIDE_IN_1X1")),
            channels={"BGR": "bgr", "RGB": "rgb"}[_value(content, "INPUT.FORMAT")],  # type: ignore[arg-type]
            person=person,
            min_size=int(_value(content, "INPUT.MIN_SIZE_TEST")),
            max_size=int(_value(content, "INPUT.MAX_SIZE_TEST")),
            max_overlap=float(_value(content, "MODEL.ROI_HEADS.NMS_THRESH_TEST")),
        )
    except InputError as problem:
        raise InputError(f"{path}: {problem}; {_EXPECTED}") from None
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: its INPUT or MODEL is not as Detectron2 writes them; {_EXPECTED}") from None


def _value(content: Any, key: str) -> Any:
    """The value of a dotted key; None where there is none."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _three(content: Any, key: str) -> Three:
    first, second, third = (float(value) for value in _value(content, key))
    return first, second, third
