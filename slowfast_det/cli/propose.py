"""``slowfast-det propose``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError, console
from ava_tools.errors import InputError
from ava_tools.labels import split_names
from slowfast_det.cli.person_options import DEFAULT, PersonOptions

if TYPE_CHECKING:
    import pandas as pd

    from slowfast_det.proposal_plan import Part, ProposalPlan
    from slowfast_det.propose import Proposals
    from slowfast_det.smoothing import Sighting

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
        smooth: Bridge short gaps and damp flicker from key frame to key frame. Where the key frames before and behind
            are at most 0.5 s away, drop who is seen once and scores below 0.9.
        out: Folder for the results.
        save: Which files to write, separated by commas: csv, pkl.
        overwrite: Replace existing results, and begin anew where OUT/sightings were found otherwise; without that
            folder all is looked at again.
        device: auto, cpu, cuda, cuda:1, ...
        precision: Arithmetic of the detector; auto is on a CPU fp32 made faster, equal but for rounding, on a GPU bf16.
    """
    formats = list(dict.fromkeys(part.strip().lower() for part in save.split(",") if part.strip()))
    if not formats or set(formats) - set(_FORMATS):
        raise MisuseError(f"--save is {save!r}; any of {','.join(_FORMATS)} is expected")

    from slowfast_det.cli.progress import moment_progress
    from slowfast_det.distributed import joined
    from slowfast_det.precision import resolve_precision
    from slowfast_det.propose import find_persons
    from slowfast_det.sighting_log import SightingLog
    from slowfast_det.training.run import owned

    plan, problems = _plan(sources, split, every, start, end, time_origin, frame_rate)
    with joined(device) as world, owned(out, "--out names another folder") if world.is_first else nullcontext():
        detector = options.load(precision, str(world.device), _MIN_SCORE)
        log = SightingLog(out / "sightings", plan.library, len(detector.classes))
        if world.is_first:
            arithmetic = resolve_precision(precision, world.device)
            log.begin(_settings(options, plan, f"{arithmetic}, asked for {precision}"), overwrite)
        world.wait()
        before = {moment: each for part in world.gather(log.read()) for moment, each in part.items()}
        left = len(set(plan.moments) - before.keys())
        if world.is_first:
            _tell(plan, problems, left)
        with moment_progress(len(world.share(left)), shown=world.is_first) as advance:

            def keep(sighting: Sighting[str]) -> None:
                log.write(sighting)
                advance(sighting)

            try:
                found = find_persons(
                    detector, plan.moments, plan.library, world, frame_rate=plan.frame_rate, before=before, keep=keep
                )
            except KeyboardInterrupt:
                if world.is_first:
                    _tell_interruption(len(log.read()), len(plan.moments))
                raise
        if found is not None:
            sources_read = [*plan.files, *options.files, *(info.path for info in plan.library.films.values())]
            ids = _ids_of_classes(plan, detector.classes)
            failed = [*_write(plan, found, ids, out, formats, smooth, overwrite, sources_read), *found.problems]
            for problem in failed:
                console.print(f"error: {problem}")
            problems += failed
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
    try:
        span = Span(every or 1.0, start or 0.0, end, time_origin or 0.0)
    except InputError as wrong:
        raise MisuseError(str(wrong)) from None
    if any(Path(source).name == MANIFEST or (Path(source) / MANIFEST).is_file() for source in sources):
        if len(sources) > 1:
            raise MisuseError("a data set is looked at alone; several sources are given")
        if time_origin is not None or frame_rate is not None:
            raise MisuseError(f"--time-origin and --frame-rate are in the data set's {MANIFEST}")
        splits = [] if split is None else split_names(split)
        return plan_for_data_set(read_data_set(sources[0]), splits, every, start, end), []
    if split is not None:
        raise MisuseError(f"--split is of a data set; the source has no {MANIFEST}")
    films, problems = expand_sources(sources)
    if not films:
        raise InputError("; ".join(problems))
    return plan_for_films(films, span, frame_rate or 30.0), problems


def _tell(plan: ProposalPlan, problems: Sequence[str], left: int) -> None:
    for problem in problems:
        console.print(f"error: {problem}")
    for note in plan.library.report:
        console.print(f"note: {note}")
    console.print(f"looking at {len(plan.moments):,} key frames of {len(plan.library.films):,} films")
    if left < len(plan.moments):
        console.print(f"note: {len(plan.moments) - left:,} of them were found before and are not looked at again")


def _tell_interruption(found: int, wanted: int) -> None:
    console.print(f"note: {found:,} of {wanted:,} key frames are found; the same call goes on from there")


def _settings(options: PersonOptions, plan: ProposalPlan, arithmetic: str) -> dict[str, Any]:
    """What decides about the boxes of a key frame; files count by their content."""
    given = {name: value for name, value in asdict(options).items() if value is not None}
    asked: dict[str, Any] = {"persons": DEFAULT, "person_score": _MIN_SCORE} | given
    asked |= {"precision": arithmetic, "frame_rate": plan.frame_rate, "files": list(map(_digest, options.files))}
    return {name: value for name, value in asked.items() if Path(str(value)) not in options.files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _ids_of_classes(plan: ProposalPlan, classes: Sequence[str]) -> Sequence[int] | None:
    """What the csv's column label says of each class: the data set's label of that name, else its number."""
    from slowfast_det.actors import label_ids

    if plan.labels is not None:
        with suppress(InputError):
            return label_ids(plan.labels, classes)
    if len(classes) == 1:
        return None
    told = ", ".join(f"{number} {name}" for number, name in enumerate(classes, start=1))
    console.print(f"note: in the csv the label of each box is what it is: {told}")
    return range(1, len(classes) + 1)


def _write(
    plan: ProposalPlan,
    found: Proposals,
    ids: Sequence[int] | None,
    out: Path,
    formats: Sequence[str],
    smooth: bool,
    overwrite: bool,
    sources: Sequence[Path],
) -> list[str]:
    """The files, and how good they are; returns a sentence for each split whose truth does not say."""
    import numpy as np

    from ava_tools.cli.outputs import save_under
    from ava_tools.person_files import save_person_boxes
    from slowfast_det.propose import boxes_table, of_moments
    from slowfast_det.smoothing import Smoothing

    problems = []
    for part in plan.parts:
        sightings = of_moments(found.sightings, part.moments, Smoothing() if smooth else None)
        boxes = boxes_table(sightings, plan.time_origin)
        if ids is not None:
            boxes = boxes.assign(label=np.array(ids)[boxes["class"]])
        for suffix in formats:
            path = out / f"{part.name}.{suffix}"
            write = partial(save_person_boxes, boxes)
            print(save_under(path, overwrite, sources, write, keep_equal=True), flush=True)
        try:
            console.print(
                f"{part.name}: {len(boxes):,} boxes on {len(sightings):,} key frames{_recall(part, plan, boxes)}"
            )
        except InputError as problem:
            problems.append(f"{problem}; the boxes of {part.name!r} are written, their recall is not known")
    if found.missed:
        shown = ", ".join(f"{video} at {time + plan.time_origin:g}" for video, time in found.missed[:3])
        more = ", ..." if len(found.missed) > 3 else ""
        console.print(
            f"note: {len(found.missed):,} key frames lie beyond their film's end or cannot be read: {shown}{more}"
        )
    return problems


def _recall(part: Part, plan: ProposalPlan, boxes: pd.DataFrame) -> str:
    """How many of the annotated persons were found."""
    from ava_tools.box_evaluation import evaluate_person_boxes

    if part.truth is None or not len(part.truth):
        return ""
    report = evaluate_person_boxes(part.truth, boxes, plan.labels)
    if report.warning is not None:
        return f"; {report.warning}"
    recall = ", ".join(f"{share:.3f} at IoU {threshold:g}" for threshold, share in report.recall.items())
    return f"; of the {report.persons:,} persons in the truth some box fits {recall}"
