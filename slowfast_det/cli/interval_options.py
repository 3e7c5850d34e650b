"""Options that say when an action begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError
from ava_tools.errors import InputError

if TYPE_CHECKING:
    from ava_tools.labels import Labels
    from slowfast_det.intervals import IntervalRule

Seconds = Annotated[float, Parameter(validator=Number(gte=0, lte=3600))]


@Parameter(name="*", group=Group("Intervals (--save intervals,tubes,srt)", sort_key=2))
@dataclass(frozen=True)
class IntervalOptions:
    """When an action begins and ends.

    Attributes:
        thresholds: Score from which on somebody does an action: a number, or a csv file of lines `action,score` by id
            or name. Default: as --min-score. An action ends below 0.7 of that.
        average: Seconds over which scores are averaged before they are judged.
        gap: Seconds over which an action goes on though nothing is seen of it.
        shortest: Seconds that an interval lasts at least.
    """

    thresholds: str | None = None
    average: Seconds = 1.0
    gap: Seconds = 1.0
    shortest: Seconds = 0.0

    @property
    def given(self) -> tuple[str, ...]:
        """Which of them are given, as they are written on the command line."""
        defaults = IntervalOptions()
        return tuple(
            f"--{name}" for name in self.__dataclass_fields__ if getattr(self, name) != getattr(defaults, name)
        )

    def rule(self, labels: Labels, usual: float | tuple[float, ...]) -> IntervalRule:
        """The rule for a model's actions; ``usual`` are the scores from which they are shown.

        Raises:
            InputError: the file of thresholds is wrong.
            MisuseError: the number is none from 0 to 1.
        """
        from slowfast_det.intervals import IntervalRule

        begin = usual if self.thresholds is None else _thresholds(self.thresholds, labels, usual)
        return IntervalRule(begin, smooth=self.average, gap=self.gap, shortest=self.shortest)


def _thresholds(text: str, labels: Labels, usual: float | tuple[float, ...]) -> float | tuple[float, ...]:
    try:
        number = float(text)
    except ValueError:
        return _of_file(Path(text), labels, usual)
    if not 0 <= number <= 1:
        raise MisuseError(f"--thresholds is {text}; a score from 0 to 1 or a file is expected")
    return number


def _of_file(path: Path, labels: Labels, usual: float | tuple[float, ...]) -> tuple[float, ...]:
    from ava_tools.settings import read_text

    scores = list(usual) if isinstance(usual, tuple) else [usual] * len(labels)
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        name, _, score = (part.strip() for part in line.rpartition(","))
        if not line.strip() or (number == 1 and score.lower() == "score"):
            continue
        try:
            value = float(score)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value <= 1:
            raise InputError(f"{path}, line {number}: is {line.strip()!r}; action,score from 0 to 1 is expected")
        try:
            columns = labels.columns([name.strip('"')])
        except InputError as wrong:
            raise InputError(f"{path}, line {number}: {wrong}") from None
        for column in columns:
            scores[column] = value
    return tuple(scores)
