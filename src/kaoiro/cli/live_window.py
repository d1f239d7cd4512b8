"""A window that shows pictures as they come, made with Tk, which comes with Python."""

import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError

if TYPE_CHECKING:
    from PIL.ImageTk import PhotoImage

_PART_OF_SCREEN: Final = 0.9
_LONGEST_WAIT: Final = 0.02


class LiveWindow:
    """A window with a moving picture; the key `q`, Escape or closing it ends it.

    Args:
        title: what stands above it.

    Raises:
        InputError: there is no screen, or this Python comes without Tk.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise InputError(
                "--show needs Tk, which this Python lacks; install it (Debian and Ubuntu: apt install python3-tk), or "
                "write a video with --annotate"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise InputError(f"--show finds no screen ({error}); write a video with --annotate instead") from error
        self.is_open = True
        self._tk_error = tkinter.TclError
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        for event in ("q", "Q", "<Escape>"):
            self._root.bind(event, lambda _: self._end())
        self._root.protocol("WM_DELETE_WINDOW", self._end)
        self._shown: PhotoImage | None = None
        self._began: float | None = None

    def show(self, image: NDArray[np.uint8], moment: float | None = None) -> None:
        """Show a picture, scaled down where the screen is smaller.

        Args:
            image: `uint8 (H, W, 3)` RGB.
            moment: when it is due, in seconds by the clock of a video, which then runs no faster than it should; None:
                at once.
        """
        from PIL import Image, ImageTk

        if moment is not None:
            self._wait(moment)
        if not self.is_open:
            return
        picture = Image.fromarray(image)
        width, height = self._root.winfo_screenwidth(), self._root.winfo_screenheight()
        picture.thumbnail((int(_PART_OF_SCREEN * width), int(_PART_OF_SCREEN * height)))
        with suppress(self._tk_error):  # it was closed in this very moment
            self._shown = ImageTk.PhotoImage(picture, master=self._root)
            self._label.configure(image=self._shown)
            self._root.update()

    def close(self) -> None:
        """Close the window."""
        self._end()
        self._shown = None
        with suppress(self._tk_error):
            self._root.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> None:
        self.is_open = False

    def _wait(self, moment: float) -> None:
        now = time.monotonic()
        if self._began is None or self._began + moment < now - 1:
            self._began = now - moment  # it begins, or reading cannot keep up: it catches nothing up
        while self.is_open and (left := self._began + moment - time.monotonic()) > 0:
            time.sleep(min(left, _LONGEST_WAIT))
            with suppress(self._tk_error):
                self._root.update()
