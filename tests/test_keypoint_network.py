import numpy as np
import pytest
import torch

from facial_keypoints.landmarks.crops import crops_from_points
from facial_keypoints.landmarks.markup import FLIP, NUM_POINTS, PARTS
from facial_keypoints.landmarks.network import (
    KeypointNet,
    KeypointNetConfig,
    cell_centres,
    fold_batch_norm,
    preprocess,
)
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints
from tests.synthetic_faces import make_face, noise_photo
from train.keypoints.training import divergence, label_maps

TINY = {"widths": (8, 8, 8, 8), "depths": (1, 1, 1, 1)}
CONFIGS = [
    KeypointNetConfig(**TINY),
    KeypointNetConfig(**TINY, heatmap_stride=4),
]


def random_network(config: KeypointNetConfig) -> KeypointNet:
    torch.manual_seed(0)
    network = KeypointNet(config)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def test_the_markup_covers_every_point_once_and_mirrors_to_itself() -> None:
    indices = [index for part in PARTS.values() for index in part]
    assert sorted(indices) == list(range(NUM_POINTS))
    assert (FLIP[FLIP] == np.arange(NUM_POINTS)).all()
    for right, left in (("right_eye", "left_eye"), ("right_brow", "left_brow")):
        assert sorted(FLIP[list(PARTS[right])]) == list(PARTS[left])


@pytest.mark.parametrize("config", CONFIGS, ids=["stride 8", "stride 4"])
def test_shapes_and_gradients(config: KeypointNetConfig) -> None:
    network = KeypointNet(config)
    crops = torch.randint(0, 256, (3, 128, 128, 3), dtype=torch.uint8)
    prediction = network(preprocess(crops, config))
    assert prediction.points.shape == (3, NUM_POINTS, 2)
    assert prediction.log_scale.shape == (3, NUM_POINTS)
    assert prediction.face_logit.shape == (3,)
    total = prediction.points.sum() + prediction.log_scale.sum() + prediction.face_logit.sum()
    total.backward()
    assert all(p.grad is not None for p in network.parameters())


def test_heat_maps_learn_to_lie_around_their_labels() -> None:
    labels = torch.tensor([[[0.1, -0.2], [0.05, 0.3]]])
    squares = (labels[:, :, None] - cell_centres(20, labels.device)).square().sum(dim=3)
    ideal = -squares * 20**2 / 2
    target = label_maps(labels, 20)
    assert divergence(ideal + 3, target) == pytest.approx(0, abs=1e-5)
    assert divergence(ideal * 4, target) > 0.3
    assert divergence(torch.zeros_like(ideal), target) > 2


def test_folding_batch_norm_changes_no_answer() -> None:
    network = random_network(CONFIGS[0])
    x = preprocess(torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8), CONFIGS[0])
    with torch.inference_mode():
        before = network(x)
        after = fold_batch_norm(network)(x)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    torch.testing.assert_close(before.points, after.points, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(before.face_logit, after.face_logit, atol=1e-3, rtol=1e-3)


def test_bfloat16_convolutions_change_points_little() -> None:
    network = random_network(CONFIGS[0])
    x = preprocess(torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8), CONFIGS[0])
    with torch.inference_mode():
        before = network(x)
        after = network.convolve_in(torch.bfloat16)(x)
    assert network.stem[0].weight.dtype == torch.bfloat16
    assert network.face.hidden.weight.dtype == torch.float32
    assert after.points.dtype == after.log_scale.dtype == torch.float32
    torch.testing.assert_close(before.points, after.points, atol=0.01, rtol=0)


def test_a_mirrored_photo_gives_mirrored_points() -> None:
    predictor = KeypointPredictor(random_network(CONFIGS[0]), passes=2, mirror=True)
    predictor.passes = 1  # the first pass of two is read without mirroring
    photo = noise_photo(200, 160)
    points = make_face((100, 80), 70).points
    mirrored_points = points[FLIP] * (-1, 1) + (199, 0)
    plain = predictor([photo], crops_from_points(points[None], upright=False))
    mirrored = predictor(
        [np.ascontiguousarray(photo[:, ::-1])],
        crops_from_points(mirrored_points[None], upright=False),
    )
    back = mirrored.points[0][FLIP] * (-1, 1) + (199, 0)
    np.testing.assert_allclose(back, plain.points[0], atol=0.05)


def test_no_crops_give_no_keypoints() -> None:
    predictor = KeypointPredictor(random_network(CONFIGS[0]))
    keypoints = predictor([], crops_from_points(np.zeros((0, 68, 2))))
    assert keypoints.points.shape == (0, 68, 2)


def test_confidence_falls_with_the_scale_and_is_a_probability() -> None:
    points = make_face((100, 100), 100).points[None].repeat(3, axis=0)
    scale = np.array([0.1, 2.0, 50.0])[:, None].repeat(68, axis=1)
    sure, middling, unsure = Keypoints(points, scale, np.ones(3)).confidence()[:, 0]
    assert 0.99 < sure <= 1
    assert 0 <= unsure < 0.01
    assert unsure < middling < sure


def test_a_config_of_an_earlier_version_is_read() -> None:
    saved = {"head": "heatmap", "input_size": 64, "widths": [8, 8, 16, 16]}
    assert KeypointNetConfig.from_dict(saved) == KeypointNetConfig(64, (8, 8, 16, 16))
