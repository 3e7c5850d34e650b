"""Which files there are, and how each is begun."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from slowfast_det.intervals import IntervalRule
from slowfast_det.keyframe import Keyframe, Selection
from slowfast_det.result_files import ENDINGS
from slowfast_det.result_files.film import AnnotatedFilm
from slowfast_det.result_files.intervals import IntervalsFile, SubtitlesFile, TubesFile
from slowfast_det.result_files.lines import CsvFile, JsonlFile, PersonsFile, ResultFile
from slowfast_det.span import Span


def open_result(
    path: Path, kind: str, source: Path, selection: Selection, span: Span, frame_rate: float, rule: IntervalRule
) -> ResultFile:
    """Begin a result file of a kind, a key of `ENDINGS`; ``rule`` is for intervals, tubes and subtitles."""
    if kind == "csv":
        return CsvFile(path, selection, span.time_origin)
    if kind == "jsonl":
        return JsonlFile(path, selection)
    if kind == "persons":
        return PersonsFile(path)
    if kind == "intervals":
        return IntervalsFile(path, rule, selection)
    if kind == "tubes":
        return TubesFile(path, rule, selection)
    if kind == "srt":
        return SubtitlesFile(path, rule, selection)
    return AnnotatedFilm(path, source, selection, start=span.start, end=span.end, frame_rate=frame_rate)


def save_keyframes(
    keyframes: Iterable[Keyframe],
    source: Path,
    path: Path,
    selection: Selection,
    span: Span,
    frame_rate: float,
    rule: IntervalRule,
) -> None:
    """Write the key frames of a film at once; see `FilmResult.save`."""
    fitting = [kind for kind, ending in ENDINGS.items() if path.name.lower().endswith(f".{ending}")]
    if not fitting:
        raise InputError(f"{path}: its ending says how to save; .{', .'.join(ENDINGS.values())} are known")
    if path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{path}: is the film itself; another name is expected")
    kind = max(fitting, key=lambda kind: len(ENDINGS[kind]))
    with replacing(path) as temporary:
        file = open_result(temporary, kind, source, selection, span, frame_rate, rule)
        try:
            for keyframe in keyframes:
                file.write(keyframe)
        except BaseException:
            file.close(complete=False)
            raise
        file.close()
