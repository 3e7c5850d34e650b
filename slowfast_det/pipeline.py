"""The spine: from a film to who does what in it."""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes, to_unit
from ava_tools.errors import InputError
from ava_tools.media.frames import FrameSource
from ava_tools.media.probe import FilmInfo
from ava_tools.media.reader import open_film
from slowfast_det.ahead import Ahead
from slowfast_det.appearance import looks_of
from slowfast_det.association import Association
from slowfast_det.batches import chosen_batch, in_batches
from slowfast_det.checkpoints.model import Model, load_model
from slowfast_det.clips.geometry import boxes_in_clip, clip_size
from slowfast_det.clips.sample import Clip
from slowfast_det.clips.stream import ClipStream
from slowfast_det.device import resolve_device
from slowfast_det.keyframe import Keyframe
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.persons.torchvision_networks import DETECTORS
from slowfast_det.precision import Precision
from slowfast_det.results import FilmResult, Timings
from slowfast_det.scoring import score_persons
from slowfast_det.smoothing import Sighting, Smoothing
from slowfast_det.span import Span

log = logging.getLogger(__name__)

FoundPersons = tuple[Boxes, NDArray[np.float64]]
"""Persons of a key frame: unit boxes ``[K, 4]`` and their scores ``[K]``."""


class ActionDetector:
    """Finds the persons of a film and what each of them does.

    ``detector(film)`` returns everything at once, ``detector.stream(film)`` yields key frame by key frame
    in memory that does not grow with the film's length. Several threads may look at a film each: they share the
    networks, which compute for one at a time.
    """

    def __init__(
        self,
        model: str | Path | Model,
        persons: str | Path | PersonDetector | PrecomputedBoxes | None = None,
        device: str = "auto",
        precision: Precision = "auto",
        config: str | Path | None = None,
        smoothing: Smoothing | None = None,
        batch: int | None = None,
    ) -> None:
        """Load what is needed.

        Args:
            model: a checkpoint of any supported layout, or a loaded model.
            persons: a person detector by name, by weights file or as an object; or given boxes. None: the detector
                that comes along with the model, else ``fasterrcnn_resnet50_fpn_v2``.
            device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...
            precision: ``fp32``, ``bf16``, ``fp16`` or ``auto``, of the network and of a detector that is loaded here;
                ``fp32`` computes step by step as it is written, ``auto`` is on a CPU the same but for rounding and
                faster, on a GPU bf16.
            config: see `load_model`.
            smoothing: how detected persons are steadied from key frame to key frame; None: not at all.
            batch: key frames that are computed at once; None: 8 on a GPU, one on a CPU.
        """
        self.device = resolve_device(device)
        loaded = model if isinstance(model, Model) else load_model(model, config)
        self.model = loaded.to(self.device)
        self.scorer = self.model if precision == "fp32" else self.model.optimized(precision)  # what computes
        self.persons: PersonDetector | PrecomputedBoxes = (
            load_person_detector(persons or loaded.companion or DETECTORS[0], precision=precision).to(self.device)
            if persons is None or isinstance(persons, str | Path)
            else persons
        )
        self.smoothing = smoothing
        self.batch = chosen_batch(batch, self.device.type)
        self.finding, self.scoring = Lock(), Lock()  # held by who lets a network compute

    def __call__(self, source: str | Path, span: Span = Span(), frame_rate: float = 30.0) -> FilmResult:
        """Predict a whole film; for the arguments see `stream`."""
        run = self.stream(source, span, frame_rate)
        return FilmResult(Path(source), tuple(run), span, frame_rate, run.timings)

    def stream(
        self, source: str | Path, span: Span = Span(), frame_rate: float = 30.0, name: str | None = None
    ) -> FilmRun:
        """Predict a film key frame by key frame.

        Args:
            source: a film, or a folder of extracted frames.
            span: which moments; given boxes bring their own, of which those in the span are taken.
            frame_rate: images a second of a folder.
            name: what boxes and results call the film; None: as its file is called, without suffix.

        Returns:
            An iterator of key frames that knows the film and where the time went.
        """
        return FilmRun(self, open_film(source, frame_rate), span, name)


class FilmRun(Iterator[Keyframe]):
    """One film on its way through a detector.

    Attributes:
        info: the film.
        total: how many key frames will come, as far as the film's own words can be trusted; or None.
        timings: seconds spent so far.
    """

    def __init__(self, detector: ActionDetector, film: FrameSource, span: Span, name: str | None = None) -> None:
        work = _Work(detector, film, span, name)  # which does not know of this one: dropping it ends the threads
        self.info, self.total, self.timings = work.info, work.total, work.timings
        self._film = film
        overlapping = detector.device.type == "cuda"  # a GPU computes while results are written; a CPU is busy anyway
        self._keyframes = Ahead(work.run(), detector.batch) if overlapping else work.run()

    def __next__(self) -> Keyframe:
        return next(self._keyframes)

    def close(self) -> None:
        """Let go of the film before its end."""
        self._keyframes.close()
        self._film.close()  # also where not one key frame was asked for

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Work:
    """How one film becomes key frames."""

    def __init__(self, detector: ActionDetector, film: FrameSource, span: Span, name: str | None = None) -> None:
        self.info: FilmInfo = film.info if name is None else replace(film.info, name=name)
        self.timings = Timings()
        self._detector = detector
        self._film = film
        self._span = span
        given = detector.persons
        self._given = self._given_persons(given) if isinstance(given, PrecomputedBoxes) else None
        self._fixed = self._fixed_moments()
        self.total = self._count()

    def run(self) -> Generator[Keyframe]:
        """The spine: film -> clips -> persons -> scores -> key frames."""
        aspect, smoothing = self.info.width / self.info.height, self._detector.smoothing
        association = Association(aspect=aspect)
        with self._film as film, ExitStack() as threads:
            looked = self._persons(self._clips(threads.enter_context(self._stream(film))))
            seen: Iterator[Sighting[Clip]] = looked
            if self._detector.device.type == "cuda":  # while a GPU scores persons, the next ones are found
                seen = threads.enter_context(Ahead(looked, self._detector.batch))
            for batch in in_batches(seen if smoothing is None else smoothing.over(seen, aspect), self._detector.batch):
                for one, scores in zip(batch, self._score(batch), strict=True):
                    looks = looks_of(one.of.frames[len(one.of.frames) // 2], one.boxes)
                    persons = association.identify(one.boxes, one.time, one.classes, looks)
                    labels = self._detector.model.labels
                    yield Keyframe(self.info.name, one.time, one.boxes, one.scores, persons, scores, labels)

    def _stream(self, film: FrameSource) -> ClipStream:
        """Clips around every moment of the film."""
        look = self._detector.model.clip
        try:
            size = clip_size(self.info.height, self.info.width, look.short_side, look.geometry)
        except InputError as problem:
            raise InputError(f"{self.info.path}: {problem}") from None
        return ClipStream(
            film,
            self._span.moments if self._fixed is None else self._fixed.copy,
            size,
            num_frames=look.num_frames,
            sampling_rate=look.sampling_rate,
            index_base=look.index_base,
            include_end=self._fixed is not None,
            keyframes=self._given is None,
            depth=self._detector.batch,
        )

    def _clips(self, stream: ClipStream) -> Iterator[Clip]:
        """The clips as they come; given moments outside the film are reported and left out."""
        count = 0
        while True:
            with _adding_to(self.timings, "decoding"):
                clip = next(stream, None)
            if clip is None:
                break
            count += 1
            yield clip
        if self._fixed is not None:
            self._report_outside(self._fixed[count:], "end", stream.seen)
        elif not count:
            log.warning(
                "%s: ends before second %g, where the key frames should begin", self.info.path, self._span.start
            )

    def _persons(self, clips: Iterator[Clip]) -> Generator[Sighting[Clip]]:
        """The persons in the middle of each clip."""
        for batch in in_batches(clips, self._detector.batch):
            if self._given is None:
                yield from self._find_persons(batch)
            else:
                for clip in batch:
                    boxes, scores = self._given[clip.time]
                    yield Sighting(clip.time, boxes, scores, np.zeros(len(boxes), np.int64), clip)

    def _find_persons(self, clips: Sequence[Clip]) -> list[Sighting[Clip]]:
        detector = self._detector.persons
        assert not isinstance(detector, PrecomputedBoxes)
        with _adding_to(self.timings, "persons"), self._detector.finding:
            frames = [clip.keyframe for clip in clips if clip.keyframe is not None]
            found = detector(frames)
        return [
            Sighting(clip.time, to_unit(each.boxes, frame.shape[1], frame.shape[0]), each.scores, each.kinds, clip)
            for clip, frame, each in zip(clips, frames, found, strict=True)
        ]

    def _score(self, seen: Sequence[Sighting[Clip]]) -> list[NDArray[np.float64]]:
        model, info = self._detector.scorer, self.info
        look = model.clip
        with _adding_to(self.timings, "actions"), self._detector.scoring:
            boxes = [boxes_in_clip(one.boxes, info.height, info.width, look.short_side, look.geometry) for one in seen]
            return score_persons(model, [one.of.frames for one in seen], boxes)

    def _given_persons(self, given: PrecomputedBoxes) -> dict[float, FoundPersons]:
        """Given boxes by the film's own time; those before it begins are reported and left out."""
        of_film = given.of_film(self.info.name)
        if not of_film:
            others = given.films
            known = f"it has {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}" if others else "it is empty"
            log.warning("%s: has no boxes of the film %r; %s", given.name, self.info.name, known)
        by_time = {round(timestamp - self._span.time_origin, 6): persons for timestamp, persons in of_film.items()}
        self._report_outside([time for time in by_time if time < 0], "start")
        return {time: persons for time, persons in by_time.items() if time >= 0 and time in self._span}

    def _fixed_moments(self) -> list[float] | None:
        """Moments that are known beforehand: of the given boxes, or of the span."""
        if self._given is not None:
            return list(self._given)
        return None if self._span.at is None else list(self._span.moments())

    def _report_outside(self, times: Sequence[float], edge: str, seen: float = 0.0) -> None:
        if not times:
            return
        origin = self._span.time_origin
        shown = ", ".join(f"{time + origin:g}" for time in times[:5]) + (", ..." if len(times) > 5 else "")
        end = seen + origin
        where = "before the start of the film" if edge == "start" else f"beyond the film's end at {end:.2f}"
        hint = "; AVA's timestamps need a time origin of 900" if origin == 0 and min(times) >= 900 else ""
        log.warning("%s: skipped %d timestamps %s: %s%s", self.info.path, len(times), where, shown, hint)

    def _count(self) -> int | None:
        if self._fixed is not None:
            return len(self._fixed)
        span, duration = self._span, self.info.duration
        if span.end is not None and (duration is None or span.end < duration):
            return math.floor(round((span.end - span.start) / span.every, 9)) + 1
        return None if duration is None else max(0, math.ceil(round((duration - span.start) / span.every, 9)))


@contextmanager
def _adding_to(timings: Timings, part: str) -> Iterator[None]:
    """Add the seconds that a block takes to one entry."""
    begin = perf_counter()
    try:
        yield
    finally:
        setattr(timings, part, getattr(timings, part) + perf_counter() - begin)
