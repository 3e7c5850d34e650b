"""What networks cost: by hand, as PySlowFast counted, and as the paper says (arXiv:1812.03982)."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.models.cost import network_cost
from slowfast_det.models.kernels import written_size
from slowfast_det.recipe import read_any_recipe

PAPERS = "kinetics_slowfast_r50_4x16"
SLOW = "kinetics_slow_r50_4x16"
FAST = ("network.architecture=fast", "network.width=8", "clip.num_frames=32")
SMALL = ("network.depth=14", "network.width=8", "network.strides=[1,2,2,2]", "network.dilations=[1,1,1,1]")
NONE = "network.lateral=none"
TO_CHANNEL = "network.lateral=time_to_channel"
NON_LOCAL = "network.non_local=[{stage: res3, blocks: [0], affinity: %s, project_first: %s}]"


def built(name, *settings):
    with torch.device("meta"):
        return build_network(read_any_recipe(name, settings).of_model())


def rows(cost):
    return {(row.stage, row.pathway): row for row in cost.stages}


def convolution(positions, channels_in, channels_out, taps):
    return positions * channels_in * channels_out * taps


def test_by_hand():
    """A Slow pathway of one block a stage, 4 frames of 64 x 96; three persons."""
    cost = network_cost(built("slow_r50_4x16", *SMALL), 64, 96, persons=3)
    at = {side: 4 * 64 // side * 96 // side for side in (2, 4, 8, 16, 32)}  # positions
    first = convolution(at[2], 3, 8, 49)
    expected = {"clip": 0, "conv1": first, "pool1": 0}
    taps = {"res2": 1, "res3": 1, "res4": 3, "res5": 3}
    before, side = 8, 4
    for number, (stage, frames) in enumerate(taps.items()):
        inner, after = 8 * 2**number, 4 if number == 0 else 2 * side
        expected[stage] = (
            convolution(at[after], before, 4 * inner, 1)  # shortcut
            + convolution(at[side], before, inner, frames)
            + convolution(at[after], inner, inner, 9)
            + convolution(at[after], inner, 4 * inner, 1)
        )
        before, side = 4 * inner, after
    expected["head"] = 3 * 256 * 80
    assert {row.stage: row.multiply_adds for row in cost.stages} == expected
    assert cost.multiply_adds == sum(expected.values())
    assert (cost.clip, cost.persons) == ((4, 64, 96), 3)
    found = {row.stage: row.parameters for row in cost.stages}
    assert found["conv1"] == 3 * 8 * 49 + 2 * 8, "with the norm's gain and bias"
    assert found["res2"] == (8 * 32 + 2 * 32) + (8 * 8 + 2 * 8) + (8 * 8 * 9 + 2 * 8) + (8 * 32 + 2 * 32)
    assert found["head"] == 256 * 80 + 80


@pytest.mark.parametrize("project_first", ["false", "true"])
@pytest.mark.parametrize("affinity", ["softmax", "dot_product"])
def test_a_non_local_block_by_hand(affinity, project_first):
    """Behind res3's only block: 64 channels, 32 inside, 4 frames of 8 x 12, of which 4 x 6 are looked at."""
    plain = network_cost(built("slow_r50_4x16", *SMALL), 64, 96)
    attended = network_cost(built("slow_r50_4x16", *SMALL, NON_LOCAL % (affinity, project_first)), 64, 96)
    places, seen = 4 * 8 * 12, 4 * 4 * 6
    projected = places if project_first == "true" else seen
    expected = (2 * places + 2 * projected) * 64 * 32 + 2 * places * seen * 32
    assert attended.multiply_adds - plain.multiply_adds == expected
    assert rows(attended)["res3", "slow"].kernels == ("[1x1^2, 16; 1x3^2, 16; 1x1^2, 64; non-local, 32] x 1",)


@pytest.mark.parametrize(
    ("size", "multiply_adds"),
    [pytest.param(224, 27_638_665_216, id="224"), pytest.param(256, 36_101_963_776, id="256")],
)
def test_as_counted_in_pyslowfast(size, multiply_adds):
    """Its Kinetics/SLOWFAST_4x16_R50, run with hooks of another counter."""
    cost = network_cost(built(PAPERS), size, size)
    assert (cost.multiply_adds, cost.parameters) == (multiply_adds, 34_480_216)


@pytest.mark.parametrize(
    ("name", "settings", "parameters"),
    [
        pytest.param("slowfast_r50_8x8", (), 33_828_888, id="SLOWFAST R50"),
        pytest.param("slow_r50_4x16", (), 31_798_416, id="SLOW R50"),
        pytest.param("slowfast_r101_nl_8x8", (), 59_342_488, id="SLOWFAST R101 with non-local blocks"),
        pytest.param(
            "slow_r50_4x16", ("network.architecture=i3d", "network.temporal_pool=2"), 27_387_792, id="I3D R50"
        ),
        pytest.param(
            "slow_r50_4x16", ("network.architecture=c2d", "network.temporal_pool=2"), 23_671_952, id="C2D R50"
        ),
    ],
)
def test_pyslowfasts_parameters(name, settings, parameters):
    assert network_cost(built(name, *settings), 224, 224).parameters == parameters


@pytest.mark.parametrize(
    ("name", "settings", "size", "billions"),
    [
        pytest.param(PAPERS, (), 256, 36.1, id="4x16"),
        pytest.param("kinetics_slowfast_r50_8x8", (), 256, 65.7, id="8x8"),
        pytest.param(PAPERS, (), 224, 27.6, id="time-strided convolution"),
        pytest.param(PAPERS, (NONE,), 224, 26.2, id="no laterals"),
        pytest.param(SLOW, (), 224, 20.9, id="Slow-only"),
        # The paper's Fast-only has 4.9, but the two pathways without laterals have 26.2 - 20.9 more than the slow one.
        pytest.param(SLOW, FAST, 224, 5.3, id="Fast-only"),
    ],
)
def test_the_papers_figures(name, settings, size, billions):
    assert round(network_cost(built(name, *settings), size, size).multiply_adds / 1e9, 1) == billions


def test_the_papers_stage_table():
    cost = network_cost(built(PAPERS), 224, 224)
    table = {key: (row.kernels, row.channels, written_size(row.size)) for key, row in rows(cost).items()}
    pooled = ("1x3^2 max, stride 1, 2^2",)
    expected = {
        ("clip", "slow"): (("4 of 32 frames",), 3, "4x224^2"),
        ("clip", "fast"): (("32 of 32 frames",), 3, "32x224^2"),
        ("conv1", "slow"): (("1x7^2, 64, stride 1, 2^2",), 64, "4x112^2"),
        ("conv1", "fast"): (("5x7^2, 8, stride 1, 2^2",), 8, "32x112^2"),
        ("pool1", "slow"): (pooled, 64, "4x56^2"),
        ("pool1", "fast"): (pooled, 8, "32x56^2"),
        ("res2", "slow"): (("[1x1^2, 64; 1x3^2, 64; 1x1^2, 256] x 3",), 256, "4x56^2"),
        ("res2", "fast"): (("[3x1^2, 8; 1x3^2, 8; 1x1^2, 32] x 3",), 32, "32x56^2"),
        ("res3", "slow"): (("[1x1^2, 128; 1x3^2, 128; 1x1^2, 512] x 4",), 512, "4x28^2"),
        ("res3", "fast"): (("[3x1^2, 16; 1x3^2, 16; 1x1^2, 64] x 4",), 64, "32x28^2"),
        ("res4", "slow"): (("[3x1^2, 256; 1x3^2, 256; 1x1^2, 1024] x 6",), 1024, "4x14^2"),
        ("res4", "fast"): (("[3x1^2, 32; 1x3^2, 32; 1x1^2, 128] x 6",), 128, "32x14^2"),
        ("res5", "slow"): (("[3x1^2, 512; 1x3^2, 512; 1x1^2, 2048] x 3",), 2048, "4x7^2"),
        ("res5", "fast"): (("[3x1^2, 64; 1x3^2, 64; 1x1^2, 256] x 3",), 256, "32x7^2"),
        ("lateral pool1", "fast to slow"): (("5x1^2, 16, stride 8, 1^2",), 16, "4x56^2"),
        ("lateral res2", "fast to slow"): (("5x1^2, 64, stride 8, 1^2",), 64, "4x56^2"),
        ("lateral res3", "fast to slow"): (("5x1^2, 128, stride 8, 1^2",), 128, "4x28^2"),
        ("lateral res4", "fast to slow"): (("5x1^2, 256, stride 8, 1^2",), 256, "4x14^2"),
        ("head", ""): (("average over time and 7^2; fc 400",), 400, "1^2"),
    }
    assert list(table.items()) == list(expected.items()), "in this order"


@pytest.mark.parametrize(
    ("name", "settings", "size"),
    [
        pytest.param("tiny", (), (64, 96), id="two pathways"),
        pytest.param("tiny", (NONE,), (64, 96), id="no laterals"),
        pytest.param("tiny", (TO_CHANNEL,), (64, 64), id="laterals without weights"),
        pytest.param("tiny", (TO_CHANNEL, "network.fusion=summation"), (64, 64), id="summation"),
        pytest.param("tiny", ("network.context=acrn", "network.mlp_head=true"), (64, 96), id="relation"),
        pytest.param("tiny", ("network.context=frame", "network.unused_column=true"), (64, 96), id="frame"),
        pytest.param("slow_r50_4x16", ("network.architecture=i3d", "network.temporal_pool=2"), (64, 64), id="I3D"),
        pytest.param(SLOW, FAST, (224, 256), id="Fast-only"),
        pytest.param("slowfast_r101_nl_16x8", (), (256, 340), id="non-local blocks"),
    ],
)
def test_stages_sum_up(name, settings, size):
    network = built(name, *settings)
    cost = network_cost(network, *size, persons=2)
    assert sum(row.multiply_adds for row in cost.stages) == cost.multiply_adds
    assert sum(row.parameters for row in cost.stages) == cost.parameters
    assert cost.parameters == sum(weight.numel() for weight in network.parameters())


def test_laterals_without_weights():
    plain = network_cost(built(PAPERS, NONE), 224, 224)
    assert not any(row.stage.startswith("lateral") for row in plain.stages)
    added = network_cost(built(PAPERS, TO_CHANNEL, "network.fusion=summation"), 224, 224)
    assert (added.multiply_adds, added.parameters) == (plain.multiply_adds, plain.parameters)
    lateral = rows(added)["lateral res4", "fast to slow"]
    assert (lateral.kernels, lateral.channels, lateral.size) == (("time to channel",), 1024, (4, 14, 14))
    assert (lateral.parameters, lateral.multiply_adds) == (0, 0)


def test_blocks_of_several_kinds():
    found = rows(network_cost(built("slowfast_r101_nl_8x8"), 224, 224))
    assert found["res4", "slow"].kernels == (
        "[3x1^2, 256; 1x3^2, 256; 1x1^2, 1024] x 6",
        "[1x1^2, 256; 1x3^2, 256; 1x1^2, 1024; non-local, 512] x 3",
        "[1x1^2, 256; 1x3^2, 256; 1x1^2, 1024] x 14",
    )
    dilated = "[3x1^2, 512; 1x3^2, 512, dilation 1, 2^2; 1x1^2, 2048] x 3"
    assert (found["res5", "slow"].kernels, found["res5", "slow"].size) == ((dilated,), (8, 14, 14))


@pytest.mark.parametrize(
    ("name", "settings", "kernels", "outputs"),
    [
        ("tiny", (), "average over time; RoIAlign 5^2, max; fc 80", 80),
        (
            "tiny",
            ("network.context=frame", "network.mlp_head=true", "network.unused_column=true"),
            "average over time; RoIAlign 5^2, max; beside the frame; fc 1536; fc 81",
            80,
        ),
        (
            "tiny",
            ("network.context=acrn", "network.temporal_pooling=max"),
            "max over time; RoIAlign 5^2, max; [1x1^2, 768; 1x3^2, 768], max; fc 80",
            80,
        ),
        (SLOW, (*SMALL, "network.window=2"), "average over time and 2^2; fc 400", 400),
        (SLOW, (*SMALL, "network.window=null"), "average over time and all places; fc 400", 400),
    ],
)
def test_heads(name, settings, kernels, outputs):
    head = network_cost(built(name, *settings), 64, 64).stages[-1]
    assert (head.stage, head.kernels, head.channels) == ("head", (kernels,), outputs)


def test_a_pool_over_frames():
    cost = network_cost(built("slow_r50_4x16", "network.architecture=c2d", "network.temporal_pool=2"), 64, 64)
    assert [row.stage for row in cost.stages][3:6] == ["res2", "pool2", "res3"]
    pool = rows(cost)["pool2", "slow"]
    assert (pool.kernels, pool.size) == (("2x1^2 max, stride 2, 1^2",), (2, 16, 16))


def test_the_network_itself_counts_as_much_and_stays_as_it_is():
    """The same number on a network with weights, run on a clip with numbers."""
    network = build_network(read_any_recipe("tiny", ["network.context=acrn"]).of_model()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cost = network_cost(network, 64, 96, persons=2)
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.backbone.slow_frames.device.type == "cpu"
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, 8, 64, 96), torch.tensor([[0, 4, 4, 40, 60.0], [0, 0, 0, 63, 63.0]]))
    assert cost.multiply_adds == counter.get_total_flops() / 2


def test_half_precision():
    network = build_network(read_any_recipe("tiny").of_model())
    assert network_cost(network.half(), 64, 64) == network_cost(built("tiny"), 64, 64)


def test_what_cannot_be_counted():
    network = build_network(read_any_recipe("tiny").of_model())
    with pytest.raises(TypeError, match="a copy for inference is not counted"):
        network_cost(network.optimized(), 64, 64)
    with pytest.raises(ValueError, match="clips of 64x96 pixels are too small for this network"):
        network_cost(built(SLOW), 64, 96)
