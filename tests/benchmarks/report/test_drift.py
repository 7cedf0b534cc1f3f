"""Drift: steady videos, videos that change by a known amount, and what is said of them."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import structural_similarity

from benchmarks.cli import main as cli
from benchmarks.report.drift import (
    JUDGED,
    MEASURES,
    TO_START,
    aligned_face,
    measure,
    write_drift,
)
from pipeline.errors import UserError
from pipeline.media import write_image, write_video

SECONDS = 8


def picture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(0, 1, (64, 64, 3)), (1.2, 1.2, 0))
    return 110 + 30 * smooth / smooth.std()


def video(change: Callable[[np.ndarray, float], np.ndarray], seconds: float = SECONDS) -> list:
    """Frames of one picture; `change` is told the seconds."""
    rng = np.random.default_rng(1)
    frames = []
    for k in range(round(25 * seconds)):
        image = change(picture(), k / 25) + rng.normal(0, 0.5, (64, 64, 3))
        frames.append(np.clip(image.round(), 0, 255).astype(np.uint8))
    return frames


def test_a_steady_video():
    found = measure("a", video(lambda image, _: image), "n/a")
    assert found.seconds == SECONDS
    assert found.steady
    assert set(found.values) == {*MEASURES, "ssim_to_start"}
    assert set(found.ratios) == set(JUDGED) - {"identity"}
    for curve in found.ratios.values():
        np.testing.assert_allclose(curve, 1, atol=0.01)
    assert found.identity == "n/a"


def test_a_video_that_grows_redder_by_the_second():
    def redder(image: np.ndarray, t: float) -> np.ndarray:
        return image + np.array([4 * t, 0, 0])

    frames = video(redder)
    found = measure("a", frames, "n/a")
    for second in range(SECONDS):
        own = np.stack(frames[25 * second : 25 * second + 25]).astype(float).mean((0, 1, 2))
        shown = [found.values[name][second] for name in ("red", "green", "blue")]
        np.testing.assert_allclose(shown, own, atol=0.05)
    assert found.last["red"] == pytest.approx((110 + 4 * 7) / (110 + 4), abs=0.02)
    assert found.last["blue"] == pytest.approx(1, abs=0.01)
    assert not found.steady


@pytest.mark.slow
def test_a_video_that_blurs_and_one_that_loses_contrast():
    blurs = measure("a", video(lambda image, t: gaussian_filter(image, (t / 4, t / 4, 0))), "n/a")
    fades = measure("b", video(lambda image, t: 110 + (image - 110) * (1 - t / 16)), "n/a")
    assert blurs.last["sharpness"] < 0.9
    assert fades.last["contrast"] == pytest.approx((1 - 7 / 16) / (1 - 1 / 16), abs=0.02)
    assert fades.last["brightness"] == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_likeness_is_the_cosine_to_the_first_seconds():
    """An embedding that turns by 5 degrees a second."""
    frames = video(lambda image, _: image)
    seen = iter(range(0, len(frames), 5))

    def embed(_: np.ndarray) -> np.ndarray:
        angle = np.deg2rad(5 * next(seen) / 25)
        return 7 * np.array([np.cos(angle), np.sin(angle)])

    found = measure("a", frames, embed)
    # The first seconds look along 4.5 degrees, second k along 5 k + 2.
    turned = np.deg2rad(5 * np.arange(SECONDS) + 2 - 4.5)
    np.testing.assert_allclose(found.values["identity"], np.cos(turned), atol=2e-3)
    assert found.identity == ""
    hidden = measure("a", frames[:150], lambda _: None)
    assert "identity" not in hidden.values
    assert hidden.identity == "no face found in some second"


@pytest.mark.slow
def test_what_was_lost_at_once_shows_against_the_start():
    """Frames that blur within half a second and stay so are steady, and far from the first."""

    def soon(image: np.ndarray, t: float) -> np.ndarray:
        blur = 3 * min(t, 0.4)
        return gaussian_filter(image, (blur, blur, 0))

    frames = video(soon, 6)
    found = measure("a", frames, "n/a")
    assert found.steady
    curve = found.values["ssim_to_start"]
    for second in range(6):
        own = [
            structural_similarity(
                frames[0], frame, channel_axis=2, data_range=255,
                gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            )
            for frame in frames[25 * second : 25 * second + 25][second == 0 :]
        ]  # fmt: skip
        assert curve[second] == pytest.approx(np.mean(own), abs=1e-9)
    assert curve[0] > curve[-1]
    calm = measure("b", video(lambda image, _: image, 4), "n/a").values["ssim_to_start"]
    assert curve[-1] < 0.85 * calm[-1]


@pytest.mark.slow
def test_the_face_given_is_the_start_at_the_size_of_the_frames():
    frames = video(lambda image, _: gaussian_filter(image, (1.5, 1.5, 0)), 4)
    sharp = np.clip(picture().round(), 0, 255).astype(np.uint8)
    large = np.kron(sharp, np.ones((2, 2, 1), np.uint8))
    of_itself = measure("a", frames, "n/a").values["ssim_to_start"]
    of_face = measure("a", frames, "n/a", large).values["ssim_to_start"]
    own = [
        structural_similarity(
            sharp, frame, channel_axis=2, data_range=255,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for frame in frames[:25]
    ]  # fmt: skip
    assert of_face[0] == pytest.approx(np.mean(own), abs=1e-9)
    assert of_face[0] < of_itself[0] - 0.05
    with pytest.raises(UserError, match="a is 64 x 48, no aligned crops"):
        measure("a", [frame[:48] for frame in frames], "n/a", large)


@pytest.mark.slow
def test_identity_against_the_start():
    """Frames look along 30 degrees from the first second on; the face given along 50."""
    frames = video(lambda image, _: image, 4)
    given = np.full((64, 64, 3), 9, np.uint8)

    def turned(degrees: float) -> np.ndarray:
        return 3 * np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])

    def embed(frame: np.ndarray) -> np.ndarray:
        if frame is given:
            return turned(50)
        return turned(0 if frame is frames[0] else 30)

    alone = measure("a", frames, embed).values
    np.testing.assert_allclose(alone["identity_to_start"][1:], np.cos(np.deg2rad(30)))
    assert alone["identity_to_start"][0] == pytest.approx(0.2 + 0.8 * np.cos(np.deg2rad(30)))
    assert min(alone["identity"][1:]) > 0.99  # what the first seconds themselves cannot tell
    with_face = measure("a", frames, embed, given).values
    np.testing.assert_allclose(with_face["identity_to_start"][1:], np.cos(np.deg2rad(20)))
    no_face = measure("a", frames, lambda f: None if f is frames[0] else turned(30))
    assert "identity_to_start" not in no_face.values
    assert "identity" in no_face.values


def test_short_videos_are_refused():
    with pytest.raises(UserError, match="too short to drift: 4 seconds at least"):
        measure("a", video(lambda image, _: image, 3.9), "n/a")


@pytest.mark.slow
def test_the_page_has_a_curve_for_each_video_and_measure(tmp_path: Path):
    drifts = [measure(name, video(lambda image, _: image, 4), "n/a") for name in ("a", "b<&>")]
    page = write_drift(tmp_path / "d", drifts)[1].read_text()
    plots = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert len(plots) == len(JUDGED)  # without identity, with SSIM to the start
    for plot in plots:
        lines = [e for e in plot.iter() if "stroke-width: 1.8" in e.get("style", "")]
        assert [line.get("d").count("L") for line in lines] == [3, 3]
    titles = re.findall("<figcaption><b>(.*?)</b>", page)
    assert set(titles) == {"SSIM to start", *JUDGED} - {"identity"}
    assert "b&lt;&amp;&gt;" in page


@pytest.mark.slow
def test_the_command(tmp_path: Path, monkeypatch, capsys):
    write_video(tmp_path / "v" / "calm.mp4", video(lambda image, _: image, 4))
    write_video(tmp_path / "v" / "dark.mp4", video(lambda image, t: image - 10 * t, 4))
    words = ["dh-bench", "drift", "--videos", str(tmp_path / "v"), "--out", str(tmp_path / "d")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "calm: 4 s, steady" in told
    assert told.count("SSIM to the start: ") == 2
    assert "dark: 4 s, drifts" in told
    written = json.loads((tmp_path / "d.json").read_text())
    assert [one["steady"] for one in written["videos"]] == [True, False]
    assert written["videos"][0]["identity_missing"]
    assert set(TO_START) < set(written["measures"])
    calm, dark = (one["values"]["ssim_to_start"] for one in written["videos"])
    assert calm[-1] > dark[-1]
    page = (tmp_path / "d.html").read_text()
    assert "<svg" in page
    assert "No identity cosine" in page
    assert f"<td>{dark[-1]:.3f}</td>" in page


@pytest.mark.slow
def test_the_face_of_the_command_is_aligned_as_it_was_for_the_video(
    tmp_path: Path, monkeypatch, capsys, landmark_task: Path
):
    """Against the crop that dh-sample would have shown the model, a video of it is all likeness."""
    picture = np.ascontiguousarray(data.astronaut()[:260, 80:360])
    write_image(tmp_path / "face.png", picture)
    crop = aligned_face(tmp_path / "face.png", landmark_task.parent)
    assert crop.shape == (128, 128, 3)
    write_video(tmp_path / "v.mp4", [crop] * 100)
    words = ["dh-bench", "drift", "--videos", str(tmp_path / "v.mp4"), "--out", str(tmp_path / "d")]
    words += ["--face", str(tmp_path / "face.png"), "--weights-dir", str(landmark_task.parent)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    assert "0.9" in capsys.readouterr().out.partition("SSIM to the start: ")[2][:4]
