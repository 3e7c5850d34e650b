"""Which films are held back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from ava_tools.convert.annotations import AnnotatedFilm, Person, collected
from ava_tools.convert.splits import TRAIN, VAL, split_films, split_time

BOX = (0.1, 0.1, 0.5, 0.5)


def films_with(counts, splits=()):
    """Annotations of films, each with so many examples of each action."""
    splits = dict(splits)
    persons = [
        Person(film, number / 10, BOX, [action])
        for film, actions in counts.items()
        for number, action in enumerate(name for name, count in actions.items() for _ in range(count))
    ]
    return collected([AnnotatedFilm(film, split=splits.get(film)) for film in counts], persons)


def test_whole_films_with_every_action_on_both_sides():
    counts = {f"walk {number}": {"walk": 10} for number in range(8)}
    counts |= {f"fall {number}": {"fall": 2, "walk": 3} for number in range(2)}
    counts |= {f"jump {number}": {"jump": 3} for number in range(2)} | {"run": {"run": 4}}
    for seed in range(5):
        placed = split_films(films_with(counts), 0.2, seed)
        assert set(placed) == set(counts)
        assert {placed["fall 0"], placed["fall 1"]} == {TRAIN, VAL}
        assert {placed["jump 0"], placed["jump 1"]} == {TRAIN, VAL}
        assert placed["run"] == TRAIN
        held_back = [name for name in counts if placed[name] == VAL]
        assert 0.1 < sum(sum(counts[name].values()) for name in held_back) / 100 < 0.35


def test_the_seed_decides_between_equals():
    equal = films_with({f"film {number}": {"walk": 10} for number in range(10)})
    assert split_films(equal, 0.2, 3) == split_films(equal, 0.2, 3)
    assert len({tuple(sorted(split_films(equal, 0.2, seed).items())) for seed in range(8)}) > 1


@pytest.mark.parametrize("seed", range(40))
def test_no_other_dealing_has_more_actions_on_both_sides(seed):
    random = np.random.default_rng(seed)
    films, actions = int(random.integers(2, 9)), int(random.integers(2, 9))
    examples = (random.random((films, actions)) < random.choice([0.15, 0.3, 0.5])) * random.integers(1, 4, actions)
    counts = {
        f"film {film}": {f"a{action}": int(n) for action, n in enumerate(row)} for film, row in enumerate(examples)
    }
    placed = split_films(films_with(counts), 0.2, seed)

    def on_both(held_back):
        return ((examples[held_back] > 0).any(axis=0) & (examples[~held_back] > 0).any(axis=0)).sum()

    dealings = [np.array(sides) for sides in product([False, True], repeat=films) if 0 < sum(sides) < films]
    chosen = np.array([placed[name] == VAL for name in counts])
    assert on_both(chosen) == max(map(on_both, dealings))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_no_side_is_empty(share):
    placed = split_films(films_with({"one": {"walk": 90}, "two": {"walk": 10}}), share, 0)
    assert set(placed.values()) == {TRAIN, VAL}


@pytest.mark.parametrize(("share", "side", "other"), [(0.01, TRAIN, VAL), (0.99, VAL, TRAIN)])
def test_a_side_that_would_be_empty_has_the_film_with_the_fewest_persons(share, side, other):
    counts = {"one": {"walk": 30}, "two": {"fall": 20}, "three": {"jump": 10}}
    assert split_films(films_with(counts), share, 0) == {"one": side, "two": side, "three": other}


def test_films_without_persons_are_placed():
    placed = split_films(films_with({"one": {"walk": 5}, "two": {"walk": 5}, "empty": {}}), 0.3, 0)
    assert set(placed) == {"one", "two", "empty"}


def test_splits_of_the_annotations_stay():
    counts = {name: {"walk": 5} for name in ("one", "two", "three")}
    known = films_with(counts, {"one": "test", "two": TRAIN})
    placed = split_films(known, 0.2, 0)
    assert (placed["one"], placed["two"]) == ("test", TRAIN)
    assert placed["three"] in (TRAIN, VAL)
    assert split_films(films_with(counts, dict.fromkeys(counts, "test")), 0.2, 0) == dict.fromkeys(counts, "test")


def test_a_film_that_is_alone_is_cut_in_time():
    times = [number / 2 for number in range(40)]
    parts = split_time(pd.DataFrame({"video": "film", "timestamp": times}), 0.25)
    assert parts[TRAIN]["timestamp"].tolist() == [time for time in times if time < 14.625]
    assert parts[VAL]["timestamp"].tolist() == [time for time in times if time >= 16.625]
