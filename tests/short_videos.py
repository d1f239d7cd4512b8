"""Videos of a few small frames for tests, each frame of a colour of its own."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TWENTY_FIVE = [number / 25 for number in range(50)]
SIZE = (64, 48)


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frame `number`: blocks of random greys, of which no two numbers share the pattern."""
    width, height = size
    blocks = np.random.default_rng(number).integers(0, 2, (-(-height // 8), -(-width // 8), 1)).astype(np.uint8)
    return (40 + 170 * blocks.repeat(8, 0).repeat(8, 1)[:height, :width]).repeat(3, 2)


def make_video(
    path: Path,
    times: Sequence[float] = TWENTY_FIVE,
    *,
    pictures: Sequence[np.ndarray] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    clock: Fraction = Fraction(1, 1000),
    options: dict[str, str] | None = None,
    key_every: int = 12,
    rotation: tuple[float, bool] | None = None,
    pixel_aspect: Fraction | None = None,
    sound: str | None = None,
    format_: str | None = None,
    format_options: dict[str, str] | None = None,
) -> Path:
    """Write frames that are shown at `times`; with `sound`, a codec, a tone of the same length beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [picture(number) for number in range(len(times))] if pictures is None else pictures
    with av.open(str(path), "w", format=format_, options=format_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = clock
        stream.codec_context.gop_size = key_every
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1])
        tone = container.add_stream(sound, rate=16_000, layout="mono") if sound else None
        for image, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, "rgba" if image.shape[2] == 4 else "rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            samples = (4000 * np.sin(np.arange(int(16_000 * (times[-1] + 0.04))) / 20)).astype(np.int16)
            for start in range(0, len(samples), 1024):
                heard = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "s16", "mono")
                heard.sample_rate, heard.pts = 16_000, start
                container.mux(tone.encode(heard))
            container.mux(tone.encode(None))
    return path


def make_sound(path: Path) -> Path:
    """Write half a second of a tone."""
    with av.open(str(path), "w") as container:
        tone = container.add_stream("aac", rate=16_000, layout="mono")
        samples = (4000 * np.sin(np.arange(8000) / 20)).astype(np.int16)
        heard = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        heard.sample_rate = 16_000
        container.mux(tone.encode(heard))
        container.mux(tone.encode(None))
    return path


def damaged(source: Path, target: Path, start: float, end: float) -> Path:
    """Copy a file with the bytes between two parts of its length replaced by noise."""
    content = bytearray(source.read_bytes())
    first, last = int(start * len(content)), int(end * len(content))
    content[first:last] = np.random.default_rng(0).integers(0, 256, last - first, np.uint8).tobytes()
    target.write_bytes(content)
    return target


def shown_times(path: Path) -> list[float]:
    """When the frames of a video are shown, as PyAV reads them."""
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """The packets of the sound: when they are heard, and what is in them."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets if packet.size]


def which(image: np.ndarray, among: int = len(TWENTY_FIVE)) -> int:
    """Which frame of `picture` an image shows, however it was compressed."""
    size = (image.shape[1], image.shape[0])
    return int(np.argmin([np.abs(image - picture(number, size).astype(int)).mean() for number in range(among)]))


def noise(count: int = len(TWENTY_FIVE)) -> list[np.ndarray]:
    """Pictures that cannot be compressed well, so that most of a file's bytes are theirs."""
    return list(np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8))
