"""Copying a video's sound beside its new pictures, without compressing it again."""

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kaoiro.errors import InputError
from kaoiro.media.video_opening import Address, open_container

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

_LEAD_IN: Final = 0.1
"""Seconds: more than a packet or two of any kind of sound."""
_CLOCK_RESTARTS: Final = 1.0
"""Seconds: where times jump back by more than this, the clock began anew, for the pictures too."""


class Sound:
    """The sound of a video, packet by packet.

    Args:
        address: the video.
        origin: the beginning of its pictures, in seconds of the container's own clock.

    Raises:
        InputError: the video cannot be opened once more, or has no sound.
    """

    def __init__(self, address: Address, origin: float) -> None:
        self._container = open_container(address)
        if not self._container.streams.audio:
            self._container.close()
            raise InputError(f"there is no sound in {address.name!r}")
        self.stream: AudioStream = self._container.streams.audio[0]
        self.codec: str = self.stream.codec_context.name if self.stream.codec_context else "unknown"
        self._origin = origin
        self._put_off = 0
        self._follows: int | None = None
        self._packets: Generator[Packet[AudioStream], None, None] | None = None
        self._next: Packet[AudioStream] | None = None
        self._copy: AudioStream | None = None
        self._start = self._copied_from = 0.0
        self.fault: str | None = None
        """Why the sound ends before the pictures do, where it does."""

    def add_to(self, container: "OutputContainer") -> bool:
        """Make room for the sound in a container; tell whether it takes sound of this kind."""
        try:
            self._copy = container.add_stream_from_template(self.stream)
        except ValueError:
            return False
        return True

    def begin(self, time: float, *, lead_in: bool) -> None:
        """Let the copy begin with what is heard at a time.

        Args:
            time: in seconds from the beginning of the pictures.
            lead_in: whether, of sound that begins with the pictures, the packets just before may be copied too: the
                decoder needs them, and the container can say that they are not to be heard.
        """
        import av

        self._start = time
        self._copied_from = time if time > 0 or not lead_in else -_LEAD_IN
        if time > 0:
            with suppress(av.FFmpegError):  # where that fails, what comes before is read and passed over
                self._container.seek(max(0, int((time + self._origin) * av.time_base)))
        self._packets = self._drawn()
        self._next = next(self._packets, None)

    def copy_until(self, time: float, container: "OutputContainer") -> None:
        """Write what is heard before a time."""
        assert self._packets is not None
        while self._next is not None and self._time(self._next) < time:
            packet = self._next
            self._next = next(self._packets, None)
            if self._time(packet) >= self._copied_from:
                self._write(packet, container)

    def close(self) -> None:
        """Close the video."""
        self._container.close()

    def _write(self, packet: "Packet[AudioStream]", container: "OutputContainer") -> None:
        assert self._copy is not None
        time_base = packet.time_base
        moved = round((self._origin + self._start) / float(time_base))
        packet.pts = None if packet.pts is None else packet.pts - moved
        packet.dts = None if packet.dts is None else packet.dts - moved
        packet.stream = self._copy
        container.mux(packet)

    def _drawn(self) -> "Generator[Packet[AudioStream], None, None]":
        import av

        try:
            for packet in self._container.demux(self.stream):
                if packet.dts is not None and packet.size and self._goes_on(packet):
                    yield packet
        except av.FFmpegError as error:
            self.fault = f"the sound could be copied only in part ({error.strerror or error})"

    def _goes_on(self, packet: "Packet[AudioStream]") -> bool:
        """Tell whether a packet comes after the one before; after a clock that began anew it is put there.

        No container takes packets whose times fall back.
        """
        assert packet.dts is not None
        dts = packet.dts + self._put_off
        if self._follows is not None and dts < self._follows:
            if (self._follows - dts) * packet.time_base <= _CLOCK_RESTARTS:
                return False
            self._put_off += self._follows - dts
            dts = self._follows
        packet.pts = None if packet.pts is None else packet.pts + self._put_off
        packet.dts = dts
        self._follows = dts + max(1, packet.duration or 0)
        return True

    def _time(self, packet: "Packet[AudioStream]") -> float:
        stamp = packet.dts if packet.pts is None else packet.pts
        return float((stamp or 0) * packet.time_base) - self._origin
