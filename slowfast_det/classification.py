"""From a film to its class: the spine of classifiers, as `pipeline` is that of detectors."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ava_tools.errors import InputError
from ava_tools.media.frames import FrameSource, Image
from ava_tools.media.reader import open_film
from slowfast_det.batches import chosen_batch, in_batches
from slowfast_det.checkpoints.model import Model, load_any_model
from slowfast_det.class_result import ClassifiedStretch
from slowfast_det.clips.geometry import clip_size, resize
from slowfast_det.clips.sample import TIMELINE_RATE, read_frames
from slowfast_det.clips.stream import ClipStream
from slowfast_det.clips.views import film_length, spread_starts, squares, view_indices
from slowfast_det.device import resolve_device
from slowfast_det.precision import Precision
from slowfast_det.scoring import score_clips
from slowfast_det.span import Span


@dataclass(frozen=True)
class FilmViews:
    """What a classifier looks at of a film.

    Attributes:
        video: the film's name.
        seconds: how long it is.
        clips: of T pictures ``uint8[h, w, 3]`` RGB each, all of one size.
    """

    video: str
    seconds: float
    clips: Sequence[Sequence[Image]]


class FilmClassifier:
    """Says which class a film is of, or each moment of it."""

    def __init__(
        self,
        model: str | Path | Model,
        device: str = "auto",
        precision: Precision = "auto",
        config: str | Path | None = None,
        *,
        clips: int = 10,
        crops: int = 3,
        batch: int | None = None,
    ) -> None:
        """Load what is needed.

        Args:
            model: a checkpoint of a classifier, of any supported layout, or a loaded model.
            device, precision, config: see `ActionDetector`.
            clips: that are spread over a whole film; their scores are averaged.
            crops: squares of each: 1 in the middle, 3 along the longer side; 0: the whole frame.
            batch: clips that are computed at once; None: 8 on a GPU, one on a CPU.

        Raises:
            InputError: the model scores persons, or a number makes no sense.
        """
        if clips < 1 or crops not in (0, 1, 3):
            raise InputError(f"{clips} clips with {crops} crops; 1 clip or more with 0, 1 or 3 crops are expected")
        self.device = resolve_device(device)
        loaded = model if isinstance(model, Model) else load_any_model(model, config)
        if loaded.config.network.head != "clip":
            raise InputError(f"{loaded.name}: scores persons, not whole clips; ActionDetector (predict) takes it")
        self.model = loaded.to(self.device)
        self.scorer = self.model if precision == "fp32" else self.model.optimized(precision)
        self.clips, self.crops = clips, crops
        self.batch = chosen_batch(batch, self.device.type)

    def __call__(self, source: str | Path, frame_rate: float = 30.0) -> ClassifiedStretch:
        """Classify a whole film by clips that are spread over it.

        Args:
            source: a film, or a folder of extracted frames.
            frame_rate: images a second of a folder.

        Raises:
            InputError: it cannot be read.
        """
        return self.judge(self.read(source, frame_rate))

    def read(self, source: str | Path, frame_rate: float = 30.0, warn: bool = True) -> FilmViews:
        """Read the clips of a whole film, each of its frames once; for the arguments see `__call__`."""
        with open_film(source, frame_rate, warn=warn) as film:
            length, prepare = film_length(film), self._prepare(film)
            indices = self._indices(length)
            pictures = read_frames(film, chain(*indices), prepare)
            if pictures.length is not None and pictures.length < length - 1:  # it ends before it says
                length = pictures.length
                indices = self._indices(length)
                pictures = read_frames(film, chain(*indices), prepare)
            clips = [square for each in indices for square in squares([pictures.at[i] for i in each], self.crops)]
            return FilmViews(film.info.name, length / TIMELINE_RATE, clips)

    def _indices(self, length: int) -> list[list[int]]:
        """Of each clip of a film of so many frames of the time line."""
        clip = self.model.clip
        starts = spread_starts(length, clip.num_frames, clip.sampling_rate, self.clips)
        return [view_indices(start, clip.num_frames, clip.sampling_rate, length) for start in starts]

    def judge(self, views: FilmViews) -> ClassifiedStretch:
        """The mean of the scores of all clips."""
        return ClassifiedStretch(views.video, 0.0, views.seconds, self.model.labels, self._mean(views.clips))

    def slide(self, source: str | Path, span: Span = Span(), frame_rate: float = 30.0) -> Generator[ClassifiedStretch]:
        """Classify the clip around each moment of a span, in memory that does not grow with the film's length."""
        clip = self.model.clip
        reach = clip.num_frames * clip.sampling_rate / TIMELINE_RATE / 2  # seconds to either side
        with open_film(source, frame_rate) as film:
            stream = ClipStream(
                film,
                span.moments,
                self._size(film),
                num_frames=clip.num_frames,
                sampling_rate=clip.sampling_rate,
                keyframes=False,
            )
            with stream:
                for seen in stream:
                    scores = self._mean(squares(seen.frames, self.crops))
                    begin, end = max(0.0, seen.time - reach), min(seen.time + reach, film.info.duration or math.inf)
                    yield ClassifiedStretch(film.info.name, begin, end, self.model.labels, scores)

    def _prepare(self, film: FrameSource) -> partial[Image]:
        return partial(resize, size=self._size(film))

    def _size(self, film: FrameSource) -> tuple[int, int]:
        clip, info = self.model.clip, film.info
        try:
            return clip_size(info.height, info.width, clip.short_side, clip.geometry)
        except InputError as problem:
            raise InputError(f"{info.path}: {problem}") from None

    def _mean(self, clips: Sequence[Sequence[Image]]) -> NDArray[np.float64]:
        batches: Iterator[list[Sequence[Image]]] = in_batches(iter(clips), self.batch)
        return np.asarray(np.concatenate([score_clips(self.scorer, batch) for batch in batches]).mean(axis=0))
