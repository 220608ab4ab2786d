"""The pipeline's constants as JSON, from which its JavaScript port reads them.

python -m facial_keypoints.constants --output weights/constants.json

`python -m train.export` writes it, too; `assets/device/pipeline` reads it beside the networks' ONNX
files. Names are those of Python's constants in lower case; units and meanings stand beside those.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keypoints_captions.files import replacing
from keypoints_captions.hub import find_weights

CONSTANTS = "constants.json"  # beside the weights
#: Longer side in pixels to which the quick looks of a camera's frame bring it on a visitor's own
#: device: a quarter of the work. Thorough looks, while nobody is in view, see the whole frame.
QUICK_SIDE = 320


def pipeline_constants(weights: Path | None = None) -> dict[str, Any]:
    """JSON-ready: groups of constants by the module that they belong to.

    weights: the folder of the networks' JSON files; the project's own by default.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return {
        "markup": _markup(),
        "keypoints": _keypoints(weights),
        "detector": _detector(weights),
        "pose": _pose(),
        "expression": _expression(),
        "smoothing": _smoothing(),
        "tracking": _tracking(),
        "filters": _filters(),
    }


def _markup() -> dict[str, Any]:
    from facial_keypoints.geometry.mean_face import HEAD_POINTS
    from facial_keypoints.landmarks import markup

    return {
        "parts": {part: list(indices) for part, indices in markup.PARTS.items()},
        "flip": markup.FLIP.tolist(),
        "right_eye_outer": markup.RIGHT_EYE_OUTER,
        "left_eye_outer": markup.LEFT_EYE_OUTER,
        "head_points": HEAD_POINTS.tolist(),
    }


def _keypoints(weights: Path | None) -> dict[str, Any]:
    from facial_keypoints import looks, pipeline, reading
    from facial_keypoints.detection import agreement
    from facial_keypoints.landmarks import crops, predictor

    return {
        "input_size": _config(weights, pipeline.NAME)["input_size"],
        "crop_scale": crops.CROP_SCALE,
        "tolerance": predictor.TOLERANCE,
        **_constants(predictor, "MOST_CROPS"),
        **_constants(looks, "MIN_SCORE MIN_SCORE_TURNED SURE_SCORE DUPLICATE"),
        **_constants(
            looks,
            "MIN_SCORE_FIRST MIN_SCORE_OVER MOST_DOUBTFUL LEAST_DOUBTFUL MOST_BESIDE TURN BESIDE "
            "LEAST_BESIDE",
        ),
        **_constants(agreement, "DETECTOR_WEIGHT AGREEMENT AGREEMENT_BESIDE NEAREST"),
        **_constants(reading, "MOST_MOVED MOST_RESIZED MOST_TURNED LEAST_SCORE HANGING"),
    }


def _detector(weights: Path | None) -> dict[str, Any]:
    from facial_keypoints.detection import cnn

    return {
        "grey": round(_config(weights, cnn.NAME)["mean"]),
        **_constants(
            cnn, "SIDE TURNED_SIDE MOST_ENLARGED MIN_SCORE EAGER_SCORE OVERLAP MOST_BOXES"
        ),
    }


def _pose() -> dict[str, Any]:
    from facial_keypoints.geometry import pose

    names = "RIGID_POINTS NEAREST WORST_FIT GOOD_FIT LEAST_SPREAD FIRST_YAWS"
    return _constants(pose, names)


def _expression() -> dict[str, Any]:
    from facial_keypoints.geometry import expression

    names = "CLOSED SHUT OPEN LONGEST_BLINK GAP WIDTH LIFT RAISE FIRST_OPEN LEAST_USUAL MOST_USUAL"
    names += " EYES_PACE BROWS_PACE CALM LONGEST_GAP"
    return {
        **_constants(expression, "MAX_CORRECTED_YAW FAR_EYE_YAW"),
        **_constants(expression.ExpressionMeter, names),
    }


def _smoothing() -> dict[str, Any]:
    from facial_keypoints.video import smoothing

    names = "WEAKEST STRONGEST BETA VELOCITY_CUTOFF VELOCITY_BETA"
    return {
        **_constants(smoothing, "MAX_GAP MAX_CARRY"),
        **_constants(smoothing.OneEuroFilter, names),
    }


def _tracking() -> dict[str, Any]:
    from facial_keypoints.video import track, tracker, wire

    names = "SAME_FACE COVERED FOUND_AGAIN LONGEST_CARRY SMALLEST SAME_RATIO MAX_FACES"
    return {
        **_constants(tracker, names),
        **_constants(track, "SURE LEAP"),
        "quick_side": QUICK_SIDE,
        "motion_step": wire.MOTION_STEP,
        "pace": asdict(tracker.Pace()),
    }


def _filters() -> dict[str, Any]:
    from facial_keypoints.drawing import filters

    known = {}
    for name, spec in filters.FILTERS.items():
        height, width = filters.filter_picture(name).shape[:2]
        known[name] = {**asdict(spec), "picture": [width, height]}
    return {"known": known, **_constants(filters, "STEADYING LEAST_EXTENT")}


def _constants(home: Any, names: str) -> dict[str, Any]:
    """Constants of a module or class by their names, in lower case."""
    return {name.lower(): getattr(home, name) for name in names.split()}


def _config(weights: Path | None, name: str) -> dict[str, Any]:
    """A network's architecture and preprocessing."""
    metadata = json.loads(find_weights(weights, name).with_suffix(".json").read_text("utf-8"))
    return metadata["config"]


def write_constants(path: Path, weights: Path | None = None) -> None:
    """Writes the JSON whole or not at all.

    Raises:
        WeightsError: as `pipeline_constants`.
        OSError: the file cannot be written.
    """
    text = json.dumps(pipeline_constants(weights), allow_nan=False, separators=(",", ":"))
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m facial_keypoints.constants", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("--output", type=Path, required=True, help="the JSON file")
    parser.add_argument("--weights", type=Path, help="folder; the project's own by default")
    options = parser.parse_args()
    write_constants(options.output, options.weights)


if __name__ == "__main__":
    main()
