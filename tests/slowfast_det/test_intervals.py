"""From scores at key frames to intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ava_tools.cli.run import MisuseError
from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels
from slowfast_det.cli.interval_options import IntervalOptions
from slowfast_det.intervals import IntervalFinder, IntervalRule, find_intervals
from slowfast_det.keyframe import EVERYTHING, Keyframe, Selection
from slowfast_det.result_files.opening import open_result
from slowfast_det.results import FilmResult
from slowfast_det.span import Span

LABELS = Labels((Action(1, "stand", "pose"), Action(2, "sit", "pose"), Action(7, "wave"), Action(9, "talk", "person")))
PLAIN = IntervalRule(begin=0.5, end=0.6, smooth=0, gap=0, shortest=0)


def keyframe(time, scores):
    """``scores``: {person: [a score for each action]}."""
    count = len(scores)
    return Keyframe(
        "film",
        time,
        np.tile([0.1, 0.1, 0.5, 0.5], (count, 1)).reshape(-1, 4),
        np.ones(count),
        np.array(list(scores), dtype=np.int64),
        np.array(list(scores.values()), dtype=float).reshape(-1, 4),
        LABELS,
    )


def waves(scores, spacing=1.0, person=1):
    """Key frames of one person with these scores of the third action."""
    return [keyframe(spacing * n, {} if s is None else {person: [0, 0, s, 0]}) for n, s in enumerate(scores)]


def stretches(found):
    return [(interval.action, round(interval.start, 6), round(interval.end, 6)) for interval in found]


@pytest.mark.parametrize(
    ("scores", "rule", "expected"),
    [
        pytest.param([0, 0.9, 0.8, 0], {}, [(0.5, 2.5)], id="half of the way to the next key frames"),
        pytest.param([0.9, 0.9], {}, [(0, 1.5)], id="not before the film"),
        pytest.param([0.9], {}, [(0, 0.5)], id="a single key frame"),
        pytest.param(
            [0, 0.6, 0.4, 0.4, 0.2, 0.4], {}, [(0.5, 3.5)], id="hysteresis: 0.3 carries on, 0.4 begins nothing"
        ),
        pytest.param(
            [0.9, 0, 0.9, 0, 0, 0.9], {"gap": 1}, [(0, 2.5), (4.5, 5.5)], id="a gap is bridged, a longer one not"
        ),
        pytest.param([0.9, None, 0.9], {"gap": 1}, [(0, 2.5)], id="out of sight for a moment"),
        pytest.param([0.9, None, None, None, 0.9], {"gap": 1}, [(0, 0.5), (3.5, 4.5)], id="out of sight for long"),
        pytest.param(
            [0.9, 0, 0, 0.4, 0.9], {}, [(0, 0.5), (3.5, 4.5)], id="what carries on begins nothing after a gap"
        ),
        pytest.param(
            [0.9, None, None, 0.4, 0.4], {"gap": 1.2, "smooth": 2}, [(0, 0.5)], id="nor where nobody was seen for long"
        ),
        pytest.param([0.9, 0, 0.9, 0.9, 0], {"shortest": 1.5}, [(1.5, 3.5)], id="too short"),
        pytest.param(
            [0, 0.9, 0, 0.9, 0.9, 0.9, 0], {"smooth": 2, "end": 1}, [(1.5, 5.5)], id="smoothed over three key frames"
        ),
        pytest.param([0, 0.3, 0.2], {}, [], id="nothing"),
        pytest.param([], {}, [], id="no key frames"),
    ],
)
def test_one_action(scores, rule, expected):
    changed = IntervalRule(**({"begin": 0.5, "end": 0.6, "smooth": 0, "gap": 0} | rule))
    assert [span[1:] for span in stretches(find_intervals(waves(scores), changed))] == expected


def test_scores_are_the_networks():
    (found,) = find_intervals(waves([0.6, 0.9, 0.6]), IntervalRule(begin=0.5, smooth=2, gap=0))
    assert found.mean_score == pytest.approx(0.7)
    assert found.peak_score == 0.9
    assert (found.video, found.person, found.action_id) == ("film", 1, 7)


def test_each_action_has_its_threshold():
    frames = [keyframe(time, {1: [0, 0, 0.5, 0.5]}) for time in (0.0, 1.0)]
    rule = IntervalRule(begin=(0.9, 0.9, 0.4, 0.6), smooth=0)
    assert [interval.action for interval in find_intervals(frames, rule)] == ["wave"]


def test_actions_and_persons_are_independent():
    frames = [
        keyframe(0, {1: [0, 0, 0.9, 0], 2: [0, 0, 0, 0.9]}),
        keyframe(1, {2: [0, 0, 0.9, 0.9], 1: [0, 0, 0.9, 0.9]}),
    ]
    found = find_intervals(frames, PLAIN)
    assert [(i.person, i.action, i.start) for i in found] == [
        (1, "wave", 0),
        (2, "talk", 0),
        (1, "talk", 0.5),
        (2, "wave", 0.5),
    ]


class TestPoses:
    def test_one_at_a_time(self):
        frames = [keyframe(n, {1: scores}) for n, scores in enumerate([[0.9, 0.6, 0, 0], [0.7, 0.8, 0, 0]])]
        assert stretches(find_intervals(frames, PLAIN)) == [("stand", 0, 0.5), ("sit", 0.5, 1.5)]

    def test_a_better_one_that_is_none_ends_nothing(self):
        """Neither reaches its score: what was goes on over the gap."""
        rows = [[0.9, 0, 0, 0], [0.2, 0.25, 0, 0], [0.9, 0, 0, 0]]
        frames = [keyframe(n, {1: scores}) for n, scores in enumerate(rows)]
        rule = IntervalRule(begin=0.5, end=0.6, smooth=0, gap=1)
        assert stretches(find_intervals(frames, rule)) == [("stand", 0, 2.5)]

    def test_other_actions_go_on_beside_them(self):
        frames = [keyframe(n, {1: [0.9, 0.8, 0.9, 0.9]}) for n in range(2)]
        assert {interval.action for interval in find_intervals(frames, PLAIN)} == {"stand", "wave", "talk"}


class TestStreaming:
    def test_it_is_the_whole_at_once(self):
        random = np.random.default_rng(0)
        frames = [
            keyframe(0.4 * n, {int(p): random.random(4) for p in random.permutation(4)[: random.integers(0, 5)] + 1})
            for n in range(200)
        ]
        rule = IntervalRule(begin=0.6, end=0.8, smooth=1.2, gap=0.7, shortest=0.5)
        finder = IntervalFinder(rule)
        early = [interval for frame in frames for interval in finder.see(frame)]
        late = list(finder.rest())
        assert len(late) < 20 < len(early)
        key = lambda i: (i.start, i.person, i.action_id)  # noqa: E731
        assert sorted(early + late, key=key) == find_intervals(frames, rule)

    def test_by_definition(self):
        """Every key frame that is done lies in an interval of its action, and the others in gaps alone."""
        random = np.random.default_rng(1)
        scores = random.random(300)
        found = find_intervals(waves(scores, 0.5), IntervalRule(begin=0.6, end=0.5, smooth=0, gap=0))
        inside, state = [], False
        for score in scores:
            state = score >= (0.3 if state else 0.6)
            inside.append(state)
        for number, state in enumerate(inside):
            assert state == any(i.start - 1e-9 <= 0.5 * number <= i.end for i in found if i.end > 0.5 * number)

    def test_what_is_held_does_not_grow(self):
        finder = IntervalFinder(IntervalRule(smooth=2))
        for n in range(500):
            list(finder.see(keyframe(0.2 * n, {1 + n // 20: [0, 0, 0.9, 0]})))
        assert len(finder._persons) <= 2
        assert all(len(person._window) < 30 for person in finder._persons.values())


@pytest.mark.parametrize("wrong", [{"begin": 1.5}, {"end": -1}, {"smooth": -1}, {"gap": float("nan")}])
def test_rules_that_make_no_sense(wrong):
    with pytest.raises(InputError):
        IntervalRule(**wrong)


class TestFiles:
    @pytest.fixture
    def frames(self):
        rows = [{1: [0, 0, 0.9, 0], 2: [0.9, 0, 0, 0]}, {1: [0, 0, 0.8, 0]}, {1: [0, 0, 0.1, 0.9]}]
        return [keyframe(float(n), scores) for n, scores in enumerate(rows)]

    def write(self, path, kind, frames, selection=EVERYTHING):
        file = open_result(path, kind, path, selection, Span(), 30.0, PLAIN)
        for frame in frames:
            file.write(frame)
        file.close()
        return path.read_text().splitlines()

    def test_intervals(self, frames, tmp_path):
        assert self.write(tmp_path / "x", "intervals", frames) == [
            "video,person,action_id,action,start,end,mean_score,peak_score",
            "film,2,1,stand,0.000,0.500,0.900000,0.900000",
            "film,1,7,wave,0.000,1.500,0.850000,0.900000",
            "film,1,9,talk,1.500,2.500,0.900000,0.900000",
        ]

    def test_an_interval_is_on_disk_when_it_is_over(self, frames, tmp_path):
        file = open_result(tmp_path / "x", "intervals", tmp_path, EVERYTHING, Span(), 30.0, PLAIN)
        for frame in [*frames, keyframe(3.0, {}), keyframe(4.0, {})]:
            file.write(frame)
        assert len((tmp_path / "x").read_text().splitlines()) == 4

    def test_chosen_actions(self, frames, tmp_path):
        lines = self.write(tmp_path / "x", "intervals", frames, Selection(columns=(3,)))
        assert [line.split(",")[3] for line in lines[1:]] == ["talk"]

    def test_tubes(self, frames, tmp_path):
        tubes = [json.loads(line) for line in self.write(tmp_path / "x", "tubes", frames)]
        assert [(tube["person"], tube["start"], tube["end"], len(tube["boxes"])) for tube in tubes] == [
            (1, 0, 2, 3),
            (2, 0, 0, 1),
        ]
        assert tubes[0]["boxes"][1] == [1, 0.1, 0.1, 0.5, 0.5, 1]
        assert [(one["action"], one["start"], one["end"]) for one in tubes[0]["actions"]] == [
            ("wave", 0, 1.5),
            ("talk", 1.5, 2.5),
        ]

    def test_whoever_is_gone_for_good_is_written_at_once(self, tmp_path):
        file = open_result(tmp_path / "x", "tubes", tmp_path, EVERYTHING, Span(), 30.0, PLAIN)
        for time in range(8):
            file.write(keyframe(float(time), {1: [0, 0, 0.9, 0]} if time < 2 else {2: [0, 0, 0.9, 0]}))
        (line,) = (tmp_path / "x").read_text().splitlines()
        assert json.loads(line)["person"] == 1

    def test_subtitles(self, frames, tmp_path):
        lines = self.write(tmp_path / "x", "srt", [*frames, keyframe(3661.25, {3: [0, 0, 0, 0.5]})])
        assert lines[:9] == [
            *("1", "00:00:00,000 --> 00:00:00,500", "person 1: wave", "person 2: stand", ""),
            *("2", "00:00:00,500 --> 00:00:01,500", "person 1: wave", ""),
        ]
        assert [line[:8] for line in lines if "-->" in line][-1] == "00:30:31"
        assert [line for line in lines if line.isdigit()] == ["1", "2", "3", "4"]

    def test_persons(self, frames, tmp_path):
        lines = self.write(tmp_path / "x", "persons", frames)
        assert lines[0] == "video,time,person,x1,y1,x2,y2,score"
        assert lines[1] == "film,0.000,1,0.100000,0.100000,0.500000,0.500000,1.000000"
        assert len(lines) == 5

    def test_a_result_is_saved_by_its_ending(self, frames, tmp_path):
        result = FilmResult(tmp_path / "film.mp4", frames)
        for ending in ("persons.csv", "intervals.csv", "tubes.jsonl", "srt", "csv", "jsonl"):
            result.save(tmp_path / f"x.{ending}")
        assert (tmp_path / "x.intervals.csv").read_text().startswith("video,person")
        assert result.intervals(PLAIN)["action"].tolist() == ["wave", "stand", "talk"]
        with pytest.raises(InputError, match="ending says how to save"):
            result.save(tmp_path / "x.txt")


class TestThresholds:
    def rule(self, *values, usual=0.3):
        return IntervalOptions(*values).rule(LABELS, usual)

    def test_as_usual(self):
        assert self.rule().begin == 0.3
        assert self.rule(usual=(0.1, 0.2, 0.3, 0.4)).begin == (0.1, 0.2, 0.3, 0.4)

    def test_a_number(self):
        assert self.rule("0.8").begin == 0.8

    def test_a_file(self, tmp_path):
        (tmp_path / "t.csv").write_text("action,score\nwave,0.9\n1,0.2\n")
        assert self.rule(str(tmp_path / "t.csv")).begin == (0.2, 0.3, 0.9, 0.3)

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("wave\n", "line 1: is 'wave'"),
            ("a,b\nwave,2\n", "line 1"),
            ("fly,0.5\n", "line 1: .*fly"),
            ("wave,2", "0 to 1"),
        ],
    )
    def test_wrong_files(self, text, sentence, tmp_path):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(InputError, match=rf"t\.csv, .*{sentence}"):
            self.rule(str(tmp_path / "t.csv"))

    def test_wrong_numbers(self):
        with pytest.raises(MisuseError):
            self.rule("1.5")

    def test_no_such_file(self):
        with pytest.raises(InputError, match=r"nothing\.csv"):
            self.rule("nothing.csv")
