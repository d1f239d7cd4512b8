import av
import numpy as np

import video_speed
from kaoiro.recognition.recognizer import Recognizer


def test_the_clip_is_what_it_is_said_to_be(tmp_path, astronaut):
    video_speed.clip(tmp_path / "a.mp4", 3, [astronaut])
    with av.open(tmp_path / "a.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == 75
        assert {frame.shape for frame in frames} == {(360, 640, 3)}
        assert abs(container.streams.audio[0].duration * container.streams.audio[0].time_base - 3) < 0.1
    recognizer = Recognizer()
    assert [len(recognizer.find_faces(frames[number])) for number in (5, 40, 70)] == [1, 2, 3]
    assert np.abs(frames[0].astype(int) - frames[20]).max() > 50
