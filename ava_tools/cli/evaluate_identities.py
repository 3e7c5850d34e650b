"""``ava-tools evaluate-identities``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import console, patience, refuse_collisions

if TYPE_CHECKING:
    from ava_tools.identity_evaluation import IdentityReport
    from ava_tools.metrics.identity import IdentityQuality

_COLUMNS = (
    *("persons", "identities", "  truth", " missed", "  false"),
    *("switches", "fragmentations", "transfers", "   MOTA", "  IDF1"),
)


def evaluate_identities(
    *,
    truth: Path,
    tracks: Annotated[list[Path], Parameter(consume_multiple=True, negative="")],
    min_iou: Annotated[float, Parameter(validator=Number(gt=0, lte=1))] = 0.5,
    time_origin: Annotated[float, Parameter(validator=Number(gte=-1e9, lte=1e9))] = 0.0,
    every: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1e6))] = None,
    json: Path | None = None,
) -> None:
    """Whether persons keep their identities along a film: switches, fragmentations, MOTA, IDF1.

    Actions do not matter here, but a person without any is not in a .jsonl file: predict with --min-score 0.

    Args:
        truth: AVA's csv with persons: video,timestamp,x1,y1,x2,y2,action_id,person.
        tracks: What predict writes as .jsonl, one file or several.
        min_iou: Least overlap of a box with the person whose it is.
        time_origin: Timestamp of the films' start in the truth, 900 where AVA's films are cut at 900 seconds.
        every: Seconds from one key frame of the tracks to the next; truth between them does not count. Default: in
            each film the least distance between two.
        json: Write all numbers, of each film and together, to this file.
    """
    refuse_collisions([truth, *tracks], [json] if json is not None else [])

    from ava_tools.identity_evaluation import as_json
    from ava_tools.identity_evaluation import evaluate_identities as run_evaluation

    with patience("evaluating"):
        report = run_evaluation(truth, tracks, min_iou, time_origin=time_origin, every=every)
    for note in report.notes:
        console.print(f"note: {note}")
    if report.warning is not None:
        console.print(f"warning: {report.warning}")
    print("\n".join(_lines(report)))
    if json is not None:
        as_json(report, json)


def _lines(report: IdentityReport) -> Iterator[str]:
    total = report.total
    yield f"identity switches {total.switches:,}: a person gets another identity than the last time"
    yield f"fragmentations {total.fragmentations:,}: a person is found again after being missed"
    yield f"transfers {total.transfers:,}: an identity goes to another person"
    yield f"persons found {total.matched_seconds:,.1f} of {total.seconds:,.1f} s"
    yield f"MOTA {_number(total.mota)}, IDF1 {_number(total.idf1)} (IoU {report.min_iou:g})"
    yield ""
    width = max([5, *map(len, report.films)])
    yield "  ".join([f"{'film':<{width}}", *_COLUMNS])
    for video, quality in report.films.items():
        yield _row(f"{video:<{width}}", quality)
    if len(report.films) > 1:
        yield _row(f"{'total':<{width}}", total)


def _row(name: str, quality: IdentityQuality) -> str:
    counts = (
        *(quality.persons, quality.identities, quality.truth, quality.misses, quality.false_positives),
        *(quality.switches, quality.fragmentations, quality.transfers),
    )
    cells = [*(f"{count:,}" for count in counts), _number(quality.mota), _number(quality.idf1)]
    return "  ".join([name, *(f"{cell:>{len(column)}}" for cell, column in zip(cells, _COLUMNS, strict=True))])


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.4f}"
