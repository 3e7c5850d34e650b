"""How well tracked boxes keep the identities of the truth: CLEAR MOT's counts, and IDF1.

Sources: Bernardin & Stiefelhagen, Evaluating multiple object tracking performance (2008), for matches, switches and
MOTA; Ristani et al., Performance measures for multi-target, multi-camera tracking (2016), for IDF1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ava_tools.boxes import Boxes
from ava_tools.metrics.average_precision import NOBODY, Floats, Ints, paired_iou


@dataclass(frozen=True)
class TrackedBoxes:
    """Boxes of one film that say whose they are.

    Attributes:
        frame: ``int64[K]`` number of its key frame, from 0, rising with time; any may be left out.
        person: ``int64[K]`` identity, any number; nobody has two boxes on a frame.
        boxes: ``float64[K, 4]`` xyxy, any unit, the same for truth and tracks.
    """

    frame: Ints
    person: Ints
    boxes: Boxes

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class IdentityQuality:
    """What became of the persons of one film, or of several (`summed`). Ratios are NaN where nothing is divided.

    Attributes:
        truth, found: boxes of the truth, and of the tracks.
        persons, identities: how many different ones they have.
        matches: boxes of the truth with a box of the tracks.
        switches: how often a person is matched to another identity than the last time.
        fragmentations: how often a person who was matched, then missed, is matched again; being away is no miss.
        transfers: how often an identity is matched to another person than the last time. CLEAR MOT does not count
            them: whoever gets the identity of somebody who has left, and keeps it, has no switch.
        identity_matches: matches that are left where each person has one identity in a film, and each identity one
            person, so that most are left (IDTP).
        overlap: sum of the IoU of all matches.
        seconds, matched_seconds: time of the truth's boxes, and of those that are matched.
    """

    truth: int = 0
    found: int = 0
    persons: int = 0
    identities: int = 0
    matches: int = 0
    switches: int = 0
    fragmentations: int = 0
    transfers: int = 0
    identity_matches: int = 0
    overlap: float = 0.0
    seconds: float = 0.0
    matched_seconds: float = 0.0

    @property
    def misses(self) -> int:
        """Boxes of the truth without one of the tracks."""
        return self.truth - self.matches

    @property
    def false_positives(self) -> int:
        """Boxes of the tracks without one of the truth."""
        return self.found - self.matches

    @property
    def mota(self) -> float:
        """1 - (misses + false positives + switches) / truth; it may be negative."""
        return 1 - _ratio(self.misses + self.false_positives + self.switches, self.truth)

    @property
    def idf1(self) -> float:
        """Share of identity matches among the boxes of both, 0 to 1."""
        return _ratio(2 * self.identity_matches, self.truth + self.found)

    @property
    def recall(self) -> float:
        """Share of the truth that is matched."""
        return _ratio(self.matches, self.truth)

    @property
    def precision(self) -> float:
        """Share of the tracks' boxes that are matched."""
        return _ratio(self.matches, self.found)

    @property
    def mean_overlap(self) -> float:
        """Mean IoU of the matches (MOTP)."""
        return _ratio(self.overlap, self.matches)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def summed(parts: Iterable[IdentityQuality]) -> IdentityQuality:
    """Counts of several films together; persons of different films are different ones."""
    return IdentityQuality(*map(sum, zip(*map(astuple, parts), strict=True)))


def identity_quality(
    truth: TrackedBoxes, tracks: TrackedBoxes, min_iou: float = 0.5, seconds_a_frame: float = 1.0
) -> IdentityQuality:
    """Compare the tracks of one film with its truth.

    Args:
        truth: the persons of all key frames that count.
        tracks: what was found on these key frames.
        min_iou: least overlap of a match, more than 0.
        seconds_a_frame: time for which a key frame stands.
    """
    pairs = _overlapping(truth, tracks, min_iou)
    match = _matched(truth, tracks, pairs)
    hits = np.flatnonzero(match != NOBODY)
    partner = match[hits]
    return IdentityQuality(
        truth=len(truth),
        found=len(tracks),
        persons=len(np.unique(truth.person)),
        identities=len(np.unique(tracks.person)),
        matches=len(hits),
        switches=_changes(truth.person[hits], truth.frame[hits], tracks.person[partner]),
        fragmentations=_resumptions(truth.person, truth.frame, match != NOBODY),
        transfers=_changes(tracks.person[partner], truth.frame[hits], truth.person[hits]),
        identity_matches=_identity_matches(truth.person[pairs.truth], tracks.person[pairs.track]),
        overlap=float(paired_iou(truth.boxes[hits], tracks.boxes[partner]).sum()),
        seconds=len(truth) * seconds_a_frame,
        matched_seconds=len(hits) * seconds_a_frame,
    )


@dataclass(frozen=True)
class _Pairs:
    """Rows of the truth and of the tracks that share a frame and overlap enough, by rising frame; ``[P]``."""

    truth: Ints
    track: Ints
    iou: Floats

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> _Pairs:
        return _Pairs(self.truth[rows], self.track[rows], self.iou[rows])


def _overlapping(truth: TrackedBoxes, tracks: TrackedBoxes, min_iou: float) -> _Pairs:
    mine, theirs = np.argsort(truth.frame, kind="stable"), np.argsort(tracks.frame, kind="stable")
    first = np.searchsorted(tracks.frame[theirs], truth.frame[mine])
    count = np.searchsorted(tracks.frame[theirs], truth.frame[mine], side="right") - first
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    rows, others = np.repeat(mine, count), theirs[place]
    iou = paired_iou(truth.boxes[rows], tracks.boxes[others])
    return _Pairs(rows, others, iou).take(iou >= min_iou)


def _matched(truth: TrackedBoxes, tracks: TrackedBoxes, pairs: _Pairs) -> Ints:
    """Row of the tracks that each row of the truth is matched to, ``int64[len(truth)]``; `NOBODY` where none is.

    Frame by frame, whoever still overlaps the identity that he was last matched to keeps it, however long ago that
    was; of several who had the same one, he who had it last. The rest is assigned so that the sum of overlaps is
    largest.
    """
    _, person = np.unique(truth.person, return_inverse=True)
    _, identity = np.unique(tracks.person, return_inverse=True)
    match = np.full(len(truth), NOBODY, dtype=np.int64)
    last = np.full(person.max(initial=-1) + 1, NOBODY, dtype=np.int64)  # identity of each person
    since = np.full(len(last), NOBODY, dtype=np.int64)  # number of the frame on which it was matched
    ends = np.flatnonzero(np.diff(truth.frame[pairs.truth], append=-1)) + 1
    for frame, (start, end) in enumerate(pairwise([0, *ends])):
        here = pairs.take(slice(start, end))
        known = here.take(last[person[here.truth]] == identity[here.track])
        known = known.take(np.argsort(-since[person[known.truth]], kind="stable"))
        known = known.take(np.unique(known.track, return_index=True)[1])
        match[known.truth] = known.track
        left = here.take(~np.isin(here.truth, known.truth) & ~np.isin(here.track, known.track))
        new = left.take(_assigned(left))
        match[new.truth] = new.track
        rows = np.concatenate([known.truth, new.truth])
        last[person[rows]], since[person[rows]] = identity[match[rows]], frame
    return match


def _assigned(pairs: _Pairs) -> Ints:
    """The pairs in which nobody stands twice and whose sum of overlaps is largest."""
    truth, row = np.unique(pairs.truth, return_inverse=True)
    track, column = np.unique(pairs.track, return_inverse=True)
    number = np.full((len(truth), len(track)), NOBODY, dtype=np.int64)
    overlap = np.zeros(number.shape)
    number[row, column] = np.arange(len(pairs.truth))
    overlap[row, column] = pairs.iou
    chosen = number[linear_sum_assignment(overlap, maximize=True)]
    return np.asarray(chosen[chosen != NOBODY], dtype=np.int64)


def _changes(owner: Ints, frame: Ints, other: Ints) -> int:
    """How often an owner has another ``other`` than the last time."""
    order = np.lexsort((frame, owner))
    same = np.diff(owner[order]) == 0
    return int((same & (np.diff(other[order]) != 0)).sum())


def _resumptions(person: Ints, frame: Ints, tracked: NDArray[np.bool_]) -> int:
    """How often a person is tracked again after frames on which he was there and was not."""
    order = np.lexsort((frame, person))
    again = (np.diff(person[order], prepend=person[order][:1] - 1) != 0) | ~np.roll(tracked[order], 1)
    return int((tracked[order] & again).sum()) - len(np.unique(person[tracked]))


def _identity_matches(person: Ints, identity: Ints) -> int:
    """Most pairs that are left where persons and identities are assigned to each other, one to one."""
    _, row = np.unique(person, return_inverse=True)
    _, column = np.unique(identity, return_inverse=True)
    shared = np.zeros((row.max(initial=-1) + 1, column.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(shared, (row, column), 1)
    return int(shared[linear_sum_assignment(shared, maximize=True)].sum())
