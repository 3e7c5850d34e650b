"""Starting from another network's weights."""

from __future__ import annotations

import pytest
import torch
from golden import checkpoint_of, golden_of

from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels, ava_labels
from slowfast_det.checkpoints.model import load_model, untrained_model
from slowfast_det.checkpoints.transfer import transfer

OWN = Labels((Action(1, "Sit"), Action(2, "juggle"), Action(3, "run/jog")))


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """PySlowFast's Slow-only AVA checkpoint, of 80 actions."""
    path = tmp_path_factory.mktemp("weights") / "slow.pyth"
    torch.save(checkpoint_of("SLOW_8x8_R50_SHORT"), path)
    return path


def fresh(labels=None):
    torch.manual_seed(0)
    return untrained_model("slow_r50_4x16", labels)


def head_of(model):
    return model.network.head.projection


def test_all_of_it(slow):
    model = fresh()
    result = transfer(slow, model)
    assert not result.skipped
    assert not result.fresh
    expected = load_model(slow).network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.network.state_dict().items())
    assert {row[0] for row in result.rows()} == {"loaded"}


def test_other_actions_make_the_head_anew(slow):
    model, untouched = fresh(OWN), fresh(OWN)
    result = transfer(slow, model)
    assert set(result.fresh) == {"head.projection.weight", "head.projection.bias"} == set(result.skipped)
    assert set(result.skipped.values()) == {"of other actions"}
    assert torch.equal(head_of(model).weight, head_of(untouched).weight)
    theirs = load_model(slow).network.backbone.slow.res5[0].a.conv.weight
    assert torch.equal(model.network.backbone.slow.res5[0].a.conv.weight, theirs)


@pytest.mark.parametrize(
    ("class_map", "copied"),
    [
        ("names", {0: "sit", 2: "run/jog"}),
        ({"juggle": "dance"}, {1: "dance"}),
        ({"1": "11", "run/jog": "run/jog"}, {0: "sit", 2: "run/jog"}),
    ],
    ids=["names", "by name", "by id"],
)
def test_shared_actions_are_copied(slow, class_map, copied):
    model, untouched, theirs = fresh(OWN), fresh(OWN), load_model(slow)
    result = transfer(slow, model, class_map)
    assert len(result.copied) == len(copied)
    for row in range(3):
        source = untouched if row not in copied else theirs
        place = row if row not in copied else ava_labels().names.index(copied[row])
        assert torch.equal(head_of(model).weight[row], head_of(source).weight[place])
        assert torch.equal(head_of(model).bias[row], head_of(source).bias[place])


def test_a_kinetics_classifier(tmp_path):
    """Another head of the same name, and no config that is looked at."""
    content = checkpoint_of("SLOW_8x8_R50_SHORT")
    content["model_state"]["head.projection.weight"] = torch.zeros(400, 2048)
    content["model_state"]["head.projection.bias"] = torch.zeros(400)
    content["cfg"] = "DETECTION: {ENABLE: false}\nMODEL: {NUM_CLASSES: 400, ARCH: slow}\n"
    torch.save(content, tmp_path / "kinetics.pyth")
    model = fresh()
    result = transfer(tmp_path / "kinetics.pyth", model)
    assert set(result.skipped) == {"head.projection.weight", "head.projection.bias"} == set(result.fresh)
    with pytest.raises(InputError, match="does not name its actions, so class_map has nothing"):
        transfer(tmp_path / "kinetics.pyth", model, "names")


@pytest.fixture(scope="module")
def slowonly(tmp_path_factory):
    """mmaction2's, whose head has an unused first row."""
    path = tmp_path_factory.mktemp("weights") / "slowonly.pth"
    torch.save({"state_dict": golden_of("mmaction2", "slowonly_r50_4x16x1_ava21").state()}, path)
    return path


def test_an_unused_row_is_left_out(slowonly, slow):
    """From mmaction2's 81 rows to 80, from 80 to 81, from 81 to 81: each action keeps its own."""
    theirs = load_model(slowonly, "mmaction2_slowonly_r50_4x16").network.head.projection.weight[1:]
    model = fresh()
    assert not any(name.startswith("head") for name in transfer(slowonly, model).skipped)
    assert torch.equal(head_of(model).weight, theirs)
    for source, expected in ((slow, load_model(slow).network.head.projection.weight), (slowonly, theirs)):
        padded = untrained_model("mmaction2_slowonly_r50_4x16")
        first = head_of(padded).weight[0].clone()
        transfer(source, padded)
        assert torch.equal(head_of(padded).weight[1:], expected)
        assert torch.equal(head_of(padded).weight[0], first)
    own = untrained_model("mmaction2_slowonly_r50_4x16", OWN)
    transfer(slowonly, own, "names")
    sit = ava_labels().names.index("sit")
    assert torch.equal(head_of(own).weight[1], theirs[sit])


def test_what_does_not_fit_is_told(slow):
    model = untrained_model("slowfast_r50_8x8")
    result = transfer(slow, model)
    rows = result.rows()
    assert any(kind == "fresh" and part.startswith("backbone.fast") for kind, _, part, _ in rows)
    assert any("the network's is" in reason for reason in result.skipped.values())


@pytest.mark.parametrize(
    ("class_map", "message"),
    [
        ({"swim": "sit"}, "'swim' is none of the model's 3 actions"),
        ({"Sit": "sitting"}, "'sitting' is none of the model's 80 actions"),
        ({"Sit": "watch"}, "fits several actions; name one by its id"),
    ],
)
def test_wrong_maps(slow, class_map, message):
    with pytest.raises(InputError, match=message):
        transfer(slow, fresh(OWN), class_map)


def test_nothing_fits(slow):
    with pytest.raises(InputError, match="nothing of it fits the network"):
        transfer(slow, untrained_model("tiny"))
