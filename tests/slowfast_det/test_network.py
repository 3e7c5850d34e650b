"""The network's fresh weights, and what it says to wrong input; its numbers are in test_goldens.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slowfast_det.checkpoints.architecture import action_network, build_network
from slowfast_det.checkpoints.model import load_config
from slowfast_det.models.backbone import slow_frame_indices
from slowfast_det.models.network import initialise


@pytest.fixture(scope="module")
def tiny():
    network = build_network(load_config("tiny"))
    torch.manual_seed(0)
    initialise(network)
    return network.eval()


@pytest.mark.parametrize(
    ("clip", "boxes", "message"),
    [
        pytest.param((1, 3, 4, 32, 32), (1, 5), r"\[1, 3, 4, 32, 32\]; \[B, 3, 8, H, W\]", id="too few frames"),
        pytest.param((3, 8, 32, 32), (1, 5), r"\[B, 3, 8, H, W\]", id="no batch"),
        pytest.param((1, 3, 8, 32, 32), (1, 4), r"\[1, 4\]; \[K, 5\]", id="boxes without clip index"),
    ],
)
def test_wrong_shapes_are_named(tiny, clip, boxes, message):
    with pytest.raises(ValueError, match=message):
        tiny(torch.zeros(clip), torch.zeros(boxes))


def test_slow_frames_are_pyslowfasts(data_pipeline):
    for name, expected in data_pipeline["slow_pathway_index"].items():
        frames, alpha = (int(part[1:]) for part in name.split("_"))
        assert slow_frame_indices(frames, alpha, "linspace").tolist() == expected, name


def test_fresh_weights_have_the_published_statistics(tiny):
    """He's deviation over fan-out; zero gain on the last norm of every block; linear 0.01; biases 0."""
    block = tiny.backbone.slow.res3[0]
    weight = block.b.conv.weight
    fan_out = weight.shape[0] * weight[0, 0].numel()
    assert weight.std().item() == pytest.approx(np.sqrt(2 / fan_out), rel=0.05)
    assert not block.c.norm.weight.any()
    assert block.b.norm.weight.eq(1).all()
    assert tiny.head.projection.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not tiny.head.projection.bias.any()


def test_a_network_can_be_trained(tiny):
    """Every weight gets a gradient; in-place steps must not break any."""
    network = action_network(load_config("tiny").network, 16).train()
    initialise(network, zero_final_norm=False)
    loss = (
        network(torch.randn(2, 3, 16, 64, 64), torch.tensor([[0, 4, 4, 40, 60.0], [1, 0, 0, 63, 63.0]])).square().mean()
    )
    loss.backward()
    without = [
        name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert without == []


@pytest.mark.parametrize("index", [-1, 1])
def test_a_box_of_no_clip_is_named(tiny, index):
    """RoIAlign would read memory beyond the features."""
    with pytest.raises(ValueError, match="names a clip that is not there; clip indices from 0 to 0 are expected"):
        tiny(torch.zeros(1, 3, 8, 32, 32), torch.tensor([[index, 1, 1, 9, 9.0]]))
