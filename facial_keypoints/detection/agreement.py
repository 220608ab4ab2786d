"""Where the detector and the keypoint CNN's face score decide together what is a face."""

import numpy as np

#: A detection is a face where logit(face score) + `DETECTOR_WEIGHT` · logit(detector's score) is at
#: least `AGREEMENT`. `python -m train.keypoints.agreement` shows the choices on validation data.
DETECTOR_WEIGHT, AGREEMENT = 2.0, 3.0
#: The same beside faces that were found: where people are, a weak sign is a face more often.
AGREEMENT_BESIDE = 1.0
#: Scores nearer than this to 0 or 1 count as that near.
NEAREST = 1e-6


def least_face_score(
    scores: np.ndarray, weight: float = DETECTOR_WEIGHT, agreement: float = AGREEMENT
) -> np.ndarray:
    """(N,) scores of the detector, 0..1, to the face scores from which both agree on a face."""
    scores = np.clip(scores, NEAREST, 1 - NEAREST)
    return 1 / (1 + np.exp(weight * np.log(scores / (1 - scores)) - agreement))
