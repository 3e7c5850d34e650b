"""``slowfast-det propose``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError, console
from ava_tools.errors import InputError
from slowfast_det.cli.person_options import DEFAULT, PersonOptions, split_names

if TYPE_CHECKING:
    import pandas as pd

    from slowfast_det.proposal_plan import Part, ProposalPlan
    from slowfast_det.propose import Proposals

_FORMATS = ("csv", "pkl")
_MIN_SCORE = 0.5


def propose(
    *sources: str,
    options: PersonOptions = PersonOptions(),
    split: str | None = None,
    every: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    start: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    end: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    time_origin: float | None = None,
    frame_rate: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    smooth: Annotated[bool, Parameter(negative="")] = False,
    out: Path = Path("proposals"),
    save: str = "csv,pkl",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
) -> int:
    """Find the persons of a whole data set, or of films, as files of boxes to train and test on.

    Writes AVA's csv and mmaction2's proposals: for each split of a data set, or person_boxes for films. A run that was
    interrupted goes on where it was when it is called again. Under torchrun several processes share the key frames:
    torchrun --nproc-per-node 8 -m slowfast_det propose ...

    Args:
        sources: A data set's folder with its dataset.yaml; or films, folders of films, folders of extracted frames,
            or patterns.
        options: How persons are looked for.
        split: Only these splits of the data set, separated by commas.
        every: Seconds between key frames. Default: the annotated ones of a data set; 1 of films.
        start: First second that is looked at, from the start of each film.
        end: Last second that is looked at.
        time_origin: Timestamp of the start of films in the files: 900 for AVA's cut ones. A data set brings its own.
        frame_rate: Images a second of folders of frames, 30 if it is not given. A data set brings its own.
        smooth: Bridge short gaps and damp flicker from key frame to key frame.
        out: Folder for the results.
        save: Which files to write, separated by commas: csv, pkl.
        overwrite: Replace existing results, and begin anew where they were made otherwise.
        device: auto, cpu, cuda, cuda:1, ...
        precision: Arithmetic of the detector; auto is on a CPU fp32 made faster, equal but for rounding, on a GPU bf16.
    """
    formats = [part.strip().lower() for part in save.split(",") if part.strip()]
    if not formats or set(formats) - set(_FORMATS):
        raise MisuseError(f"--save is {save!r}; any of {','.join(_FORMATS)} is expected")

    from slowfast_det.cli.progress import moment_progress
    from slowfast_det.distributed import joined
    from slowfast_det.precision import resolve_precision
    from slowfast_det.propose import find_persons
    from slowfast_det.sighting_log import SightingLog
    from slowfast_det.training.run import owned

    plan, problems = _plan(sources, split, every, start, end, time_origin, frame_rate)
    log = SightingLog(out / "sightings", plan.library)
    with joined(device) as world, owned(out, "--out names another folder") if world.is_first else nullcontext():
        detector = options.load(precision, str(world.device), _MIN_SCORE)
        if world.is_first:
            _tell(plan, problems)
            arithmetic = resolve_precision(precision, world.device)
            log.begin(_settings(options, plan, f"{arithmetic}, asked for {precision}"), overwrite)
        world.wait()
        with moment_progress(len(world.share(len(plan.moments))), shown=world.is_first) as advance:
            found = find_persons(
                detector,
                plan.moments,
                plan.library,
                world,
                frame_rate=plan.frame_rate,
                log=log,
                advance=advance,
            )
        if found is not None:
            _write(plan, found, out, formats, smooth, overwrite)
            problems += found.problems
            for problem in found.problems:
                console.print(f"error: {problem}")
    return 1 if problems else 0


def _plan(
    sources: Sequence[str],
    split: str | None,
    every: float | None,
    start: float | None,
    end: float | None,
    time_origin: float | None,
    frame_rate: float | None,
) -> tuple[ProposalPlan, list[str]]:
    """What is looked at, and a sentence for each source that stands for nothing."""
    from ava_tools.manifest import MANIFEST, read_data_set
    from slowfast_det.cli.sources import expand_sources
    from slowfast_det.proposal_plan import plan_for_data_set, plan_for_films
    from slowfast_det.span import Span

    if not sources:
        raise MisuseError("a SOURCE is missing: a data set's folder, a film or a folder of films")
    if any(Path(source).name == MANIFEST or (Path(source) / MANIFEST).is_file() for source in sources):
        if len(sources) > 1:
            raise MisuseError("a data set is looked at alone; several sources are given")
        if time_origin is not None or frame_rate is not None:
            raise MisuseError(f"--time-origin and --frame-rate are in the data set's {MANIFEST}")
        splits = [] if split is None else split_names(split)
        return plan_for_data_set(read_data_set(sources[0]), splits, every, start, end), []
    if split is not None:
        raise MisuseError(f"--split is of a data set; the source has no {MANIFEST}")
    try:
        span = Span(every or 1.0, start or 0.0, end, time_origin or 0.0)
    except InputError as wrong:
        raise MisuseError(str(wrong)) from None
    films, problems = expand_sources(sources)
    if not films:
        raise InputError("; ".join(problems))
    return plan_for_films(films, span, frame_rate or 30.0), problems


def _tell(plan: ProposalPlan, problems: Sequence[str]) -> None:
    for problem in problems:
        console.print(f"error: {problem}")
    for note in plan.library.report:
        console.print(f"note: {note}")
    console.print(f"looking at {len(plan.moments):,} key frames of {len(plan.library.films):,} films")


def _settings(options: PersonOptions, plan: ProposalPlan, arithmetic: str) -> dict[str, Any]:
    """What decides about the boxes of a key frame; files count by their content."""
    asked: dict[str, Any] = {name: value for name, value in asdict(options).items() if value is not None}
    asked |= {"persons": options.persons or DEFAULT, "precision": arithmetic, "frame_rate": plan.frame_rate}
    if options.person_score is None:
        asked["person_score"] = _MIN_SCORE
    for name in ("persons", "detectron2"):
        if Path(str(asked.get(name, ""))).is_file():
            with open(asked[name], "rb") as file:
                asked[name] = f"{Path(asked[name]).name} (sha256 {hashlib.file_digest(file, 'sha256').hexdigest()})"
    return asked


def _write(
    plan: ProposalPlan, found: Proposals, out: Path, formats: Sequence[str], smooth: bool, overwrite: bool
) -> None:
    from ava_tools.person_files import save_person_boxes
    from slowfast_det.cli.outputs import save_under
    from slowfast_det.propose import boxes_table, of_moments
    from slowfast_det.smoothing import Smoothing

    for part in plan.parts:
        sightings = of_moments(found.sightings, part.moments, Smoothing() if smooth else None)
        boxes = boxes_table(sightings, plan.time_origin)
        console.print(_summary(part, plan, len(sightings), boxes))
        for suffix in formats:
            path = out / f"{part.name}.{suffix}"
            print(save_under(path, overwrite, [], partial(save_person_boxes, boxes), keep_equal=True), flush=True)
    if found.missed:
        shown = ", ".join(f"{video} at {time + plan.time_origin:g}" for video, time in found.missed[:3])
        more = ", ..." if len(found.missed) > 3 else ""
        console.print(
            f"note: {len(found.missed):,} key frames lie beyond their film's end or cannot be read: {shown}{more}"
        )


def _summary(part: Part, plan: ProposalPlan, key_frames: int, boxes: pd.DataFrame) -> str:
    """How many boxes were found, and how many of the annotated persons."""
    from ava_tools.box_evaluation import evaluate_person_boxes

    told = f"{part.name}: {len(boxes):,} boxes on {key_frames:,} key frames"
    if part.truth is None or not len(part.truth):
        return told
    report = evaluate_person_boxes(part.truth, boxes, plan.labels)
    recall = ", ".join(f"{share:.3f} at IoU {threshold:g}" for threshold, share in report.recall.items())
    return f"{told}; recall of the {report.persons:,} persons in the truth: {recall}"
