"""The API endpoint /keypoints of the page."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from facial_keypoints.export import Record, record_to_dict
from keypoints_captions.photos.reader import PhotoError, read_photo
from keypoints_captions.weights import WeightsError
from web.components import MODEL_BUDGET, Upload, photo_input
from web.models import MODELS, Background

if TYPE_CHECKING:
    from web.keypoints.model import Ready


def build_endpoint(ready: "Background[Ready]") -> None:
    """The API endpoint /keypoints."""

    def keypoints(photo: Upload | None) -> dict[str, Any]:
        """Faces of a photo with 68 keypoints on each, in pixels, and the pose of the head.

        Gives {"file", "width", "height", "faces"}, the faces as in the command line's JSON: {"box",
        "score", "points", "confidence", "pose"}; pixels of the upright photo, origin top left,
        points in iBUG / 300-W order.

        Args:
            photo: JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF.
        """
        if photo is None:
            raise gr.Error("Expected a photo, got none.", print_exception=False)
        try:
            find_faces = ready.get().find_faces
            with MODELS.turn():
                image = read_photo(photo.path)
                faces = find_faces(image)
        except (PhotoError, WeightsError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        height, width = image.shape[:2]
        return record_to_dict(Record(file=photo.name, width=width, height=height, faces=faces))

    gr.Button(visible=False).click(
        keypoints,
        photo_input(label="photo", visible=False),
        gr.JSON(label="record", visible=False),
        api_name="keypoints",
        **MODEL_BUDGET,
    )
