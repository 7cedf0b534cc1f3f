"""The search for faces: tiles, and which of overlapping finds is kept."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.networks.blazeface import Detection, FaceDetector, _tile_levels, suppress


def _detection(box: list[float], score: float) -> Detection:
    return Detection(np.array(box, np.float32), np.zeros((6, 2), np.float32), score)


def test_suppression_keeps_the_best_of_overlapping_boxes():
    best = _detection([0, 0, 10, 10], 0.9)
    shifted = _detection([4, 0, 14, 10], 0.8)  # shares 60 of 140: the same face
    beside = _detection([6, 0, 16, 10], 0.7)  # shares 40 of 160 with the first: another
    inside = _detection([1, 1, 5, 5], 0.6)  # shares 16 of 100: another
    kept = suppress([inside, beside, shifted, best])
    assert [face.score for face in kept] == [0.9, 0.7, 0.6]


@pytest.mark.parametrize("shape", [(720, 1280), (1280, 720), (288, 360), (100, 1000), (64, 64)])
def test_tiles_cover_the_frame_and_every_small_face_lies_whole_in_one(shape: tuple[int, int]):
    height, width = shape
    levels = list(_tile_levels(height, width, 3))
    (x, y, side) = levels[0][0]
    assert (x <= 0, y <= 0, x + side >= width, y + side >= height) == (True,) * 4
    for level in levels[1:]:
        side = level[0][2]
        boxes = np.array([(x, y, x + s, y + s) for x, y, s in level])
        assert boxes.min() >= 0
        assert boxes[:, 2].max() <= width
        assert boxes[:, 3].max() <= height
        # Tiles overlap by half: whatever is smaller than half a tile is cut by none of them all.
        face = side // 2
        rng = np.random.default_rng(0)
        corners = rng.uniform([0, 0], [width - face, height - face], (200, 2))
        whole = (corners[:, None] >= boxes[None, :, :2] - 1e-6) & (
            corners[:, None] + face <= boxes[None, :, 2:] + 1e-6
        )
        assert whole.all(-1).any(-1).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 7)])
def test_a_frame_of_a_few_pixels_holds_no_face(landmark_task: Path, shape: tuple[int, int]):
    detector = FaceDetector(landmark_task)
    assert detector.search(np.full((*shape, 3), 128, np.uint8)) == []
