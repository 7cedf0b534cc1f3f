"""CSIM: the cosine, and dlib's network on real faces where the extra is installed."""

import numpy as np
import pytest
from skimage.data import astronaut

from benchmarks.metrics.image.csim import (
    WEIGHTS,
    FaceEmbedder,
    cosines,
    embed,
    embedded_frames,
    per_second,
)
from pipeline.errors import UserError
from pipeline.media import read_frames
from pipeline.weights import find


def test_is_the_cosine_with_the_first_embedding():
    real = np.array([[3.0, 0.0], [0.0, 1.0]])
    fake = np.array([[5.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    assert cosines(real, fake) == pytest.approx([1, 0, np.sqrt(0.5)])
    assert cosines(real, -fake[:1]).tolist() == [-1]
    with pytest.raises(ValueError, match="no frame with a face"):
        cosines(real, np.empty((0, 2)))


def test_seconds_are_means_up_to_the_first_without_a_face():
    values = np.array([0.9, 0.7, 0.5, 0.1])
    assert per_second(values, [3, 8, 30, 80]) == pytest.approx([0.8, 0.5])  # none in second 2
    assert per_second(values, [30, 35, 40, 45]) == []


def test_every_fifth_frame_with_a_face_is_embedded():
    landmarks = np.zeros((14, 68, 2))
    landmarks[:2] = np.nan
    landmarks[7] = np.nan
    seen = []

    def embedder(frame, points):
        seen.append(int(frame[0, 0, 0]))
        return np.ones(4)

    frames = [np.full((2, 2, 3), k, np.uint8) for k in range(14)]
    assert embed(embedder, frames, landmarks).shape == (2, 4)
    assert seen == embedded_frames(landmarks) == [2, 12]  # 7 shows none
    assert embed(embedder, frames[:2], landmarks[:2]).shape == (0, 128)


def test_without_dlib_the_remedy_is_shown(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(UserError, match="pip install dlib-bin"):
        FaceEmbedder(tmp_path / WEIGHTS)


@pytest.mark.slow
def test_faces_of_one_person_are_closer_than_those_of_two(tracker, shared_data):
    pytest.importorskip("dlib", reason="needs the extra csim")
    path = find(WEIGHTS)
    if path is None:
        pytest.skip(f"needs {WEIGHTS}; dh-bench score fetches it")
    embedder = FaceEmbedder(path)
    frames = list(read_frames(shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"))[:40]
    one = embed(embedder, frames, tracker.track(frames).points)
    other_frames = [astronaut()]
    other = embed(embedder, other_frames, tracker.track(other_frames).points)
    assert cosines(one, one).mean() > 0.97
    assert cosines(one, other).mean() < 0.9
