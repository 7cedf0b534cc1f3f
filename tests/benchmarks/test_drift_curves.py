"""Drift: steady videos, videos that change by a known amount, and what is said of them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks import cli
from benchmarks.drift_curves import JUDGED, MEASURES, measure
from benchmarks.drift_page import drawing
from pipeline.errors import UserError
from pipeline.media import write_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    assert set(found.values) == set(MEASURES)
    assert set(found.ratios) == set(JUDGED) - {"identity"}
    for curve in found.ratios.values():
        np.testing.assert_allclose(curve, 1, atol=0.01)
    assert found.values["change"][3] == pytest.approx(0.5 * 2 / np.pi**0.5, rel=0.15)
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


def test_a_video_that_blurs_and_one_that_loses_contrast():
    blurs = measure("a", video(lambda image, t: gaussian_filter(image, (t / 4, t / 4, 0))), "n/a")
    fades = measure("b", video(lambda image, t: 110 + (image - 110) * (1 - t / 16)), "n/a")
    assert blurs.last["sharpness"] < 0.9
    assert fades.last["contrast"] == pytest.approx((1 - 7 / 16) / (1 - 1 / 16), abs=0.02)
    assert fades.last["brightness"] == pytest.approx(1, abs=0.01)


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


def test_short_videos_are_refused():
    with pytest.raises(UserError, match="too short to drift: 4 seconds at least"):
        measure("a", video(lambda image, _: image, 3.9), "n/a")


def test_the_drawing_has_a_curve_for_each_video_and_measure():
    drifts = [measure(name, video(lambda image, _: image, 4), "n/a") for name in ("a", "b<&>")]
    root = ET.fromstring(drawing(drifts))
    lines = root.findall("{*}polyline")
    assert len(lines) == 2 * (len(JUDGED) - 1)
    assert all(len(line.get("points").split()) == 4 for line in lines)
    assert "b<&>" in [text.text for text in root.findall("{*}text")]


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
    assert "dark: 4 s, drifts" in told
    written = json.loads((tmp_path / "d.json").read_text())
    assert [one["steady"] for one in written["videos"]] == [True, False]
    assert written["videos"][0]["identity_missing"]
    ET.parse(tmp_path / "d.svg")
    page = (tmp_path / "d.html").read_text()
    assert "<svg" in page
    assert "No identity cosine" in page
