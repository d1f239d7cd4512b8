"""From what a user names (a file, a URL, a camera) to a container that FFmpeg, through PyAV, can read."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kaoiro.errors import InputError, MissingExtraError
from kaoiro.files import kind_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://", re.ASCII)
_CAMERA_NUMBER = re.compile(r"\d{1,3}", re.ASCII)
# Up to the last @, as FFmpeg reads it: a password may have one too.
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/\s]*@")
_LIVE_SCHEMES: Final = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "tcp"})

_OPENING_SECONDS: Final = 10.0
_READING_SECONDS: Final = 10.0

# Text is a film to FFmpeg.
_NO_VIDEOS: Final = frozenset({"tty", "ansi", "bin", "xbin", "adf", "idf"})


class Address:
    """What a user's name for a video stands for.

    Args:
        source: a file, a URL, the number of a camera (from 0), or a camera's device file.
    """

    def __init__(self, source: str | Path | int) -> None:
        text = str(source)
        url = _URL.match(text) if isinstance(source, str) else None
        is_device_file = sys.platform == "linux" and re.fullmatch(r"/dev/video\d+", text) is not None
        is_number = isinstance(source, int) or (isinstance(source, str) and _CAMERA_NUMBER.fullmatch(text) is not None)
        self.is_camera: bool = is_device_file or (is_number and (isinstance(source, int) or not Path(text).exists()))
        self.is_url: bool = url is not None
        self.is_live: bool = self.is_camera or (url is not None and url["scheme"].lower() in _LIVE_SCHEMES)
        self.name: str = _PASSWORD.sub(r"\1:…@", text) if url else text
        """For messages: a URL's password is left out."""
        self.text: str = text

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return None if self.is_camera or self.is_url else Path(self.text)

    def cannot(self, reason: str) -> InputError:
        """Word the error that the video cannot be read for this reason."""
        return InputError(f"cannot read {self.name!r}: {reason}")


def open_container(address: Address) -> "InputContainer":
    """Open a video's container; which streams it has is not looked at.

    Raises:
        InputError: there is no such thing, it cannot be reached, or it is no video; the message says which.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading videos", "video", "av") from error

    if address.is_camera:
        return _open_camera(address)
    path = address.path
    if path is not None:
        _check_file(address, path)
    # An absolute path, as FFmpeg takes what stands before a colon for a protocol.
    target = address.text if path is None else str(Path(os.path.abspath(path)))  # noqa: PTH100 (links stay)
    timeout = (_OPENING_SECONDS, _READING_SECONDS) if path is None else None
    options = {"rtsp_flags": "prefer_tcp"} if address.text.lower().startswith("rtsp") else {}
    try:
        container = av.open(target, timeout=timeout, options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise address.cannot(_why_not_opened(error, address)) from error
    if container.format.name in _NO_VIDEOS:
        container.close()
        raise address.cannot("it is no video in a known format")
    return container


def best_video_stream(container: "InputContainer", address: Address) -> "VideoStream":
    """Choose the stream to read: the one that players show; the picture on an album's cover is none.

    Raises:
        InputError: there is no video in it, or in a form that cannot be decoded.
    """
    from av.stream import Disposition

    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        sound_only = " (sound only)" if container.streams.audio else ""
        raise address.cannot(f"there is no video in it{sound_only}")
    best = container.streams.best("video")
    stream = next((one for one in streams if best is not None and one.index == best.index), streams[0])
    if stream.codec_context is None:
        raise address.cannot("its video is compressed in a way that this build of FFmpeg cannot decode")
    return stream


def _check_file(address: Address, path: Path) -> None:
    kind = kind_of(path)
    if kind == "missing":
        raise address.cannot("there is no such file")
    if kind == "folder":
        raise address.cannot("it is a folder, not a video")
    if kind == "file":
        try:
            with path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise address.cannot(error.strerror or str(error)) from error
        if empty:
            raise address.cannot("the file is empty")


def _why_not_opened(error: Exception, address: Address) -> str:
    import av

    scheme = address.text.partition(":")[0]
    if isinstance(error, av.error.ProtocolNotFoundError):
        return f"{scheme}:// is no kind of address that this build of FFmpeg reads"
    if isinstance(error, av.error.ExitError):
        return f"there was no answer within {_OPENING_SECONDS:.0f} seconds"
    if isinstance(error, av.error.InvalidDataError):
        if _is_mp4(address.path):
            return "its index (moov) is missing, so its recording or download was probably cut off before the end"
        return "it is no video in a known format" + (", or it does not answer" if address.is_live else "")
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, OSError) and address.is_url:
        return f"it cannot be reached ({reason})"
    return reason[:1].lower() + reason[1:] if reason.startswith("Server returned") else reason


def _is_mp4(path: Path | None) -> bool:
    if path is None:
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _open_camera(address: Address) -> "InputContainer":
    import av

    number = int(address.text) if address.text.isdecimal() else None
    format_: str
    device: str
    options: dict[str, str]
    if sys.platform == "darwin":
        format_, device, options = "avfoundation", f"{number}:none", {"framerate": "30"}
    elif sys.platform == "win32":
        format_, device, options = "dshow", _directshow_name(address, number), {}
    else:
        format_, device, options = "v4l2", address.text if number is None else f"/dev/video{number}", {}
    try:
        return av.open(device, format=format_, options=options, timeout=(_OPENING_SECONDS, _READING_SECONDS))
    except av.FFmpegError as error:
        where = f"camera {number}" if number is not None else f"the camera {address.text!r}"
        if isinstance(error, FileNotFoundError):
            reason = f"there is no such camera{_cameras_there()}"
        elif isinstance(error, PermissionError):
            reason = "permission denied; on Linux, be in the group 'video'"
        else:
            reason = error.strerror or str(error)
        raise InputError(f"cannot open {where}: {reason}") from error
    except ValueError as error:
        raise InputError(f"cannot open camera {address.text}: this build of FFmpeg reads no cameras") from error


def _cameras_there() -> str:
    cameras = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f" (there are {', '.join(cameras)})" if cameras else " on this machine"


def _directshow_name(address: Address, number: int | None) -> str:
    from av.device import enumerate_input_devices

    names = [device.name for device in enumerate_input_devices("dshow") if "video" in device.media_types]
    if number is None or number >= len(names):
        known = f"there are {len(names)}, counted from 0" if names else "there is none on this machine"
        raise InputError(f"cannot open camera {address.text}: there is no such camera; {known}")
    return f"video={names[number]}"
