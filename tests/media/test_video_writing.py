from fractions import Fraction

import av
import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.media import video_writing
from kaoiro.media.video import VideoSource
from kaoiro.media.video_writing import check_video_target, written_video
from short_videos import TWENTY_FIVE, damaged, make_video, noise, picture, shown_times, sound_packets, which

IRREGULAR = [0.0, *np.cumsum(np.random.default_rng(1).integers(20, 120, 29)) / 1000]


def copy(source, target, **options):
    """Write what is read, as it is; give the times of the frames, and the losses and notes."""
    with VideoSource(source, **options) as video, written_video(target, video) as writer:
        times = []
        for frame in video:
            writer.write(frame.image, frame.time)
            times.append(frame.time)
    return times, writer.losses, writer.notes


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "MP4"])
def test_frames_keep_their_order_and_their_times(tmp_path, suffix):
    source, target = make_video(tmp_path / "a.mp4", IRREGULAR), tmp_path / f"b.{suffix}"
    assert copy(source, target)[1:] == ([], [])
    assert shown_times(target) == pytest.approx(IRREGULAR, abs=6e-4 if suffix == "mkv" else 1e-5)
    with VideoSource(target) as video:
        assert [which(frame.image, 30) for frame in video] == list(range(30))
    with av.open(target) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert container.duration / 1e6 == pytest.approx(IRREGULAR[-1] + IRREGULAR[-1] - IRREGULAR[-2], abs=0.01)


def test_a_part_begins_at_nought(tmp_path):
    source = make_video(tmp_path / "a.mp4")
    times, _, _ = copy(source, tmp_path / "b.mp4", start=1.0, end=1.5)
    assert times == pytest.approx([1 + number / 25 for number in range(13)], abs=1e-6)
    assert shown_times(tmp_path / "b.mp4") == pytest.approx([number / 25 for number in range(13)])


def test_sound_is_copied_bit_by_bit(tmp_path):
    source = make_video(tmp_path / "a.mp4", sound="aac")
    assert copy(source, tmp_path / "b.mp4")[1:] == ([], [])
    before, after = sound_packets(source), sound_packets(tmp_path / "b.mp4")
    assert [data for _, data in after] == [data for _, data in before]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before])
    assert shown_times(tmp_path / "b.mp4") == pytest.approx(TWENTY_FIVE)


@pytest.mark.parametrize("options", [{"start": 0.8, "end": 1.4}, {"start": 0.8}, {"end": 1.4}])
def test_sound_is_cut_with_the_pictures(tmp_path, options):
    source = make_video(tmp_path / "a.mkv", sound="aac")
    times, _, _ = copy(source, tmp_path / "b.mp4", **options)
    first, last = times[0], times[-1] + 0.04
    whole = [(time, data) for time, data in sound_packets(source) if time < last - 1e-6]
    expected = [(time - first, data) for time, data in whole if time >= first or first == 0]
    after = sound_packets(tmp_path / "b.mp4")
    assert [data for _, data in after] == [data for _, data in expected]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in expected], abs=2e-3)


def test_sound_stays_with_the_pictures_where_the_clock_does_not_begin_at_nought(tmp_path):
    late = [1 + time for time in TWENTY_FIVE]
    source = make_video(tmp_path / "a.ts", late, clock=Fraction(1, 90_000), sound="mp2")
    times, _, _ = copy(source, tmp_path / "b.mkv")
    assert times == pytest.approx(TWENTY_FIVE)
    after = sound_packets(tmp_path / "b.mkv")
    begins = shown_times(source)[0]  # the tone began a second earlier
    expected = [time - begins for time, _ in sound_packets(source) if time >= begins]
    assert [time for time, _ in after] == pytest.approx(expected, abs=2e-3)
    assert shown_times(tmp_path / "b.mkv")[0] == 0


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_sound_goes_on_where_two_recordings_were_joined(tmp_path, suffix):
    source = make_video(tmp_path / "a.ts", clock=Fraction(1, 90_000), sound="mp2")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(2 * source.read_bytes())
    times, losses, notes = copy(joined, tmp_path / f"b.{suffix}")
    assert (losses, notes) == ([], [])
    assert times[-1] == pytest.approx(4, abs=0.1)
    once, after = sound_packets(source), sound_packets(tmp_path / f"b.{suffix}")
    assert [data for _, data in after[-len(once) :]] == [data for _, data in once]
    assert after[-1][0] == pytest.approx(4, abs=0.1)
    assert (np.diff([time for time, _ in after]) > 0).all()


def test_sound_that_does_not_fit_is_left_out_with_a_note(tmp_path):
    source = make_video(tmp_path / "a.mkv", sound="tta")
    _, losses, notes = copy(source, tmp_path / "b.mp4")
    assert losses == []
    assert notes == ["the sound was left out: .mp4 files take no tta; .mkv files take more kinds"]
    assert copy(source, tmp_path / "b.mkv")[2] == []
    assert len(sound_packets(tmp_path / "b.mkv")) == len(sound_packets(source))


def test_a_video_without_sound_stays_one(tmp_path):
    copy(make_video(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    with av.open(tmp_path / "b.mp4") as container:
        assert len(container.streams.audio) == 0


def test_damaged_sound_does_not_end_the_copy(tmp_path):
    source = make_video(tmp_path / "a.mkv", pictures=noise(), sound="aac")
    broken = damaged(source, tmp_path / "b.mkv", 0.5, 0.6)
    times, _, _ = copy(broken, tmp_path / "c.mp4")
    assert len(shown_times(tmp_path / "c.mp4")) == len(times)


@pytest.mark.parametrize("size", [(33, 17), (2, 2), (64, 47)])
def test_odd_sizes_grow_by_a_doubled_row_or_column(tmp_path, size):
    with written_video(tmp_path / "a.mp4") as writer:
        writer.write(picture(0, size), 0.0)
    with VideoSource(tmp_path / "a.mp4") as video:
        image = next(iter(video)).image
    assert image.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    assert np.abs(image[: size[1], : size[0]].astype(int) - picture(0, size)).mean() < 12


def test_colours_stay_and_are_stated(tmp_path):
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:, :32], colours[:, 32:] = (200, 30, 30), (30, 30, 200)
    with written_video(tmp_path / "a.mp4") as writer:
        writer.write(colours, 0.0)
    with av.open(tmp_path / "a.mp4") as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (6, 1)
    with VideoSource(tmp_path / "a.mp4") as video:
        assert np.abs(next(iter(video)).image[:, [8, 56]].astype(int) - colours[:, [8, 56]]).max() <= 8


def test_a_picture_of_another_size_is_scaled(tmp_path):
    with written_video(tmp_path / "a.mp4") as writer:
        writer.write(picture(0), 0.0)
        writer.write(picture(1, (128, 96)), 0.04)
    with VideoSource(tmp_path / "a.mp4") as video:
        assert {frame.image.shape for frame in video} == {(48, 64, 3)}


@pytest.mark.parametrize("encoder", ["libopenh264", "mpeg4"])
def test_builds_without_the_best_encoder(tmp_path, monkeypatch, encoder):
    if encoder not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {encoder}")
    monkeypatch.setattr(video_writing, "_ENCODERS", {"nope": {}, encoder: video_writing._ENCODERS[encoder]})
    copy(make_video(tmp_path / "a.mp4", IRREGULAR), tmp_path / "b.mp4")
    assert shown_times(tmp_path / "b.mp4") == pytest.approx(IRREGULAR, abs=1e-4)


def test_an_error_leaves_nothing_behind_and_the_old_file_in_place(tmp_path):
    target = tmp_path / "b.mp4"
    target.write_text("old")
    with pytest.raises(KeyError), written_video(target) as writer:
        writer.write(picture(0), 0.0)
        raise KeyError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]
    with pytest.raises(InputError, match="there was no frame to write"), written_video(target):
        pass
    assert target.read_text() == "old"


def test_names_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"videos are written as .mp4, .mov or .mkv; name it so"):
        check_video_target(tmp_path / "a.avi")
    (tmp_path / "b.mp4").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        check_video_target(tmp_path / "b.mp4")


def test_pictures_too_wide_for_the_encoder_get_one_clear_line(tmp_path):
    with (
        pytest.raises(InputError, match=r"^cannot write '.*a.mp4': the encoder takes no pictures of 17000 × 2 pixels$"),
        written_video(tmp_path / "a.mp4") as writer,
    ):
        writer.write(np.zeros((2, 17_000, 3), np.uint8), 0.0)
    assert list(tmp_path.iterdir()) == []
