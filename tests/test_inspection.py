"""Looking inside a network: names, maps, filters, and the pictures made of them."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facial_keypoints.drawing import inspection
from facial_keypoints.drawing.faces import GROUP_COLOURS
from facial_keypoints.drawing.inspection import (
    face_input,
    feature_maps,
    filter_count,
    filter_effect,
    filter_layer_names,
    filter_picture,
    heat_map_picture,
    heat_maps,
    layer_names,
    tile_maps,
)
from facial_keypoints.landmarks.markup import NUM_POINTS
from facial_keypoints.landmarks.network import KeypointNet, preprocess
from tests.synthetic_faces import make_face, noise_photo


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.conv2(torch.relu(self.conv1(x))))


class Small(nn.Module):
    """Chains, blocks, a convolution followed in place, and a last one with 68 maps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList([nn.Sequential(Block(4), Block(4)), nn.Sequential(Block(4))])
        self.unused = nn.Conv2d(4, 4, 1)
        self.point_maps = nn.Conv2d(4, NUM_POINTS, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.relu(self.point_maps(x)).mean(dim=(2, 3))


@pytest.fixture
def network() -> Small:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture
def batch() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(1, 3, 16, 16)


def test_names_are_readable_and_in_order(network: Small) -> None:
    assert layer_names(network) == [
        "stem", "stage 1 block 1", "stage 1 block 2", "stage 2 block 1", "unused", "point maps",
    ]  # fmt: skip
    assert filter_layer_names(network) == ["stem", "unused", "point maps"]
    assert filter_count(network, "stem") == 4


def test_plain_chain_has_its_convolutions_as_layers() -> None:
    chain = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 5, 1))
    assert layer_names(chain) == ["layer 1", "layer 3"]
    assert feature_maps(chain, torch.zeros(1, 3, 4, 4), "layer 3").shape == (5, 4, 4)


def test_feature_maps_are_what_the_layer_makes(network: Small, batch: Tensor) -> None:
    with torch.inference_mode():
        stem = network.stem(batch)
        block = network.stages[0][0](stem)
    for name, expected in (("stem", stem), ("stage 1 block 1", block)):
        maps = feature_maps(network, batch, name)
        assert maps.dtype == np.float32
        assert np.allclose(maps, expected[0].numpy(), atol=1e-6)


def test_looking_leaves_the_network_as_it_was(network: Small, batch: Tensor) -> None:
    before = network(batch)
    feature_maps(network, batch, "stem")
    with pytest.raises(ValueError):
        feature_maps(network, batch, "unused")
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(network(batch), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n, b: feature_maps(n, b, "attic"), "no layer 'attic'; it has stem, stage 1"),
        (lambda n, b: feature_maps(n, b, "unused"), "makes no feature maps"),
        (lambda n, b: filter_effect(n, b, "stage 1 block 1", 0), "more than one convolution"),
        (lambda n, b: filter_effect(n, b, "stem", 4), "filters 0 to 3, not 4"),
        (lambda n, b: filter_effect(n, b, "stem", -1), "filters 0 to 3, not -1"),
    ],
)
def test_refusals_say_what_there_is(network: Small, batch: Tensor, call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(network, batch)


def test_filter_effect_is_the_plain_convolution(network: Small, batch: Tensor) -> None:
    """Before normalisation and activation, even where those work in place."""
    convolution = network.stem[0]
    effect = filter_effect(network, batch, "stem", 2)
    assert np.array_equal(effect.kernel, convolution.weight[2].detach().numpy())
    with torch.inference_mode():
        assert np.allclose(effect.response, convolution(batch)[0, 2].numpy(), atol=1e-6)


def test_an_edge_filter_answers_to_edges() -> None:
    chain = nn.Sequential(nn.Conv2d(3, 1, 3, padding=1, bias=False), nn.ReLU(inplace=True))
    kernel = torch.tensor([-1.0, 0.0, 1.0]).expand(3, 3, 3)
    chain[0].weight.data[0] = kernel
    picture = torch.zeros(1, 3, 8, 8)
    picture[..., 4:] = 1
    response = filter_effect(nn.Sequential(chain), picture, "layer 1", 0).response
    assert response[4, 3] == response[4, 4] == 9 and response[4, 1] == 0 and response[4, 7] == -9


def test_heat_maps_are_distributions_where_there_are_any(network: Small, batch: Tensor) -> None:
    maps = heat_maps(network, batch)
    assert maps is not None and maps.shape == (NUM_POINTS, 8, 8)
    assert np.allclose(maps.sum(axis=(1, 2)), 1, atol=1e-5) and maps.min() >= 0
    assert heat_maps(nn.Sequential(nn.Conv2d(3, 5, 1)), batch) is None


def test_the_keypoint_network_can_be_looked_into() -> None:
    torch.manual_seed(0)
    network = KeypointNet().eval()
    crop, batch = face_input(network, noise_photo(200, 200), make_face())
    side = network.config.input_size
    assert crop.shape == (side, side, 3) and crop.dtype == np.uint8
    assert torch.equal(batch, preprocess(torch.from_numpy(crop[None]), network.config))
    names = layer_names(network)
    assert names[0] == "stem" == filter_layer_names(network)[0]
    for name in names[::3]:
        assert feature_maps(network, batch, name).ndim == 3
    assert filter_effect(network, batch, "stem", 0).kernel.shape[0] == 3
    maps = heat_maps(network, batch)
    assert maps is None or maps.shape[0] == NUM_POINTS


def test_tiles_stand_in_rows_from_dark_to_bright() -> None:
    maps = np.zeros((5, 4, 4), np.float32)
    maps[1, 0, 0] = 7
    maps[2] = 3  # the same everywhere: dark
    maps[3, :, 2:] = -1
    picture = tile_maps(maps, columns=2, size=40)
    gap = inspection._GAP
    assert picture.shape == (3 * (40 + gap) + gap, 2 * (40 + gap) + gap, 3)
    assert picture.dtype == np.uint8

    def middle_of(index: int, row: int, column: int) -> np.ndarray:
        top, left = gap + index // 2 * (40 + gap), gap + index % 2 * (40 + gap)
        return picture[top + row * 10 + 8, left + column * 10 + 8].astype(int)

    dark, bright = (68, 1, 84), (253, 231, 37)  # the ends of viridis
    assert np.abs(middle_of(1, 3, 3) - dark).max() < 4
    assert np.abs(middle_of(2, 3, 3) - dark).max() < 4
    assert np.abs(middle_of(3, 3, 0) - bright).max() < 4
    assert np.abs(middle_of(3, 3, 3) - dark).max() < 4


def test_tiles_of_wide_maps_keep_their_shape_and_small_ones_carry_no_number() -> None:
    picture = tile_maps(np.zeros((1, 4, 8), np.float32), columns=1, size=16)
    rows = (picture[:, 10] == (68, 1, 84)).all(axis=1)
    assert rows.sum() == 8


def test_default_number_of_columns_makes_a_square() -> None:
    assert tile_maps(np.zeros((64, 2, 2), np.float32), size=10).shape[0] == 8 * 12 + 2
    assert tile_maps(np.zeros((64, 2, 2), np.float32), size=10).shape[1] == 8 * 12 + 2


@pytest.mark.parametrize("layer", ["stem", "point maps"])
def test_filter_picture_shows_three_panels(network: Small, batch: Tensor, layer: str) -> None:
    effect = filter_effect(network, batch, layer, 0)
    picture = filter_picture(effect, noise_photo(16, 16), 100)
    assert picture.shape == (100, 300 + 4 * inspection._GAP, 3) and picture.dtype == np.uint8


def test_response_of_nothing_is_white() -> None:
    effect = inspection.FilterEffect(np.zeros((3, 3, 3), np.float32), np.zeros((4, 4), np.float32))
    picture = filter_picture(effect, noise_photo(16, 16), 100)
    assert (picture[60:, -60:] == 247).all() and (picture[60:, 150:170] == 128).all()


def test_heat_map_picture_puts_a_point_in_its_colour_over_the_dimmed_crop() -> None:
    maps = np.zeros((NUM_POINTS, 8, 8), np.float32)
    maps[30, 2, 6] = 1  # the tip of the nose
    crop = np.full((16, 16, 3), 200, np.uint8)
    picture = heat_map_picture(maps, crop, 80)
    assert picture.shape == (80, 80, 3)
    assert np.abs(picture[24:26, 64:66].astype(int) - GROUP_COLOURS["nose"]).max() < 45
    assert (picture[60:, :40] == 90).all()
