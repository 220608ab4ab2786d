"""The API endpoint /keypoints of the page."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from facial_keypoints.export import Record, record_to_dict
from keypoints_captions.photos.reader import read_photo
from web.components import MODEL_BUDGET, Upload, endpoint_errors, photo_input
from web.models import MODELS, Background

if TYPE_CHECKING:
    from web.keypoints.model import Ready


def build_endpoint(ready: "Background[Ready]") -> None:
    """The API endpoint /keypoints."""

    def keypoints(photo: Upload | None) -> dict[str, Any]:
        """Faces of a photo with 68 keypoints on each, in pixels, and the pose of the head.

        Returns {"file", "width", "height", "faces"}, the faces as in the command line's JSON:
        {"box", "score", "points", "confidence", "pose"}; pixels of the upright photo, origin top
        left, points in iBUG / 300-W order.

        Args:
            photo: JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF.
        """
        with endpoint_errors(photo) as given:
            find_faces = ready.get().find_faces
            with MODELS.turn():
                image = read_photo(given.path)
                faces = find_faces(image)
        height, width = image.shape[:2]
        return record_to_dict(Record(file=given.name, width=width, height=height, faces=faces))

    gr.Button(visible=False).click(
        keypoints,
        photo_input(label="photo", visible=False),
        gr.JSON(label="record", visible=False),
        api_name="keypoints",
        **MODEL_BUDGET,
    )
