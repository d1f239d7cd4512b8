"""Reading a whole video in one line."""

from collections.abc import Iterator
from pathlib import Path

from kaoiro.media.video import VideoSource
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Frame
from kaoiro.recognition.smoothing import DEFAULT_SMOOTHING
from kaoiro.recognition.video import VideoReader


def read_video(
    source: str | Path | int,
    recognizer: Recognizer | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    every: int = 1,
    detect_every: int | None = None,
    smoothing: float = DEFAULT_SMOOTHING,
) -> Iterator[Frame]:
    """Follow the faces in a video and read their expressions over time.

    For a summary by person, or to know what a damaged video lost, put `kaoiro.media.video.VideoSource` and
    `kaoiro.recognition.video.VideoReader` together yourself; this is the two of them.

    Args:
        source: a file, an address such as `rtsp://…`, or a camera's number.
        recognizer: what finds and reads the faces; by default `Recognizer()`.
        start, end: the part to read, in seconds; by default all of it.
        every: read every n-th frame only.
        detect_every, smoothing: as in `VideoReader`.

    Yields:
        The frames in the order of showing. The video is opened at once, so that one that cannot be read is told here,
        and closed after the last frame or with the iterator.

    Raises:
        InputError: the video cannot be opened or has no frame that can be read, or an option makes no sense.
        MissingExtraError: PyAV is not installed.
    """
    reader = VideoReader(recognizer or Recognizer(), detect_every=detect_every, smoothing=smoothing)
    video = VideoSource(source, start=start, end=end, every=every)

    def frames() -> Iterator[Frame]:
        with video:
            for frame in video:
                yield reader.read(frame)

    return frames()
