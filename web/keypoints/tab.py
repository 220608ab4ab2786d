"""The keypoint tab of the page: a photo, the camera live, or a video."""

import gradio as gr

from web.device.files import DeviceFiles
from web.keypoints.live import build_live
from web.keypoints.model import Ready
from web.keypoints.photo import build_tab
from web.keypoints.video import build_video
from web.models import Background
from web.photo_transfer import PhotoTab


def build_tabs(
    page: gr.Blocks,
    files: DeviceFiles,
    ready: Background[Ready],
) -> PhotoTab:
    """Lays out the three ways in, in the Gradio context of the caller.

    Args:
        page: the Blocks that they are part of.
        files: what faces are found with on the visitor's own device.
        ready: the model; handlers start it and wait for it.

    Returns:
        What the page connects, of the photo part.
    """
    with gr.Tabs(elem_classes="views"):
        with gr.Tab("Photo", id="photo"):
            photo = build_tab(page, files, ready)
        with gr.Tab("Live", id="live"):
            build_live(ready, files)
        with gr.Tab("Video", id="video"):
            build_video(page, ready)
    return photo
