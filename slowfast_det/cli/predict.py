"""``slowfast-det predict``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.outputs import claim_names
from ava_tools.cli.run import MisuseError, console, tell
from ava_tools.errors import InputError
from ava_tools.labels import split_names
from slowfast_det.cli.formats import read_formats
from slowfast_det.cli.interval_options import IntervalOptions
from slowfast_det.cli.person_options import PersonOptions, Precision
from slowfast_det.cli.progress import KeyframeProgress, film_bars
from slowfast_det.cli.side_by_side import Turns, side_by_side, usual_workers
from slowfast_det.result_files import ENDINGS

if TYPE_CHECKING:
    from rich.progress import Progress

    from slowfast_det.checkpoints.model import Model
    from slowfast_det.intervals import IntervalRule
    from slowfast_det.keyframe import Selection
    from slowfast_det.pipeline import ActionDetector, FilmRun
    from slowfast_det.result_files.lines import ResultFile
    from slowfast_det.span import Span

Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]
Positive = Annotated[float, Parameter(validator=Number(gt=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
NotNegative = Annotated[float, Parameter(validator=Number(gte=0))]
_MIN_SCORE = 0.3


def predict(
    *sources: str,
    model: str | None = None,
    config: str | None = None,
    boxes: Path | None = None,
    options: PersonOptions = PersonOptions(),
    intervals: IntervalOptions = IntervalOptions(),
    smooth: Annotated[bool, Parameter(negative="")] = False,
    every: Positive | None = None,
    start: NotNegative = 0.0,
    end: NotNegative | None = None,
    time_origin: float = 0.0,
    frame_rate: Positive = 30.0,
    out: Path = Path("predictions"),
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    save: str = "csv,jsonl,mp4",
    min_score: Share | None = None,
    top: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    actions: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    batch: Count | None = None,
    workers: Count | None = None,
) -> int:
    """Find the persons of films and what each of them does.

    Args:
        sources: Films, folders of films, folders of extracted frames, or patterns like "films/*.mp4".
        model: Checkpoint file of PySlowFast, PyTorchVideo, mmaction2 or ours, or the name of published weights:
            `slowfast-det models` lists them; they are downloaded once.
        config: Config by name or yaml file, where the checkpoint does not say what network it is.
            Without --model, an untrained network of this config is used.
        boxes: Person boxes: AVA's csv (video,timestamp,x1,y1,x2,y2[,label],score) or a proposals .pkl.
            All of them are scored.
        options: How persons are looked for, where no boxes are given.
        intervals: When an action begins and ends.
        smooth: Bridge short gaps of detected persons and damp flicker from key frame to key frame. Where the key frames
            before and behind are at most 0.5 s away, drop who is seen once and scores below 0.9.
        every: Seconds between key frames, 1 if it is not given; boxes bring their own.
        start: First second that is looked at, from the start of the film.
        end: Last second that is looked at.
        time_origin: Timestamp of the film's start in boxes and csv; 900 for AVA's cut films.
        frame_rate: Images a second of a folder of frames.
        out: Folder for the results: FILM.csv, FILM.jsonl, FILM.mp4, ...
        overwrite: Replace existing results; otherwise the next free name is used.
        save: Which results to write, separated by commas: csv (AVA's), jsonl, mp4 (annotated film); persons (who is
            where: FILM.persons.csv); intervals (who does what from when to when: FILM.intervals.csv), tubes (the same,
            a line a person with the boxes: FILM.tubes.jsonl), srt (subtitles).
        min_score: Least score that is written; 0 writes every action of every person. Default: what the model says
            for each action, as those of `train DIR` do; else 0.3.
        top: At most so many actions for each person.
        actions: Only these actions, by name or id, separated by commas.
        device: auto, cpu, cuda, cuda:1, ...
        precision: Arithmetic of the networks: fp32 step by step as it is written; auto, on a CPU equal to it but for
            rounding and twice as fast, on a GPU bf16; bf16, which is seven times as fast where a CPU has it; fp16.
        batch: Key frames that are computed at once. Default: 8 on a GPU, 1 on a CPU.
        workers: Films that are read and written side by side; they share the networks. Default: on a GPU one for each
            4 cores, at most 4; on a CPU, which a single film keeps busy, 1.
    """
    formats = read_formats(save, ENDINGS)
    if not sources:
        raise MisuseError("a SOURCE is missing: a film, a folder or a pattern")
    if model is None and config is None:
        raise MisuseError(
            "--model is missing: a file, or a name of `slowfast-det models` (or --config for an untrained network)"
        )
    if boxes is not None and (options.given or smooth):
        other = (*options.given, "--smooth")[0]
        raise MisuseError(f"--boxes and {other} are both given; the persons come from the file or from a detector")
    if actions is not None and not split_names(actions):
        raise MisuseError("--actions names no action")

    from slowfast_det.checkpoints import zoo
    from slowfast_det.cli.sources import expand_sources
    from slowfast_det.keyframe import Selection
    from slowfast_det.span import Span

    try:
        span = Span(1.0 if every is None else every, start, end, time_origin)
    except InputError as wrong:
        raise MisuseError(str(wrong)) from None
    _tell_idle(intervals, formats, boxes, every)
    if model is not None:
        zoo.known(model)  # before anything heavy is imported
    films, problems = expand_sources(sources)
    for problem in problems:
        console.print(f"error: {problem}")
    if not films:
        return 1
    loaded = _load(model, config)
    columns = loaded.labels.columns(split_names(actions)) if actions is not None else None
    detector = _detector(loaded, boxes, options, smooth, device, precision, batch)
    least, own = (_MIN_SCORE, loaded.thresholds) if min_score is None else (min_score, None)
    out.mkdir(parents=True, exist_ok=True)
    job = _Job(
        [
            *films,
            *(Path(name) for name in (boxes, model, config, options.persons, options.detectron2) if name is not None),
        ],
        detector,
        span,
        Selection(least, top, columns, own),
        out,
        formats,
        overwrite,
        frame_rate,
        intervals.rule(loaded.labels, least if own is None else own),
    )
    with job.bars:
        fine = side_by_side(job.predict, films, workers or usual_workers(detector.device.type), job.turns)
    return 0 if fine and not problems else 1


def _tell_idle(intervals: IntervalOptions, formats: Sequence[str], boxes: Path | None, every: float | None) -> None:
    """Say which options change nothing beside the others."""
    if intervals.given and not {"intervals", "tubes", "srt"}.intersection(formats):
        console.print(f"warning: {intervals.given[0]} has no effect without --save intervals, tubes or srt")
    if boxes is not None and every is not None:
        console.print("warning: --every has no effect: the boxes bring their own key frames")


@dataclass(frozen=True)
class _Job:
    """What is the same for all films of one call."""

    inputs: Sequence[Path]
    detector: ActionDetector
    span: Span
    selection: Selection
    out: Path
    formats: Sequence[str]
    overwrite: bool
    frame_rate: float
    rule: IntervalRule
    written: set[str] = field(default_factory=set)
    turns: Turns = field(default_factory=Turns)
    bars: Progress = field(default_factory=film_bars)

    def predict(self, number: int, film: Path) -> bool:
        """Predict one film; a failure is told in one sentence and does not stop the others."""
        try:
            with self.turns.of(number), self.detector.stream(film, self.span, self.frame_rate) as run:
                with self.turns.naming(number):
                    name = run.info.name
                    endings = [ENDINGS[kind] for kind in self.formats]
                    paths = claim_names(self.out, name, endings, self.overwrite, self.written, self.inputs)
                self._write(film, run, paths)
        except Exception as problem:
            tell(problem)
            return False
        return True

    def _write(self, film: Path, run: FilmRun, paths: Sequence[Path]) -> None:
        """Write key frames as they come; what was written stays, whatever happens."""
        from slowfast_det.result_files.opening import open_result

        progress = KeyframeProgress(run, self.bars)
        files: list[ResultFile] = []
        complete = False
        try:
            for path, kind in zip(paths, self.formats, strict=True):
                file = open_result(path, kind, film, self.selection, self.span, self.frame_rate, self.rule)
                files.append(file)
            with progress:
                for keyframe in run:
                    for file in files:
                        file.write(keyframe)
                    progress.advance(keyframe)
            complete = True
        finally:
            with ExitStack() as closing:  # what follows is done in reverse, all of it even if some fails
                closing.push(lambda kind, *_: _announce(paths, progress, complete and kind is None))
                for file in files:
                    closing.callback(file.close, complete)


def _announce(paths: Sequence[Path], progress: KeyframeProgress, complete: bool) -> None:
    """Tell what was done; results of a film of which not one key frame was done are taken away."""
    console.print(progress.summary(complete))
    for path in paths:
        if complete or progress.keyframes:
            print(path, flush=True)
        else:
            path.unlink(missing_ok=True)


def _load(model: str | None, config: str | None) -> Model:
    from slowfast_det.checkpoints.model import load_model, untrained_model

    if model is not None:
        return load_model(model, config)
    assert config is not None
    import torch

    torch.manual_seed(0)  # the same network each time
    untrained = untrained_model(config)
    console.print(f"warning: no --model is given: the network {config} is untrained, its scores mean nothing")
    return untrained


def _detector(
    model: Model,
    boxes: Path | None,
    options: PersonOptions,
    smooth: bool,
    device: str,
    precision: Precision,
    batch: int | None,
) -> ActionDetector:
    from slowfast_det.persons.precomputed import PrecomputedBoxes
    from slowfast_det.pipeline import ActionDetector
    from slowfast_det.smoothing import Smoothing

    persons = (
        PrecomputedBoxes(boxes) if boxes is not None else options.load(precision, device, companion=model.companion)
    )
    return ActionDetector(model, persons, device, precision, smoothing=Smoothing() if smooth else None, batch=batch)
