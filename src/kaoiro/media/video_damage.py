"""What of a video could not be read, in plain words."""

from dataclasses import dataclass, field

from kaoiro.media.clock import clock


@dataclass
class _Span:
    first: float
    last: float
    count: int = 1

    def extend(self, time: float) -> None:
        self.first = min(self.first, time)
        self.last = max(self.last, time)
        self.count += 1

    def __str__(self) -> str:
        first, last = clock(self.first), clock(self.last)
        return f"at {first}" if first == last else f"between {first} and {last}"


@dataclass
class Damage:
    """Gathers what goes wrong while a video is read. Times are seconds from the video's beginning.

    Args:
        since: what goes wrong before this time is no loss, as nobody asked for it.
    """

    since: float = 0.0
    _packets: _Span | None = None
    _frames: _Span | None = None
    _gaps: list[tuple[float, float]] = field(default_factory=list)
    _endings: list[str] = field(default_factory=list)

    def bad_packet(self, time: float) -> None:
        """A piece of the stream could not be decoded, or not even be told from its neighbours."""
        if time < self.since:
            return
        if self._packets is None:
            self._packets = _Span(time, time)
        else:
            self._packets.extend(time)

    def bad_frame(self, time: float) -> None:
        """A frame was decoded, but with faults in it."""
        if time < self.since:
            return
        if self._frames is None:
            self._frames = _Span(time, time)
        else:
            self._frames.extend(time)

    def gap(self, after: float, until: float) -> None:
        """The frames between two times are missing."""
        if until > self.since:
            self._gaps.append((max(after, self.since), until))

    def ending(self, sentence: str) -> None:
        """The video ended before its time."""
        self._endings.append(sentence)

    def sentences(self) -> list[str]:
        """One sentence for each kind of loss; none where all could be read."""
        found: list[str] = []
        if self._packets is not None:
            count = self._packets.count
            found.append(f"{count} damaged {'piece' if count == 1 else 'pieces'} passed over, {self._packets}")
        if self._frames is not None:
            count = self._frames.count
            found.append(f"{count} {'frame' if count == 1 else 'frames'} decoded with faults, {self._frames}")
        if self._gaps:
            missing = sum(until - after for after, until in self._gaps)
            places = ", ".join(f"{clock(after)} to {clock(until)}" for after, until in self._gaps[:5])
            more = f" and {len(self._gaps) - 5} more" if len(self._gaps) > 5 else ""
            found.append(f"{missing:.1f} seconds without a frame: {places}{more}")
        return found + self._endings
