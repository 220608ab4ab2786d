"""The keypoint model of the page: loaded once, shared by every part of the tab."""

import threading
from typing import TYPE_CHECKING, NamedTuple

from web.components import EXAMPLES
from web.device.examples import PHOTOS
from web.keypoints.answer import PhotoAnswer, answer_photo

if TYPE_CHECKING:
    from facial_keypoints.pipeline import FacialKeypoints

_FIRST_EXAMPLE = next(iter(PHOTOS))
_making = threading.Lock()


class Ready(NamedTuple):
    """The loaded model, and the answered example that the page opens with.

    others: name of another detector -> the model with it, made at its first use.
    """

    find_faces: "FacialKeypoints"
    example: PhotoAnswer
    others: dict[str, "FacialKeypoints"]

    def using(self, detector: str) -> "FacialKeypoints":
        """The model with the detector of that name. Thread-safe.

        Raises:
            WeightsError: the detector's weights are missing, damaged or of another kind.
        """
        if detector == self.find_faces.detector.name:
            return self.find_faces
        with _making:  # two visitors may need the same detector at the same time
            if detector not in self.others:
                self.others[detector] = self.find_faces.using(detector)
            return self.others[detector]


def load(weights: str | None = None, device: str | None = None) -> Ready:
    """The trained model and its answer; the very first run is slower than all others.

    weights, device: as `FacialKeypoints.load` takes them.
    """
    from facial_keypoints.pipeline import FacialKeypoints  # torch takes seconds to import

    model = FacialKeypoints.load(weights, device=device)
    answer_photo(model, EXAMPLES / _FIRST_EXAMPLE, _FIRST_EXAMPLE)
    return Ready(model, answer_photo(model, EXAMPLES / _FIRST_EXAMPLE, _FIRST_EXAMPLE), {})
