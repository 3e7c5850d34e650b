"""The three ways in which the field computes AVA's frame mAP, each exactly, by name.

- ``activitynet``: the official code. Of a key frame's labelled boxes the 50 best-scored count;
  detections are matched by falling score; frames that the truth never names are ignored.
- ``pyslowfast``: no cap; detections of a key frame are matched in the order of the file; detections on
  frames without truth are false positives.
- ``mmaction2``: no cap; matched by falling score; float32 boxes and scores; frames without truth are
  ignored; an action without any detection leaves the mean; excluded frames still count as truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProtocolName = Literal["activitynet", "pyslowfast", "mmaction2"]


@dataclass(frozen=True)
class Protocol:
    """The switches in which the peers' evaluations differ.

    Attributes:
        name: the id that is printed with every number.
        cap: labelled boxes of a key frame that count at most, the best-scored ones; None: all.
        matched_by_score: detections are matched by falling score, else in the order of the file.
        unnamed_frames: detections on frames that the truth does not name count as false positives.
        empty_frames: frames that the truth names without a scored box are kept, else ignored.
        silent_actions: an action with truth and no detection counts as 0, else it leaves the mean.
        excluded_truth: truth on excluded frames still counts as truth to be found.
        drop_empty_boxes: detections without area are dropped, else they are false positives.
        single_precision: boxes and scores are float32.
    """

    name: ProtocolName
    cap: int | None = None
    matched_by_score: bool = True
    unnamed_frames: bool = False
    empty_frames: bool = True
    silent_actions: bool = True
    excluded_truth: bool = False
    drop_empty_boxes: bool = True
    single_precision: bool = False


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "activitynet": Protocol("activitynet", cap=50),
    "pyslowfast": Protocol("pyslowfast", matched_by_score=False, unnamed_frames=True),
    "mmaction2": Protocol(
        "mmaction2",
        empty_frames=False,
        silent_actions=False,
        excluded_truth=True,
        drop_empty_boxes=False,
        single_precision=True,
    ),
}
