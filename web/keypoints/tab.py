"""The keypoint tab of the page: a photo, the camera live, or a video."""

import gradio as gr
from starlette.middleware import Middleware

from facial_keypoints.video.codec import MAX_BYTES as MAX_CLIP_BYTES
from facial_keypoints.video.sessions import LiveLimits
from web.keypoints.live import build_live
from web.keypoints.photo import build_tab
from web.keypoints.video import build_video
from web.photo_transfer import PhotoTab
from web.server.body_limit import BodyLimit

__all__ = ["FRAME_LIMIT", "MAX_CLIP_BYTES", "build_tabs"]

#: For the web server: what one call of a server function may send. A frame in base64, and some
#: room around it; Gradio itself would read whatever comes.
FRAME_LIMIT = Middleware(
    BodyLimit, path="/component_server", limit=LiveLimits.frame_bytes * 4 // 3 + 4096
)


def build_tabs(page: gr.Blocks, weights: str | None = None, device: str | None = None) -> PhotoTab:
    """Lays out the three ways in, in the Gradio context of the caller.

    Args:
        page: the Blocks that they are part of.
        weights, device: as `FacialKeypoints.load` takes them.

    Returns:
        What the page connects, of the photo part.
    """
    with gr.Tabs(elem_classes="views"):
        with gr.Tab("Photo", id="photo"):
            photo = build_tab(page, weights, device)
        with gr.Tab("Live", id="live"):
            build_live(photo.model)
        with gr.Tab("Video", id="video"):
            build_video(page, photo.model)
    return photo
