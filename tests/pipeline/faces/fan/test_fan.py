"""FAN against face-alignment's own on the same random weights, and streams of frames."""

import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from face_alignment import FaceAlignment
from face_alignment.utils import get_preds_fromhm

from pipeline.dataset.limits import Limits
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import problems
from pipeline.faces.fan import FanTracker, crop_input, heat_points
from pipeline.media import Audio, write_video
from pipeline.run.prepare_clip import prepare_clip
from pipeline.run.stages import default_stages
from pipeline.sources.manifest import ManifestRow
from pipeline.weights import FILES
from tests.pipeline.faces.fan.weight_files import DARK, DETECTOR, LANDMARKS


def _largest(boxes: Sequence[np.ndarray]) -> np.ndarray:
    return max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))


@pytest.mark.slow
def test_landmarks_are_those_of_the_package_with_their_fraction(
    files: tuple[Path, Path], package: FaceAlignment, frame: np.ndarray
):
    # Inside, over two rims, over all.
    boxes = np.array(
        [
            [60.3, 50.1, 170.7, 180.2],
            [-30.4, -20.9, 70.2, 60.6],
            [-60.5, -70.7, 290.9, 270.1],
        ]
    )
    wanted = np.stack(package.get_landmarks_from_image(frame, detected_faces=list(boxes)))
    tracker = FanTracker(*files)
    found = tracker.points([crop_input(frame, box) for box in boxes])
    assert found.shape == (3, 68, 2)
    assert np.ptp(found[0]) > 100
    np.testing.assert_array_equal(np.trunc(found.astype(np.float64) + 0.5), wanted)


@pytest.mark.slow
def test_peaks_are_read_as_in_the_package_on_the_rim_too():
    rng = np.random.default_rng(5)
    heat = rng.normal(size=(3, 68, 64, 64)).astype(np.float32)
    for index, (row, column) in enumerate([(0, 0), (0, 30), (63, 63), (30, 63), (1, 1), (62, 62)]):
        heat[:, index, row, column] = 9
    heat[0, 7, 20:23, 30:33] = 9  # a plateau
    wanted, _, _ = get_preds_fromhm(heat.copy())
    found = heat_points(torch.from_numpy(heat)).numpy() * 64
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.slow
def test_a_clip_gives_what_the_packages_own_loop_gives(
    files: tuple[Path, Path], package: FaceAlignment, frame: np.ndarray
):
    frames = [frame, DARK, np.ascontiguousarray(frame[:, ::-1])]
    track = FanTracker(*files, detect_every=1, batch=2).track(frames)
    assert track.found.tolist() == [True, False, True]
    assert np.isnan(track.points[1]).all()
    found = [package.face_detector.detect_from_image(picture) for picture in frames]
    assert track.faces == max(map(len, found))
    for index in (0, 2):
        # The other frame's face is lost before this one is searched, so that the largest is taken.
        face = _largest(found[index])
        wanted = package.get_landmarks_from_image(frames[index], detected_faces=[face])[0]
        assert np.abs(track.points[index] - wanted).max() <= 0.5 + 1e-4


def _panned(photograph: np.ndarray, count: int) -> list[np.ndarray]:
    """Frames of a camera that moves over the picture."""
    return [
        np.ascontiguousarray(photograph[20 + k : 230 + k, 100 + k : 340 + k]) for k in range(count)
    ]


@pytest.mark.slow
def test_batches_make_no_difference(
    files: tuple[Path, Path], tracker: FanTracker, photograph: np.ndarray
):
    frames = _panned(photograph, 5)
    frames[3] = DARK
    by_four = tracker.track(frames)
    by_two = FanTracker(*files, detect_every=3, batch=2).track(iter(frames))
    np.testing.assert_allclose(by_two.points, by_four.points, atol=1e-3)
    assert by_four.found.tolist() == [True, True, True, False, True]
    assert by_four.faces == by_two.faces > 1
    # What came before leaves no trace.
    np.testing.assert_allclose(tracker.track(frames[:1]).points, by_four.points[:1], atol=1e-3)


@pytest.mark.slow
def test_a_repeated_frame_is_computed_once(
    tracker: FanTracker, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    frames = _panned(photograph, 3)
    once = tracker.track(frames).points
    counts = [1, 3, 2]
    located: list[int] = []
    points = tracker.points
    monkeypatch.setattr(
        tracker, "points", lambda views: located.append(len(views)) or points(views)
    )
    repeated = [
        picture for picture, count in zip(frames, counts, strict=True) for _ in range(count)
    ]
    np.testing.assert_array_equal(tracker.track(repeated).points, np.repeat(once, counts, axis=0))
    assert sum(located) == 3


def test_no_frame_gives_an_empty_track(tracker: FanTracker):
    track = tracker.track([])
    assert track.points.shape == (0, 68, 2)
    assert track.points.dtype == np.float32
    assert track.faces == 0


@pytest.mark.slow
def test_bfloat16_is_near_and_not_the_same(files: tuple[Path, Path], frame: np.ndarray):
    # Peaks of random maps jump; their heights do not.
    views = [crop_input(frame, np.array([60.0, 50.0, 170.0, 180.0]))]
    exact, rough = FanTracker(*files), FanTracker(*files, precision="bfloat16")
    maps: list[torch.Tensor] = []
    for tracker in (exact, rough):
        tracker._net.register_forward_hook(lambda _, __, out: maps.append(out[-1].float()))
        assert np.isfinite(tracker.points(views)).all()
    error = (maps[0] - maps[1]).std() / maps[0].std()
    assert 1e-5 < error < 0.1


@pytest.mark.slow
def test_a_sample_made_with_it_meets_the_contract(
    files: tuple[Path, Path], frame: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sound = Audio(np.random.default_rng(0).normal(0, 2000, 2 * 640).astype(np.int16))
    write_video(tmp_path / "a.mp4", [frame] * 2, audio=sound)
    limits = Limits(min_seconds=0.08)
    options = PrepOptions(landmarks="fan", image_size=64, limits=limits)
    stages = default_stages(options, {path.name: path for path in files})
    row = ManifestRow("a", str(tmp_path / "a.mp4"), "a.mp4")
    # Networks of random weights find landmarks that are no face's.
    (refused,) = prepare_clip(row, options, stages).rows
    assert refused["status"] == "skipped"
    assert "no plausible face" in refused["reason"]
    monkeypatch.setattr("pipeline.faces.plausibility.is_plausible", lambda _: True)
    (sample,) = prepare_clip(row, options, stages).samples
    assert problems(sample) == []
    assert sample.meta["landmark_backend"] == FanTracker.name
    assert sample.meta["frames"] == 2
    assert sample.meta["options"]["landmarks"] == "fan"


def test_nothing_is_fetched(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(torch.hub, "_hub_dir", "/nowhere")
    FanTracker(*files)


def test_the_table_of_weights_names_what_the_package_would_download():
    from face_alignment.api import models_urls
    from face_alignment.detection.sfd.sfd_detector import models_urls as detector_urls

    assert FILES[LANDMARKS].url == models_urls["2DFAN-4"]
    assert FILES[DETECTOR].url == detector_urls["s3fd"]
    for name in (LANDMARKS, DETECTOR):
        # The file's name ends in the first ten digits of its hash, by which torch.hub checks it.
        assert FILES[name].sha256[:10] in name
