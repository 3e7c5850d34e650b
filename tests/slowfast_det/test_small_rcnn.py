"""The small person detector: its size, its answers, and that it learns."""

from __future__ import annotations

import pytest
import torch

from slowfast_det.persons.small_rcnn import SmallBackbone, small_faster_rcnn


def test_it_is_small():
    assert sum(parameter.numel() for parameter in small_faster_rcnn().parameters()) < 1_000_000


@pytest.mark.parametrize("size", [(128, 176), (130, 90), (64, 64)])
def test_features_have_stride_eight(size):
    features = SmallBackbone(8).eval()(torch.zeros(1, 3, *size))
    assert list(features) == ["0"]
    assert features["0"].shape == (1, 32, -(-size[0] // 8), -(-size[1] // 8))


def test_films_of_the_quickstart_are_not_enlarged():
    network = small_faster_rcnn().eval()
    images, _ = network.transform([torch.zeros(3, 128, 176)])
    assert images.image_sizes == [(128, 176)]


def test_a_few_steps_lower_the_loss():
    torch.manual_seed(0)
    network = small_faster_rcnn().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    image = torch.full((3, 128, 176), 0.5)
    image[:, 30:90, 60:85] = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    target = {"boxes": torch.tensor([[60.0, 30, 85, 90]]), "labels": torch.tensor([1])}
    losses = []
    for _ in range(15):
        loss = torch.stack(list(network([image, image], [target, target]).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
