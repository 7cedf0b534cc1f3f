"""The working folder of a clip: like the clone, apart from it, the inputs where they belong."""

import wave

import cv2
import numpy as np
import pytest

from benchmarks.systems import workspace
from benchmarks.systems.method_file import Input, Output
from benchmarks.systems.workspace import make_workspace, placed, read_output, write_inputs
from pipeline.media import read_frames, write_video

RNG = np.random.default_rng(0)


@pytest.fixture
def clone(tmp_path):
    clone = tmp_path / "clone"
    for path in ("a.py", "src/b.py", "examples/old.wav", "examples/ckpt/m.pth", "examples/x/y",
                 "big.dat", ".git/HEAD"):  # fmt: skip
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(path)
    return clone


def made(tmp_path, clone, private):
    folder = tmp_path / "work"
    folder.mkdir()
    make_workspace(folder, clone, private)
    return folder


def test_it_looks_like_the_clone(tmp_path, clone, monkeypatch):
    monkeypatch.setattr(workspace, "_COPIED", 6)
    folder = made(tmp_path, clone, {})
    assert (folder / "src" / "b.py").read_text() == "src/b.py"
    assert (folder / "src").is_symlink()
    assert not (folder / "a.py").is_symlink()  # small: whatever a script may overwrite
    assert (folder / "big.dat").is_symlink()
    assert not (folder / ".git").exists()


def test_what_is_private_is_its_own_with_the_wanted_entries_alone(tmp_path, clone):
    folder = made(tmp_path, clone, {"examples": ["ckpt"], "examples/x": [], "new/deep": []})
    assert sorted(p.name for p in (folder / "examples").iterdir()) == ["ckpt", "x"]
    assert (folder / "examples" / "ckpt" / "m.pth").exists()
    assert list((folder / "examples" / "x").iterdir()) == []
    assert (folder / "new" / "deep").is_dir()
    (folder / "examples" / "mine.mp4").touch()
    (folder / "a.py").write_text("overwritten")
    assert not (clone / "examples" / "mine.mp4").exists()
    assert (clone / "a.py").read_text() == "a.py"


def test_a_private_folder_deep_inside_leaves_its_neighbours(tmp_path, clone):
    folder = made(tmp_path, clone, {"examples/x": []})
    assert (folder / "examples" / "old.wav").read_text() == "examples/old.wav"
    assert list((folder / "examples" / "x").iterdir()) == []


def test_without_a_clone_it_is_empty_but_for_its_own(tmp_path):
    folder = made(tmp_path, None, {"temp": []})
    assert [p.name for p in folder.iterdir()] == ["temp"]


def test_inputs_are_what_a_system_reads(tmp_path):
    face = RNG.integers(0, 255, (64, 64, 3), np.uint8)
    samples = RNG.integers(-9999, 9999, 6400).astype(np.int16)
    driving = [np.full((64, 64, 3), 40 * k, np.uint8) for k in range(3)]
    given = Input(
        face=("in/face.png", "other/face.png"),
        speech=("in/speech.wav",),
        size=64,
        still="in/still/%03d.jpg",
        driving="another",
        driving_video="in/pose/%06d.png",
    )
    write_inputs(tmp_path, given, face, samples, 10, driving)
    for path in given.face:
        assert np.array_equal(cv2.imread(str(tmp_path / path))[..., ::-1], face)
    with wave.open(str(tmp_path / "in" / "speech.wav")) as sound:
        assert sound.getparams()[:3] == (1, 2, 16000)
        assert np.array_equal(np.frombuffer(sound.readframes(6400), np.int16), samples)
    assert len(list((tmp_path / "in" / "still").iterdir())) >= 10
    poses = sorted((tmp_path / "in" / "pose").iterdir())
    assert [p.name for p in poses] == ["000000.png", "000001.png", "000002.png"]
    assert cv2.imread(str(poses[2])).mean() == 80


def test_a_driving_video_may_be_a_video(tmp_path):
    given = Input(("f.png",), ("s.wav",), 32, driving="itself", driving_video="d/drive.mp4")
    frames = [np.full((16, 16, 3), 50 * k, np.uint8) for k in range(4)]
    write_inputs(tmp_path, given, frames[0], np.zeros(640, np.int16), 1, frames)
    shown = list(read_frames(tmp_path / "d" / "drive.mp4"))
    assert [frame.shape for frame in shown] == [(32, 32, 3)] * 4
    assert [round(float(frame.mean()) / 50) for frame in shown] == [0, 1, 2, 3]


def test_a_frame_lies_where_it_is_wanted_and_its_edge_is_drawn_out():
    frame = RNG.integers(0, 255, (50, 50, 3), np.uint8)
    picture = placed(frame, Input(("f.png",), ("s.wav",), 100, frame=(0.2, 0.0, 0.7, 0.5)))
    assert np.array_equal(picture[:50, 20:70], frame)
    assert np.array_equal(picture[:50, 5], frame[:, 0])
    assert np.array_equal(picture[99, 20:70], frame[-1])


def test_skip_and_box_of_an_output(tmp_path):
    path = tmp_path / "v.mp4"
    frames = np.zeros((6, 64, 96, 3), np.uint8)
    for k in range(6):
        frames[k, :, 48:] = 30 * k
    write_video(path, frames)
    shown = list(read_output(path, Output("v.mp4", (0.5, 0.0, 1.0, 1.0), skip=2), (32, 32, 3), 3))
    assert [frame.shape for frame in shown] == [(32, 32, 3)] * 3
    assert [round(float(frame.mean()) / 30) for frame in shown] == [2, 3, 4]
    assert list(read_output(path, Output("v.mp4", skip=6), (32, 32, 3), 3)) == []
