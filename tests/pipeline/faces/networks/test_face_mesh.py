"""The box around a face that the mesh's network looks at."""

import numpy as np
import pytest

from pipeline.faces.geometry import transform
from pipeline.faces.networks.blazeface import Detection
from pipeline.faces.networks.face_mesh import Box, box_of_detection, box_of_mesh


def test_the_box_of_a_mesh_turns_with_it_and_encloses_it():
    rng = np.random.default_rng(0)
    mesh = rng.uniform([-40, -60], [40, 60], (478, 2))
    mesh[33], mesh[263] = [-30, -20], [30, -20]  # the outer eye corners: level
    roll = np.radians(25)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    turned = (mesh @ turn.T + [300, 200]).astype(np.float32)
    box = box_of_mesh(turned)
    assert box.roll == pytest.approx(roll, abs=1e-6)
    assert box.side == pytest.approx(1.5 * np.ptp(mesh, axis=0).max(), rel=1e-5)
    centre = (mesh.min(0) + mesh.max(0)) / 2
    np.testing.assert_allclose([box.x, box.y], turn @ centre + [300, 200], atol=1e-3)
    # In the network's input the face stands upright, in the middle, at two thirds of the side.
    seen = transform(turned, box.matrix())
    np.testing.assert_allclose((seen.min(0) + seen.max(0)) / 2, [128, 128], atol=1e-3)
    assert np.ptp(seen, axis=0).max() == pytest.approx(256 / 1.5, rel=1e-5)
    assert seen[33, 1] == pytest.approx(seen[263, 1], abs=1e-3)
    assert seen[33, 0] < seen[263, 0]


def test_the_box_of_a_detection_takes_its_roll_from_the_eyes():
    eyes = [[10, 20], [30, 40]]
    points = np.array([*eyes, *[[0, 0]] * 4], np.float32)
    face = Detection(np.array([0, 0, 40, 60], np.float32), points, 0.9)
    box = box_of_detection(face)
    assert box == Box(20, 30, 90, pytest.approx(np.pi / 4))
