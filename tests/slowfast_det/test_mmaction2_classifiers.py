"""mmaction2's C2D, I3D and OmniSource classifiers, against their definition: plain operations on their own tensors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
import torch
from golden import tensor_of
from torch.nn import functional as f

from ava_tools import InputError
from slowfast_det import load_classifier
from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.checkpoints.mmaction2 import TITLE
from slowfast_det.checkpoints.model import load_any_model, untrained_model
from slowfast_det.checkpoints.reading import config_of_published, read_checkpoint
from slowfast_det.checkpoints.transfer import transfer
from slowfast_det.checkpoints.zoo import find_published
from slowfast_det.models.cost import network_cost

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
NEVER, ALWAYS, SOMETIMES = [(0,)] * 4, [(1,)] * 4, [(1,), (1, 0), (1, 0), (0, 1)]  # blocks that look over time
TAMED = re.compile(r"(theta|phi)\.|layer[23].*(conv3|downsample)\.bn\.weight")
ATTENDED = {2: (1, 3), 3: (1, 3, 5)}  # blocks of layer2 and layer3 that a non-local one follows


@dataclass
class Peer:
    """One of mmaction2's networks as its Python defines it; ``state`` is filled as tensors are asked for.

    Attributes:
        flat: over two dimensions (ResNet, C2D), not three (ResNet3d).
        steps: conv1_stride_t, pool1_stride_t.
        edge: padding of pool1.
        pool2: whether pairs of frames are pooled behind layer1.
        attention: mode of the non-local blocks.
        omni: names and head of OmniResNet and OmniHead.
        tame: factor on what makes the products of attention, so that the softmax is of more than one place.
    """

    depth: int = 50
    flat: bool = False
    stem: int = 5
    steps: tuple[int, int] = (1, 1)
    edge: int = 1
    pool2: bool = False
    inflated: list[tuple[int, ...]] = field(default_factory=lambda: SOMETIMES)
    attention: str = ""
    omni: bool = False
    tame: float = 1
    state: dict[str, torch.Tensor] = field(default_factory=dict)

    def logits(self, clip):
        batch = len(clip)
        x = clip.transpose(1, 2).flatten(0, 1) if self.flat else clip
        x = self.normed("backbone.conv1", x, 64, (self.stem, 7, 7), (self.steps[0], 2, 2)).relu()
        if self.flat:
            x = f.max_pool2d(x, 3, 2, self.edge)
        else:
            x = f.max_pool3d(x, (1, 3, 3), (self.steps[1], 2, 2), (0, self.edge, self.edge))
        for layer, blocks in enumerate(BLOCKS[self.depth], start=1):
            for number in range(blocks):
                x = self.block(layer, number, x)
            if layer == 1 and self.pool2:
                x = self.pairs(x, batch)
        if self.flat:
            x = x.unflatten(0, (batch, -1)).transpose(1, 2)
        return self.head(x.mean((2, 3, 4)))

    def block(self, layer, number, x):
        name, inner, step = f"backbone.layer{layer}.{number}", 32 * 2**layer, 2 if layer > 1 and number == 0 else 1
        pattern = self.inflated[layer - 1]
        y = self.normed(f"{name}.conv1", x, inner, (3 if pattern[number % len(pattern)] else 1, 1, 1)).relu()
        y = self.normed(f"{name}.conv2", y, inner, (1, 3, 3), (1, step, step)).relu()
        y = self.normed(f"{name}.conv3", y, 4 * inner, (1, 1, 1))
        y = y + (self.normed(f"{name}.downsample", x, 4 * inner, (1, 1, 1), (1, step, step)) if number == 0 else x)
        y = y.relu()
        return self.attended(f"{name}.non_local_block", y) if self.follows(layer, number) else y

    def follows(self, layer, number):
        return self.attention and number in ATTENDED.get(layer, ())

    def pairs(self, x, batch):
        if not self.flat:
            return f.max_pool3d(x, (2, 1, 1))
        return x.unflatten(0, (batch, -1, 2)).amax(2).flatten(0, 1)

    def attended(self, name, x):
        inner = x.shape[1] // 2
        g = f.max_pool3d(self.biased(f"{name}.g.0.conv", x, inner), (1, 2, 2)).flatten(2)
        if self.attention == "gaussian":
            theta, phi = x.flatten(2), f.max_pool3d(x, (1, 2, 2)).flatten(2)
        else:
            theta = self.biased(f"{name}.theta.conv", x, inner).flatten(2)
            phi = f.max_pool3d(self.biased(f"{name}.phi.0.conv", x, inner), (1, 2, 2)).flatten(2)
        pairwise = torch.einsum("bci,bcj->bij", theta, phi)
        pairwise = pairwise / phi.shape[2] if self.attention == "dot_product" else pairwise.softmax(2)
        seen = torch.einsum("bij,bcj->bci", pairwise, g).unflatten(2, x.shape[2:])
        return x + self.normed(f"{name}.conv_out", seen, x.shape[1], (1, 1, 1))

    def head(self, mean):
        if not self.omni:
            return self.linear("cls_head.fc_cls", mean, 400)
        self.linear("cls_head.fc2d.4", mean, 1000)  # of pictures
        hidden = self.norm("cls_head.fc3d.3", self.linear("cls_head.fc3d.2", mean, 800)).relu()
        return self.linear("cls_head.fc3d.6", hidden, 400)

    def normed(self, name, x, channels, kernel, step=(1, 1, 1)):
        conv, norm = f"{name}.conv", f"{name}.bn"
        if self.omni:  # torchvision's names
            place = f"{name}.0", f"{name}.1"
            conv, norm = place if name.endswith("downsample") else (name, name.replace("conv", "bn"))
        if self.flat:
            weight = self.of(f"{conv}.weight", channels, x.shape[1], *kernel[1:])
            return self.norm(norm, f.conv2d(x, weight, stride=step[1:], padding=[k // 2 for k in kernel[1:]]))
        weight = self.of(f"{conv}.weight", channels, x.shape[1], *kernel)
        return self.norm(norm, f.conv3d(x, weight, stride=step, padding=[k // 2 for k in kernel]))

    def norm(self, name, x):
        self.of(f"{name}.num_batches_tracked")
        return f.batch_norm(x, *(self.of(f"{name}.{kind}", x.shape[1]) for kind in
                                 ("running_mean", "running_var", "weight", "bias")))  # fmt: skip

    def biased(self, name, x, channels):
        return f.conv3d(x, self.of(f"{name}.weight", channels, x.shape[1], 1, 1, 1), self.of(f"{name}.bias", channels))

    def linear(self, name, x, channels):
        return f.linear(x, self.of(f"{name}.weight", channels, x.shape[1]), self.of(f"{name}.bias", channels))

    def of(self, name, *shape):
        if name not in self.state:
            self.state[name] = tensor_of(name, shape) * (self.tame if TAMED.search(name) else 1)
        return self.state[name]


I3D = {"steps": (2, 2), "pool2": True}
PEERS = {
    "mmaction2_i3d_r50_32x2_k400": Peer(**I3D),
    "mmaction2_i3d_r50_32x2_k400_heavy": Peer(pool2=True, inflated=ALWAYS),
    "mmaction2_i3d_r50_nl_32x2_k400_dot_product": Peer(**I3D, attention="dot_product", tame=0.2),
    "mmaction2_i3d_r50_nl_32x2_k400_embedded_gaussian": Peer(**I3D, attention="embedded_gaussian", tame=0.2),
    "mmaction2_i3d_r50_nl_32x2_k400_gaussian": Peer(**I3D, attention="gaussian", tame=0.2),
    "mmaction2_c2d_r50_8x8_k400_nopool": Peer(flat=True, stem=1, inflated=NEVER),
    "mmaction2_c2d_r50_8x8_k400": Peer(flat=True, stem=1, inflated=NEVER, edge=0, pool2=True),
    "mmaction2_slowonly_r50_8x8_k400_omnisource": Peer(stem=1, inflated=[(0,), (0,), (1,), (1,)], omni=True),
}


@pytest.mark.parametrize(("name", "peer"), PEERS.items(), ids=PEERS)
def test_scores_are_theirs(name, peer, tmp_path):
    """As the zoo describes the network, from a file in their form; a copy for inference as well."""
    config = config_of_published(find_published(name))
    clip = torch.randn(1, 3, config.clip.num_frames, 48, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = peer.logits(clip)
    assert expected.std() > 0.1
    torch.save({"meta": {}, "state_dict": peer.state}, tmp_path / "weights.pth")
    peer.state.clear()
    (tmp_path / "as_published.yaml").write_text(config.model_dump_json())
    classifier = load_classifier(tmp_path / "weights.pth", tmp_path / "as_published.yaml")
    for network in (classifier, classifier.optimized("fp32")):
        with torch.inference_mode():
            logits, scores = network.logits(clip), network(clip)
        assert (logits.flatten(0, 2) - expected).abs().max() < 1e-5
        assert (scores - expected.softmax(1)).abs().max() < 1e-5


# Millions of parameters, 10^9 multiply-adds of a view, its side: from the tables in mmaction2's READMEs.
SIZES = {
    "mmaction2_slowfast_r50_4x16_k400": (34.5, 36.3, 256),
    "mmaction2_slowfast_r50_8x8_k400": (34.6, 66.1, 256),
    "mmaction2_slowfast_r101_8x8_k400": (62.9, 126, 256),
    "mmaction2_slowfast_r101_r50_4x16_k400": (62.4, 64.9, 256),
    "mmaction2_slowonly_r50_4x16_k400": (32.45, 27.38, 256),
    "mmaction2_slowonly_r101_8x8_k400": (60.36, 112, 256),
    "mmaction2_slowonly_r50_nl_4x16_k400": (39.81, 43.23, 256),
    "mmaction2_slowonly_r50_nl_8x8_k400": (39.81, 96.66, 256),
    "mmaction2_c2d_r50_8x8_k400_nopool": (24.3, 33, 224),
    "mmaction2_c2d_r101_8x8_k400_nopool": (43.3, 63, 224),
    "mmaction2_c2d_r50_8x8_k400": (24.3, 19, 224),
    "mmaction2_c2d_r50_16x4_k400": (24.3, 39, 224),
    "mmaction2_i3d_r50_nl_32x2_k400_dot_product": (35.4, 59.3, 256),
    "mmaction2_i3d_r50_nl_32x2_k400_embedded_gaussian": (35.4, 59.3, 256),
    "mmaction2_i3d_r50_nl_32x2_k400_gaussian": (31.7, 56.5, 256),
    "mmaction2_i3d_r50_32x2_k400": (28.0, 43.5, 256),
    "mmaction2_i3d_r50_32x2_k400_dense": (28.0, 43.5, 256),
    "mmaction2_i3d_r50_32x2_k400_heavy": (33.0, 166.3, 256),
}


@pytest.mark.parametrize(("name", "sizes"), SIZES.items(), ids=SIZES)
def test_sizes_are_the_published_ones(name, sizes):
    """They count norms and pooling too: 1 % more; whole numbers may be half of one off."""
    millions, billions, side = sizes
    with torch.device("meta"):
        cost = network_cost(build_network(config_of_published(find_published(name))), side, side)
    assert cost.parameters / 1e6 == pytest.approx(millions, abs=0.06)
    assert cost.multiply_adds / 1e9 == pytest.approx(billions, rel=0.02)


def test_frames_of_each_stage():
    with torch.device("meta"):
        network = build_network(config_of_published(find_published("mmaction2_i3d_r50_32x2_k400")))
    rows = {row.stage: (row.kernels, row.size) for row in network_cost(network, 224, 224).stages}
    assert rows["conv1"] == (("5x7^2, 64, stride 2, 2^2",), (16, 112, 112))
    assert rows["pool1"] == (("1x3^2 max, stride 2, 2^2",), (8, 56, 56))
    assert rows["pool2"] == (("2x1^2 max, stride 2, 1^2",), (4, 56, 56))
    assert rows["res5"][1] == (4, 7, 7)


def test_a_training_begins_with_weights_over_places(tmp_path):
    """C2D's are those of single frames in any slow pathway."""
    peer = Peer(flat=True, stem=1, inflated=NEVER)
    with torch.inference_mode():
        peer.logits(torch.zeros(1, 3, 1, 32, 32))
    torch.save(peer.state, tmp_path / "c2d.pth")
    model = untrained_model("slow_r50_4x16")
    found = transfer(tmp_path / "c2d.pth", model)
    stem = peer.state["backbone.conv1.conv.weight"]
    assert torch.equal(model.network.backbone.slow.stem.first.conv.weight, stem[:, :, None])
    assert "backbone.slow.res3.1.b.conv.weight" in found.loaded
    left = {name for name in found.skipped if not name.startswith("head.")}
    assert left == {
        f"backbone.slow.res{stage}.{block}.a.conv.weight"
        for stage, blocks in ((4, 6), (5, 3))
        for block in range(blocks)
    }


def test_layers_for_pictures_are_told(tmp_path, caplog):
    peer = Peer(stem=1, inflated=[(0,), (0,), (1,), (1,)], omni=True)
    with torch.inference_mode():
        peer.logits(torch.zeros(1, 3, 1, 32, 32))
    torch.save({"state_dict": peer.state}, tmp_path / "omni.pth")
    assert read_checkpoint(tmp_path / "omni.pth").layout == TITLE
    with caplog.at_level("WARNING"):
        load_any_model(tmp_path / "omni.pth", "kinetics_slow_r50_4x16", overrides=["network.mlp_head=true"])
    assert "omni.pth: is not read: cls_head.fc2d.4.weight, cls_head.fc2d.4.bias" in caplog.text


def test_a_detection_network_of_others_is_not_theirs(tmp_path):
    """OmniSource's names are those of many: the head tells."""
    names = ("backbone.layer1.0.conv1.weight", "backbone.layer1.0.bn1.weight", "rpn_head.rpn_conv.weight")
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: is a checkpoint of no layout that is known"):
        read_checkpoint(tmp_path / "other.pth")
