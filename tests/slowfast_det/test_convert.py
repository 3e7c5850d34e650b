"""``slowfast-det convert``: one file of ours that needs no other, and files that PySlowFast reads."""

from __future__ import annotations

import pytest
import torch
import yaml
from golden import golden_of
from safetensors import SafetensorError
from safetensors.torch import load_file

from ava_tools.settings import overridden
from slowfast_det.checkpoints.fitting import differences
from slowfast_det.checkpoints.model import load_any_model, load_config, untrained_model
from slowfast_det.checkpoints.pyslowfast_writing import pyslowfast_sections
from slowfast_det.config import parse_config
from slowfast_det.pyslowfast_config import read_config
from slowfast_det.weights import writing

NETWORKS = [
    ("pyslowfast", "SLOW_8x8_R50_SHORT", None),
    ("pyslowfast", "derived_I3D_NLN_8x8_R50_det", None),
    ("pyslowfast", "derived_C2D_8x8_R50_det", None),
    ("pyslowfast", "kinetics_SLOW_4x16_R50", None),
    ("mmaction2", "slowonly_r50_nl_4x16x1_ava21", "mmaction2_slowonly_r50_4x16_nl"),
    ("mmaction2", "slowonly_r50_tricks_16x4x1_ava_kinetics", "mmaction2_slowonly_r50_16x4_tricks"),
    ("pytorchvideo", "slow_r50_detection", "pytorchvideo_slow_r50_4x16"),
]


@pytest.fixture
def written(tmp_path):
    """A golden's weights in their publisher's layout."""

    def write(peer, name):
        golden = golden_of(peer, name)
        content = {"model_state": golden.state(), "cfg": golden.cfg}
        if peer == "mmaction2":
            content = {"state_dict": golden.state()}
        torch.save(content, tmp_path / "theirs.pth")
        return tmp_path / "theirs.pth"

    return write


@pytest.mark.parametrize(("peer", "name", "config"), NETWORKS, ids=[row[1] for row in NETWORKS])
def test_our_file_is_the_same_model(peer, name, config, written, command, tmp_path):
    weights = written(peer, name)
    options = ["--config", config] if config else []
    outcome = command("convert", weights, *options, "--out", "new/ours.safetensors")
    assert (outcome.code, outcome.out.strip()) == (0, "new/ours.safetensors")
    before, after = load_any_model(weights, config), load_any_model(tmp_path / "new" / "ours.safetensors")
    assert after.config == before.config
    assert after.labels == before.labels
    state = after.network.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in before.network.state_dict().items())


@pytest.mark.parametrize(
    ("peer", "name", "config"),
    [
        *[row for row in NETWORKS if row[0] != "mmaction2"],
        ("mmaction2", "slowonly_r50_4x16x1_ava21", "mmaction2_slowonly_r50_4x16"),
        ("pyslowfast", "derived_SLOWFAST_NLN_8x8_R50_det", None),
    ],
)
def test_pyslowfasts_file_is_the_same_network(peer, name, config, written, command, tmp_path):
    """Names and shapes are those of PySlowFast's own checkpoint, its yaml gives our configuration back."""
    weights = written(peer, name)
    options = ["--config", config] if config else []
    assert command("convert", weights, *options, "--out", "theirs.pyth").code == 0
    content = torch.load(tmp_path / "theirs.pyth", weights_only=True)
    assert content.keys() == {"epoch", "model_state", "optimizer_state", "cfg"}
    if peer == "pyslowfast":
        golden = golden_of(peer, name)
        assert {key: list(value.shape) for key, value in content["model_state"].items()} == golden.tensors
        theirs, ours = yaml.safe_load(golden.cfg), yaml.safe_load(content["cfg"])
        for section, values in ours.items():
            for key, value in values.items():
                assert theirs[section][key] == value or (section, key) in NOT_OF_THE_NETWORK, (section, key)
    before, after = load_any_model(weights, config), load_any_model(tmp_path / "theirs.pyth")
    assert (after.config.activation, after.config.labels) == (before.config.activation, before.config.labels)
    state = after.network.state_dict()
    for key, value in before.network.state_dict().items():
        rows = value[1:] if key.startswith("head.projection") and before.config.network.unused_column else value
        assert torch.equal(rows, state[key])


# What a training or its losses are told; the pools of non-local blocks that are not there; a detector's clip window.
NOT_OF_THE_NETWORK = {("NONLOCAL", "POOL"), ("RESNET", "ZERO_INIT_FINAL_BN"), ("DATA", "TRAIN_CROP_SIZE")}


@pytest.mark.parametrize(
    ("change", "switch"),
    [
        pytest.param({}, "network.depth=14", id="depth"),
        pytest.param({"depth": 26, "fusion_norm": False}, "network.fusion_norm=False", id="fusion norm"),
        pytest.param({"depth": 26, "slow_frames": "stride"}, "network.slow_frames=stride", id="slow frames"),
        pytest.param({"depth": 26, "temporal_pooling": "max"}, "network.temporal_pooling=max", id="maximum"),
        pytest.param({"depth": 26, "context": "frame"}, "network.context=frame", id="context"),
        pytest.param(
            {"depth": 26, "architecture": "i3d_heavy", "stem_strides": (2, 1), "stem_pool_padding": False},
            "network.architecture=i3d_heavy, network.stem_strides=[2, 1], network.stem_pool_padding=False; it cannot",
            id="I3D of mmaction2",
        ),
        pytest.param(
            {
                "depth": 26,
                "non_local": [
                    {"stage": "res3", "blocks": [0]},
                    {"stage": "res4", "blocks": [0], "affinity": "gaussian", "project_first": True},
                ],
            },
            "network.non_local.project_first=True, network.non_local.affinity=gaussian; it cannot",
            id="attention of mmaction2",
        ),
        pytest.param({"depth": 26, "mlp_head": True}, "network.mlp_head=True", id="hidden layer"),
    ],
)
def test_what_pyslowfast_cannot_build_is_refused(change, switch, command, tmp_path):
    content = untrained_model("tiny").config.model_dump()
    content["network"] |= change
    untrained_model(parse_config(content, "mine")).save(tmp_path / "mine.safetensors")
    outcome = command("convert", "mine.safetensors", "--out", "theirs.pyth")
    assert outcome.code == 1
    assert f"mine.safetensors: PySlowFast has no network with {switch}" in outcome.err
    assert not (tmp_path / "theirs.pyth").exists()


ODD = [
    pytest.param(
        "slowfast_r50_8x8",
        [
            *("network.depth=26", "network.width=16", "network.beta=4", "network.alpha=8", "network.fusion_ratio=1"),
            *("network.aligned=false", "network.roi_resolution=5", "network.dilations=[1,1,1,1]", "clip.channels=bgr"),
            *("clip.mean=[0.1,0.2,0.3]", "clip.std=[0.4,0.5,0.6]", "network.dropout=0.25", "clip.short_side=200"),
            "network.non_local=[{stage: res3, blocks: [0], pool: [1,3,1], groups: 2, pathway: fast}, "
            "{stage: res4, blocks: [1], pool: [2,1,2], groups: 2}]",
        ],
        id="two pathways",
    ),
    pytest.param(
        "slow_r50_4x16",
        [
            *("network.architecture=i3d", "network.temporal_pool=2", "network.depth=26", "network.width=16"),
            *("network.stride_first=true", "network.num_actions=7", "activation=softmax", "labels=numbered"),
            "network.non_local=[{stage: res3, blocks: [0], affinity: dot_product, pool: [1,1,1]}]",
        ],
        id="one pathway",
    ),
    pytest.param(
        "kinetics_slow_r50_4x16",
        [
            *("network.architecture=c2d", "network.temporal_pool=2", "network.depth=26", "network.width=16"),
            *("network.window=4", "activation=sigmoid", "clip.channels=bgr", "network.num_actions=157"),
            "labels=numbered",
        ],
        id="clips",
    ),
]


@pytest.mark.parametrize(("config", "overrides"), ODD)
def test_pyslowfasts_yaml_gives_every_setting_back(config, overrides):
    content = overridden(load_config(config).model_dump(), overrides)
    written = parse_config(content, "odd")
    again = read_config(pyslowfast_sections(written, "odd"), "again")
    own = {"network.slow_temporal_blocks", "network.fast_temporal_blocks"}  # there they are always written out
    ignored = own if written.network.architecture == "slowfast" else own | OF_TWO_PATHWAYS
    assert set(differences(written, again)) <= ignored


OF_TWO_PATHWAYS = {f"network.{name}" for name in ("alpha", "beta", "fusion_ratio", "fusion_kernel")}


def test_names_of_the_actions_can_be_given(command, tiny, tmp_path):
    (tmp_path / "names.csv").write_text("".join(f"{number},sport {number}\n" for number in range(1, 81)))
    assert command("convert", tiny, "--labels", "names.csv", "--out", "named.safetensors").code == 0
    assert load_any_model(tmp_path / "named.safetensors").labels.names[2] == "sport 3"
    (tmp_path / "few.csv").write_text("1,run\n")
    outcome = command("convert", tiny, "--labels", "few.csv", "--out", "few.safetensors")
    assert (outcome.code, "few.csv: names 1 actions, but the model has 80 outputs" in outcome.err) == (1, True)
    assert not (tmp_path / "few.safetensors").exists()


def test_nothing_is_replaced_unasked(command, tiny, tmp_path):
    assert command("convert", tiny, "--out", "a.safetensors").paths == ["a.safetensors"]
    assert command("convert", tiny, "--out", "a.safetensors").paths == ["a-2.safetensors"]
    assert command("convert", tiny, "--out", "a.safetensors", "--overwrite").paths == ["a.safetensors"]
    assert command("convert", "a.safetensors", "--out", "a.safetensors", "--overwrite").paths == ["a-2.safetensors"]
    assert command("convert", tiny, "--out", "b", "--to", "ours").paths == ["b.safetensors"]
    assert load_file(tmp_path / "b.safetensors")


@pytest.mark.parametrize("out", ["a.pth", "a.onnx", "a"])
def test_an_unknown_suffix_is_misuse(out, command, tiny):
    outcome = command("convert", tiny, "--out", out)
    assert (outcome.code, "ends in .safetensors or .pyth is expected, or --to" in outcome.err) == (2, True)


def test_what_pyslowfast_has_no_place_for_is_told(command, tmp_path):
    settings = ["network.depth=26", "clip.geometry=mmaction2", "clip.index_base=1"]
    config = parse_config(overridden(load_config("tiny").model_dump(), settings), "mine")
    untrained_model(config).save(tmp_path / "mine.safetensors")
    outcome = command("convert", "mine.safetensors", "--out", "theirs.pyth")
    assert outcome.code == 0
    assert "PySlowFast has no place for clip.geometry=mmaction2, clip.index_base=1" in outcome.err.replace("\n", " ")


def test_no_input_is_overwritten(command, tiny, tmp_path):
    (tmp_path / "tiny.yaml").write_text(command("config", "tiny").out)
    (tmp_path / "weights.pyth").write_bytes(tiny.read_bytes())
    arguments = ("weights.pyth", "--config", "tiny.yaml", "--out", "tiny.yaml", "--to", "ours", "--overwrite")
    assert command("convert", *arguments).paths == ["tiny-2.yaml"]
    assert command("config", "tiny.yaml").code == 0


def test_a_full_disk_is_told_of_the_file(command, tiny, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(writing, "save_file", full)
    outcome = command("convert", tiny, "--out", "a.safetensors")
    assert outcome.code == 1
    assert "a.safetensors: cannot be written (Error while serializing" in outcome.err.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []
