import dataclasses

import pytest
import torch

from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig
from train.engine.growth import grow

SMALL = KeypointNetConfig(64, widths=(8, 16, 16, 24), depths=(1, 1, 2, 1))


def outputs(network: KeypointNet) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    with torch.inference_mode():
        return tuple(network.eval()(torch.randn(2, 3, 64, 64)))


def learnt() -> KeypointNet:
    torch.manual_seed(0)
    network = KeypointNet(SMALL)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) * 0.2 + 0.01)
        network.points.heatmaps.weight.normal_()
    return network


def test_a_deeper_network_starts_as_the_one_it_grew_from() -> None:
    before = learnt()
    after = KeypointNet(dataclasses.replace(SMALL, depths=(1, 3, 2, 2)))
    grow(after, before.state_dict())
    for old, new in zip(outputs(before), outputs(after), strict=True):
        torch.testing.assert_close(old, new)


def test_finer_heat_maps_start_near_the_coarse_ones() -> None:
    before = learnt()
    after = KeypointNet(dataclasses.replace(SMALL, heatmap_stride=4))
    grow(after, before.state_dict())
    assert (outputs(before)[0] - outputs(after)[0]).abs().max() < 0.05
    assert (after.points.heatmaps.weight[:, 16:] == 0).all()


def test_what_does_not_fit_is_refused() -> None:
    before = learnt().state_dict()
    with pytest.raises(ValueError, match=r"has no .*stages\.2\.1"):
        grow(KeypointNet(dataclasses.replace(SMALL, depths=(1, 1, 1, 1))), before)
    with pytest.raises(ValueError, match=r"was \(24, .*and is"):
        grow(KeypointNet(dataclasses.replace(SMALL, widths=(8, 16, 16, 16))), before)
