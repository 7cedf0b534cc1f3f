"""Scene cuts: found where shots are joined, not where a shot moves, flickers, flashes or fades."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut, chelsea

from pipeline.media import read_frames
from pipeline.media.scene_cuts import CutDetector, _step

LENGTH = 30


def _cuts(frames: Iterable[np.ndarray]) -> list[int]:
    detector = CutDetector()
    for _ in detector.watch(frames):
        pass
    return detector.cuts


def _shot(picture: np.ndarray, frames: int = LENGTH, drift: float = 0.4) -> np.ndarray:
    """(T, 240, 320, 3): a hand-held camera over a picture, with a little grain."""
    rng = np.random.default_rng(len(picture))
    shot = []
    for k in range(frames):
        matrix = np.array([[1.0, 0, -drift * k + np.sin(k)], [0, 1, -30 + np.cos(1.3 * k)]])
        seen = cv2.warpAffine(picture, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT)
        shot.append(np.clip(seen + rng.normal(0, 3, seen.shape), 0, 255).astype(np.uint8))
    return np.stack(shot)


def _lit(shot: np.ndarray, gain: np.ndarray, offset: np.ndarray | float = 0) -> np.ndarray:
    """A shot with a brightness of its own in every frame."""
    each = (slice(None), None, None, None)
    lit = shot * gain[each] + np.broadcast_to(offset, len(shot))[each]
    return np.clip(lit, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return _shot(cv2.resize(astronaut(), None, fx=0.9, fy=0.9))


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return _shot(chelsea())


def test_frames_pass_through_as_the_same_objects(face: np.ndarray):
    frames = list(face)
    passed = list(CutDetector().watch(frames))
    assert all(a is b for a, b in zip(passed, frames, strict=True))


@pytest.mark.parametrize("first", [1, 2, 9, 15, 28, 29])
def test_a_cut_is_the_first_frame_of_the_new_shot(face: np.ndarray, cat: np.ndarray, first: int):
    assert _cuts(np.concatenate([face[:first], cat[first:]])) == [first]


def test_every_cut_of_many(face: np.ndarray, cat: np.ndarray):
    shots = [face[:12], cat[:10], face[10:25], cat[15:19], face[:20]]
    assert _cuts(np.concatenate(shots)) == [12, 22, 37, 41]


def test_a_jump_within_a_picture_is_a_cut(face: np.ndarray):
    closer = np.stack([cv2.resize(frame[40:200, 60:270], (320, 240)) for frame in face])
    assert _cuts(np.concatenate([face, closer])) == [LENGTH]


def test_a_cut_by_way_of_a_blended_frame_is_one_cut(face: np.ndarray, cat: np.ndarray):
    blend = ((face[14].astype(np.uint16) + cat[16]) // 2).astype(np.uint8)
    (cut,) = _cuts([*face[:15], blend, *cat[16:]])
    assert cut in (15, 16)


def test_a_moving_camera_and_a_zoom_are_no_cuts():
    picture = cv2.resize(astronaut(), (1024, 1024))
    assert _cuts(_shot(picture, 60, drift=8)) == []
    zoomed = [cv2.resize(picture[: 700 - 8 * k, : 700 - 8 * k], (320, 240)) for k in range(60)]
    assert _cuts(zoomed) == []


def test_a_passing_hand_is_no_cut(face: np.ndarray):
    frames = face.copy()
    for k, frame in enumerate(frames):
        frame[60:, max(0, 24 * k - 200) : max(0, 24 * k - 80)] = (190, 140, 110)
    assert _cuts(frames) == []


@pytest.mark.slow
def test_changes_of_brightness_are_no_cuts(face: np.ndarray):
    time = np.arange(LENGTH)
    assert _cuts(_lit(face, 1 + 0.2 * np.sin(2.1 * time))) == []
    assert _cuts(_lit(face, np.where(time < 15, 1.0, 0.6))) == []  # a lamp is switched off
    assert _cuts(_lit(face, np.clip(time / 12, 0, 1))) == []  # a fade from black
    assert _cuts(_lit(face, np.clip(time / 5, 0, 1))) == []
    assert _cuts(_lit(face, np.clip(abs(time - 15) / 6 - 0.3, 0, 1))) == []  # out and in again


@pytest.mark.parametrize("frames", [1, 2])
def test_a_flash_is_no_cut(face: np.ndarray, frames: int):
    flash = np.zeros(LENGTH)
    flash[15 : 15 + frames] = 1
    assert _cuts(_lit(face, 1 + 0.3 * flash, 100 * flash)) == []


def test_the_same_frames_at_half_the_rate_are_no_cuts(face: np.ndarray):
    held = [frame for frame in face for _ in range(2)]  # the very objects
    assert _cuts(held) == []
    assert _cuts([frame.copy() for frame in held]) == []
    assert _cuts([held[0]] * 100) == []


def test_pictures_that_are_held_for_a_second_are_no_cuts(face: np.ndarray, cat: np.ndarray):
    slow = [frame for frame in face[::4] for _ in range(25)]
    assert _cuts(slow) == []
    assert _cuts([frame.copy() for frame in slow]) == []
    more = [frame for frame in cat[::4] for _ in range(25)]
    assert _cuts(slow + more) == [len(slow)]


def test_too_few_pictures_tell_no_cut_but_a_great_one(face: np.ndarray, cat: np.ndarray):
    moved = [np.roll(face[0], 5 * k, axis=1) for k in range(3)]
    assert _cuts(moved[:2]) == _cuts(moved) == []
    assert _cuts([face[0], 255 - face[0]]) == [1]


def test_repeated_objects_do_not_hide_a_cut(face: np.ndarray, cat: np.ndarray):
    held = [frame for frame in (*face[:15], *cat[:15]) for _ in range(2)]
    assert _cuts(held) == [30]


def test_key_frames_of_hard_compression_are_no_cuts(shared_data: Path, tmp_path: Path):
    path = tmp_path / "hard.mkv"
    with av.open(str(path), "w") as container:
        every_12 = {"crf": "40", "x264-params": "keyint=12:min-keyint=12:scenecut=0"}
        stream = container.add_stream("libx264", rate=25, options=every_12)
        stream.width, stream.height = 360, 288
        for frame in read_frames(shared_data / "clips" / "grid_s1_bbwgzn.mpg"):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    detector = CutDetector()
    steps = [detector._steps[-1] for _ in detector.watch(read_frames(path))]
    # The picture does jump at key frames, by far more than at any other.
    assert np.median(steps[12::12]) > 3 * np.percentile(np.delete(steps, range(0, 75, 12)), 90)
    assert detector.cuts == []


def test_nothing_and_little():
    assert _cuts([]) == []
    assert _cuts([np.zeros((9, 7, 3), np.uint8)]) == []
    assert _cuts([np.zeros((9, 7, 3), np.uint8), np.full((9, 7, 3), 255, np.uint8)]) == [1]


def test_a_step_is_the_least_difference_over_shifts():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 256, (2, 48, 48, 3))
    differences = [
        np.sqrt(np.mean((a[y : y + 40, x : x + 40] - b[4:44, 4:44]) ** 2))
        for y, x in itertools.product(range(9), repeat=2)
    ]
    got = _step(a.astype(np.uint8), b.astype(np.uint8))
    np.testing.assert_allclose(got, min(differences), rtol=1e-5)
    moved = np.roll(a, (3, -4), axis=(0, 1)).astype(np.uint8)
    assert _step(a.astype(np.uint8), moved) < 0.1


NAMES = ("crema_1001_DFA_ANG_XX.mkv", "grid_s26_bgbsza.mpg", "hdtf_RD_Radio2_000.mp4",
         "vox2r_id02181_02gIO4WrZLY_00001.mkv", "marlin_video05.mp4", "retalk_1.mp4")  # fmt: skip


def _start(path: Path, frames: int = 60) -> list[np.ndarray]:
    return [cv2.resize(f, (240, 240)) for f in itertools.islice(read_frames(path), frames)]


@pytest.mark.slow
def test_joined_real_clips_are_cut_where_they_are_joined(shared_data: Path):
    for a, b in itertools.pairwise(NAMES):
        before = _start(shared_data / "clips" / a)
        after = _start(shared_data / "clips" / b)
        # The beginning of marlin_video05 is black, from which its first shot fades in.
        after = after[20:] if b.startswith("marlin") else after
        assert _cuts([*before, *after]) == [len(before)], f"{a} and {b}"


def test_two_people_before_the_same_wall_are_two_shots(shared_data: Path):
    a = _start(shared_data / "clips" / "grid_s26_bgbsza.mpg")
    b = _start(shared_data / "clips" / "grid_s1_bbir6n.mpg")
    assert _cuts([*a, *b]) == [len(a)]


@pytest.mark.slow
def test_real_shots_have_no_cut(shared_data: Path):
    found = {path.name: _cuts(read_frames(path)) for path in (shared_data / "clips").iterdir()}
    assert len(found) > 100
    assert {name: cuts for name, cuts in found.items() if cuts} == {}


def test_a_recording_with_a_damaged_beginning_is_cut_where_it_recovers(shared_data: Path):
    # Twelve grey frames until the first whole picture.
    assert _cuts(read_frames(shared_data / "grid_s1" / "bwwuzn.mpg")) == [12]
