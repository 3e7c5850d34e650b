"""Checkpoints: recognised by content, complete or refused, and nothing in them runs."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace

import pytest
import torch
from golden import checkpoint_of
from safetensors.torch import save_file

from ava_tools import InputError
from slowfast_det import load_model, load_network
from slowfast_det.checkpoints.model import untrained_model

MODEL = "SLOW_8x8_R50_SHORT"


@pytest.fixture(scope="module")
def theirs():
    return checkpoint_of(MODEL)


def test_our_file_needs_no_other(tmp_path):
    model = untrained_model("tiny")
    path = tmp_path / "weights.bin"  # the name says nothing
    model.save(path)
    again = load_model(path)
    assert again.config == model.config
    assert again.labels == model.labels
    assert all(torch.equal(value, again.network.state_dict()[key]) for key, value in model.network.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["weights.bin"]


def test_thresholds_travel_with_the_model(tmp_path):
    thresholds = tuple(number / 100 for number in range(80))
    replace(untrained_model("tiny"), thresholds=thresholds).save(tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").thresholds == thresholds


def test_names_of_distributed_training_are_read(tmp_path, theirs):
    path = tmp_path / "ddp.pyth"
    torch.save(theirs | {"model_state": {f"module.{key}": value for key, value in theirs["model_state"].items()}}, path)
    plain = tmp_path / "plain.pyth"
    torch.save(theirs, plain)
    first, second = load_network(path).state_dict(), load_network(plain).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in second)


def test_a_given_config_replaces_the_files_own(tmp_path, theirs):
    path = tmp_path / "c.pyth"
    torch.save({key: value for key, value in theirs.items() if key != "cfg"}, path)
    with pytest.raises(
        InputError, match=r"do not say what network they are; name its config: slow_r50_4x16 fits its tensors"
    ):
        load_network(path)
    assert load_network(path, config="slow_r50_4x16").num_frames == 4
    assert load_model(path, config="slow_r50_4x16").labels.names[11] == "stand"


def _changed(checkpoint, name, value):
    state = dict(checkpoint["model_state"])
    state.pop(name, None)
    if value is not None:
        state[name] = value
    return checkpoint | {"model_state": state}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("head.projection.bias", None, "lacks head.projection.bias", id="head missing"),
        pytest.param(
            "s5.pathway0_res3.branch2.a.weight",
            torch.zeros(1),
            "has the unknown s5.pathway0_res3.branch2.a.weight",
            id="a block too many",
        ),
        pytest.param(
            "head.projection.bias",
            torch.zeros(6),
            r"head.projection.bias is \[6\], \[80\] is expected",
            id="other shape",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, theirs, name, value, message):
    path = tmp_path / "c.pyth"
    torch.save(_changed(theirs, name, value), path)
    with pytest.raises(InputError, match=f"c.pyth: does not fit its config: {message}"):
        load_network(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("ARCH: slow\n", "ARCH: x3d\n", "MODEL.ARCH is 'x3d'", id="other architecture"),
        pytest.param("MODEL_NAME: ResNet\n", "MODEL_NAME: X3D\n", "MODEL.MODEL_NAME is 'X3D'", id="other builder"),
        pytest.param("DEPTH: 50", "DEPTH: 34", "network.depth", id="other depth"),
        pytest.param("SPATIAL_SCALE_FACTOR: 16", "SPATIAL_SCALE_FACTOR: 32", "make 16", id="other stride"),
        pytest.param("MODEL:", "MODEL: 3\nX:", "MODEL is 3", id="no section"),
    ],
)
def test_networks_that_are_not_known_are_named(tmp_path, theirs, old, new, message):
    assert old in theirs["cfg"]
    path = tmp_path / "c.pyth"
    torch.save(theirs | {"cfg": theirs["cfg"].replace(old, new)}, path)
    with pytest.raises(InputError, match=f"c.pyth \\(its cfg\\): .*{message}"):
        load_network(path)


class Trap:
    """Pickled, it asks to create a file when it is read."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_in_a_hostile_file_runs(tmp_path):
    for name, write in (("zip.pyth", torch.save), ("plain.pkl", lambda o, p: p.write_bytes(pickle.dumps(o)))):
        write({"model_state": {}, "cfg": Trap(tmp_path / "sprung")}, tmp_path / name)
        with pytest.raises(InputError, match=f"{name}: .*nothing in it was run"):
            load_network(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"<!DOCTYPE html><html>not found", "is a text page", id="html page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "is a text page", id="lfs pointer"),
        pytest.param(b"\x00\x01\x02 nothing like weights" * 50, "no weight file at all", id="foreign"),
        pytest.param(b"PK\x03\x04 a broken archive", "no weight file at all", id="broken zip"),
    ],
)
def test_foreign_files_are_named(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"weights.pth: .*{message}"):
        load_network(path)


def test_cut_off_files_are_named(tmp_path, theirs):
    torch.save(theirs, tmp_path / "a.pyth")
    untrained_model("tiny").save(tmp_path / "b.safetensors")
    for name in ("a.pyth", "b.safetensors"):
        _cut(tmp_path / name)
        with pytest.raises(InputError, match=f"{name}: .*(damaged|cut off)"):
            load_network(tmp_path / name)


def test_missing_and_unknown_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.pth: cannot be read"):
        load_network(tmp_path / "nowhere.pth")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="no layout that is known"):
        load_network(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        pytest.param("config", "{", "lack a readable 'config'", id="no json"),
        pytest.param("labels", "[[1]]", "labels are no list", id="labels of another form"),
        pytest.param("labels", json.dumps([[1, "walk", "pose", True]]), "names 1 actions", id="too few labels"),
        pytest.param("thresholds", "[0.5]", "thresholds are no list of 80 scores", id="too few thresholds"),
        pytest.param("thresholds", json.dumps([2] * 80), "thresholds are no list of 80", id="thresholds above 1"),
        pytest.param("thresholds", json.dumps(["a"] * 80), "thresholds are no list of 80", id="no thresholds"),
        pytest.param("thresholds", "{", "lack a readable 'thresholds'", id="thresholds are no json"),
        pytest.param("config", json.dumps({"network": {}}), "network.architecture", id="config incomplete"),
    ],
)
def test_wrong_metadata_are_named(tmp_path, key, value, message):
    path = tmp_path / "m.safetensors"
    model = untrained_model("tiny")
    labels = [[action.id, action.name, action.kind, action.scored] for action in model.labels]
    metadata = {"slowfast_det": "0", "config": model.config.model_dump_json(), "labels": json.dumps(labels)}
    save_file(model.network.state_dict(), path, metadata | {key: value})
    with pytest.raises(InputError, match=f"m.safetensors.*{message}"):
        load_model(path)
