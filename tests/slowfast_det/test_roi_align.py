"""RoIAlign for processors against torchvision's, of which it is another form."""

import pytest
import torch
import torchvision
from torchvision.ops import MultiScaleRoIAlign

from slowfast_det.models.roi_align import roi_align, roi_align_by_level


def regions(count, height, width, pictures=1, seed=0):
    """Boxes of all sizes: within, across the edges, far outside, without extent, the wrong way round."""
    torch.manual_seed(seed)
    middle = torch.rand(count, 2) * torch.tensor([width, height]) * 1.2
    half = torch.exp(torch.rand(count, 2) * 5)
    boxes = torch.cat([torch.randint(0, pictures, (count, 1)), middle - half, middle + half], dim=1)
    boxes[0, 1:] = torch.tensor([10.0, 10.0, 10.0, 10.0])
    boxes[1, 1:] = torch.tensor([20.0, 20.0, 15.0, 18.0])
    boxes[2, 1:] = torch.tensor([-900.0, -900.0, -800.0, -850.0])
    boxes[3, 1:] = torch.tensor([-30.0, -20.0, width + 30, height + 20])
    return boxes


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2, 3])
@pytest.mark.parametrize(("size", "channels", "places"), [(7, 48, (20, 34)), (5, 3, (9, 4)), (1, 16, (1, 7))])
def test_as_torchvision(size, channels, places, sampling_ratio, aligned, kind):
    features = torch.randn(3, channels, *places, dtype=kind).to(memory_format=torch.channels_last)
    boxes = regions(60, places[0] * 8, places[1] * 8, pictures=3).to(kind)
    with torch.no_grad():
        found = roi_align(features, boxes, size, spatial_scale=1 / 8, sampling_ratio=sampling_ratio, aligned=aligned)
    expected = torchvision.ops.roi_align(features.contiguous(), boxes, size, 1 / 8, sampling_ratio, aligned)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found[2].abs().max() == 0


def test_nobody():
    features = torch.randn(1, 8, 6, 6).to(memory_format=torch.channels_last)
    with torch.no_grad():
        found = roi_align(features, torch.zeros(0, 5), 7, spatial_scale=1, sampling_ratio=2, aligned=False)
    assert found.shape == (0, 8, 7, 7)


def test_gradients_are_torchvisions():
    features = torch.randn(1, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
    boxes = torch.tensor([[0, 1.0, 1.0, 4.0, 5.0]])
    roi_align(features, boxes, 3, spatial_scale=1, sampling_ratio=0, aligned=True).sum().backward()
    own, features.grad = features.grad, None
    torchvision.ops.roi_align(features, boxes, 3, 1, 0, True).sum().backward()
    torch.testing.assert_close(own, features.grad)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["usual", "channels last"])
def test_several_maps_as_torchvision(layout):
    sizes = {"0": (64, 96), "1": (32, 48), "2": (16, 24)}
    maps = {name: torch.randn(2, 16, *size).to(memory_format=layout) for name, size in sizes.items()}
    boxes = [regions(40, 256, 384, seed=seed)[4:, 1:] for seed in range(2)]
    pool = MultiScaleRoIAlign(list(sizes), output_size=7, sampling_ratio=2)
    expected = pool(maps, boxes, [(256, 384)] * 2)
    with torch.no_grad():
        found = roi_align_by_level(
            list(maps.values()), boxes, pool.map_levels(boxes), pool.scales, 7, sampling_ratio=2, aligned=False
        )
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found.is_contiguous(memory_format=layout)
