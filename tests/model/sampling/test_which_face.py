"""Pictures with several faces: the one that is asked for is taken."""

import cv2
import numpy as np
import pytest
from skimage import data

from model.sampling.inputs import read_face
from pipeline.errors import UserError
from pipeline.faces.tracking import MediaPipeTracker


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Two faces, the smaller one on the left."""
    face = np.ascontiguousarray(data.astronaut()[:240, 90:350, :3])
    picture = np.full((300, 560, 3), 90, np.uint8)
    picture[40:280, 290:550] = face
    picture[60:228, 20:202] = cv2.resize(face, (182, 168), interpolation=cv2.INTER_AREA)
    return picture


@pytest.mark.parametrize(
    ("which", "right"),
    [("largest", True), ("left", False), ("right", True), ("0", False), ("1", True)],
)
def test_a_face_by_its_place(
    tracker: MediaPipeTracker, picture: np.ndarray, which: str, right: bool
):
    face = read_face(picture, tracker, 128, which)
    assert face.faces == 2
    assert (cv2.invertAffineTransform(face.matrix)[0, 2] > 250) == right


@pytest.mark.parametrize("which", ["speaking", "2", "-1", "middle"])
def test_a_face_that_is_not_there(tracker: MediaPipeTracker, picture: np.ndarray, which: str):
    with pytest.raises(UserError, match=which):
        read_face(picture, tracker, 128, which)
