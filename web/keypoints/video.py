"""The video view of the keypoint tab: a clip in; the drawn clip and its points out."""

import logging
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from facial_keypoints.drawing.faces import draw_faces
from facial_keypoints.drawing.filters import apply_filters
from facial_keypoints.face import Face
from facial_keypoints.video.codec import (
    LIMITS,
    MAX_BYTES,
    MAX_SECONDS,
    VIDEO_SUFFIXES,
    Clip,
    VideoCancelled,
    VideoError,
    inspect_clip,
)
from keypoints_captions.weights import WeightsError
from web.components import not_loaded, notice, private
from web.keypoints.choices import build_choices, draw_style
from web.models import Background

if TYPE_CHECKING:
    from facial_keypoints.video.annotate import Progress
    from facial_keypoints.video.job import ClipWork
    from web.keypoints.model import Ready

#: One clip at a time; the others wait in the request queue, which tells visitors their place.
_CLIP_BUDGET: dict[str, Any] = {"concurrency_id": "clips", "concurrency_limit": 1}
_log = logging.getLogger(__name__)

_LOOK_EVERY = 0.4  # seconds between two looks at the progress


def build_video(page: gr.Blocks, ready: "Background[Ready]") -> None:
    """Lays out the video part in the Gradio context of the caller.

    Args:
        page: the Blocks that the tab is part of.
        ready: the model, loaded when the first clip is worked on at the latest.
    """
    at_work: dict[str, ClipWork] = {}  # key of a visitor's page -> the work it waits for
    chosen: dict[str, str | None] = {}  # the same -> the clip that is there now
    with gr.Row(elem_classes="photo-row"):
        with gr.Column(scale=5, min_width=320):
            upload = gr.File(
                label=_INPUT_LABEL,
                file_types=sorted(VIDEO_SUFFIXES),
                elem_id="video-upload",
                elem_classes="video-input",
                height=180,
            )
            shown = build_choices()
            with gr.Row(elem_classes="video-buttons"):
                start = gr.Button("Draw the faces", variant="primary", interactive=False)
                cancel = gr.Button("Cancel", visible=False)
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(_INVITATION, elem_id="video-status")
            result = gr.Video(
                visible=False,
                interactive=False,
                show_label=False,
                buttons=[],
                elem_id="video-result",
            )
            with gr.Row(elem_classes="downloads", visible=False) as downloads:
                save_video = gr.DownloadButton("↓ Video", size="sm", min_width=90)
                save_points = gr.DownloadButton("↓ CSV", size="sm", min_width=90)

    outputs = [status, start, cancel, result, downloads, save_video, save_points]

    def on_start(
        path: str | None, show: list[str], fun: list[str], request: gr.Request
    ) -> Iterator[list[Any]]:
        key = request.session_hash or ""
        draw = drawer(show, fun)
        yield from _worked(path, draw, ready, at_work, key, lambda: chosen.get(key, path) == path)

    def on_upload(path: str | None, request: gr.Request) -> list[Any]:
        key = request.session_hash or ""
        chosen[key] = path
        work = at_work.pop(key, None)  # on the clip before
        if work is not None:
            work.close()
        return uploaded(path)

    def on_cancel(request: gr.Request) -> None:
        work = at_work.get(request.session_hash or "")
        if work is not None:
            work.cancel()

    def on_leave(request: gr.Request) -> None:
        on_cancel(request)
        chosen.pop(request.session_hash or "", None)

    upload.change(on_upload, upload, outputs, show_progress="hidden", **private())
    start.click(
        on_start,
        [upload, *shown],
        outputs,
        show_progress="minimal",
        show_progress_on=status,
        **private(_CLIP_BUDGET),
    )
    cancel.click(on_cancel, None, None, show_progress="hidden", **private())
    page.unload(on_leave)


def drawer(show: list[str], fun: list[str]) -> Callable[[np.ndarray, Sequence[Face]], np.ndarray]:
    """A function that draws on each frame; takes names of `DrawStyle` and of `FILTERS`."""
    style = draw_style(show)

    def draw(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        return draw_faces(apply_filters(image, faces, fun), faces, style)

    return draw


_INPUT_LABEL = f"Your video, up to {MAX_SECONDS // 60} minutes and {MAX_BYTES // 1_000_000} MB"
_INVITATION = notice(
    "info",
    "Upload a video to get it back with the points drawn on its faces",
    f"MP4, MOV, WebM, MKV, AVI and MPEG, {LIMITS}. The sound is kept; you get an MP4 that every "
    "browser plays, and every point of every frame as CSV.",
)


def uploaded(path: str | None) -> list[Any]:
    """Updates when a file came, or was taken away."""
    if path is None:
        return _updates(_INVITATION)
    try:
        clip = inspect_clip(path)
    except VideoError as error:
        return _updates(_failure(error))
    return _updates(_about(clip), start=gr.update(interactive=True))


def _worked(
    path: str | None,
    draw: Callable[[np.ndarray, Sequence[Face]], np.ndarray],
    ready: "Background[Ready]",
    at_work: "dict[str, ClipWork]",
    key: str,
    there: Callable[[], bool] = lambda: True,
) -> Iterator[list[Any]]:
    """Updates while a clip is worked on, until its end or until it is taken from `at_work`.

    there: whether the visitor has not put another clip in its place, which may happen before its
        turn comes.
    """
    again = gr.update(interactive=True)
    if not there():
        return
    if path is None:
        yield _updates(_INVITATION)
        return
    yield _updates(_working(None))
    work = None
    try:
        clip = inspect_clip(path)
        ready.get()
        if not there():
            return
        # Here, because torch takes seconds to import; no sooner, or two threads would import it.
        from facial_keypoints.video.job import ClipWork

        work = ClipWork(clip, Path(path).name, lambda: ready.get().find_faces, draw)
        at_work[key] = work
        while not work.wait(_LOOK_EVERY):
            if at_work.get(key) is work:
                yield _updates(_working(work.progress), cancel=gr.update(visible=True))
        yield _finished(work, again)
    except VideoCancelled:
        if at_work.get(key) is work:
            yield _updates(notice("info", "Cancelled", "The video is still here."), start=again)
    except (VideoError, OSError, WeightsError) as error:
        yield _updates(_failure(error), start=again)
    except Exception:
        _log.exception("a clip could not be worked on")
        text = "Something failed here, not with your video; trying again may help."
        yield _updates(notice("error", "The video could not be finished", text), start=again)
    finally:
        if at_work.get(key) is work:
            at_work.pop(key, None)
        if work is not None:
            work.close()


def _failure(error: VideoError | OSError | WeightsError) -> str:
    if isinstance(error, VideoError):
        return notice("error", "This video cannot be used", str(error))
    if isinstance(error, WeightsError):
        return not_loaded(error)
    text = "The server could not write it; its disk may be full."
    return notice("error", "The video could not be saved", text)


def _updates(message: str, start: Any = None, cancel: Any = None) -> list[Any]:
    """For the outputs, with no result to show."""
    hidden = gr.update(visible=False)
    start = gr.update(interactive=False) if start is None else start
    nothing = gr.update(visible=False, value=None)
    return [message, start, cancel or hidden, nothing, hidden, gr.skip(), gr.skip()]


def _finished(work: "ClipWork", again: Any) -> list[Any]:
    """For the outputs; Gradio copies the files to where the page can get them."""
    faces = {0: "No face was found", 1: "1 face"}.get(work.faces, f"{work.faces} faces")
    frames = work.progress.frames if work.progress else 0
    message = (
        f'<div class="summary" data-said><strong>{faces}</strong> '
        f"<span>followed through {frames} pictures</span></div>"
    )
    if work.cut_ms is not None:
        text = "There are more faces than the CSV can hold; cut the clip in two for all of them."
        message += notice("info", f"The points end at {_clock(work.cut_ms / 1000)} minutes", text)
    video, points = str(work.video), str(work.points)
    shown, hidden = gr.update(visible=True), gr.update(visible=False)
    return [message, again, hidden, gr.update(visible=True, value=video), shown, video, points]


def _about(clip: Clip) -> str:
    sound = "with sound" if clip.sound else "without sound"
    text = f"{_clock(clip.seconds)} minutes, {clip.width} × {clip.height} pixels, {sound}"
    return notice("info", clip.path.name, f"{text}. Choose what to draw, then start.")


def _working(progress: "Progress | None") -> str:
    """The bar, how far it is, and how long it will take."""
    share = 0.0 if progress is None else progress.share
    text = "Getting ready" if progress is None else f"{share:.0%}, {progress.frames} pictures"
    if progress is not None and progress.frames >= 10:
        text += f", {_clock(progress.seconds_left)} left"
    return (
        '<div class="work"><strong>Drawing the faces</strong>'
        f'<div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * share:.0f}" style="--value: {share:.3f}"></div>'
        f"<p>{escape(text)}</p></div>"
    )


def _clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"
