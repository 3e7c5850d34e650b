"""Networks made faster: the same answers."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from slowfast_det.checkpoints.model import untrained_model
from slowfast_det.models import fused
from slowfast_det.models.blocks import Stem
from slowfast_det.models.fused import FusedStem
from slowfast_det.models.network import initialise
from slowfast_det.models.optimize import folded
from slowfast_det.persons.optimize import for_inference, lower
from slowfast_det.persons.small_rcnn import SmallBackbone
from slowfast_det.persons.torchvision_networks import parts_of
from slowfast_det.recipe import read_recipe

CPU = torch.device("cpu")
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d, FrozenBatchNorm2d)


def drawn(network):
    """Norms that matter, features that stay around 1."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.dim() == 1 and name.endswith("weight"):
            tensor.uniform_(0.2, 0.6, generator=generator)
    return network.eval()


BACKBONES = {
    "resnet50 with norms in the pyramid": lambda: (
        detection.fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None).backbone
    ),
    "resnet50 with frozen norms": lambda: resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=partial(FrozenBatchNorm2d, eps=0.0)
    ),
    "mobilenet": lambda: detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None).backbone,
    "small": lambda: SmallBackbone(8),
}


@pytest.mark.parametrize("build", BACKBONES.values(), ids=BACKBONES)
def test_norms_are_folded(build):
    torch.manual_seed(0)
    network = drawn(build())
    fast = folded(network)
    assert any(isinstance(module, NORMS) for module in network.modules())
    assert not any(isinstance(module, NORMS) for module in fast.modules())
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        for name, expected in network(images).items():
            scale = expected.abs().max()
            assert scale > 1e-3
            torch.testing.assert_close(fast(images)[name], expected, atol=1e-5 * float(scale), rtol=1e-5)


def of_clips(config, *overrides):
    torch.manual_seed(0)
    network = untrained_model(read_recipe(config, overrides).of_model()).network
    initialise(network, head_std=0.1, zero_final_norm=False)
    return drawn(network)


def clips(network, height, width, count=1):
    clip = torch.randn(count, 3, network.num_frames, height, width)
    boxes = [[number % count, 4.0, 6.0, width * 0.7, height * 0.9 - 4 * number] for number in range(3)]
    return clip, torch.tensor(boxes)


NETWORKS = {
    "two pathways": ("tiny", ()),
    "an odd number of frames": ("tiny", ("clip.num_frames=9", "network.alpha=3")),
    "norms that are none": ("tiny", ("network.fusion_norm=false",)),
    "frames one by one up to the end": ("tiny", ("network.slow_temporal_blocks=[0, 0, 0, 0]",)),
    "a slow pathway of three frames": ("tiny", ("clip.num_frames=12",)),
    "attention in both pathways": (
        "tiny",
        (
            "network.non_local=[{stage: res2, blocks: [0]}, "
            "{stage: res3, blocks: [0], pathway: fast, affinity: dot_product, groups: 2}]",
        ),
    ),
    "one pathway": ("slow_r50_4x16", ("network.depth=14", "network.width=16")),
    "a pool over time": (
        "slow_r50_4x16",
        ("network.depth=14", "network.width=16", "network.architecture=i3d", "network.temporal_pool=2"),
    ),
    "strides of the stem": (
        "slow_r50_4x16",
        (
            *("network.depth=14", "network.width=16", "network.architecture=i3d_heavy", "clip.num_frames=8"),
            *("network.stem_strides=[2, 2]", "network.temporal_pool=2"),
        ),
    ),
    "a thin stem that leaves out frames behind its convolution": (
        "slow_r50_4x16",
        (
            *("network.depth=14", "network.width=8", "network.architecture=i3d", "network.stem_strides=[1, 2]"),
            "network.stem_pool_padding=false",
        ),
    ),
    "softmax without a scale, with and without projections": (
        "slow_r50_4x16",
        (
            *("network.depth=14", "network.width=16", "network.stem_pool_padding=false"),
            "network.non_local=[{stage: res3, blocks: [0], affinity: embedded_gaussian, project_first: true}, "
            "{stage: res4, blocks: [0], affinity: gaussian}]",
        ),
    ),
    "persons among all places": (
        "mmaction2_slowfast_r50_4x16_context",
        ("network.depth=14", "network.width=16", "network.context=acrn"),
    ),
}


@pytest.mark.parametrize(("config", "overrides"), NETWORKS.values(), ids=NETWORKS)
def test_networks_of_clips_answer_the_same(config, overrides):
    network = of_clips(config, *overrides)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    exact, half = network.optimized(), network.optimized("bf16")
    with torch.inference_mode():
        for height, width, count in ((64, 96, 1), (83, 61, 2), (64, 96, 1)):
            clip, boxes = clips(network, height, width, count)
            given = clip.clone()
            expected = network(clip, boxes)
            assert expected.std() > 0.01
            torch.testing.assert_close(exact(clip, boxes), expected, atol=1e-4, rtol=1e-4)
            found = half(clip, boxes)
            assert found.dtype == torch.float32
            error = (found.sigmoid() - expected.sigmoid()).abs().max()
            assert 0 < error < 0.01
            assert torch.equal(clip, given), "what comes in is not changed"
    assert not any(isinstance(module, NORMS) for module in exact.backbone.modules())
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_copies_cannot_be_saved():
    with pytest.raises(TypeError, match="save the network that it was made from"):
        of_clips("tiny").optimized().state_dict()


def test_two_frames_at_once_where_there_are_few_channels():
    assert isinstance(of_clips("tiny").optimized().backbone.backbone.fast.stem, FusedStem)
    assert isinstance(
        of_clips("tiny", "clip.num_frames=9", "network.alpha=3").optimized().backbone.backbone.fast.stem, Stem
    )
    thin = ("network.architecture=i3d", "network.width=8")
    assert isinstance(of_clips("tiny", *thin).optimized().backbone.backbone.slow.stem, FusedStem)
    assert isinstance(
        of_clips("tiny", *thin, "network.stem_strides=[1, 2]").optimized().backbone.backbone.slow.stem, Stem
    )


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")
def test_compiled():
    network = of_clips("tiny")
    clip, boxes = clips(network, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(
            network.optimized(compile=True)(clip, boxes), network(clip, boxes), atol=1e-4, rtol=1e-4
        )


def test_without_onednn(monkeypatch):
    monkeypatch.setattr(fused, "_onednn_computes", lambda _: False)
    network = of_clips("tiny")
    clip, boxes = clips(network, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(network.optimized()(clip, boxes), network(clip, boxes), atol=1e-4, rtol=1e-4)


def test_nobody_and_clips_that_are_too_short():
    fast = of_clips("tiny").optimized()
    clip, _ = clips(fast, 64, 96)
    assert fast(clip, torch.zeros(0, 5)).shape == (0, 80)
    with pytest.raises(ValueError, match=r"\[B, 3, 8, H, W\] is expected"):
        fast(clip[:, :, :7], torch.zeros(0, 5))


def test_a_norm_without_a_convolution_before_it_stays():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded(network)) == 2


def test_half_precision_within_the_parts_only():
    torch.manual_seed(0)
    network = detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None).eval()
    fast = for_inference(network, parts_of, "bf16", CPU)
    seen = {}
    for name, part in zip(("backbone", "rpn", "head", "predictor"), parts_of(fast), strict=True):
        inner = next(module for module in part.modules() if isinstance(module, nn.Linear | fused.FusedConvNorm))
        inner.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: output.dtype}))
    with torch.no_grad():
        features = fast.backbone(torch.randn(1, 3, 64, 96))
        logits, deltas = fast.rpn.head(list(features.values()))
        scores, boxes = fast.roi_heads.box_predictor(fast.roi_heads.box_head(torch.randn(5, 256, 7, 7)))
    assert set(seen.values()) == {torch.bfloat16}
    assert len(seen) == 4
    outputs = [*features.values(), *logits, *deltas, scores, boxes]
    assert {output.dtype for output in outputs} == {torch.float32}
    with torch.no_grad():
        exact = network.backbone(torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)))
        near = fast.backbone(torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)))
    for name, expected in exact.items():
        error = float((near[name] - expected).norm() / expected.norm())
        assert 0 < error < 0.03  # bf16 keeps 8 bits


def test_fp32_is_the_network_itself():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    assert for_inference(network, lambda _: (), "fp32", CPU) is network
    fast = for_inference(network, lambda _: (), "auto", CPU)
    assert fast is not network
    assert next(fast.parameters()).dtype == torch.float32


def test_containers_are_converted():
    class Both(nn.Module):
        def forward(self, maps):
            assert all(each.dtype == torch.bfloat16 for each in maps)
            return {"sum": sum(maps)}, [maps[0]]

    part = Both()
    lower([part], torch.bfloat16)
    first, second = part([torch.ones(2), torch.ones(2)])
    assert first["sum"].dtype == second[0].dtype == torch.float32
    np.testing.assert_array_equal(first["sum"].numpy(), [2, 2])
