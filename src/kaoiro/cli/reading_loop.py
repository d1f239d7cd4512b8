"""The loop of `kaoiro video`: each frame is read, and goes to all that was asked for."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from kaoiro.expressions import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kaoiro.cli.live_window import LiveWindow
    from kaoiro.media.video import VideoSource
    from kaoiro.media.video_writing import VideoWriter
    from kaoiro.recognition.results import Face, Frame
    from kaoiro.recognition.video import VideoReader

_FRAMES_BEHIND: Final = 4
_BYTES_BEHIND: Final = 64 * 1024 * 1024


def read_all(
    frames: "VideoSource",
    reader: "VideoReader",
    language: Language,
    *,
    write: "Callable[[Frame], None] | None",
    copy: "VideoWriter | None",
    window: "LiveWindow | None",
    reached: Callable[[float], None],
) -> float | None:
    """Read a video to its end, or until the window is closed.

    While a frame is read, the next ones are decoded, and the last ones drawn and compressed, in other threads.

    Args:
        frames: the video.
        reader: what reads them.
        language: of the names that are drawn.
        write: takes each frame's result.
        copy: takes each frame with the expressions drawn.
        window: shows it.
        reached: is told each frame's time.

    Returns:
        The time of the last frame that was read, in seconds; None if there was none.
    """
    from kaoiro.media.drawing import draw
    from kaoiro.media.hand_over import Behind

    def draw_into_copy(image: "NDArray[np.uint8]", faces: "tuple[Face, ...]", time: float) -> None:
        assert copy is not None
        copy.write(draw(image, faces, language), time)

    last = None
    size = frames.info.width * frames.info.height * 3
    with Behind(max(1, min(_FRAMES_BEHIND, _BYTES_BEHIND // size))) as behind:
        for frame in frames:
            read = reader.read(frame)
            last = frame.time
            if write is not None:
                write(read)
            if window is not None:
                drawn = draw(frame.image, read.faces, language)
                if copy is not None:
                    behind(partial(copy.write, drawn, frame.time))
                window.show(drawn, None if frames.info.is_live else frame.time)
                if not window.is_open:
                    break
            elif copy is not None:
                behind(partial(draw_into_copy, frame.image, read.faces, frame.time))
            reached(frame.time)
    return last
