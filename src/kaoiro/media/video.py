"""Videos and cameras: frames with their times, upright and in RGB."""

import math
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from kaoiro.errors import InputError
from kaoiro.files import kind_of
from kaoiro.media.animations import Animation, is_webp
from kaoiro.media.clock import clock
from kaoiro.media.hand_over import Ahead
from kaoiro.media.video_damage import Damage
from kaoiro.media.video_decoding import DecodedFrame, Timeline, decode
from kaoiro.media.video_index import frames_before
from kaoiro.media.video_opening import Address, best_video_stream, open_container
from kaoiro.parallel import available_cores

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_AHEAD_BYTES: Final = 64 * 1024 * 1024
_AHEAD_FRAMES: Final = 8
_MOST_DECODING_THREADS: Final = 4
_CLOSING_SECONDS: Final = 12.0
_SAME_TIME: Final = 1e-6
_ENDS_EARLY: Final = 0.5
_HIGHEST_RATE: Final = 1000


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video."""

    index: int
    """Which frame of the stream it is, from 0, in the order of showing."""
    time: float
    """When it is shown, in seconds from the stream's beginning."""
    image: NDArray[np.uint8]
    """`uint8 (H, W, 3)` RGB, upright, with square pixels."""


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is read."""

    width: int
    """Of the upright picture with square pixels, in pixels."""
    height: int
    """Of the upright picture with square pixels, in pixels."""
    frame_rate: float | None
    """Frames per second on average; None where the file does not say."""
    duration: float | None
    """Seconds; None for a live source, or where the file does not say."""
    frames: int | None
    """How many frames there are; an estimate where the file only states its duration and rate."""
    is_live: bool
    """Whether it comes from a camera or a live stream: there is no going back, and whoever is slow misses frames."""
    has_audio: bool
    codec: str
    """How the pictures are compressed, as FFmpeg names it, for example `h264`."""


class VideoSource:
    """Reads a video, in order and once: a context manager and an iterator of `VideoFrame`.

    Decoding runs ahead in a thread of its own, a few frames only, so that memory stays bounded. Times are those of
    the stream (variable frame rates included); of a stream without times, they follow from the average rate. A live
    source hands out its newest frame and drops those that came in between.

    >>> with VideoSource("interview.mp4", start=60, end=90) as video:  # doctest: +SKIP
    ...     for frame in video:
    ...         print(frame.time, frame.image.shape)

    Args:
        source: a file, a URL (`https://…`, `rtsp://…`), the number of a camera (0 is the first), or a camera's device
            file.
        start: frames before this time, in seconds from the stream's beginning, are left out.
        end: frames at this time and after it are left out.
        every: only each nth frame is handed out, beginning with the first.

    Raises:
        InputError: it cannot be opened, there is no video in it, none of its frames can be decoded, or `start`, `end`
            or `every` make no sense for it.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(
        self, source: str | Path | int, *, start: float | None = None, end: float | None = None, every: int = 1
    ) -> None:
        if every < 1:
            raise InputError(f"every must be 1 or more, not {every}")
        if start is not None and not 0 <= start < math.inf:
            raise InputError(f"the start must be 0 seconds or later, not {start}")
        if end is not None and not end > (start or 0.0):
            raise InputError(f"the end ({clock(end)}) must be later than the start ({clock(start or 0.0)})")
        self.address = Address(source)
        """Where it comes from."""
        self._start = start or 0.0
        self._end = math.inf if end is None else end
        self._every = every
        self._damage = Damage(since=self._start)
        self._ahead: Ahead[VideoFrame] | None = None
        self._container: InputContainer | None = None
        self._animation: Animation | None = None
        path = self.address.path
        if path is not None and kind_of(path) == "file" and is_webp(path):
            self._open_animation(path)
        else:
            self._open_stream()
        self._check_start()

    @property
    def name(self) -> str:
        """What the source is called in messages: a URL without its password, for example."""
        return self.address.name

    def cannot(self, reason: str) -> InputError:
        """Word the error that the video cannot be read for this reason."""
        return self.address.cannot(reason)

    @property
    def origin(self) -> float:
        """The stream's beginning, in seconds of the container's own clock: the sound beside it runs by that clock."""
        return self._timeline.origin or 0.0

    @property
    def losses(self) -> list[str]:
        """What could not be read so far, one plain sentence each."""
        return self._damage.sentences()

    @property
    def dropped(self) -> int:
        """How many frames of a live source were passed over, because whoever reads them was busy."""
        return 0 if self._ahead is None else self._ahead.dropped

    def __iter__(self) -> Iterator[VideoFrame]:
        if self._ahead is None:
            size = self.info.width * self.info.height * 3
            limit = 1 if self.info.is_live else max(1, min(_AHEAD_FRAMES, _AHEAD_BYTES // size))
            self._ahead = Ahead(self._frames(), limit, newest_only=self.info.is_live)
        return iter(self._ahead)

    def stop(self) -> None:
        """End the iteration before the next frame. A signal handler or another thread may call this."""
        self._end = -math.inf
        if self._ahead is not None:
            self._ahead.stop()

    def close(self) -> None:
        """Stop reading and close the source."""
        if self._ahead is not None and not self._ahead.close(_CLOSING_SECONDS):
            return  # the thread hangs in a device's driver, and still uses the container
        if self._container is not None:
            self._container.close()
        if self._animation is not None:
            self._animation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_animation(self, path: Path) -> None:
        try:
            self._animation = Animation(path)
        except (OSError, SyntaxError, UnidentifiedImageError) as error:
            raise self.address.cannot("it is a damaged WebP picture") from error
        self._timeline = Timeline(0.0, None)
        self._decoded = self._animation.decode(self._damage)
        self.info = VideoInfo(
            width=self._animation.width,
            height=self._animation.height,
            frame_rate=None,
            duration=None,
            frames=self._animation.frames,
            is_live=False,
            has_audio=False,
            codec="webp",
        )

    def _open_stream(self) -> None:
        self._container = open_container(self.address)
        try:
            stream = self._stream = best_video_stream(self._container, self.address)
            self._prepare(stream)
        except BaseException:
            self._container.close()
            raise

    def _prepare(self, stream: "VideoStream") -> None:
        assert self._container is not None
        duration = _duration(self._container, stream)
        # What a server sends without saying how long it is has no end to wait for.
        is_endless = self.address.is_url and duration is None and self._container.size < 0
        is_live = self.address.is_live or is_endless
        _use_threads(stream, is_live=is_live)
        rate = _plausible_rate(stream)
        self._timeline = Timeline(_origin(stream, is_live), rate)
        self._decoded = decode(self._container, stream, self._timeline, self._damage, is_live=is_live)
        first = next(self._decoded, None)
        if first is None:
            lost = "; ".join(self.losses)
            raise self.address.cannot("none of its frames can be decoded" + (f" ({lost})" if lost else ""))
        height, width = first.rgb().shape[:2]
        frames = stream.frames or (None if duration is None or rate is None else round(duration * rate))
        self.info = VideoInfo(
            width=width,
            height=height,
            frame_rate=rate,
            duration=None if is_live else duration,
            frames=None if is_live else frames,
            is_live=is_live,
            has_audio=bool(self._container.streams.audio),
            codec=stream.codec_context.name,
        )
        self._decoded = _again(first, self._decoded)

    def _check_start(self) -> None:
        duration = self.info.duration
        if duration is not None and self._start > duration > 0:
            self.close()
            raise self.address.cannot(
                f"the start ({clock(self._start)}) lies behind its end ({clock(duration)}); give an earlier one"
            )

    def _frames(self) -> Generator[VideoFrame, None, None]:
        """Everything that is handed out; runs in the decoding thread."""
        frames, index = self._from_start()
        number = 0
        for frame in frames:
            if frame.time >= self._end - _SAME_TIME:
                return
            if frame.time >= self._start - _SAME_TIME:
                if number % self._every == 0:
                    yield VideoFrame(index, frame.time, frame.rgb())
                number += 1
            index += 1
        self._check_ending()

    def _from_start(self) -> tuple[Generator[DecodedFrame, None, None], int]:
        """Frames from the start or a little before it, and the index of the first of them."""
        if self._start == 0 or self._container is None or self.info.is_live:
            return self._decoded, 0
        rate = self.info.frame_rate
        back = 0.0
        while self._start - back > 0:
            first = self._sought(self._start - back)
            if first is not None and first.is_stamped and first.time <= self._start + _SAME_TIME:
                index = frames_before(self.address, first.time + self.origin - _SAME_TIME, rate, self.origin)
                return _again(first, self._decoded), index
            back = 2 * back + 2
        self._reopen()
        return self._decoded, 0

    def _sought(self, time: float) -> DecodedFrame | None:
        """Go to the key frame before a time, and decode one frame."""
        import av

        assert self._container is not None
        offset = math.floor((time + self.origin) / float(self._stream.time_base or 1) + 0.5)
        with suppress(av.FFmpegError):  # one that cannot be sought stays where it is, behind the time
            self._container.seek(offset, stream=self._stream)
        return next(self._decode_on(), None)

    def _reopen(self) -> None:
        """Go to the very beginning, where seeking may not lead."""
        assert self._container is not None
        self._container.close()
        self._container = open_container(self.address)
        self._stream = best_video_stream(self._container, self.address)
        _use_threads(self._stream, is_live=False)
        self._decode_on()

    def _decode_on(self) -> Generator[DecodedFrame, None, None]:
        assert self._container is not None
        self._timeline.jump()
        self._decoded = decode(self._container, self._stream, self._timeline, self._damage, is_live=False)
        return self._decoded

    def _check_ending(self) -> None:
        duration, last, rate = self.info.duration, self._timeline.last, self.info.frame_rate
        if duration is None or last is None or self._end < duration:
            return
        reached = last + 1 / (rate or 25.0)
        if duration - reached > max(_ENDS_EARLY, 0.01 * duration):
            self._damage.ending(f"it ends at {clock(reached)}, though it should last {clock(duration)}")


def _again(first: DecodedFrame, others: Generator[DecodedFrame, None, None]) -> Generator[DecodedFrame, None, None]:
    yield first
    del first  # which may hold much memory
    yield from others


def _use_threads(stream: "VideoStream", *, is_live: bool) -> None:
    # Frame threads decode faster, but hold frames back, and each holds frames in memory.
    stream.thread_type = "SLICE" if is_live else "AUTO"
    stream.codec_context.thread_count = min(available_cores(), _MOST_DECODING_THREADS)


def _plausible_rate(stream: "VideoStream") -> float | None:
    """Frames per second on average; some files with a variable rate state that of their clock."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate is not None and 0 < rate <= _HIGHEST_RATE:
            return float(rate)
    return None


def _origin(stream: "VideoStream", is_live: bool) -> float | None:
    if is_live or stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def _duration(container: "InputContainer", stream: "VideoStream") -> float | None:
    """The pictures' duration in seconds; where only that of the whole is stated, that."""
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    stated = _matroska_duration(stream.metadata.get("DURATION", ""))
    if stated is not None:
        return stated
    return None if container.duration is None or container.duration <= 0 else container.duration / 1_000_000


def _matroska_duration(text: str) -> float | None:
    """Read Matroska's `00:01:02.345000000`."""
    parts = text.split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds or None
