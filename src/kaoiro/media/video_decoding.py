"""From a container's packets to frames with times that only ever grow."""

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.media.clock import clock
from kaoiro.media.video_damage import Damage

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_USUAL_RATE: Final = 25.0
_CLOCK_RESTARTS: Final = 1.0
"""Seconds: where times jump back by more than this, the stream's clock began anew."""
_NUDGE: Final = 1 / 16
"""In units of a frame's duration: little, so that the frames after one that came out of order keep their own times."""
_LEAST_GAP: Final = 0.5
_FAULTS_IN_A_ROW: Final = 200
"""So many errors of the container, without a packet between them, end the reading."""


@dataclass(frozen=True)
class DecodedFrame:
    """A frame of which the pixels are not yet in RGB."""

    time: float
    """Seconds from the stream's beginning."""
    rgb: Callable[[], NDArray[np.uint8]]
    """Gives `uint8 (H, W, 3)`, upright and with square pixels."""
    is_stamped: bool = True
    """Whether the stream itself says when the frame is shown."""


class Timeline:
    """Turns the time stamps of frames into seconds from the stream's beginning that only ever grow.

    A frame without a stamp follows its predecessor at the average rate. One whose stamp does not come after its
    predecessor's, as in a damaged stream, follows it closely. Where the clock falls back by more than a second, as in
    joined recordings, it began anew.

    Args:
        origin: the stream's beginning, in seconds of its own clock; None: the first frame's time.
        rate: frames per second on average.
    """

    def __init__(self, origin: float | None, rate: float | None) -> None:
        self.origin = origin
        self.last: float | None = None
        self._step = 1 / (rate or _USUAL_RATE)

    def place(self, stamp: float | None) -> float:
        """Give the time of the next frame, whose stamp is in seconds of the stream's clock."""
        if stamp is None:
            return self._set(0.0 if self.last is None else self.last + self._step)
        if self.origin is None or (self.last is None and stamp < self.origin):
            self.origin = stamp
        time = stamp - self.origin
        if self.last is not None and time <= self.last:
            if self.last - time > _CLOCK_RESTARTS:
                self.origin -= self.last + self._step - time
                time = self.last + self._step
            else:
                time = self.last + _NUDGE * self._step
        return self._set(time)

    def of(self, stamp: float | None) -> float:
        """Say roughly when a packet with this stamp is shown."""
        if stamp is None or self.origin is None:
            return self.last or 0.0
        return max(0.0, stamp - self.origin)

    def jump(self) -> None:
        """Forget the last frame, as another part of the video follows."""
        self.last = None

    def _set(self, time: float) -> float:
        self.last = time
        return time


def decode(
    container: "InputContainer", stream: "VideoStream", timeline: Timeline, damage: Damage, *, is_live: bool
) -> Generator[DecodedFrame, None, None]:
    """Decode the frames from where the container stands; what cannot be decoded is noted and passed over."""
    frames = _decoded(container, stream, timeline, damage, is_live=is_live)
    expected: float | None = None
    for frame in frames:
        time = timeline.place(_seconds(frame.pts, frame.time_base))
        if frame.is_corrupt:
            damage.bad_frame(time)
        if expected is not None and frame.key_frame and time - expected > _LEAST_GAP and not is_live:
            damage.gap(expected, time)
        # Only a duration that is stated tells a gap from a picture that stands still.
        lasts = _seconds(frame.duration or None, frame.time_base)
        expected = None if lasts is None else time + lasts
        yield DecodedFrame(time, partial(upright_rgb, frame, stream.sample_aspect_ratio), frame.pts is not None)


def _decoded(
    container: "InputContainer", stream: "VideoStream", timeline: Timeline, damage: Damage, *, is_live: bool
) -> "Generator[av.VideoFrame, None, None]":
    import av

    faults = 0
    while faults < _FAULTS_IN_A_ROW:
        try:
            for packet in container.demux(stream):
                faults = 0
                # A recording that begins in the midst of a broadcast has nothing whole before its first frame.
                if packet.is_corrupt and timeline.last is not None:
                    damage.bad_packet(timeline.of(_stamp(packet)))
                try:
                    frames = packet.decode()
                except av.error.EOFError:
                    continue
                except av.FFmpegError:
                    damage.bad_packet(timeline.of(_stamp(packet)))
                    continue
                yield from frames
        except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.UnknownError):
            faults += 1
            damage.bad_packet(timeline.last or 0.0)
        except av.FFmpegError as error:
            reason = "no answer any more" if isinstance(error, av.error.ExitError) else error.strerror or str(error)
            what = "connection was lost" if is_live else "reading failed"
            damage.ending(f"the {what} at {clock(timeline.last or 0.0)} ({reason})")
            break
        else:
            return
    with suppress(av.FFmpegError):  # what the decoder still holds back
        yield from stream.decode(None)


def _stamp(packet: "Packet[VideoStream]") -> float | None:
    return _seconds(packet.dts if packet.pts is None else packet.pts, packet.time_base)


def _seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    return None if ticks is None or time_base is None else float(ticks * time_base)


def upright_rgb(frame: "av.VideoFrame", pixel_aspect: Fraction | None) -> NDArray[np.uint8]:
    """Turn a frame into `uint8 (H, W, 3)` RGB: upright, with square pixels, on white where it is transparent.

    Args:
        frame: as it was decoded.
        pixel_aspect: the width of its pixels in units of their height; None or 0 where that is unknown.
    """
    width, height = _square_size(frame, pixel_aspect)
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.reformat(width, height, "rgba").to_ndarray().astype(np.uint16)
        alpha = rgba[..., 3:]
        rgb = ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    else:
        rgb = np.asarray(frame.reformat(width, height, "rgb24").to_ndarray(), np.uint8)
    matrix = _display_matrix(frame)
    return rgb if matrix is None else _turned(rgb, matrix)


def _square_size(frame: "av.VideoFrame", pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size at which pixels are square: the side that is too short grows."""
    if not pixel_aspect or pixel_aspect == 1:
        return frame.width, frame.height
    if pixel_aspect > 1:
        return round(frame.width * pixel_aspect), frame.height
    return frame.width, round(frame.height / pixel_aspect)


def _display_matrix(frame: "av.VideoFrame") -> NDArray[np.int32] | None:
    """The four numbers `a b c d` with which a player turns or mirrors the frame; None: it is upright."""
    side_data: Any = frame.side_data
    found = side_data.get("DISPLAYMATRIX")
    return None if found is None else np.frombuffer(bytes(found), np.int32)[[0, 1, 3, 4]]


def _turned(rgb: NDArray[np.uint8], matrix: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Show what stands at (x, y) at (a·x + c·y, b·x + d·y), to the nearest quarter turn."""
    a, b, c, d = matrix.tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        mirrored, upside_down = a < 0, d < 0
    else:
        rgb = rgb.transpose(1, 0, 2)
        mirrored, upside_down = c < 0, b < 0
    rgb = rgb[::-1] if upside_down else rgb
    return np.ascontiguousarray(rgb[:, ::-1] if mirrored else rgb)
