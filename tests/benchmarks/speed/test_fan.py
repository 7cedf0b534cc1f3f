"""The speed of FAN: that both sides search, and that both have the same faces."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from benchmarks.speed.fan import blind_detector, faces_of, with_faces
from pipeline.faces.networks.s3fd import S3FDDetector


@pytest.mark.slow
def test_a_search_does_its_work_and_returns_the_given_faces(tmp_path: Path):
    torch.save(blind_detector(), tmp_path / "blind.pth")
    face = data.astronaut()[:240, 80:340].copy()
    wall, other = np.full_like(face, 128), np.zeros_like(face)
    faces = faces_of([[face, wall]])
    assert [len(boxes) for boxes in faces.values()] == [1, 0]
    x0, y0, x1, y1, _ = faces[id(face)][0]
    assert x0 < 145 < x1  # where the photograph has its nose
    assert y0 < 125 < y1
    detector, searched = S3FDDetector(tmp_path / "blind.pth"), []
    search = with_faces(lambda frame: searched.append(frame) or detector.detect(frame), faces)
    assert search(face) is faces[id(face)]
    assert search(wall) is faces[id(wall)]
    assert search(other).shape == (0, 5)
    assert [id(frame) for frame in searched] == [id(face), id(wall), id(other)]
