"""How fast `kaoiro video` is, and whether its memory stays flat: a made clip with moving faces and sound, read whole.

    python benchmarks/video_speed.py --minutes 5

The clip (640×360, 25 frames a second, H.264 and AAC) shows one to three faces that move over a background. The command
reads it with an annotated copy, a timeline and a plot, as a user would call it.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.media.images import load_image
from kaoiro.parallel import available_cores

PHOTOS = Path(__file__).parents[1] / "examples/photos"
WIDTH, HEIGHT, RATE = 640, 360, 25
SAMPLES = 48_000


def heads(photos: list[Path]) -> list[NDArray[np.uint8]]:
    """Cut three heads out of photos: the largest ones that are found, and mirror images where there are fewer."""
    from kaoiro.faces.crops import cut_face
    from kaoiro.recognition.recognizer import Recognizer

    recognizer = Recognizer()
    found: list[NDArray[np.uint8]] = []
    for photo in photos:
        image = load_image(photo)
        found += [cut_face(image, face.box, side=1.7) for face in recognizer.find_faces(image)[:2]]
    while len(found) < 3:
        found.append(np.ascontiguousarray(found[0][:, ::-1]))
    return found[:3]


def clip(path: Path, seconds: int, photos: list[Path]) -> None:
    """Make the clip: a second face comes in after a third of the time, and a third one after two thirds."""
    faces = heads(photos)
    random = np.random.default_rng(0)
    background = cv2.resize(
        random.integers(60, 160, (18, 32, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    masks = {}
    with av.open(path, "w") as container:
        pictures = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLES, layout="mono")
        for number in range(seconds * RATE):
            moment = number / RATE
            frame = np.roll(background, number // 4, axis=1).copy()
            for k in range(1 + min(2, 3 * number // (seconds * RATE))):
                side = round(120 + 25 * np.sin(moment / 5 + 2 * k))
                x = round(105 + 210 * k + 30 * np.sin(moment / 2 + k) - side / 2)
                y = round(170 + 45 * np.sin(moment / 3 + 1.5 * k) - side / 2)
                if side not in masks:
                    mask = np.zeros((side, side, 1), np.float32)
                    cv2.ellipse(mask, (side // 2, side // 2), (int(side * 0.4), side // 2), 0, 0, 360, 1.0, -1)
                    masks[side] = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
                head = cv2.resize(faces[k], (side, side), interpolation=cv2.INTER_AREA)
                there = frame[y : y + side, x : x + side]
                there[:] = there + masks[side] * (head.astype(np.float32) - there)
            shot = av.VideoFrame.from_ndarray(frame, "rgb24")
            shot.pts, shot.time_base = number, Fraction(1, RATE)
            container.mux(pictures.encode(shot))
            if number % RATE == 0:
                wave = np.sin(
                    2 * np.pi * 220 * np.arange(number // RATE * SAMPLES, (number // RATE + 1) * SAMPLES) / SAMPLES
                )
                heard = av.AudioFrame.from_ndarray((wave[None] * 3000).astype(np.int16), "s16", "mono")
                heard.sample_rate, heard.pts = SAMPLES, number // RATE * SAMPLES
                container.mux(sound.encode(heard))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))


def resident(process: int) -> float:
    """Megabytes of memory that a process holds."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(arguments: list[str]) -> tuple[float, list[tuple[float, float]]]:
    """Run `kaoiro`; give its seconds, and its memory in MB twice a second."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "kaoiro", *arguments])
    memory = []
    while process.poll() is None:
        memory.append((time.perf_counter() - began, resident(process.pid)))
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"kaoiro ended with {process.returncode}")
    return time.perf_counter() - began, [one for one in memory if one[1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--photos", type=Path, nargs="*", default=sorted(PHOTOS.glob("*.jpg")))
    parser.add_argument("--clip", type=Path, help="keep the clip here, and use it if it is there")
    parser.add_argument("--keep", type=Path, help="keep the results in this folder")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        results = arguments.keep or Path(folder)
        source = arguments.clip or Path(folder, "clip.mp4")
        seconds = round(60 * arguments.minutes)
        if not source.exists():
            clip(source, seconds, arguments.photos)
        with av.open(source) as container:
            seconds = container.duration / 1e6
        machine = platform.processor() or platform.machine()
        print(f"{machine}, {available_cores()} cores; {WIDTH}×{HEIGHT}, {seconds:.0f} s")
        outputs = ["-o", str(results / "timeline.jsonl"), "--plot", str(results / "plot.png")]
        for name, options in (
            ("annotated copy, timeline, plot", ["--annotate", str(results / "annotated.mp4"), *outputs]),
            ("timeline, plot", outputs),
        ):
            took, memory = run(["video", str(source), *options])
            start, middle, end = (memory[round(part * (len(memory) - 1))][1] for part in (0.1, 0.5, 0.95))
            peak = max(megabytes for _, megabytes in memory)
            print(f"{name}: {seconds / took:.1f} × real time ({took:.1f} s), {seconds * RATE / took:.0f} frames/s")
            print(
                f"  memory: {start:.0f} MB at 10 %, {middle:.0f} MB halfway, {end:.0f} MB at 95 %, peak {peak:.0f} MB"
            )
        faces = [len(json.loads(line)["faces"]) for line in (results / "timeline.jsonl").open(encoding="utf-8")]
        print(f"  faces a frame: {np.mean(faces):.2f}; frames: {len(faces)}")


if __name__ == "__main__":
    main()
