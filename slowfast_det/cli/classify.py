"""``slowfast-det classify``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.outputs import claim_names
from ava_tools.cli.run import MisuseError, console, tell
from ava_tools.errors import InputError
from slowfast_det.cli.formats import read_formats
from slowfast_det.cli.person_options import Precision

if TYPE_CHECKING:
    from slowfast_det.class_result import ClassifiedStretch
    from slowfast_det.classification import FilmClassifier
    from slowfast_det.span import Span

Positive = Annotated[float, Parameter(validator=Number(gt=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
NotNegative = Annotated[float, Parameter(validator=Number(gte=0))]
_FORMATS = ("csv", "jsonl")


def classify(
    *sources: str,
    model: str,
    config: str | None = None,
    every: Positive | None = None,
    start: NotNegative = 0.0,
    end: NotNegative | None = None,
    clips: Count | None = None,
    crops: Literal[0, 1, 3] | None = None,
    top: Count = 5,
    frame_rate: Positive = 30.0,
    out: Path = Path("classes"),
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    save: str = "csv,jsonl",
    device: str = "auto",
    precision: Precision = "auto",
    batch: Count | None = None,
) -> int:
    """Say which class a film is of, as a whole or from moment to moment.

    Prints the best class of each film, or of each moment, and writes the --top best with their scores.

    Args:
        sources: Films, folders of films, folders of extracted frames, or patterns like "films/*.mp4".
        model: Checkpoint of a classifier, or the name of published weights (Kinetics): `slowfast-det models`.
        config: Config by name or yaml file, where the checkpoint does not say what network it is.
        every: Look at the clip around a moment every so many seconds, instead of the whole film.
        start: First of these moments, seconds from the start of the film.
        end: Last of these moments.
        clips: Clips that are spread over a whole film; their scores are averaged. Default: 10.
        crops: Squares of each clip: 1 in the middle, 3 along the longer side; 0: the whole frame. Default: 3, with
            --every 1.
        top: Classes that are written, best first.
        frame_rate: Images a second of a folder of frames.
        out: Folder for the results: FILM.csv, FILM.jsonl.
        overwrite: Replace existing results; otherwise the next free name is used.
        save: Which results to write, separated by commas.
        device: auto, cpu, cuda, cuda:1, ...
        precision: Arithmetic of the network, as in predict.
        batch: Clips that are computed at once. Default: 8 on a GPU, 1 on a CPU.
    """
    formats = read_formats(save, _FORMATS)
    if not sources:
        raise MisuseError("a SOURCE is missing: a film, a folder or a pattern")
    if every is None and (start or end is not None):
        raise MisuseError("--start and --end are of moments; --every SECONDS is missing")
    if every is not None and clips is not None:
        raise MisuseError("--clips is of whole films; --every looks at one clip a moment")

    from slowfast_det.checkpoints import zoo
    from slowfast_det.classification import FilmClassifier
    from slowfast_det.cli.sources import expand_sources
    from slowfast_det.span import Span

    try:
        span = None if every is None else Span(every, start, end)
    except InputError as wrong:
        raise MisuseError(str(wrong)) from None
    zoo.known(model)  # before anything heavy is loaded
    films, problems = expand_sources(sources)
    for problem in problems:
        console.print(f"error: {problem}")
    if not films:
        return 1
    squares = crops if crops is not None else 3 if every is None else 1
    classifier = FilmClassifier(
        model, device, precision, config, clips=10 if clips is None else clips, crops=squares, batch=batch
    )
    out.mkdir(parents=True, exist_ok=True)
    inputs = [*films, *(Path(name) for name in (model, config) if name is not None)]
    job = _Job(classifier, span, frame_rate, out, formats, overwrite, top, inputs)
    fine = [job.classify(film) for film in films]
    return 0 if all(fine) and not problems else 1


@dataclass(frozen=True)
class _Job:
    """What is the same for all films of one call."""

    classifier: FilmClassifier
    span: Span | None
    frame_rate: float
    out: Path
    formats: tuple[str, ...]
    overwrite: bool
    top: int
    inputs: list[Path]
    written: set[str] = field(default_factory=set)

    def classify(self, film: Path) -> bool:
        """Classify one film; a failure is told in one sentence and does not stop the others."""
        try:
            self._write(film)
        except Exception as problem:
            tell(problem)
            return False
        return True

    def _write(self, film: Path) -> None:
        """Write what is found as it comes; names are claimed when there is something to be written."""
        from slowfast_det.class_result import ClassFile

        with closing(self._stretches(film)) as stretches:
            first = next(stretches, None)
            if first is None:
                raise InputError(f"{film}: ends before the first moment that is looked at")
            paths = claim_names(self.out, first.video, self.formats, self.overwrite, self.written, self.inputs)
            files, complete = [ClassFile(path, self.top) for path in paths], False
            done: ClassifiedStretch | None = None
            try:
                for stretch in chain([first], stretches):
                    for file in files:
                        file.write(stretch)
                    self._tell(stretch)
                    done = stretch
                complete = True
            finally:
                for file in files:
                    file.close()
                if not complete:
                    end = "before anything was found" if done is None else f"at {done.end:.2f} s"
                    console.print(f"{first.video}: stopped {end}; what its results hold ends there", markup=False)
                for path in paths:
                    print(path, flush=True)

    def _stretches(self, film: Path) -> Generator[ClassifiedStretch]:
        if self.span is None:
            yield self.classifier(film, self.frame_rate)
        else:
            yield from self.classifier.slide(film, self.span, self.frame_rate)

    def _tell(self, stretch: ClassifiedStretch) -> None:
        (best,) = stretch.top(1)
        when = "" if self.span is None else f" {stretch.start:.2f} to {stretch.end:.2f} s"
        console.print(f"{stretch.video}{when}: {best.class_name} {best.score:.2f}", markup=False)
