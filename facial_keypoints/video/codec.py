"""Reading clips of common formats, and writing H.264 MP4 that browsers play.

FFmpeg's libraries and x264 do the work; the `av` package brings both along. Everything about
containers, codecs and timestamps is here, so that the rest sees upright RGB frames and times.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from facial_keypoints.video.sound import SoundTrack, clip_sound, decoded

MAX_SECONDS = 600
MAX_BYTES = 500_000_000
MAX_PIXELS = 3840 * 2160  # of a frame: 4K
LIMITS = "up to 10 minutes, 500 MB and 4K (3840 × 2160)"

#: For folder walks and file pickers; what a file is decides its content.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts"}
    | {".m2ts", ".ogv", ".wmv", ".flv"}
)

#: FFmpeg's names of what may come in. Playlists and scripts are left out on purpose: they name
#: further files and addresses, which FFmpeg would open. The sound formats make a clearer refusal.
_FORMATS = "mov,matroska,avi,mpeg,mpegts,ogg,asf,flv,mp3,wav,flac,aac"
#: Exact for every usual frame rate, and fine enough to keep a variable one.
_TICKS = 90_000  # a second
_UNSPECIFIED = 2  # FFmpeg's number of a colour space that the file does not name
_RESTART = 0.5  # seconds back in time from which a stream has started anew


class VideoError(ValueError):
    """A clip cannot be worked on. The message is one sentence: what came, what is accepted."""


class VideoCancelled(VideoError):
    """The work was ended on request; nothing was written."""

    def __init__(self) -> None:
        super().__init__("The work on this clip was cancelled.")


@dataclass(frozen=True)
class Clip:
    """A clip that is accepted.

    width, height: of the upright picture with square pixels. sound: whether it has any.
    """

    path: Path
    width: int
    height: int
    seconds: float
    sound: bool


def inspect_clip(path: str | PathLike[str]) -> Clip:
    """Facts of a clip, from its header and first picture; fast for long clips too.

    Raises:
        VideoError: it is no video, is damaged, or is over the limits of length and size.
    """
    path = Path(path)
    with _opened(path) as container:
        video = _picture(container)
        seconds = _seconds(container, video)
        if seconds > MAX_SECONDS:
            raise VideoError(f"The clip is {_clock(seconds)} long; {LIMITS} are taken: cut it.")
        _check_size(video, video)
        frame = next(_pictures(container, video), None)
        if frame is None:
            raise VideoError("The video is damaged: none of its pictures can be decoded.")
        _check_size(frame, video)
        height, width = _upright(frame, video).shape[:2]
        return Clip(path, width, height, seconds, clip_sound(container) is not None)


def edit_clip(
    clip: Clip, output: Path | None, edit: Callable[[np.ndarray, float], np.ndarray]
) -> None:
    """Reads a clip's frames and writes them, edited, to an MP4 file: H.264 and the clip's sound,
    every frame at its own time, playable while it still downloads.

    Args:
        output: left incomplete if `edit` raises; None only reads.
        edit: upright (height, width, 3) uint8 RGB and its time in ms from the clip's start ->
            the frame to write, of the same shape. What it raises, ends the work.

    Raises:
        VideoError: the clip is damaged or has changed since it was inspected.
        OSError: the output cannot be written.
    """
    with _opened(clip.path) as container, _writer(output, clip, container) as writer:
        video = _picture(container)
        start, last = Fraction(container.start_time or 0, av.time_base), Fraction(-1)
        for frame in _pictures(container, video, writer.add_sound if writer else None):
            time = _time(frame, last + _one_frame(video), start)
            if time <= last:
                continue  # what a damaged file or a seek repeats
            if time > MAX_SECONDS + 1:  # its header said otherwise
                raise VideoError(f"The clip is longer than it says; {LIMITS} are taken: cut it.")
            last = time
            edited = edit(_upright(frame, video, (clip.width, clip.height)), float(1000 * time))
            if writer:
                writer.add_picture(edited, time)


class _Writer:
    """An MP4 under way: one H.264 track and, with sound, one of AAC or MP3."""

    def __init__(self, path: Path, clip: Clip, source: InputContainer):
        self._file = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        rate = source.streams.video[0].average_rate or Fraction(30)
        options = {"preset": "veryfast", "crf": "20"}
        self._video = self._file.add_stream("libx264", rate=rate, options=options)
        self._video.width, self._video.height = clip.width + clip.width % 2, clip.height
        self._video.height += clip.height % 2  # yuv420p halves both sides
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, _TICKS)
        for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
            setattr(self._video.codec_context, name, 1)  # BT.709; of the range: limited
        sound, start = clip_sound(source), Fraction(source.start_time or 0, av.time_base)
        self._sound = None if sound is None else SoundTrack(self._file, sound, start)

    def add_picture(self, image: np.ndarray, time: Fraction) -> None:
        """(H, W, 3) uint8 RGB, shown from that time on, in seconds."""
        height, width = image.shape[:2]
        bottom, right = self._video.height - height, self._video.width - width
        if bottom or right:
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = round(time * _TICKS), Fraction(1, _TICKS)
        self._file.mux(self._video.encode(frame))

    def add_sound(self, packet: av.Packet) -> None:
        """A packet of the source's sound track."""
        if self._sound is not None:
            self._sound.add(packet)

    def finish(self) -> None:
        """Writes what the encoders still hold back."""
        self._file.mux(self._video.encode(None))
        if self._sound is not None:
            self._sound.finish()

    def close(self) -> None:
        """Closes the file; it is complete only after `finish`."""
        self._file.close()


@contextmanager
def _writer(output: Path | None, clip: Clip, source: InputContainer) -> Iterator[_Writer | None]:
    if output is None:
        yield None
        return
    writer = _Writer(output, clip, source)
    try:
        yield writer
        writer.finish()
    finally:
        writer.close()


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """The container of a file that may be a video; FFmpeg's errors become `VideoError`."""
    try:
        # A file object, as FFmpeg would take some names for addresses and protocols.
        file = path.open("rb")
    except OSError as error:
        raise VideoError(f"The file cannot be opened: {error.strerror or error}.") from None
    with file:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise VideoError(f"The file has {size // 1_000_000} MB; {LIMITS} are taken.")
        if size == 0:
            raise VideoError("The file is empty; choose a video.")
        try:
            container = av.open(file, "r", options={"format_whitelist": _FORMATS})
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(
                "This is no video that can be read, or it is incomplete; "
                "MP4, MOV, WebM, MKV, AVI and MPEG are accepted."
            ) from error
        with container:
            yield container


def _picture(container: InputContainer) -> VideoStream:
    """The container's first moving picture, its decoder using every core."""
    cover = av.stream.Disposition.attached_pic
    for video in container.streams.video:
        if not video.disposition & cover and video.codec_context is not None:
            video.thread_type = "AUTO"
            return video
    what = "sound but no pictures" if container.streams.audio else "no pictures"
    raise VideoError(f"The file holds {what}; choose a video.")


def _pictures(
    container: InputContainer,
    video: VideoStream,
    on_sound: Callable[[av.Packet], None] | None = None,
) -> Iterator[av.VideoFrame]:
    """The frames in the order they are shown; packets of the sound track go elsewhere."""
    sound = clip_sound(container) if on_sound else None
    packets = _continued(container.demux(video, *([] if sound is None else [sound])))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):  # the end, or where a damaged file breaks off
            return
        if packet.stream.type == "audio" and on_sound:
            on_sound(packet)
        elif packet.stream.type == "video":
            yield from decoded(packet)


def _continued(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets, their times going on where a file that was joined from several, as recorders
    and discs do it, starts anew."""
    moves = [Fraction(0)]  # seconds by which the times of each part are moved
    parts: dict[int, int] = {}  # stream -> the part it is in
    ends: dict[int, Fraction] = {}  # stream -> the end of what has come of it
    for packet in packets:
        stream, tick = packet.stream.index, packet.time_base
        if packet.dts is not None and tick is not None:
            part, begin = parts.get(stream, 0), packet.dts * tick
            if stream in ends and begin + moves[part] < ends[stream] - _RESTART:
                part += 1
                if part == len(moves):
                    moves.append(max(ends.values()) - begin)
            shift = round(moves[part] / tick)
            packet.dts += shift
            if packet.pts is not None:
                packet.pts += shift
            parts[stream], ends[stream] = part, (packet.dts + (packet.duration or 0)) * tick
        yield packet


def _upright(
    frame: av.VideoFrame, video: VideoStream, size: tuple[int, int] | None = None
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: turned as the file says, with square pixels, of that size if given."""
    turns = round(frame.rotation / 90) % 4  # counterclockwise, as `np.rot90`
    if size is None:
        width, height = _square(frame, video)
    else:
        width, height = size if turns % 2 == 0 else size[::-1]
    # What says nothing of its colours is taken as browsers take it: HD as BT.709, else as BT.601
    hd = frame.colorspace == _UNSPECIFIED and frame.height >= 720
    colours = Colorspace.ITU709 if hd else None
    pixels = frame.reformat(width, height, format="rgb24", src_colorspace=colours).to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, turns))


def _square(picture: av.VideoFrame | VideoStream, video: VideoStream) -> tuple[int, int]:
    """Width and height with square pixels."""
    width = picture.width * (video.codec_context.sample_aspect_ratio or 1)
    return max(1, round(width)), picture.height


def _check_size(picture: av.VideoFrame | VideoStream, video: VideoStream) -> None:
    width, height = _square(picture, video)
    if width * height > MAX_PIXELS:
        size = f"{width} × {height}"
        raise VideoError(f"The clip's pictures have {size} pixels; {LIMITS} are taken.")


def _seconds(container: InputContainer, video: VideoStream) -> float:
    """Length of the clip; where the header does not say, as browsers' recordings do not, by
    going over the packets without decoding them."""
    if container.duration:
        return container.duration / av.time_base
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    end = 0.0
    for packet in container.demux(video):
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    container.seek(0)
    return end


def _time(frame: av.VideoFrame, guess: Fraction, start: Fraction) -> Fraction:
    """Seconds after `start` at which the frame is shown; `guess` where the file does not say."""
    if frame.pts is None or frame.time_base is None:
        return guess
    return frame.pts * frame.time_base - start


def _one_frame(video: VideoStream) -> Fraction:
    return 1 / (video.average_rate or Fraction(30))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
