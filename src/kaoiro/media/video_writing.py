"""Writing a video: H.264 with the frames' own times, and the sound of another one beside them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.files import atomic_path, check_target, reported_writing
from kaoiro.media.video import VideoSource
from kaoiro.media.video_sound import Sound
from kaoiro.parallel import available_cores

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_FORMATS: Final = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_ENCODERS: Final[dict[str, tuple[int, dict[str, str]]]] = {
    "libx264": (90_000, {"preset": "veryfast", "crf": "20"}),
    "libopenh264": (90_000, {"rc_mode": "quality"}),
    "mpeg4": (60_000, {"qmin": "2", "qmax": "4"}),
}
"""In order of preference: the ticks of the clock per second, and options. H.264 plays everywhere, MPEG-4 part 2, whose
clock has fewer than 65,536 ticks, in most players."""
_BT_601: Final = 6  # in the tables of ITU-T H.273
_LIMITED_RANGE: Final = 1  # as FFmpeg counts ranges
_LARGE_PIXELS: Final = 4096 * 2304
_USUAL_RATE: Final = 25


def check_video_target(path: Path) -> None:
    """Refuse a file name to which no video can be written, before any work is done for it.

    Raises:
        InputError: the suffix is that of no format that is written, or no file can be there.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"cannot write {str(path)!r}: videos are written as .mp4, .mov or .mkv; name it so")
    check_target(path)


@contextmanager
def written_video(path: Path, sound_of: VideoSource | None = None) -> Iterator["VideoWriter"]:
    """Write a video, whole or not at all.

    Frames go to a file beside the target. When the block ends well, that becomes the target; when it ends by an error,
    nothing is left of it. H.264 (4:2:0) is used where this build of FFmpeg has an encoder for it, else MPEG-4. Of
    sizes with an odd side, the last row or column is doubled.

    Args:
        path: the file to write; the suffix `.mp4`, `.m4v`, `.mov` or `.mkv` chooses the format.
        sound_of: a video whose sound is copied as it is, from the first frame written to the last. It is opened once
            more for that; a live source has no sound to copy.

    Raises:
        InputError: nothing can be written there, or no frame was given.
    """
    check_video_target(path)
    with reported_writing(path), atomic_path(path) as partial, closing(VideoWriter(path, partial, sound_of)) as writer:
        yield writer
        writer.finish()


class VideoWriter:
    """What `written_video` gives: it takes one frame after the other."""

    def __init__(self, target: Path, partial: Path, sound_of: VideoSource | None) -> None:
        import av

        self._target = target
        self._sound_of = sound_of
        self._container: OutputContainer = av.open(partial, "w", format=_FORMATS[target.suffix.lower()])
        self._stream: VideoStream | None = None
        self._sound: Sound | None = None
        self._size = (0, 0)
        self._first = 0.0
        self._last = 0.0
        self._step = 1 / _USUAL_RATE
        self.losses: list[str] = []
        """What of the sound is damaged, one plain sentence each."""
        self.notes: list[str] = []
        """What else is to be known of the copy, one plain sentence each."""

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Write a frame.

        Args:
            image: `uint8 (H, W, 3)` RGB; the first one decides the size, and later ones are scaled to it.
            time: when it is shown, in seconds by the clock of the source; later than the frame before.

        Raises:
            InputError: the disk is full or the like, or pictures of this size cannot be compressed.
        """
        import av

        with _reported_encoding(self._target, image):
            if self._stream is None:
                self._stream = self._begin(image, time)
            else:
                self._step = time - self._last
            frame = av.VideoFrame.from_ndarray(_padded(image, self._size), "rgb24")
            tick = self._stream.codec_context.time_base
            frame.pts = round((time - self._first) / tick)
            frame.time_base = tick
            frame.duration = round(self._step / tick)
            self._container.mux(self._stream.encode(frame))
            self._last = time
            if self._sound is not None:
                self._sound.copy_until(time, self._container)

    def finish(self) -> None:
        """Write what is still held back; no frame may follow.

        Raises:
            InputError: there was no frame.
        """
        if self._stream is None:
            raise InputError(f"cannot write {str(self._target)!r}: there was no frame to write")
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.copy_until(self._last + self._step, self._container)
            if self._sound.fault is not None:
                self.losses.append(self._sound.fault)

    def close(self) -> None:
        """Close the files."""
        if self._sound is not None:
            self._sound.close()
        self._container.close()

    def _begin(self, image: NDArray[np.uint8], time: float) -> "VideoStream":
        self._first = time
        height, width = image.shape[:2]
        self._size = (width + width % 2, height + height % 2)
        stream = _add_pictures(self._container, self._size)
        source = self._sound_of
        if source is not None and source.info.has_audio and not source.info.is_live:
            sound = Sound(source.address, source.origin)
            if sound.add_to(self._container):
                self._sound = sound
                sound.begin(time, lead_in=self._container.format.name != "matroska")
            else:
                sound.close()
                suffix = self._target.suffix.lower()
                better = "" if suffix == ".mkv" else "; .mkv files take more kinds"
                self.notes.append(f"the sound was left out: {suffix} files take no {sound.codec}{better}")
        return stream


@contextmanager
def _reported_encoding(target: Path, image: NDArray[np.uint8]) -> Iterator[None]:
    """Turn what goes wrong in writing a frame into an `InputError` that names the target."""
    import av

    with reported_writing(target):
        try:
            yield
        except av.error.ExternalError as error:  # the encoder's own word, for example on a side of 17,000 pixels
            height, width = image.shape[:2]
            raise InputError(
                f"cannot write {str(target)!r}: the encoder takes no pictures of {width} × {height} pixels"
            ) from error


def _add_pictures(container: "OutputContainer", size: tuple[int, int]) -> "VideoStream":
    import av

    encoder = next((name for name in _ENCODERS if name in av.codecs_available), None)
    if encoder is None:
        raise InputError("this build of FFmpeg can write neither H.264 nor MPEG-4 videos; pip install av brings one")
    ticks, options = _ENCODERS[encoder]
    if encoder == "libx264" and size[0] * size[1] > _LARGE_PIXELS:
        options = {**options, "tune": "zerolatency"}  # holds no frames back, of which each takes 50 MB at 8K
    stream = cast("VideoStream", container.add_stream(encoder, rate=_USUAL_RATE, options=dict(options)))
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    # FFmpeg turns RGB into the colours of ITU-R BT.601, which players expect of small pictures only.
    stream.codec_context.colorspace = _BT_601
    stream.codec_context.color_range = _LIMITED_RANGE
    stream.codec_context.time_base = Fraction(1, ticks)
    stream.codec_context.thread_count = available_cores()
    return stream


def _padded(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a frame to the video's even size."""
    width, height = size
    right, below = width - image.shape[1], height - image.shape[0]
    if (right, below) == (0, 0):
        return np.ascontiguousarray(image)
    if right in (0, 1) and below in (0, 1):
        return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
