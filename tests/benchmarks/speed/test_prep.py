"""The speed of preparation: what is subtracted and divided, who gets which frames, a whole run."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage import data

from benchmarks.speed.prep import (
    FLOOR,
    STEADY,
    TASK,
    USUAL,
    WHOLE,
    Timings,
    chunks,
    mediapipe_clock,
    prep,
    rate_rows,
    spread,
    stage_rows,
)
from pipeline.media import Audio, write_video

ROOT = Path(__file__).parents[3]
# What mediapipe_task uses of mediapipe; it keeps the frames it is given.
RECORDER = """
import numpy, types

class FaceLandmarker:
    frames = []
    create_from_options = classmethod(lambda cls, options: cls())
    __enter__ = lambda self: self
    def __exit__(self, *_):
        numpy.savez("seen.npz", *self.frames)
    def detect_for_video(self, image, clock):
        self.frames += [numpy.append(image.data.ravel(), clock), image.data.shape]

Image = types.SimpleNamespace
ImageFormat = types.SimpleNamespace(SRGB="srgb")
vision = types.SimpleNamespace(
    FaceLandmarker=FaceLandmarker,
    FaceLandmarkerOptions=lambda base, running_mode: None,
    RunningMode=types.SimpleNamespace(VIDEO="video"),
)
tasks = types.SimpleNamespace(vision=vision, BaseOptions=lambda model_asset_path: None)
"""


@pytest.fixture
def clips(tmp_path):
    """Two videos of 1 s: a public-domain photograph of a face that moves, with noise for sound."""
    photograph = data.astronaut()[..., :3]
    noise = np.random.default_rng(0).normal(0, 2000, 16000).astype(np.int16)
    folder = tmp_path / "clips"
    for name, side in (("one", 260), ("two", 240)):
        pictures = [
            np.ascontiguousarray(photograph[:240, 80 + t : 80 + side + t]) for t in range(25)
        ]
        write_video(folder / f"{name}.mp4", pictures, audio=Audio(noise))
    return folder


def table(text, first):
    """The cells of the Markdown table whose heading begins with `first`, by row."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    begin = next(k for k, line in enumerate(lines) if line[0] == first)
    rows = {}
    for line in lines[begin + 2 :]:
        if line[0] in rows or set(line[1]) <= set("-: "):
            break
        rows[line[0]] = line[1:]
    return rows


def test_paths_are_spread_evenly():
    paths = [Path(str(k)) for k in range(10)]
    assert spread(paths, None) == spread(paths, 99) == paths
    assert [path.name for path in spread(paths, 5)] == ["0", "2", "4", "6", "8"]


def made_up():
    """10 s of 1000 frames on 1 worker, 6 s on 2, 2 s of each start-up; the floor takes 4 s."""
    timings = Timings()
    for jitter in (-1, 0, 1):
        for workers, seconds in ((1, 10), (2, 6)):
            timings.add(prep(workers, WHOLE), 1000, seconds + jitter)
            timings.add(prep(workers, STEADY), 1000, seconds - 2 + jitter)
            rows = {
                "frames": [600, 400],
                "seconds_decode": [1.5, 1.5],
                "seconds_align": [1.0, np.nan],
            }
            timings.rows[workers].append(pd.DataFrame(rows))
        timings.add(FLOOR, 1000, 4 + jitter)
        timings.add(USUAL, 10, 10)
        timings.add(TASK, 1000, math.nan)
    return timings


def test_rates_are_medians_and_ratios_theirs():
    rows = {name: cells for name, *cells in rate_rows(made_up())}
    assert rows["dh-prep, 1 worker, whole command"] == ["100.0", "0.40", "100.0"]
    assert rows["dh-prep, 2 workers, without start-up"] == ["250.0", "1.00", "250.0"]
    assert rows[FLOOR] == ["250.0", "1.00", "250.0"]
    assert rows[USUAL] == ["1.0", "0.00", "1.0"]
    assert rows[TASK] == ["n/a", "n/a", "n/a"]


def test_stages_and_the_rest_add_up_to_the_time_of_the_workers():
    rows = {name: [float(cell) for cell in cells] for name, *cells in stage_rows(made_up())}
    assert rows["decode"] == [3, 3]
    assert rows["align"] == [1, 1]
    assert rows["all without start-up"] == [8, 8]
    assert rows["hashing, packing, tar, rows, Ray, waiting at the end"] == [4, 4]
    assert rows["start-up"] == [2, 4]


def test_the_other_interpreter_gets_every_frame_unchanged(clips, tmp_path, monkeypatch):
    (tmp_path / "mediapipe.py").write_text(RECORDER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sent = [list(chunk) for path in sorted(clips.iterdir()) for chunk in chunks(path)]
    with mediapipe_clock(Path(sys.executable), Path("none.task")) as seconds:
        assert all(seconds(chunk) >= 0 for chunk in sent)
    with np.load("seen.npz") as seen:
        arrays = list(seen.values())
    frames = [frame for chunk in sent for frame in chunk]
    assert len(frames) == 50
    for k, (frame, pixels, shape) in enumerate(zip(frames, arrays[::2], arrays[1::2], strict=True)):
        assert pixels[-1] == 40 * (k + 1)
        np.testing.assert_array_equal(pixels[:-1].reshape(shape), frame)


@pytest.mark.slow
def test_the_script_times_everything_on_two_clips(clips, landmark_task):
    command = ["benchmarks/speed/prep.py", clips, "--repeat", "1", "--frames-for-slow", "1"]
    # Threads that wait by spinning take minutes on a machine that has something else to do.
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 clips, 50 frames, 1 of them for the usual script" in done.stdout
    rates = table(done.stdout, "what")
    for name in (prep(1, WHOLE), prep(2, WHOLE), FLOOR, USUAL):
        assert float(rates[name][0]) >= 0  # 0.0 on a machine that has much else to do
    assert (rates[FLOOR][1], rates[USUAL][2]) == ("1.00", "1.0")
    assert rates[TASK] == ["n/a"] * 3
    assert "pip install mediapipe" in done.stdout
    stages = table(done.stdout, "ms a frame, by workers")
    assert all(
        float(cell) > 0 for name in ("decode", "landmarks", "align") for cell in stages[name]
    )
