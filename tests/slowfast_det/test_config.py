"""Configurations: the packaged ones, PySlowFast's, and wrong ones."""

from __future__ import annotations

import pytest
import torch
import yaml
from golden import golden_of

from ava_tools import InputError
from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.checkpoints.model import load_config
from slowfast_det.config import config_names, parse_config
from slowfast_det.pyslowfast_config import read_config
from slowfast_det.recipe import read_any_recipe

# The peers' own counts (num_params of the golden runs).
PARAMETERS = {
    "kinetics_slow_r50_4x16": 32_454_096,
    "kinetics_slowfast_r50_4x16": 34_480_216,
    "kinetics_slowfast_r50_8x8": 34_566_488,
    "mmaction2_slowfast_r50_4x16": 33_743_993,
    "mmaction2_slowfast_r50_4x16_context": 33_930_617,
    "mmaction2_slowfast_r50_8x8": 33_830_265,
    "mmaction2_slowfast_r50_8x8_temporal_max": 33_830_265,
    "mmaction2_slowonly_r101_8x8": 59_705_489,
    "mmaction2_slowonly_r50_16x4_tricks": 48_747_665,
    "mmaction2_slowonly_r50_4x16": 31_800_465,
    "mmaction2_slowonly_r50_4x16_nl": 39_154_833,
    "pytorchvideo_slow_r50_4x16": 31_798_416,
    "pytorchvideo_slowfast_r50_8x8": 33_828_888,
    "slow_r50_4x16": 31_798_416,
    "slowfast_r101_nl_16x8": 59_342_488,
    "slowfast_r101_nl_8x8": 59_342_488,
    "slowfast_r50_8x8": 33_828_888,
}
OURS = ("tiny", "kinetics_tiny")


@pytest.mark.parametrize("name", config_names())
def test_packaged_configs_build(name):
    with torch.device("meta"):
        network = build_network(load_config(name))
    count = sum(weight.numel() for weight in network.parameters())
    assert name in OURS or count == PARAMETERS[name]


def test_packaged_configs_are_the_contracts():
    assert set(config_names()) == {*PARAMETERS, *OURS}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("slowfast_r50_8x8", "SLOWFAST_32x2_R50_SHORT"),
        ("slow_r50_4x16", "SLOW_8x8_R50_SHORT"),
        ("slowfast_r101_nl_8x8", "c2_SLOWFAST_32x2_R101_50_50"),
        ("kinetics_slowfast_r50_4x16", "kinetics_SLOWFAST_4x16_R50"),
        ("kinetics_slow_r50_4x16", "kinetics_SLOW_4x16_R50"),
    ],
)
def test_packaged_configs_equal_pyslowfasts(name, theirs, tmp_path):
    (tmp_path / "theirs.yaml").write_text(golden_of("pyslowfast", theirs).cfg)
    ours, read = load_config(name), load_config(tmp_path / "theirs.yaml")
    assert ours.clip == read.clip
    different = {
        key
        for key, value in ours.network.model_dump().items()
        if value != read.network.model_dump()[key] and not key.endswith("temporal_blocks")
    }
    unused = {"alpha", "beta", "fusion_ratio", "fusion_kernel"} if ours.network.architecture == "slow" else set()
    assert different <= unused


def test_pyslowfast_yaml_may_leave_defaults_out(tmp_path):
    """What stands in its own repository: only the values that differ from its defaults."""
    path = tmp_path / "short.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "MODEL": {"NUM_CLASSES": 80, "ARCH": "slowfast", "MODEL_NAME": "SlowFast"},
                "DATA": {"NUM_FRAMES": 32, "SAMPLING_RATE": 2},
                "SLOWFAST": {"ALPHA": 4, "FUSION_KERNEL_SZ": 7},
                "DETECTION": {"ENABLE": True, "ALIGNED": False},
                "RESNET": {
                    "SPATIAL_STRIDES": [[1, 1], [2, 2], [2, 2], [1, 1]],
                    "SPATIAL_DILATIONS": [[1, 1], [1, 1], [1, 1], [2, 2]],
                },
            }
        )
    )
    config = load_config(path)
    assert (config.network.beta, config.network.aligned, config.clip.short_side) == (8, False, 256)


@pytest.mark.parametrize(
    ("dataset", "reverse", "channels"),
    [("kinetics", False, "rgb"), ("kinetics", True, "bgr"), ("charades", True, "rgb"), ("Charades", False, "bgr")],
)
def test_charades_frames_are_read_blue_first(dataset, reverse, channels):
    content = {"MODEL": {"ARCH": "slowfast"}, "TRAIN": {"DATASET": dataset}, "DATA": {"NUM_FRAMES": 32}}
    content["DATA"]["REVERSE_INPUT_CHANNEL"] = reverse
    assert read_config(content, "theirs").clip.channels == channels


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"TRAIN": {"DATASET": "ssv2"}}, "TRAIN.DATASET is ssv2, whose clips are spread", id="no rate"),
        pytest.param({"RESNET": {"DEPTH": [50]}}, r"RESNET.DEPTH is \[50\]; a whole number", id="a list"),
        pytest.param({"RESNET": {"SPATIAL_STRIDES": [[1], [2], ["a"], [2]]}}, "SPATIAL_STRIDES holds", id="a word"),
        pytest.param({"MODEL": {"NUM_CLASSES": True}}, "MODEL.NUM_CLASSES is True", id="a truth"),
    ],
)
def test_pyslowfast_values_that_cannot_be(content, message):
    with pytest.raises(InputError, match=f"theirs: .*{message}"):
        read_config({"MODEL": {}, **content}, "theirs")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        pytest.param("network", "depht", 50, "network.depht", id="unknown key"),
        pytest.param("network", "depth", 51, r"network.depth: .*14, 26, 50 or 101.*51", id="value not allowed"),
        pytest.param("network", "alpha", 3, "num_frames 8 is no multiple of network.alpha 3", id="alpha"),
        pytest.param("network", "beta", 5, "width 16 is no multiple of beta 5", id="beta"),
        pytest.param("network", "fusion_kernel", 4, "fusion_kernel is 4; an odd number", id="even kernel"),
        pytest.param("network", "num_actions", 5, "labels ava are 80, but network.num_actions is 5", id="labels"),
        pytest.param("network", "temporal_pool", 2, "switches of single pathways, not of slowfast", id="pool of two"),
        pytest.param("network", "stem_strides", [2, 1], "switches of single pathways, not of slowfast", id="strides"),
        pytest.param("network", "stem_pool_padding", False, "single pathways, not of slowfast", id="padding of two"),
        pytest.param(
            "network", "stem_strides", [0, 2], r"stem_strides are \[0, 2\]; numbers from 1 to 16", id="stride 0"
        ),
        pytest.param(
            "network", "non_local", [{"stage": "res6", "blocks": [0]}], "non_local.0.stage", id="no such stage"
        ),
        pytest.param("network", "non_local", [{"stage": "res3", "blocks": []}], "non_local.0.blocks", id="no blocks"),
        pytest.param(
            "network",
            "non_local",
            [{"stage": "res3", "blocks": [0]}, {"stage": "res3", "blocks": [0]}],
            "a block is named twice",
            id="a block twice",
        ),
        pytest.param(
            "network",
            "non_local",
            [{"stage": "res3", "blocks": [0], "groups": 3}],
            "4 frames of res3 do not fit 3 groups",
            id="groups",
        ),
        pytest.param("clip", "index_base", 2, "clip.index_base: .*-1, 0 or 1.*2", id="index base"),
        pytest.param("clip", "num_frames", "many", "clip.num_frames: .*'many'", id="no number"),
        pytest.param("clip", "std", [0.1, 0, 0.1], "std is .* above 0", id="zero deviation"),
    ],
)
def test_wrong_values_are_named(section, key, value, message):
    content = load_config("tiny").model_dump()
    content[section][key] = value
    with pytest.raises(InputError, match=f"my.yaml: .*{message}"):
        parse_config(content, "my.yaml")


@pytest.mark.parametrize(
    ("frames", "change", "message"),
    [
        pytest.param(6, {}, "clip.num_frames 6 is no multiple of network.stem_strides 2 x 2", id="a rest"),
        pytest.param(8, {"temporal_pool": 4}, "clip.num_frames 8 leaves none for network.temporal_pool", id="none"),
        pytest.param(
            8,
            {"non_local": [{"stage": "res3", "blocks": [0], "pool": (2, 1, 1)}]},
            "1 frames of res3 do not fit 1 groups and a pool over 2 frames",
            id="a pool of attention",
        ),
        pytest.param(
            8, {"non_local": [{"stage": "res2", "blocks": [0], "pool": (2, 1, 1)}]}, None, id="before the pool"
        ),
    ],
)
def test_frames_behind_a_stem_with_strides(frames, change, message):
    content = load_config("tiny").model_dump()
    content["clip"]["num_frames"] = frames
    content["network"] |= {"architecture": "i3d", "stem_strides": (2, 2), "temporal_pool": 2} | change
    if message is None:
        parse_config(content, "my.yaml")
        return
    with pytest.raises(InputError, match=f"my.yaml: .*{message}"):
        parse_config(content, "my.yaml")


def test_a_non_local_block_behind_no_block():
    content = load_config("tiny").model_dump()
    content["network"]["non_local"] = [{"stage": "res4", "blocks": [1]}]
    with pytest.raises(InputError, match="a non-local block follows block 1 of res4, which depth 14 lacks"):
        build_network(parse_config(content, "my.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("- a\n- b\n", "holds list at the top", id="a list"),
        pytest.param("a: [1\nb: 2\n", "line 2: is no yaml", id="no yaml"),
        pytest.param("!!python/object/apply:os.system ['true']\n", "is no yaml", id="code"),
        pytest.param("", "holds NoneType", id="empty"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"bad.yaml.*{message}"):
        load_config(path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"slowfast_r50: no such config.*slowfast_r50_8x8"):
        load_config("slowfast_r50")


@pytest.mark.parametrize("name", config_names())
def test_a_printed_recipe_is_read_back(name, command, tmp_path):
    printed = command("config", name, "training.epochs=3")
    assert printed.code == 0
    (tmp_path / "again.yaml").write_text(printed.out)
    assert read_any_recipe(tmp_path / "again.yaml") == read_any_recipe(name, ["training.epochs=3"])
    lines = printed.out.splitlines()
    assert all(
        lines[n - 1].lstrip().startswith("#") for n, line in enumerate(lines) if not line.lstrip().startswith("#")
    )


def test_the_packaged_recipes_are_listed(command):
    """Of action detectors by their names, of person detectors by their folder too."""
    persons = [f"persons/{name}" for name in config_names("persons")]
    assert persons
    assert command("config").out.split() == [*config_names(), *persons]
