"""The vocabulary against facts of AVA v2.2 that everybody can look up."""

from __future__ import annotations

import pytest

from ava_tools import Action, InputError, Labels, ava_labels
from ava_tools.labels import numbered_labels, short_name

NOT_SCORED = {2, 16, 18, 19, 21, 23, 25, 31, 32, 33, 35, 39, 40, 42, 44, 50, 53, 55, 71, 75}


def test_ava_has_80_actions_of_which_60_count():
    labels = ava_labels()
    assert labels.ids == tuple(range(1, 81))
    assert len(labels) == len(set(labels.names)) == 80
    assert {action.id for action in labels if not action.scored} == NOT_SCORED


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        pytest.param("pose", 1, 14, id="pose"),
        pytest.param("object", 15, 63, id="object"),
        pytest.param("person", 64, 80, id="person"),
    ],
)
def test_ava_kinds_stand_in_blocks(kind, first, last):
    assert [action.id for action in ava_labels() if action.kind == kind] == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "bend/bow (at the waist)"),
        (12, "stand"),
        (14, "walk"),
        (17, "carry/hold (an object)"),
        (64, "fight/hit (a person)"),
        (79, "talk to (e.g., self, a person, a group)"),
        (80, "watch (a person)"),
    ],
)
def test_ava_names(number, name):
    assert ava_labels().names[number - 1] == name


MINE = Labels((Action(7, "Wave (a hand)"), Action(3, "jump"), Action(12, "wave")))


@pytest.mark.parametrize(
    ("wanted", "columns"),
    [
        pytest.param(["jump"], (1,), id="name"),
        pytest.param([" JUMP "], (1,), id="case_and_space"),
        pytest.param(["3"], (1,), id="id"),
        pytest.param(["wave (a hand)"], (0,), id="whole_name"),
        pytest.param(["wave"], (2,), id="whole_name_before_short_name"),
        pytest.param(["12", "7"], (2, 0), id="order_as_asked"),
        pytest.param([], (), id="none"),
    ],
)
def test_columns_of_names_and_ids(wanted, columns):
    assert MINE.columns(wanted) == columns


def test_the_short_name_of_ava_is_enough():
    assert ava_labels().columns(["talk to", "Walk", "80"]) == (78, 13, 79)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        pytest.param("jmp", r"'jmp' is none of the model's 3 actions; did you mean 'jump'\?", id="close"),
        pytest.param("zzzzzz", r"'zzzzzz' is none of the model's 3 actions$", id="far"),
        pytest.param("0", r"'0' is none", id="id"),
        pytest.param("", r"'' is none", id="empty"),
    ],
)
def test_an_unknown_action_is_an_error(asked, sentence):
    with pytest.raises(InputError, match=sentence):
        MINE.columns([asked])


def test_an_id_stands_once():
    with pytest.raises(InputError, match="twice"):
        Labels((Action(1, "walk"), Action(1, "run")))


def test_names_where_there_are_none():
    labels = numbered_labels(3)
    assert (labels.ids, labels.names) == ((1, 2, 3), ("action 1", "action 2", "action 3"))
    assert len(numbered_labels(0)) == 0


@pytest.mark.parametrize(
    ("name", "short"),
    [("talk to (e.g., self, a person)", "talk to"), ("walk", "walk"), ("a(b)", "a(b)")],
    ids=["ava", "plain", "no_space"],
)
def test_short_name(name, short):
    assert short_name(name) == short


def test_a_short_name_that_two_actions_share_means_both():
    labels = ava_labels()
    assert [labels.ids[column] for column in labels.columns(["watch", "push"])] == [61, 80, 46, 76]
    assert labels.display_names[60] == "watch (e.g., TV)"
    assert labels.display_names[78] == "talk to"
