"""AVA's files, films and metric; numpy and pandas, never torch.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels, ava_labels

if TYPE_CHECKING:
    from ava_tools.box_evaluation import evaluate_person_boxes
    from ava_tools.comparison import compare
    from ava_tools.evaluation import Report, evaluate
    from ava_tools.html_report import save_html
    from ava_tools.identity_evaluation import IdentityReport, evaluate_identities
    from ava_tools.label_files import read_labels
    from ava_tools.tables import read_detections, read_key_frames, read_person_boxes, read_truth
    from ava_tools.video_evaluation import Linking, VideoReport, video_map

_HOMES = {
    "IdentityReport": "identity_evaluation",
    "Linking": "video_evaluation",
    "Report": "evaluation",
    "compare": "comparison",
    "evaluate": "evaluation",
    "evaluate_identities": "identity_evaluation",
    "evaluate_person_boxes": "box_evaluation",
    "read_detections": "tables",
    "read_labels": "label_files",
    "read_key_frames": "tables",
    "read_person_boxes": "tables",
    "read_truth": "tables",
    "VideoReport": "video_evaluation",
    "save_html": "html_report",
    "video_map": "video_evaluation",
}
__all__ = [
    "Action",
    "IdentityReport",
    "InputError",
    "Labels",
    "Linking",
    "Report",
    "VideoReport",
    "ava_labels",
    "compare",
    "evaluate",
    "evaluate_identities",
    "evaluate_person_boxes",
    "read_detections",
    "read_key_frames",
    "read_labels",
    "read_person_boxes",
    "read_truth",
    "save_html",
    "video_map",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
