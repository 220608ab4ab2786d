"""Live streams: turns, dropped frames, limits, and what a page may send."""

import base64
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from facial_keypoints.drawing.filters import filter_matrix
from facial_keypoints.geometry.expression import Expression
from facial_keypoints.video.sessions import (
    Frame,
    LiveAnswer,
    LiveError,
    LiveLimits,
    LiveSessions,
    decode_frame,
)
from facial_keypoints.video.track import TrackedFace
from facial_keypoints.video.wire import answer_to_dict, error_to_dict, filter_motion, parse_frame
from keypoints_captions.photos.jpeg import encode_jpeg
from tests.synthetic_faces import make_face

JPEG = encode_jpeg(np.full((48, 64, 3), 90, np.uint8))


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """A tracker that finds nothing and remembers who was looked at, and when."""

    log: list[tuple[int, float]]

    def __init__(self, log: list[tuple[int, float]], number: int):
        self.log, self.number, self.smoothing = log, number, 0.5

    def update(self, image: np.ndarray, time_ms: float) -> list[TrackedFace]:
        assert image.shape == (48, 64, 3)
        self.log.append((self.number, time_ms))
        return []


class Streams:
    """Sessions whose workers are the test itself."""

    def __init__(self, **limits: Any):
        self.log: list[tuple[int, float]] = []
        self.clock = Clock()
        self.count = 0
        self.sessions = LiveSessions(self.track, LiveLimits(**limits), 0, self.clock)

    def track(self) -> Recorder:
        self.count += 1
        return Recorder(self.log, self.count)

    def send(self, key: str, time_ms: float, jpeg: bytes = JPEG) -> Future[LiveAnswer]:
        return self.sessions.submit(key, Frame(jpeg, time_ms))


def code(answer: Future[LiveAnswer]) -> str:
    error = answer.exception(timeout=0)
    assert isinstance(error, LiveError)
    return error.code


def test_streams_take_turns_however_much_one_sends() -> None:
    streams = Streams()
    greedy, modest = streams.sessions.open(), streams.sessions.open()
    for turn in range(1, 6):
        for extra in range(3):
            streams.send(greedy, 10 * turn + extra)
        streams.send(modest, 10 * turn)
        assert streams.sessions.step() and streams.sessions.step()
    assert [number for number, _ in streams.log] == [1, 2] * 5


def test_only_the_newest_frame_is_looked_at() -> None:
    streams = Streams()
    key = streams.sessions.open()
    answers = [streams.send(key, time) for time in (10, 20, 30)]
    streams.sessions.step()
    assert streams.log == [(1, 30)]
    assert not streams.sessions.step()
    assert [answer.result(timeout=0).faces for answer in answers] == [None, None, []]
    assert answers[2].result().dropped == 2


def test_a_frame_that_was_overtaken_is_dropped() -> None:
    streams = Streams()
    key = streams.sessions.open()
    streams.send(key, 20)
    late = streams.send(key, 10)
    assert late.result(timeout=0).faces is None
    streams.sessions.step()
    assert streams.log == [(1, 20)]


def test_a_frame_that_came_while_its_stream_was_busy_waits_behind_the_others() -> None:
    streams = Streams()
    first, second = streams.sessions.open(), streams.sessions.open()
    follower: list[Future[LiveAnswer]] = []

    class Interrupted(Recorder):
        def update(self, image: np.ndarray, time_ms: float) -> list[TrackedFace]:
            if not follower:
                follower.append(streams.send(first, time_ms + 1))
                streams.send(second, time_ms)
            return super().update(image, time_ms)

    streams.sessions._sessions[first].tracker = Interrupted(streams.log, 1)
    streams.send(first, 10)
    while streams.sessions.step():
        pass
    assert streams.log == [(1, 10), (2, 10), (1, 11)]
    assert follower[0].result(timeout=0).faces == []


def test_full_is_said_and_a_closed_stream_makes_room() -> None:
    streams = Streams(sessions=2)
    first = streams.sessions.open()
    streams.sessions.open()
    with pytest.raises(LiveError, match="All 2 places") as caught:
        streams.sessions.open()
    assert caught.value.code == "full"
    streams.sessions.close(first)
    streams.sessions.close(first)
    assert streams.sessions.open() != first
    assert len(streams.sessions) == 2


def test_an_idle_stream_loses_its_place_and_a_sending_one_keeps_it() -> None:
    streams = Streams(sessions=2, idle=15.0)
    idle, awake = streams.sessions.open(), streams.sessions.open()
    for time in (10, 20):
        streams.clock.now += 10
        streams.send(awake, time)
        streams.sessions.step()
    assert len(streams.sessions) == 1
    with pytest.raises(LiveError) as caught:
        streams.send(idle, 1)
    assert caught.value.code == "expired"
    streams.sessions.open()


def test_what_waits_when_its_stream_ends_is_answered() -> None:
    streams = Streams()
    key = streams.sessions.open()
    answer = streams.send(key, 1)
    streams.sessions.close(key)
    assert code(answer) == "expired"
    assert not streams.sessions.step()


@pytest.mark.parametrize(
    "jpeg",
    [
        b"",
        b"\xff\xd8\xff",
        b"no picture",
        JPEG[: len(JPEG) // 2],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        encode_jpeg(np.zeros((8, 200, 3), np.uint8)),
    ],
    ids=["empty", "start", "text", "half", "png", "wide"],
)
def test_a_frame_that_is_none_costs_only_itself(jpeg: bytes) -> None:
    streams = Streams(frame_side=100)
    key = streams.sessions.open()
    bad = streams.send(key, 1, jpeg)
    streams.sessions.step()
    assert code(bad) == "frame"
    good = streams.send(key, 2)
    streams.sessions.step()
    assert good.result(timeout=0).faces == []


def test_a_huge_frame_is_refused_before_it_waits() -> None:
    streams = Streams(frame_bytes=1000)
    key = streams.sessions.open()
    with pytest.raises(LiveError, match="1 kB"):
        streams.send(key, 1, bytes(2000))


def test_a_picture_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    marker = JPEG.index(b"\xff\xc0")
    bomb = JPEG[: marker + 5] + b"\x20\x00\x20\x00" + JPEG[marker + 9 :]
    with pytest.raises(LiveError, match="8192 × 8192"):
        decode_frame(bomb, 1280)


def test_a_picture_of_many_scans_is_not_unpacked() -> None:
    scan = JPEG[JPEG.index(b"\xff\xda") : -2]
    with pytest.raises(LiveError, match="100 scans"):
        decode_frame(JPEG[:-2] + 200 * scan + JPEG[-2:], 1280)


def test_a_failure_of_ours_is_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    streams = Streams()
    key = streams.sessions.open()

    class Broken(Recorder):
        def update(self, image: np.ndarray, time_ms: float) -> list[TrackedFace]:
            raise RuntimeError("secret detail")

    streams.sessions._sessions[key].tracker = Broken([], 1)
    answer = streams.send(key, 1)
    streams.sessions.step()
    assert code(answer) == "failed"
    assert "secret" not in str(answer.exception())
    assert "secret detail" in caplog.text


def test_threads_share_the_work_and_end() -> None:
    log: list[tuple[int, float]] = []
    numbers = iter(range(1, 9))
    sessions = LiveSessions(lambda: Recorder(log, next(numbers)), workers=2)
    keys = [sessions.open() for _ in range(4)]

    def stream(key: str) -> int:
        answers = [sessions.submit(key, Frame(JPEG, time)) for time in range(1, 40)]
        return sum(answer.result(timeout=20).faces is not None for answer in answers)

    with ThreadPoolExecutor(4) as pool:
        looked = list(pool.map(stream, keys))
    assert sum(looked) == len(log)
    assert all(looked)
    for number in (1, 2, 3, 4):
        times = [time for who, time in log if who == number]
        assert times == sorted(times)
    sessions.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("live-") and t.is_alive()]
    with pytest.raises(LiveError):
        sessions.open()


def message(**changes: Any) -> dict[str, Any]:
    image = base64.b64encode(JPEG).decode()
    sound = {"session": "k", "image": image, "time": 12.5, "smoothing": 0.5, "filters": []}
    return {**sound, **changes}


def test_a_message_is_read() -> None:
    key, frame, names = parse_frame(message(filters=["hat", "moustache"], smoothing=1))
    assert (key, frame.jpeg, frame.time_ms, frame.smoothing) == ("k", JPEG, 12.5, 1.0)
    assert names == ["moustache", "hat"]


@pytest.mark.parametrize(
    "changes",
    [
        {"session": None},
        {"image": 5},
        {"image": "*not base64*"},
        {"image": "ünicode"},
        {"time": "now"},
        {"time": float("nan")},
        {"time": 1e300},
        {"time": True},
        {"time": 10**400},
        {"smoothing": 2},
        {"filters": ["wig"]},
        {"filters": [["hat"]]},
        {"filters": "hat"},
    ],
)
def test_a_malformed_message_gets_a_sentence(changes: dict[str, Any]) -> None:
    with pytest.raises(LiveError) as caught:
        parse_frame(message(**changes))
    assert error_to_dict(caught.value)["error"]["code"] == "frame"


@pytest.mark.parametrize("nonsense", [None, 3, "text", [], [message()]])
def test_no_message_at_all_gets_a_sentence(nonsense: Any) -> None:
    with pytest.raises(LiveError):
        parse_frame(nonsense)


def tracked(velocity: float) -> TrackedFace:
    motion = np.full((68, 2), velocity, np.float32)
    return TrackedFace(3, make_face(), motion, Expression(1, 1, 0, 0, 0, 0))


def test_a_filter_moves_with_its_face() -> None:
    face = tracked(0.25)
    place = filter_motion(face.face.points, face.velocity, "hat")
    assert place is not None
    later = filter_matrix(face.face.points + 30 * face.velocity, "hat")
    np.testing.assert_allclose(place[0] + 30 * place[1], later, atol=1e-3)


def test_an_answer_is_plain_json() -> None:
    answer = LiveAnswer([tracked(0.1)], 64, 48, 1.23, 4.56, 7)
    text = json.loads(json.dumps(answer_to_dict(answer, ["hat"]), allow_nan=False))
    assert (text["width"], text["height"], text["server"], text["dropped"]) == (64, 48, 4.6, 7)
    (face,) = text["faces"]
    assert face["id"] == 3
    assert len(face["filters"]["hat"]) == 12
    assert answer_to_dict(LiveAnswer(None))["faces"] is None
