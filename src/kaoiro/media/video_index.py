"""Which frame of a video stands at a time, without decoding those before it."""

from typing import TYPE_CHECKING

from kaoiro.media.video_opening import Address, best_video_stream, open_container

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


def frames_before(address: Address, stamp: float, rate: float | None, origin: float) -> int:
    """Count the frames that are shown before a time.

    A file is read for that up to the time, but not decoded; of a file with a complete index (MP4, AVI), the part before
    the last key frame is not even read. Of a URL without such an index, the count is the time multiplied by the rate.

    Args:
        address: where the video is.
        stamp: the time, in seconds of the container's own clock.
        rate: frames per second on average.
        origin: the stream's beginning by that clock.
    """
    container = open_container(address)
    with container:
        stream = best_video_stream(container, address)
        time_base = float(stream.time_base or 1)
        limit = stamp / time_base
        known = _skip_by_index(container, stream, limit)
        if known is None:
            if address.is_url:
                return round((stamp - origin) * (rate or 25.0))
            known = 0
        return known + _count(container, stream, limit)


def _skip_by_index(container: "InputContainer", stream: "VideoStream", limit: float) -> int | None:
    """Go to the key frame before `limit`, and count the frames before that; None where the index does not say."""
    entries = stream.index_entries
    if not stream.frames or len(entries) != stream.frames:
        return None
    container.seek(int(limit), stream=stream)
    first = next(container.demux(stream)).dts
    if first is None:
        return None
    container.seek(int(limit), stream=stream)
    return sum(entry.timestamp < first and not entry.is_discard for entry in entries)


def _count(container: "InputContainer", stream: "VideoStream", limit: float) -> int:
    import av

    count = 0
    try:
        for packet in container.demux(stream):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None or packet.is_discard:
                continue
            if packet.dts is not None and packet.dts > limit:
                break
            count += stamp < limit
    except av.FFmpegError:
        pass  # what lies behind the damage cannot be counted
    return count
