import functools
import http.server
import itertools
import os
import socket
import sys
import threading
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kaoiro.errors import InputError
from kaoiro.media.video import VideoSource
from kaoiro.media.video_decoding import Timeline
from short_videos import TWENTY_FIVE, damaged, make_sound, make_video, noise, picture, which

IRREGULAR = [0.0, *np.cumsum(np.random.default_rng(1).integers(20, 120, 49)) / 1000]
CONTAINERS = {
    "mp4": {},
    "open-gop.mp4": {"options": {"x264-params": "open-gop=1:bframes=3:keyint=10:min-keyint=10"}, "key_every": 10},
    "mkv": {},
    "ts": {"clock": Fraction(1, 90_000)},
    "avi": {"codec": "mpeg4", "clock": Fraction(1, 25)},
    "webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
    "h264": {"format_": "h264"},
}


def read(source, **options):
    with VideoSource(source, **options) as video:
        return list(video)


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "a.mp4")


def test_frames_come_in_order_with_their_times(video):
    with VideoSource(video) as source:
        info = source.info
        frames = list(source)
        assert source.losses == []
    assert (info.width, info.height, info.frame_rate, info.duration, info.frames) == (64, 48, 25, 2, 50)
    assert (info.is_live, info.has_audio, info.codec) == (False, False, "h264")
    assert [frame.index for frame in frames] == list(range(50))
    assert [frame.time for frame in frames] == pytest.approx(TWENTY_FIVE)
    assert [which(frame.image) for frame in frames] == list(range(50))
    assert {(frame.image.shape, frame.image.dtype.name) for frame in frames} == {((48, 64, 3), "uint8")}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_the_times_of_a_variable_frame_rate_are_the_real_ones(tmp_path, suffix):
    source = make_video(tmp_path / f"a.{suffix}", IRREGULAR, clock=Fraction(1, 90_000))
    assert [frame.time for frame in read(source)] == pytest.approx(IRREGULAR, abs=6e-4)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_part_is_exactly_that_part_of_the_whole(tmp_path, name):
    source = make_video(tmp_path / f"a.{name}", **CONTAINERS[name])
    whole = read(source)
    assert len(whole) == 50
    for start, end in ((0.01, 0.1), (0.4, 0.44), (1.0, 1.3), (1.39, 1.93), (1.9, 9.0)):
        part = read(source, start=start, end=end)
        expected = [frame for frame in whole if start - 1e-6 <= frame.time < end - 1e-6]
        assert [frame.index for frame in part] == [frame.index for frame in expected]
        assert [frame.time for frame in part] == pytest.approx([frame.time for frame in expected])
        assert all(np.array_equal(a.image, b.image) for a, b in zip(part, expected, strict=True))


def test_every_nth_frame(video):
    assert [frame.index for frame in read(video, every=20)] == [0, 20, 40]
    assert [frame.index for frame in read(video, start=1.0, end=1.5, every=5)] == [25, 30, 35]


def test_a_stream_without_times_is_read_at_its_rate(tmp_path):
    source = make_video(tmp_path / "raw.h264", format_="h264")
    assert [frame.time for frame in read(source)] == pytest.approx(TWENTY_FIVE)


@given(st.lists(st.none() | st.floats(-10, 1e5), min_size=1, max_size=30))
def test_times_only_ever_grow(stamps):
    timeline = Timeline(None, 25.0)
    times = [timeline.place(stamp) for stamp in stamps]
    assert times[0] == 0
    assert all(a < b for a, b in itertools.pairwise(times))


def test_a_clock_that_begins_anew_goes_on():
    timeline = Timeline(5.0, 25.0)
    times = [timeline.place(stamp) for stamp in (5.0, 5.04, 5.08, 0.0, 0.04, 0.08)]
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored_pictures_are_shown_upright(tmp_path, turn, mirrored):
    corners = np.zeros((48, 64, 3), np.uint8)
    corners[:20, :20], corners[:20, -20:], corners[-20:, :20] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
    source = make_video(tmp_path / "a.mp4", [0, 0.04], pictures=[corners] * 2, rotation=(turn, mirrored))
    with VideoSource(source) as opened:
        size = (opened.info.width, opened.info.height)
    image = read(source)[0].image
    expected = np.rot90(corners, turn // 90)  # anticlockwise
    expected = expected[:, ::-1] if mirrored else expected
    assert image.shape == expected.shape == (size[1], size[0], 3)
    assert np.abs(image.astype(int) - expected).mean() < 12


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    for aspect, size in ((Fraction(2, 1), (128, 48)), (Fraction(1, 2), (64, 96)), (Fraction(1, 1), (64, 48))):
        source = make_video(tmp_path / "a.mp4", [0, 0.04], pixel_aspect=aspect)
        assert read(source)[0].image.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    "pixels", ["gray", "gray10le", "gray16le", "yuv420p10le", "yuv422p", "yuv444p16le", "rgb48le", "bgr0", "yuva420p"]
)
def test_pixel_formats(tmp_path, pixels):
    source = make_video(tmp_path / "a.mkv", [0, 0.04], codec="ffv1", pixels=pixels)
    image = read(source)[1].image
    assert np.abs(image.astype(int) - picture(1)).max() <= 4


@pytest.mark.parametrize("standard", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("is_full", [False, True])
def test_colours_are_those_that_the_video_states(tmp_path, standard, is_full):
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:, :32], colours[:, 32:] = (200, 30, 30), (30, 30, 200)
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        stream.codec_context.colorspace = 1 if standard is Colorspace.ITU709 else 6
        stream.codec_context.color_range = 2 if is_full else 1
        frame = av.VideoFrame.from_ndarray(colours, "rgb24")
        range_ = stream.codec_context.color_range
        frame = frame.reformat(format="yuv444p", dst_colorspace=standard, dst_color_range=range_)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.abs(read(tmp_path / "a.mp4")[0].image[:, [8, 56]].astype(int) - colours[:, [8, 56]]).max() <= 4


def test_transparent_parts_are_white(tmp_path):
    image = np.zeros((48, 64, 4), np.uint8)
    image[:24] = (200, 100, 50, 255)
    source = make_video(tmp_path / "a.mov", [0], pictures=[image], codec="png", pixels="rgba")
    shown = read(source)[0].image
    assert (shown[:24] == (200, 100, 50)).all()
    assert (shown[24:] == 255).all()


@pytest.mark.parametrize("size", [(33, 17), (2, 2), (101, 64)])
def test_odd_sizes(tmp_path, size):
    source = make_video(tmp_path / "a.mkv", [0], pictures=[picture(0, size)], codec="ffv1", pixels="bgr0")
    assert read(source)[0].image.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animated_pictures(tmp_path, suffix):
    pictures = [Image.fromarray(picture(number)) for number in range(3)]
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 200, 300], **options)
    frames = read(path)
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.3])
    assert [which(frame.image, 3) for frame in frames] == [0, 1, 2]
    assert [frame.index for frame in read(path, start=0.05)] == [1, 2]


def test_one_frame_is_a_video(tmp_path):
    assert len(read(make_video(tmp_path / "a.mp4", [0]))) == 1
    Image.fromarray(picture(0)).save(tmp_path / "a.jpg")
    assert [frame.time for frame in read(tmp_path / "a.jpg")] == [0]


@pytest.mark.parametrize("name", ["talk: part 1.mp4", "file:a.mp4", "100%d 顔 [x] 'y'.mp4", "-i.mp4", "7.mp4"])
def test_names_are_taken_as_they_are(tmp_path, monkeypatch, name):
    make_video(tmp_path / "a.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(name)) == len(read(Path(name))) == 50


def test_a_file_called_like_a_camera_is_the_file(tmp_path, monkeypatch):
    make_video(tmp_path / "a.mp4").rename(tmp_path / "0")
    monkeypatch.chdir(tmp_path)
    assert len(read("0")) == 50


def test_damage_in_the_midst_costs_only_what_it_hit(tmp_path):
    whole = make_video(tmp_path / "a.mp4", pictures=noise())
    with VideoSource(damaged(whole, tmp_path / "b.mp4", 0.4, 0.5)) as source:
        frames = list(source)
        losses = source.losses
    assert 30 <= len(frames) < 50
    assert frames[0].time == 0
    assert frames[-1].time == pytest.approx(TWENTY_FIVE[-1])
    assert any("damaged pieces passed over, between 0:00." in loss for loss in losses)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi"])
def test_damage_is_noticed_in_every_container(tmp_path, suffix):
    options = CONTAINERS[suffix] | {"key_every": 5, "pictures": noise()}
    whole = make_video(tmp_path / f"a.{suffix}", **options)
    with VideoSource(damaged(whole, tmp_path / f"b.{suffix}", 0.3, 0.7)) as source:
        frames = list(source)
        assert 5 <= len(frames) < 50
        assert source.losses
    with VideoSource(whole) as source:
        list(source)
        assert source.losses == []


def test_damage_outside_the_part_that_is_read_is_no_loss(tmp_path):
    broken = damaged(make_video(tmp_path / "a.mp4", pictures=noise()), tmp_path / "b.mp4", 0.5, 0.6)
    for part, frames in (({"end": 0.4}, 10), ({"start": 1.6}, 10)):
        with VideoSource(broken, **part) as source:
            assert len(list(source)) == frames
            assert source.losses == []


def test_a_file_that_was_cut_off(tmp_path):
    for name in ("mkv", "avi", "faststart.mp4"):
        options = CONTAINERS.get(name, {"format_options": {"movflags": "+faststart"}})
        whole = make_video(tmp_path / f"a.{name}", pictures=noise(), **options).read_bytes()
        with VideoSource(write(tmp_path / f"cut.{name}", whole[: len(whole) // 2])) as source:
            assert 10 < len(list(source)) < 40
            assert source.losses
            if name != "avi":  # of which FFmpeg corrects the stated duration by the file's size
                assert "it ends at 0:00." in source.losses[-1]
                assert "though it should last 0:02.0" in source.losses[-1]
    content = make_video(tmp_path / "a.mp4").read_bytes()
    with pytest.raises(InputError, match="its index \\(moov\\) is missing, so its recording"):
        VideoSource(write(tmp_path / "cut.mp4", content[: len(content) // 2]))


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nope.mp4", "there is no such file"),
        (lambda folder: folder / ("a" * 300), "File name too long"),
        (lambda folder: folder, "it is a folder, not a video"),
        (lambda folder: write(folder / "a.mp4", b""), "the file is empty"),
        (lambda folder: write(folder / "a.mp4", b"some text\n" * 99), "it is no video in a known format"),
        (lambda folder: write(folder / "a.txt", b"some text\n" * 99), "it is no video in a known format"),
        (lambda folder: write(folder / "a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "), "it is a damaged WebP picture"),
        (
            lambda folder: write(folder / "a.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhi\n"),
            "there is no video in it",
        ),
        (lambda folder: make_sound(folder / "a.mp4"), r"there is no video in it \(sound only\)"),
    ],
)
def test_what_is_no_video_gets_one_clear_line(tmp_path, make, message):
    source = make(tmp_path)
    with pytest.raises(InputError, match=f"^cannot read .*: {message}$") as error:
        VideoSource(source)
    assert repr(str(source)) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_album_cover_is_no_video(tmp_path):
    sound = make_sound(tmp_path / "a.m4a")
    cover = make_video(tmp_path / "cover.mkv", [0], codec="mjpeg", pixels="yuvj420p")
    with av.open(sound) as source, av.open(cover) as cover_source, av.open(tmp_path / "b.mp4", "w") as target:
        tone = target.add_stream_from_template(source.streams.audio[0])
        still = target.add_stream_from_template(cover_source.streams.video[0], opaque=True)
        still.disposition = av.stream.Disposition.attached_pic
        for stream, container in ((tone, source), (still, cover_source)):
            for packet in container.demux(0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    with pytest.raises(InputError, match=r"there is no video in it \(sound only\)"):
        VideoSource(tmp_path / "b.mp4")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is open to root")
def test_a_closed_file(tmp_path, video):
    video.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        VideoSource(video)


@pytest.mark.parametrize(
    "camera",
    [93, "93", pytest.param("/dev/video93", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux only"))],
)
def test_a_camera_that_is_not_there(camera):
    with pytest.raises(InputError, match=r"^cannot open .*camera .*93.*: there is no such camera[^\n]*$"):
        VideoSource(camera)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 2.5}, r"the start \(0:02.5\) lies behind its end \(0:02.0\)"),
        ({"start": -1}, "the start must be 0 seconds or later, not -1"),
        ({"start": 1.0, "end": 1.0}, r"the end \(0:01.0\) must be later than the start \(0:01.0\)"),
        ({"end": 0}, "must be later than the start"),
        ({"every": 0}, "every must be 1 or more, not 0"),
    ],
)
def test_parts_that_make_no_sense(video, options, message):
    with pytest.raises(InputError, match=message):
        VideoSource(video, **options)


def test_a_start_at_the_stated_end_opens(video):
    """Where the last frame states no duration, the stated end is the time of that frame."""
    with VideoSource(video, start=2.0) as frames:
        assert list(frames) == []


@contextmanager
def serving(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def served(tmp_path):
    """Serves the temporary folder; gives its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with serving(functools.partial(Quiet, directory=tmp_path)) as address:
        yield address


def test_urls(served, video):
    assert len(read(f"{served}/a.mp4")) == 50
    with pytest.raises(InputError, match=r"^cannot read 'http://127.0.0.1:\d+/no.mp4': server returned 404 Not Found$"):
        VideoSource(f"{served}/no.mp4")


def test_of_a_live_stream_the_newest_frames_are_read(tmp_path):
    content = make_video(tmp_path / "a.ts", clock=Fraction(1, 90_000)).read_bytes()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with serving(Camera) as address, VideoSource(f"{address}/a.ts") as source:
        assert source.info.is_live
        assert source.info.duration is None
        frames = []
        for frame in source:
            frames.append(frame)
            time.sleep(0.05)
        assert source.dropped > 10
    assert len(frames) + source.dropped == 50
    assert [which(frame.image) for frame in frames] == [frame.index for frame in frames]
    assert [frame.time for frame in frames] == pytest.approx([frame.index / 25 for frame in frames])


def test_a_file_on_a_server_is_not_live(served, tmp_path):
    make_video(tmp_path / "a.ts", clock=Fraction(1, 90_000))
    with VideoSource(f"{served}/a.ts") as source:
        assert not source.info.is_live
        assert len(list(source)) == 50
        assert source.dropped == 0


def test_unreachable_urls():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    for scheme in ("http", "rtsp"):
        with pytest.raises(InputError, match=rf"^cannot read '{scheme}://me:…@{address}/x': it cannot be reached"):
            VideoSource(f"{scheme}://me:s@cret@{address}/x")  # the last @ ends it
    with pytest.raises(InputError, match="nope:// is no kind of address"):
        VideoSource("nope://x/y")


def test_a_server_that_says_nothing(monkeypatch):
    monkeypatch.setattr("kaoiro.media.video_opening._OPENING_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InputError, match="there was no answer within"):
            VideoSource(f"http://127.0.0.1:{silent.getsockname()[1]}/x.mp4")


def test_stopping_ends_the_iteration_early(video):
    with VideoSource(video) as source:
        frames = []
        for frame in source:
            frames.append(frame)
            if len(frames) == 3:
                source.stop()
        assert len(frames) == 3
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_decoding_runs_only_a_few_frames_ahead(tmp_path):
    source = make_video(tmp_path / "a.mkv", [number / 25 for number in range(60)], codec="ffv1", pixels="bgr0")
    with VideoSource(source) as video:
        frames = iter(video)
        next(frames)
        time.sleep(0.2)
        assert len(video._ahead._waiting) <= 8
