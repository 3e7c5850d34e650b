"""Lateral connections and single pathways: what arrives, by its definition; which networks can be described."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import batch_norm, conv3d, max_pool3d, relu

from ava_tools.errors import InputError
from slowfast_det import load_network
from slowfast_det.checkpoints.model import untrained_model
from slowfast_det.checkpoints.pyslowfast_writing import save_for_pyslowfast
from slowfast_det.checkpoints.transfer import transfer
from slowfast_det.config import parse_config
from slowfast_det.models.lateral import Silence, TimeStridedSampling, TimeToChannel, make_lateral
from slowfast_det.models.network import initialise

KINDS = {
    "convolution": {},
    "convolution, added": {"fusion": "summation", "fusion_ratio": 2, "beta": 2},
    "convolution without norm": {"fusion_norm": False},
    "sampling": {"lateral": "time_strided_sampling"},
    "sampling, added": {"lateral": "time_strided_sampling", "fusion": "summation", "beta": 1},
    "to channels": {"lateral": "time_to_channel"},
    "to channels, added": {"lateral": "time_to_channel", "fusion": "summation", "beta": 2},
    "none": {"lateral": "none"},
    "another depth": {"fast_depth": 26},
}
SINGLE = {"fast": {"architecture": "fast"}, "slow": {"architecture": "slow"}}


def config_of(**network):
    content = {"architecture": "slowfast", "depth": 14, "width": 8, "alpha": 2, "beta": 4, "num_actions": 5, **network}
    return parse_config({"clip": {"num_frames": 8, "sampling_rate": 4}, "network": content}, "the test")


def model_of(**network):
    torch.manual_seed(0)
    model = untrained_model(config_of(**network))
    initialise(model.network, head_std=0.3, zero_final_norm=False)
    for name, tensor in model.network.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.dim() == 1 and name.endswith("weight"):
            tensor.uniform_(0.2, 0.6)
    return model


def clip_and_boxes(frames=8):
    generator = torch.Generator().manual_seed(1)
    clip = torch.randn(2, 3, frames, 48, 64, generator=generator)
    return clip, torch.tensor([[0, 2.0, 3, 40, 40], [1, 20, 5, 60, 45]])


class TestByDefinition:
    """The whole backbone again, written down from the paper with the weights' names."""

    def convolved(self, x, name, stride=(1, 1, 1), dilation=1):
        weight = self.weights[f"{name}.conv.weight"]
        time, side = weight.shape[2] // 2, dilation * (weight.shape[3] // 2)
        x = conv3d(x, weight, stride=stride, padding=(time, side, side), dilation=(1, dilation, dilation))
        if f"{name}.norm.weight" not in self.weights:
            return x
        parts = (self.weights[f"{name}.norm.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return batch_norm(x, *parts)

    def stem(self, x, pathway):
        x = relu(self.convolved(x, f"backbone.{pathway}.stem.first", (1, 2, 2)))
        return max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))

    def stage(self, x, pathway, number):
        block = 0
        while f"backbone.{pathway}.res{number}.{block}.a.conv.weight" in self.weights:
            name = f"backbone.{pathway}.res{number}.{block}"
            stride = (1, 2, 2) if block == 0 and number in (3, 4) else (1, 1, 1)
            inside = relu(self.convolved(x, f"{name}.a"))
            inside = relu(self.convolved(inside, f"{name}.b", stride, 2 if number == 5 else 1))
            shortcut = x if block else self.convolved(x, f"{name}.shortcut", stride)
            x = relu(shortcut + self.convolved(inside, f"{name}.c"))
            block += 1
        return x

    def heard(self, fast, number, network):
        if network.lateral == "time_strided_sampling":
            return torch.stack([fast[:, :, frame] for frame in range(0, fast.shape[2], network.alpha)], dim=2)
        if network.lateral == "time_to_channel":
            frames = range(0, fast.shape[2], network.alpha)
            return torch.stack(
                [torch.cat([fast[:, :, f + offset] for offset in range(network.alpha)], dim=1) for f in frames], dim=2
            )
        bare = self.convolved(fast, f"backbone.laterals.{number}.fuse", (network.alpha, 1, 1))
        return relu(bare) if network.fusion_norm else bare

    @pytest.mark.parametrize("switches", KINDS.values(), ids=KINDS)
    def test_two_pathways(self, switches):
        model = model_of(**switches)
        self.weights, network = model.network.state_dict(), model.config.network
        clip, _ = clip_and_boxes()
        with torch.no_grad():
            fast, slow = self.stem(clip, "fast"), self.stem(clip[:, :, [0, 2, 4, 7]], "slow")
            for number in range(4):
                if network.lateral != "none":
                    heard = self.heard(fast, number, network)
                    slow = slow + heard if network.fusion == "summation" else torch.cat([slow, heard], dim=1)
                slow, fast = self.stage(slow, "slow", number + 2), self.stage(fast, "fast", number + 2)
            found = model.network.backbone(clip)
        for mine, expected in zip(found, (slow, fast), strict=True):
            assert mine.abs().max() > 0.1
            torch.testing.assert_close(mine, expected, atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("pathway", SINGLE)
    def test_one_pathway(self, pathway):
        model = model_of(**SINGLE[pathway])
        self.weights = model.network.state_dict()
        clip, _ = clip_and_boxes()
        with torch.no_grad():
            x = self.stem(clip, pathway)
            for number in (2, 3, 4, 5):
                x = self.stage(x, pathway, number)
            (found,) = model.network.backbone(clip)
        torch.testing.assert_close(found, x, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("switches", list((KINDS | SINGLE).values()), ids=KINDS | SINGLE)
def test_every_form_is_the_same_network(switches, tmp_path):
    """As written, laid out otherwise, for inference, and after a file."""
    model = model_of(**switches)
    clip, boxes = clip_and_boxes()
    with torch.no_grad():
        expected = model.network(clip, boxes)
        laid_out = model.network(clip.to(memory_format=torch.channels_last_3d), boxes)
        fast = model.network.optimized("fp32")(clip, boxes)
        model.save(tmp_path / "model.safetensors")
        loaded = load_network(tmp_path / "model.safetensors")(clip, boxes)
    assert expected.std() > 0.05
    for found in (laid_out, fast, loaded):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("switches", list((KINDS | SINGLE).values()), ids=KINDS | SINGLE)
def test_all_weights_learn(switches):
    network = model_of(**switches).network.train()
    clip, boxes = clip_and_boxes()
    network(clip, boxes).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.parameters())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize(
    ("lateral", "frame", "channels"),
    [
        (Silence(4), 1, []),
        (TimeStridedSampling(3, 4), 1, [(0, 4), (1, 4), (2, 4)]),
        (TimeToChannel(3, 4), 1, [(channel, 4 + offset) for offset in range(4) for channel in range(3)]),
    ],
    ids=["none", "sampling", "to channels"],
)
def test_what_is_heard(lateral, frame, channels, layout):
    fast = torch.randn(2, 3, 8, 5, 4).to(memory_format=layout)
    heard = lateral(fast)
    assert heard.shape == (2, lateral.out_channels, 2, 5, 4)
    for place, (channel, of_frame) in enumerate(channels):
        assert torch.equal(heard[:, place, frame], fast[:, channel, of_frame])


@pytest.mark.parametrize(
    ("kind", "channels"), [("time_strided_conv", 6), ("time_strided_sampling", 3), ("time_to_channel", 12), ("none", 0)]
)
def test_channels(kind, channels):
    lateral = make_lateral(kind, 3, alpha=4, ratio=2, kernel=5, normed=True)
    assert lateral.out_channels == lateral(torch.randn(1, 3, 8, 2, 2)).shape[1] == channels


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            {"fusion": "summation"},
            "time_strided_conv hands over 2 channels .* fusion_ratio 4, equal to beta, is expected",
        ),
        ({"fusion": "summation", "lateral": "time_to_channel"}, "alpha 4, equal to beta, is expected"),
        ({"fusion": "summation", "lateral": "time_strided_sampling"}, "beta 1 is expected"),
        ({"fusion": "summation", "lateral": "none"}, "lateral none hands nothing over"),
        ({"architecture": "slow", "lateral": "none"}, "switches of slowfast, not of slow"),
        ({"architecture": "fast", "fast_depth": 50}, "switches of slowfast, not of fast"),
        ({"architecture": "slowfast", "lateral": "conv"}, "lateral"),
        ({"alpha": 3}, "num_frames 8 is no multiple of network.alpha 3"),
        ({"beta": 3}, "width 8 is no multiple of beta 3"),
        ({"architecture": "fast", "non_local": [{"stage": "res3", "blocks": [0]}]}, "fast has no slow pathway"),
    ],
)
def test_what_does_not_fit_is_told(network, sentence):
    with pytest.raises(InputError, match=sentence):
        config_of(**network)


def test_a_non_local_block_in_the_fast_pathway_alone():
    entry = {"stage": "res3", "blocks": [0], "pathway": "fast", "pool": [1, 1, 1]}
    network = model_of(architecture="fast", non_local=[entry]).network
    assert any("fast.res3.0.non_local" in name for name, _ in network.named_parameters())


@pytest.mark.parametrize("pathway", SINGLE)
def test_a_single_pathway_begins_with_that_of_both(pathway, tmp_path):
    model_of(lateral="none").save(tmp_path / "both.safetensors")
    model = model_of(**(SINGLE[pathway] | ({"width": 8} if pathway == "slow" else {})))
    if pathway == "fast":
        model_of(lateral="none", beta=1).save(tmp_path / "both.safetensors")
    initialise(model.network)
    done = transfer(tmp_path / "both.safetensors", model)
    kept = [name for name in done.loaded if name.startswith(f"backbone.{pathway}.")]
    assert len(kept) == sum(name.startswith("backbone.") for name in model.network.state_dict())


@pytest.mark.parametrize(
    ("switches", "named"),
    [
        ({"lateral": "none"}, "lateral=none"),
        ({"lateral": "time_to_channel", "beta": 2, "fusion": "summation"}, "fusion=summation"),
        ({"fast_depth": 26, "depth": 50}, "fast_depth=26"),
        ({"architecture": "fast", "depth": 26}, "architecture=fast"),
    ],
)
def test_pyslowfast_has_none_of_it(switches, named, tmp_path):
    with pytest.raises(InputError, match=named):
        save_for_pyslowfast(tmp_path / "theirs.pyth", model_of(**switches))
    assert not np.any([path.is_file() for path in tmp_path.iterdir()])
