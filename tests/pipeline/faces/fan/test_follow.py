"""Following a face, on made-up detections."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.fan import follow
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames


def _followed(
    count: int, faces: Callable[[int], Sequence[Sequence[float]]], every: int
) -> tuple[list[np.ndarray | None], list[int], list[int]]:
    """Boxes, the frames that were searched, and the faces counted, where frame k holds faces(k)."""
    searched: list[int] = []

    def detect(frame: np.ndarray) -> np.ndarray:
        searched.append(int(frame[0, 0, 0]))
        rows = [[*box, 0.9] for box in faces(searched[-1])]
        return np.array(rows, np.float64).reshape(-1, 5)

    frames = [np.full((1, 1, 3), k) for k in range(count)]
    sightings = list(follow(iter(frames), detect, every))
    assert [int(s.frame[0, 0, 0]) for s in sightings] == list(range(count))
    return [s.box for s in sightings], sorted(searched), [s.faces for s in sightings]


@pytest.mark.parametrize("count", [1, 2, 10, 11, 12, 25])
def test_every_tenth_frame_and_the_last_are_searched(count: int):
    boxes, searched, faces = _followed(count, lambda k: [(k, k / 2, k + 100, k / 2 + 100)], 10)
    assert searched == sorted({*range(0, count, 10), count - 1})
    assert [k for k, number in enumerate(faces) if number] == searched
    wanted = [[k, k / 2, k + 100, k / 2 + 100] for k in range(count)]
    np.testing.assert_allclose(np.array(boxes), wanted, atol=1e-9)


def test_a_curved_way_is_searched_more_often():
    def swinging(k: int) -> list[list[float]]:
        x = 60 * np.sin(k / 12)
        return [[x, 0, x + 100, 100]]

    boxes, searched, _ = _followed(41, swinging, 10)
    assert 10 < len(searched) < 35
    off = [abs(box[0] - swinging(k)[0][0]) for k, box in enumerate(boxes) if box is not None]
    assert len(off) == 41
    assert max(off) < 6


def test_the_frames_without_a_face_are_found_to_the_frame():
    there = [0 <= k < 14 or k >= 33 for k in range(60)]
    boxes, searched, _ = _followed(60, lambda k: [(0, 0, 50, 50)] * there[k], 10)
    assert [box is not None for box in boxes] == there
    assert len(searched) < 20


def test_the_largest_face_is_followed_even_when_another_outgrows_it():
    def faces(k: int) -> list[tuple[float, ...]]:
        side = 40 + 2 * k
        return [(200, 0, 280, 80), (0, 0, side, side)]

    boxes, _, counts = _followed(41, faces, 10)
    assert all(box is not None and box[0] == 200 for box in boxes)
    assert max(counts) == 2


def test_after_a_cut_the_largest_face_is_taken_from_the_first_frame_on():
    def faces(k: int) -> list[tuple[float, ...]]:
        return [(0, 0, 80, 80)] if k < 17 else [(150, 0, 180, 30), (300, 0, 400, 100)]

    boxes, _, _ = _followed(30, faces, 10)
    assert [box[0] for box in boxes if box is not None] == [0] * 17 + [300] * 13


@pytest.mark.slow
def test_on_real_clips_the_box_is_near_where_a_search_would_find_it(
    mediapipe: MediaPipeTracker, shared_data: Path
):
    for name in ("crema_1001_DFA_ANG_XX.mkv", "grid_s1_bbir6n.mpg", "lrs3_7OMLSs8t1ng_00017.webm"):
        points = mediapipe.track(read_frames(shared_data / "clips" / name)).points
        wanted = np.concatenate([points.min(1), points.max(1)], axis=1)
        boxes, searched, _ = _followed(len(points), lambda k, wanted=wanted: [wanted[k]], 10)
        size = (wanted[:, 2:] - wanted[:, :2]).mean(1)
        off = np.abs(np.array(boxes) - wanted)
        off = (off[:, :2] + off[:, 2:]).max(1) / 2 / size
        assert off.max() < 0.1
        assert len(searched) < 0.15 * len(points)


def test_only_as_many_frames_are_held_as_lie_between_two_searches():
    alive: list[int] = []
    most = 0

    class Frame(np.ndarray):
        def __del__(self) -> None:
            alive.remove(id(self))

    def frames():
        nonlocal most
        for _ in range(300):
            made = np.zeros((4, 4, 3), np.uint8).view(Frame)
            alive.append(id(made))
            most = max(most, len(alive))
            yield made
            del made

    def detect(_: np.ndarray) -> np.ndarray:
        return np.array([[0, 0, 50, 50, 0.9]])

    for _ in follow(frames(), detect, 10):
        pass
    assert 10 < most < 30
