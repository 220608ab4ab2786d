import numpy as np
import pytest
import torch

from facial_keypoints.landmarks.markup import FLIP
from facial_keypoints.landmarks.network import (
    NUM_POINTS,
    KeypointNet,
    KeypointNetConfig,
    PerPointLinear,
)
from keypoints_captions.weights import load_model, save_model
from tests.drawn_faces import write_faces_csv
from train.command_line import UsageError
from train.keypoints.calibration import (
    CalibrationConfig,
    Seen,
    calibration_errors,
    confidence,
    fit,
    main,
)
from train.keypoints.metrics import calibration, calibration_error


def world(count: int) -> Seen:
    """Points whose true Laplace scale is four times what is said where feature 0 is high, and
    just that elsewhere."""
    torch.manual_seed(0)
    features = torch.rand(count, NUM_POINTS, 3)
    features[:, :, 0] = (features[:, :, 0] > 0.5).float()
    scale = np.exp(-3.5) * np.where(features[:, :, 0].numpy() > 0, 4.0, 1.0)
    distance = np.random.default_rng(0).gamma(2, scale)  # its density is r exp(-r / b) / b²
    tolerance = torch.full((count, NUM_POINTS), 0.05)
    right = torch.from_numpy(distance < 0.05)
    said = torch.full((count, NUM_POINTS), -3.5)
    return Seen(features, said, tolerance, right, torch.ones(count), torch.arange(count) % 5)


def test_the_fit_makes_confidence_true() -> None:
    seen, config = world(500), CalibrationConfig(decay=1e-4)
    before, after = calibration_errors(seen, config)
    assert before > 8
    assert after < 3, "on views that the fit did not see"
    fitted = fit(seen, config)
    stated = confidence(fitted.log_scale(seen), seen.tolerance)
    for kind in (0, 1):
        part = seen.features[:, :, 0] == kind
        true = seen.right[part].float().mean().item()
        assert stated[part].mean().item() == pytest.approx(true, abs=0.02)
    unit = PerPointLinear(3)
    fitted.change(unit)
    torch.testing.assert_close(unit(seen.features), fitted.log_scale(seen))
    assert torch.equal(fitted.shift, fitted.shift[torch.tensor(FLIP)])


def test_calibration_error_of_known_cases() -> None:
    right = np.array([True] * 7 + [False] * 3)
    assert calibration_error(np.full(10, 0.75), right) == pytest.approx(5)
    assert calibration_error(right.astype(float), right) == 0
    bins = calibration(np.array([0.05, 0.05, 1.0, 1.0]), np.array([0, 1, 1, 1], bool))
    np.testing.assert_allclose(bins[[0, 9]], [[0.5, 0.05, 0.5], [0.5, 1, 1]])
    assert bins[1:9].sum() == 0


def test_confidence_is_that_of_the_predictor() -> None:
    stated = confidence(torch.log(torch.tensor([1e-4, 0.02, 9.0])), torch.full((3,), 0.05))
    assert stated[0] > 0.99 and stated[2] < 0.01
    assert stated[1].item() == pytest.approx(1 - (1 + 2.5) * np.exp(-2.5), abs=1e-5)


def test_only_the_scales_change(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    write_faces_csv(tmp_path, 60)
    small = KeypointNetConfig(32, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1))
    torch.manual_seed(0)
    facts = {"model": "KeypointNet", "config": small.__dict__, "training": {"runs": [1]}}
    network = KeypointNet(small)
    with torch.no_grad():
        network.points.heatmaps.bias.zero_()
        network.points.heatmaps.weight.normal_(std=3)  # points apart from one another
    save_model(tmp_path / "cnn", network.state_dict(), facts, half=True)
    before = load_model(tmp_path / "cnn")
    main(["--data", str(tmp_path), "--weights", str(tmp_path / "cnn"), "--steps", "20"])
    after = load_model(tmp_path / "cnn")
    for name, value in before.state_dict.items():
        changed = not torch.equal(value, after.state_dict[name])
        assert not changed or name.startswith("points.log_scale."), name
    assert not torch.equal(
        before.state_dict["points.log_scale.bias"], after.state_dict["points.log_scale.bias"]
    )
    told = after.metadata["training"]
    assert told["runs"] == [1] and told["calibration"]["options"]["steps"] == 20
    assert "expected calibration error" in capsys.readouterr().out
    with pytest.raises(UsageError, match="expected weights that were not calibrated"):
        main(["--data", str(tmp_path), "--weights", str(tmp_path / "cnn"), "--steps", "20"])
