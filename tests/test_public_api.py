"""The toolkit from Python, as a user's script has it: `from pipeline import …` and so on."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import benchmarks
import model
import pipeline
from tests.datasets import write_talker

_HEAVY = ("torch", "ray", "cv2", "pandas", "webdataset")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["pipeline", "model", "benchmarks"])
def test_a_package_names_what_it_offers_and_imports_nothing_heavy(package: str):
    code = f"""
import sys, {package}
assert sorted(dir({package})) == sorted({package}.__all__)
print([name for name in {_HEAVY} if name in sys.modules])
for name in {package}.__all__:
    assert getattr({package}, name).__doc__ or name.isupper(), name
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", ["model.sampling.api", "benchmarks.scoring.scorer"])
def test_threads_of_torch_wait_passively(module: str):
    unset = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}, torch"],
        env=environment | {"OMP_DISPLAY_ENV": "VERBOSE"},  # the library prints what it has read
        capture_output=True,
        text=True,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("torch's threads are not those of GNU OpenMP here")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
    assert "GOMP_SPINCOUNT = '0'" in done.stderr


@pytest.mark.slow
def test_from_videos_to_numbers(tmp_path: Path, landmark_task: Path):
    for shift in range(3):
        write_talker(tmp_path / "videos" / f"clip{shift}.mp4", frames=15, shift=shift)
    (tmp_path / "videos" / "notes.mp4").write_text("no video")

    options = pipeline.PrepOptions(image_size=64)
    rows = pipeline.prepare(tmp_path / "videos", tmp_path / "data", options, workers=0)
    assert rows.set_index("clip_id").status.to_dict() == {
        "clip0": "ok", "clip1": "ok", "clip2": "ok", "notes": "failed",
    }  # fmt: skip
    again = pipeline.prepare(tmp_path / "videos", tmp_path / "data", options, workers=0)
    assert again.equals(rows)
    assert pipeline.read_rows(tmp_path / "data").equals(rows)
    samples = list(pipeline.read_samples(tmp_path / "data"))
    assert [sample.frames[3].shape for sample in samples] == [(64, 64, 3)] * 3

    tiny = model.preset("tiny")
    small = model.override(tiny, ["train.steps=2", "train.batch_size=2", "unet.base_channels=16"])
    run = model.RunOptions(tmp_path / "data", tmp_path / "run", small)
    checkpoint = model.train(run, report=lambda _: None)
    assert checkpoint.exists()
    loaded = model.load_model(tmp_path / "run", model.SampleConfig(steps=1))
    frames = list(model.generate(samples[0].frames[0], samples[0].audio, loaded))
    assert len(frames) == 15
    assert {(frame.shape, frame.dtype) for frame in frames} == {((128, 128, 3), np.dtype(np.uint8))}

    chosen = benchmarks.ScoreOptions(metrics=("ssim",), cache=tmp_path / "cache", workers=1)
    scores = benchmarks.score(tmp_path / "videos", tmp_path / "videos", chosen)
    assert scores["metrics"]["ssim"]["mean"] == 1
    assert benchmarks.METRICS["ssim"].name == "ssim"
