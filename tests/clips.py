"""Small clips for tests, written with PyAV: known colours, times and tones."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace

from facial_keypoints.video.codec import Clip, edit_clip

RATE = 48_000  # of the sound, a second
SIZE = (96, 64)  # of the pictures, pixels


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    times_ms: Sequence[float] | None = None,
    *,
    codec: str = "libx264",
    sound: str | None = "aac",
    seconds: float | None = None,
    rate: int = RATE,
    aspect: int = 1,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip of (H, W, 3) uint8 RGB frames, 25 a second unless their times are given, and a tone
    of 440 Hz as long as they are (or for `seconds`). rate: of the sound. aspect: a pixel's width
    over its height. options: of FFmpeg's muxer."""
    times = [40.0 * index for index in range(len(frames))] if times_ms is None else times_ms
    length = seconds or (times[-1] + 40) / 1000 if len(times) else seconds or 1.0
    with av.open(str(path), "w", options=options or {}) as file:
        video = file.add_stream(codec, rate=25) if len(frames) else None
        audio = file.add_stream(sound, rate=rate, layout="mono") if sound else None
        if audio is not None and sound == "wmav2":  # which has no usual one
            audio.codec_context.bit_rate = 64_000
        if video is not None:
            height, width = frames[0].shape[:2]
            if codec == "libx264":  # a tenth of the time of its own choice; B-frames stay
                video.options = {"preset": "veryfast"}
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.codec_context.sample_aspect_ratio = Fraction(aspect)
            tick = Fraction(1, 25) if times_ms is None else Fraction(1, 1000)
            video.codec_context.time_base = tick
            for image, time in zip(frames, times, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                if height >= 720:  # as browsers take HD that says nothing of its colours
                    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
                frame.pts, frame.time_base = round(time / 1000 / tick), tick
                file.mux(video.encode(frame))
            file.mux(video.encode(None))
        if audio is not None:
            t = np.arange(int(length * rate)) / rate
            wave = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[None]
            samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            samples.sample_rate, samples.pts = rate, 0
            samples.time_base = Fraction(1, rate)
            file.mux(audio.encode(samples))
            file.mux(audio.encode(None))
    return path


def turn(path: Path, degrees: int) -> Path:
    """Marks an MP4's picture as to be shown turned clockwise, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version 0: times, id, duration; layer, volume
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data[at : at + 36] = struct.pack(
        ">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
    return path


def read_frames(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """The frames as they are stored, (H, W, 3) uint8 RGB, and their times in ms."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    images = [frame.to_ndarray(format="rgb24") for frame in frames]
    return images, [1000 * float(frame.time or 0) for frame in frames]


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """The first channel as float and its rate; empty without sound."""
    with av.open(str(path)) as file:
        if not file.streams.audio:
            return np.zeros(0), 0
        rate = file.streams.audio[0].codec_context.sample_rate
        parts = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    return np.concatenate(parts).astype(np.float64), rate


def numbered(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Frames told apart by their brightness, their top left quarter red."""
    frames = []
    for index in range(count):
        frame = np.full((size[1], size[0], 3), 40 + 3 * index, np.uint8)
        frame[: size[1] // 2, : size[0] // 2] = (200, 30, 30)
        frames.append(frame)
    return frames


def edited(clip: Clip, output: Path | None) -> tuple[list[np.ndarray], list[float]]:
    """Runs `edit_clip` without a change -> what `edit` was given."""
    images: list[np.ndarray] = []
    times: list[float] = []

    def edit(image: np.ndarray, time_ms: float) -> np.ndarray:
        images.append(image)
        times.append(time_ms)
        return image

    edit_clip(clip, output, edit)
    return images, times


def pitch(sound: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * rate / len(sound))
