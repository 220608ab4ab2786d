import copy

import torch

from facial_keypoints.detection.network import (
    STRIDES,
    DetectorNet,
    DetectorNetConfig,
    cell_grid,
    decode,
    preprocess,
)
from facial_keypoints.landmarks.network import fold_batch_norm

SMALL = DetectorNetConfig(widths=(16, 16, 16, 16), depths=(1, 1, 1), neck=16)


def random_network() -> DetectorNet:
    torch.manual_seed(0)
    network = DetectorNet(SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()


def photos(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    size = (1, height, width, 3)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)


def test_the_default_network_has_at_most_a_million_parameters() -> None:
    assert sum(p.numel() for p in DetectorNet().parameters()) <= 1_000_000


def test_every_cell_predicts_a_face() -> None:
    with torch.inference_mode():
        cells = decode(random_network()(preprocess(photos(64, 96), SMALL)))
    count = 8 * 12 + 4 * 6 + 2 * 3
    assert cells.logit.shape == (1, count)
    assert cells.box.shape == (1, count, 4)
    assert cells.points.shape == (1, count, 5, 2)
    assert (cells.box[..., 2:] > cells.box[..., :2]).all()


def test_silent_maps_mean_boxes_of_two_strides_around_the_cells() -> None:
    cells = decode([torch.zeros(1, 15, 32 // stride, 64 // stride) for stride in STRIDES])
    # The first cell of stride 8 covers pixels 0 to 7, whose middle is at 3.5.
    assert cells.box[0, 0].tolist() == [-4.5, -4.5, 11.5, 11.5]
    assert cells.points[0, 0].tolist() == [[3.5, 3.5]] * 5
    # The last of stride 32 covers pixels 32 to 63 across.
    assert cells.box[0, -1].tolist() == [15.5, -16.5, 79.5, 47.5]


def test_cells_come_grid_by_grid_and_row_by_row() -> None:
    centres, strides = cell_grid(
        [torch.Size([2, 3]), torch.Size([1, 1]), torch.Size([1, 1])], "cpu"
    )
    assert strides.tolist() == [8.0] * 6 + [16.0, 32.0]
    assert centres[:4].tolist() == [[3.5, 3.5], [11.5, 3.5], [19.5, 3.5], [3.5, 11.5]]


def test_folding_batch_norm_changes_nothing() -> None:
    network = random_network()
    x = preprocess(photos(64, 64), SMALL)
    with torch.inference_mode():
        before = network(x)
        after = fold_batch_norm(copy.deepcopy(network))(x)
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_a_moved_photo_moves_the_predictions() -> None:
    network = random_network()
    photo = photos(512, 512)
    with torch.inference_mode():
        here = network(preprocess(photo, SMALL))[0]
        moved = network(preprocess(torch.roll(photo, (32, 64), dims=(1, 2)), SMALL))[0]
    inside = slice(20, 40)  # far from the borders, which the roll changes
    torch.testing.assert_close(
        moved[:, :, 24:44, 28:48], here[:, :, inside, inside], rtol=1e-3, atol=1e-3
    )
