"""A clip's sound on its way into an MP4: as it came where every browser plays it, else as AAC."""

from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

_COPIED = ("aac", "mp3")  # what every browser plays in an MP4; the rest becomes AAC
_RATES = sorted(av.Codec("aac", "w").audio_rates or [48_000])
_HIGHEST_RATE = 48_000  # a second; nobody hears more


def clip_sound(container: InputContainer) -> AudioStream | None:
    """The container's first sound track that can be decoded."""
    tracks = container.streams.audio
    return next((track for track in tracks if track.codec_context is not None), None)


class SoundTrack:
    """The sound track of an MP4 under way.

    source: the clip's. start: seconds of the clip's own clock at which the MP4 begins.
    """

    def __init__(self, file: OutputContainer, source: AudioStream, start: Fraction):
        self._file, self._start = file, start
        self._last: int | None = None  # time of the last packet written
        self._kind: tuple[str, str, int] | None = None  # of the sound that came last
        context = source.codec_context
        self._copied = source.codec.name in _COPIED and bool(context.extradata)
        if self._copied:
            self._track = file.add_stream_from_template(source)
            return
        self._layout = "mono" if context.channels == 1 else "stereo"
        self._rate = _rate(context.sample_rate)
        self._track = file.add_stream("aac", rate=self._rate, layout=self._layout)

    def add(self, packet: av.Packet) -> None:
        """A packet of the source."""
        if packet.time_base is None:
            return
        if not self._copied:
            for sound in decoded(packet):
                self._shift(sound)
                for part in self._resampled(sound):
                    self._write(self._track.encode(part))
        elif packet.dts is not None and not packet.is_corrupt:
            self._shift(packet)
            packet.stream = self._track
            self._write([packet])

    def finish(self) -> None:
        """Writes what the encoder still holds back."""
        if not self._copied:
            self._write(self._track.encode(None))

    def _resampled(self, sound: av.AudioFrame) -> list[av.AudioFrame]:
        """As the encoder wants it; a broadcast's sound changes between mono and stereo."""
        kind = sound.format.name, sound.layout.name, sound.sample_rate
        if kind != self._kind:
            self._kind = kind
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate)
        return self._resampler.resample(sound)

    def _write(self, packets: list[av.Packet]) -> None:
        """Those whose time is after the last one's: an MP4 takes no others."""
        for packet in packets:
            if packet.dts is None:  # the end of some kinds of sound has no time of its own
                packet.dts = packet.pts = (self._last or 0) + (packet.duration or 1)
            if self._last is None or packet.dts > self._last:
                self._last = packet.dts
                self._file.mux(packet)

    def _shift(self, part: av.Packet | av.AudioFrame) -> None:
        """Counts the part's time from the MP4's start."""
        assert part.time_base is not None
        offset = round(self._start / part.time_base)
        if part.pts is not None:
            part.pts -= offset
        if part.dts is not None and isinstance(part, av.Packet):
            part.dts -= offset


def decoded(packet: av.Packet) -> list:
    """The packet's frames; none where it is damaged: the next ones may be whole."""
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def _rate(wanted: int) -> int:
    """The lowest rate of AAC that keeps all of the sound, a second."""
    enough = [rate for rate in _RATES if rate >= min(wanted or _HIGHEST_RATE, _HIGHEST_RATE)]
    return enough[0] if enough else _HIGHEST_RATE
