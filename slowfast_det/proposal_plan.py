"""Which key frames person boxes are wanted of: those of a data set's splits, or of films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.manifest import DataSet
from ava_tools.media.library import Library, library_of, open_library
from ava_tools.tables import read_truth
from slowfast_det.moments import Moment, annotated_moments, spaced_moments
from slowfast_det.span import Span

FILMS = "person_boxes"  # the only part, where there is no data set


@dataclass(frozen=True)
class Part:
    """Key frames whose boxes belong in one file.

    Attributes:
        name: of the split.
        moments: film by film, rising.
        truth: what is annotated, to tell how many persons are found; None: nothing is.
    """

    name: str
    moments: tuple[Moment, ...]
    truth: pd.DataFrame | None = None


@dataclass(frozen=True)
class ProposalPlan:
    """What is looked at.

    Attributes:
        library: the films.
        parts: the files that come of it.
        time_origin: timestamp of the films' start.
        frame_rate: images a second of folders of frames.
        labels: the data set's actions.
        files: that are read beside the films.
    """

    library: Library
    parts: tuple[Part, ...]
    time_origin: float
    frame_rate: float
    labels: Labels | None = None
    files: tuple[Path, ...] = ()

    @property
    def moments(self) -> tuple[Moment, ...]:
        """All key frames, each once, film by film, rising."""
        films = {name: number for number, name in enumerate(self.library.films)}
        distinct = {moment for part in self.parts for moment in part.moments}
        return tuple(sorted(distinct, key=lambda moment: (films[moment.video], moment.time)))


def plan_for_data_set(
    data_set: DataSet, splits: Sequence[str], every: float | None, start: float | None, end: float | None
) -> ProposalPlan:
    """The annotated key frames of a data set, or one every so many seconds of its films.

    Args:
        data_set: its films are those that the annotations name.
        splits: which of its parts; none: all.
        every: seconds between key frames; None: the annotated ones.
        start, end: seconds from the start of each film; None: as the data set says.

    Raises:
        InputError: a split is not there, a file is wrong, or there is nothing to look at.
    """
    origin = data_set.time_origin
    truths = {}
    for name in splits or data_set.splits:
        split = data_set.split(name)
        truths[name] = data_set.counted(pd.concat([read_truth(path) for path in split.truth]), split)
    names = pd.concat([truth["video"] for truth in truths.values()])
    library = open_library(data_set.films, names, data_set.frame_rate)
    span = _span(data_set, every, start, end)
    parts = []
    for name, truth in truths.items():
        if every is None:
            moments = tuple(each for each in annotated_moments(truth, library, origin) if each.time in span)
        else:
            own = {film: info for film, info in library.films.items() if film in set(truth["video"])}
            moments = spaced_moments(replace(library, films=own), span)
        parts.append(Part(name, moments, truth))
    labels, files = data_set.read_labels(), tuple(data_set.files)
    return _checked(ProposalPlan(library, tuple(parts), origin, data_set.frame_rate, labels, files))


def plan_for_films(paths: Sequence[Path], span: Span, frame_rate: float) -> ProposalPlan:
    """A key frame every so many seconds of films.

    Raises:
        InputError: two films have one name, or there is nothing to look at.
    """
    library = library_of(paths, frame_rate)
    part = Part(FILMS, spaced_moments(library, span))
    return _checked(ProposalPlan(library, (part,), span.time_origin, frame_rate))


def _span(data_set: DataSet, every: float | None, start: float | None, end: float | None) -> Span:
    """Seconds from the films' start, where the data set has timestamps."""
    if start is None and data_set.start is not None:
        start = max(0.0, data_set.start - data_set.time_origin)
    if end is None and data_set.end is not None:
        end = data_set.end - data_set.time_origin
    return Span(every or 1.0, start or 0.0, end)


def _checked(plan: ProposalPlan) -> ProposalPlan:
    if not plan.moments:
        reasons = "; ".join(plan.library.report) or "no key frame lies in the time range"
        raise InputError(f"there is nothing to look at: {reasons}")
    return plan
