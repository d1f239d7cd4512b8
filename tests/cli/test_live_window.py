import os
import shutil
import subprocess
import time

import numpy as np
import pytest

tkinter = pytest.importorskip("tkinter")

from kaoiro.cli.live_window import LiveWindow  # noqa: E402

PICTURE = np.full((90, 160, 3), (200, 40, 40), np.uint8)


@pytest.fixture(scope="module")
def screen():
    """A screen of 640 × 480 pixels that nobody sees."""
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb")
    reading, writing = os.pipe()
    options = ["-displayfd", str(writing), "-screen", "0", "640x480x24"]
    server = subprocess.Popen(["Xvfb", *options], pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", f":{number}")
        yield
    server.terminate()
    server.wait(10)


def test_pictures_are_shown(screen):
    with LiveWindow("a title") as window:
        window.show(PICTURE)
        assert window.is_open
        assert (window._root.winfo_width(), window._root.winfo_height()) == (160, 90)
        assert window._root.title() == "a title"


def test_pictures_larger_than_the_screen_are_scaled_down(screen):
    with LiveWindow("large") as window:
        window.show(np.zeros((2000, 1000, 3), np.uint8))
        assert window._shown.height() == 432
        assert window._shown.width() == 216


@pytest.mark.parametrize("event", ["q", "<Escape>"])
def test_a_key_ends_it(screen, event):
    with LiveWindow("keys") as window:
        window.show(PICTURE)
        window._root.focus_force()
        window._root.update()
        window._root.event_generate("<Key>", keysym=event.strip("<>"))
        window.show(PICTURE)
        assert not window.is_open
        window.show(PICTURE)  # does no harm


def test_closing_ends_it(screen):
    with LiveWindow("closed") as window:
        window.show(PICTURE)
        window._root.tk.call(*window._root.tk.splitlist(window._root.protocol("WM_DELETE_WINDOW")))
        assert not window.is_open


def test_a_file_plays_no_faster_than_it_should(screen):
    with LiveWindow("pace") as window:
        began = time.monotonic()
        for moment in (5.0, 5.1, 5.2):
            window.show(PICTURE, moment)
        assert time.monotonic() - began >= 0.2
