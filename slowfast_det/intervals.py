"""Who does what from when to when: scores from key frame to key frame become intervals of each person and action."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from slowfast_det.keyframe import Keyframe

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Somebody does something for a while.

    Attributes:
        video: the film's name.
        person: identity, as in the key frames.
        column, action_id, action: what is done: output of the network, id and name.
        start, end: seconds from the start of the film; half of the way to the key frames where it is not done.
        mean_score, peak_score: over the key frames in between, as the network gave them.
    """

    video: str
    person: int
    column: int
    action_id: int
    action: str
    start: float
    end: float
    mean_score: float
    peak_score: float


@dataclass(frozen=True)
class IntervalRule:
    """When an action begins and ends.

    Attributes:
        begin: score from which on somebody does an action, one for all or one for each.
        end: share of that below which it ends; between both nothing changes.
        smooth: seconds over which scores are averaged, half of them before the moment.
        gap: seconds without key frames of a person, or below the score, over which an action goes on.
        shortest: seconds that an interval lasts at least.
    """

    begin: float | tuple[float, ...] = 0.3
    end: float = 0.7
    smooth: float = 1.0
    gap: float = 1.0
    shortest: float = 0.0

    def __post_init__(self) -> None:
        begins = self.begin if isinstance(self.begin, tuple) else (self.begin,)
        if not all(0 <= value <= 1 for value in (*begins, self.end)):
            raise InputError("scores at which actions begin, and the share at which they end, are from 0 to 1")
        for name in ("smooth", "gap", "shortest"):
            if not 0 <= getattr(self, name) <= 3600:
                raise InputError(f"{name} is {getattr(self, name):g}; seconds from 0 to 3600 are expected")

    def begins(self, labels: Labels) -> Scores:
        """``float64[N]`` score at which each action begins."""
        return np.broadcast_to(np.asarray(self.begin, dtype=np.float64), len(labels)).copy()


class IntervalFinder:
    """Takes key frames in order and gives intervals when they have ended; holds what is open, nothing else.

    Of actions that AVA calls poses a person does one at a time: that of the highest score.
    """

    def __init__(self, rule: IntervalRule = IntervalRule()) -> None:
        """``rule`` says when an action begins and ends."""
        self._rule = rule
        self._persons: dict[int, _Person] = {}
        self._last: float | None = None
        self._spacing: float | None = None

    def see(self, keyframe: Keyframe) -> Iterator[Interval]:
        """Take the next key frame; gives the intervals that are over for certain, in the order of their persons."""
        if self._last is not None and keyframe.time > self._last:
            first, self._spacing = self._spacing is None, keyframe.time - self._last
            for one in self._persons.values() if first else ():
                one.reach(self._spacing)
        self._last = keyframe.time
        for person, scores in zip(keyframe.persons.tolist(), keyframe.scores, strict=True):
            if person not in self._persons:
                self._persons[person] = _Person(keyframe.video, person, keyframe.labels, self._rule)
            self._persons[person].see(keyframe.time, scores, self._spacing or 1.0)
        for person, one in list(self._persons.items()):
            yield from one.settle(keyframe.time)
            if one.is_gone(keyframe.time):
                yield from self._persons.pop(person).rest()

    def rest(self) -> Iterator[Interval]:
        """What is still open when no other key frame comes."""
        for person in list(self._persons):
            yield from self._persons.pop(person).rest()


@dataclass
class _Moment:
    """A person's scores at a key frame, and how far around it they count."""

    time: float
    scores: Scores
    reach: float


@dataclass
class _Person:
    """What one person does; arrays have an entry an action."""

    video: str
    person: int
    labels: Labels
    rule: IntervalRule
    _begins: Scores = field(init=False)
    _poses: NDArray[np.bool_] = field(init=False)
    _window: deque[_Moment] = field(default_factory=deque)  # around those that are not settled
    _settled: int = 0  # of the window

    def __post_init__(self) -> None:
        count = len(self.labels)
        self._begins = self.rule.begins(self.labels)
        self._poses = np.array([action.kind == "pose" for action in self.labels])
        self._open = np.zeros(count, dtype=bool)
        self._start, self._end, self._sum, self._peak = (np.zeros(count) for _ in range(4))
        self._seen = np.zeros(count, dtype=np.int64)
        self._latest = -np.inf

    def see(self, time: float, scores: Scores, spacing: float) -> None:
        """Take what the person does at a key frame, ``spacing`` behind the one before."""
        reach = spacing / 2
        self._window.append(_Moment(time, scores, reach))
        self._latest = time

    def reach(self, spacing: float) -> None:
        """How far apart key frames are, where the first one came before anybody knew."""
        for moment in self._window:
            moment.reach = spacing / 2

    def is_gone(self, time: float) -> bool:
        """Whether the person has not been seen for so long that nothing goes on."""
        return time - self._latest > self.rule.gap + self.rule.smooth / 2

    def settle(self, time: float) -> Iterator[Interval]:
        """Decide about the moments on which nothing after ``time`` has a bearing."""
        half = self.rule.smooth / 2
        while self._settled < len(self._window) and self._window[self._settled].time + half < time + 1e-9:
            moment = self._window[self._settled]
            near = [other.scores for other in self._window if abs(other.time - moment.time) <= half + 1e-9]
            yield from self._decide(moment, np.mean(near, axis=0))
            self._settled += 1
        oldest = self._window[self._settled].time if self._settled < len(self._window) else time
        while self._settled and self._window[0].time < oldest - half - 1e-9:
            self._window.popleft()
            self._settled -= 1

    def rest(self) -> Iterator[Interval]:
        """Everything that is left."""
        yield from self.settle(np.inf)
        yield from self._closed(self._open)

    def _decide(self, moment: _Moment, smoothed: Scores) -> Iterator[Interval]:
        """Begin, carry on and end actions at a moment."""
        since = moment.time - moment.reach - self._end  # seconds without each action up to this key frame
        lasting = self._open & (since <= self.rule.gap + 1e-9)
        done = smoothed >= np.where(lasting, self._begins * self.rule.end, self._begins)
        pose = int(np.where(self._poses, smoothed, -1).argmax())
        done &= ~self._poses | (np.arange(len(done)) == pose)
        over = self._open & (np.where(done, since, since + 2 * moment.reach) > self.rule.gap + 1e-9)
        if done[pose] and self._poses[pose]:
            over |= self._open & self._poses & ~done
        yield from self._closed(over)
        fresh = done & ~self._open
        self._start[fresh] = max(0.0, moment.time - moment.reach)
        self._sum[fresh] = self._peak[fresh] = self._seen[fresh] = 0
        self._open |= done
        self._end[done] = moment.time + moment.reach
        self._sum[done] += moment.scores[done]
        self._seen[done] += 1
        self._peak[done] = np.maximum(self._peak[done], moment.scores[done])

    def _closed(self, over: NDArray[np.bool_]) -> Iterator[Interval]:
        """End actions; those that lasted long enough are intervals."""
        for column in np.flatnonzero(over).tolist():
            self._open[column] = False
            start, end = float(self._start[column]), float(self._end[column])
            if end - start + 1e-9 < self.rule.shortest:
                continue
            action = self.labels.actions[column]
            mean = float(self._sum[column] / self._seen[column])
            peak = float(self._peak[column])
            yield Interval(self.video, self.person, column, action.id, action.name, start, end, mean, peak)


def find_intervals(keyframes: Sequence[Keyframe], rule: IntervalRule = IntervalRule()) -> list[Interval]:
    """All intervals of a film's key frames, by their start."""
    finder = IntervalFinder(rule)
    found = [interval for keyframe in keyframes for interval in finder.see(keyframe)]
    found += finder.rest()
    return sorted(found, key=lambda interval: (interval.start, interval.person, interval.action_id))
