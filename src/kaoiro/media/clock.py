"""Times in a video as people write them: minutes and seconds."""

import math
import re

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


def parse_time(text: str) -> float:
    """Read a time: seconds (`90`, `90.5`), minutes and seconds (`1:30.5`) or hours too (`1:02:03`).

    Returns:
        Seconds.

    Raises:
        ValueError: it is no such time.

    >>> parse_time("1:30.5")
    90.5
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time; write seconds (90.5), or minutes and seconds (1:30.5)")
    hours, minutes, seconds = found.groups()
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(seconds)


def clock(seconds: float, digits: int = 1) -> str:
    """Write a time as minutes and seconds, with hours where there are any.

    >>> clock(90.25), clock(3723, digits=0)
    ('1:30.2', '1:02:03')
    """
    unit = 10**digits
    ticks = math.floor(max(0.0, seconds) * unit + 1e-6)
    whole, part = divmod(ticks, unit)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    fraction = f".{part:0{digits}}" if digits else ""
    if hours:
        return f"{hours}:{minute:02}:{second:02}{fraction}"
    return f"{minute}:{second:02}{fraction}"
