"""One clip through the stages: what is kept of it, and why it is not."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import problems
from pipeline.faces.geometry import resample
from pipeline.faces.mouth_box import mouth_boxes
from pipeline.media import Audio, fit_audio, read_audio, read_frames, write_video
from pipeline.run.clip import Clip, Stage
from pipeline.run.prepare_clip import prepare_clip
from pipeline.run.stages import default_stages
from pipeline.sources.manifest import ManifestRow
from pipeline.speech.mfcc import mfcc_windows
from tests.pipeline.filmed import EMPTY, One, noise_beside, prepared, write_filmed

# --- what becomes of a good clip ------------------------------------------------------------------


def test_a_real_clip_meets_the_contract_and_its_json_is_true(
    stages: list[Stage], shared_data: Path
):
    path = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    outcome = prepared(path, stages)
    sample, row = outcome.sample, outcome.row
    assert row["status"] == "ok"
    assert row["stage"] == row["reason"] == row["traceback"] == ""
    assert sample is not None
    assert problems(sample) == []

    frames, meta = list(read_frames(path)), sample.meta
    assert meta["frames"] == row["frames"] == len(frames) == 52
    assert meta["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert meta["source_size"] == [320, 320]
    assert meta["kept_seconds"] == [0, 52 / 25]
    assert (meta["clip_id"], meta["source"], meta["speaker"], meta["split"]) == (
        "key",
        "s/clip.mp4",
        "s",
        "val",
    )
    assert meta["options"] == PrepOptions().of_a_sample()
    # The transforms make the pictures out of the source, as faithfully as the JSON says.
    matrices = np.array(meta["transforms"]).reshape(-1, 2, 3)
    anew = np.stack([resample(f, m, 128) for f, m in zip(frames, matrices, strict=True)])
    error = np.mean((anew.astype(float) - sample.frames.stack()) ** 2)
    assert 10 * np.log10(255**2 / error) == pytest.approx(meta["frame_psnr"], abs=0.3)
    assert meta["frame_psnr"] >= 42
    # Sound and features are those of the source from its first frame on.
    sound = fit_audio(read_audio(path).samples, 52)
    assert np.array_equal(sample.audio, sound)
    assert np.array_equal(sample.speech, mfcc_windows(sound, 52))
    assert np.array_equal(sample.mouth, mouth_boxes(sample.landmarks, 128))
    assert row["faces"] == 1
    power = ((sound.reshape(52, 640) / 32768.0) ** 2).mean(1)
    assert row["loudness"] == pytest.approx(np.mean(10 * np.log10(power)), abs=0.1)
    assert row["eye_distance"] == pytest.approx(0.342 * 320, rel=0.1)


def test_a_part_of_a_clip_is_that_part(stages: list[Stage], shared_data: Path):
    path = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    sample = prepared(path, stages, start=1.2, end=1.8).sample
    assert sample is not None
    assert problems(sample) == []
    assert sample.meta["frames"] == 15
    assert sample.meta["kept_seconds"] == [1.2, 1.8]
    matrices = np.array(sample.meta["transforms"]).reshape(-1, 2, 3)
    frames = list(read_frames(path))[30:45]
    anew = np.stack([resample(f, m, 128) for f, m in zip(frames, matrices, strict=True)])
    error = np.mean((anew.astype(float) - sample.frames.stack()) ** 2, axis=(1, 2, 3))
    assert (10 * np.log10(255**2 / error) > 40).all()  # each frame, in its order
    assert np.array_equal(sample.audio, read_audio(path).samples[30 * 640 : 45 * 640])


def test_only_the_frames_with_a_face_are_kept_with_their_own_sound(
    stages: list[Stage], face: np.ndarray, tmp_path: Path
):
    frames = [EMPTY] * 10 + [face] * 20 + [EMPTY] * 8
    path = write_filmed(tmp_path / "a.mp4", frames)
    outcome = prepared(path, stages)
    sample = outcome.sample
    assert sample is not None
    assert problems(sample) == []
    assert sample.meta["frames"] == 20
    assert sample.meta["kept_seconds"] == [0.4, 1.2]
    sound = read_audio(path).samples
    assert np.array_equal(sample.audio, sound[10 * 640 : 30 * 640])
    # Features of the first kept frame hear what was said before it.
    assert np.array_equal(sample.speech, mfcc_windows(sound, 38)[10:30])
    assert all(abs(frame.mean() - 90) > 5 for frame in sample.frames)  # none of the empty ones
    later = prepared(path, stages, start=0.2).sample
    assert later is not None
    assert later.meta["kept_seconds"] == [0.4, 1.2]


def test_short_gaps_are_bridged_and_counted(stages: list[Stage], face: np.ndarray, tmp_path: Path):
    path = write_filmed(tmp_path / "a.mp4", [face] * 12 + [EMPTY] * 2 + [face] * 12)
    bridged = prepared(path, stages, bridge_frames=2).sample
    assert bridged is not None
    assert (bridged.meta["frames"], bridged.meta["interpolated_frames"]) == (26, 2)
    cut = prepared(path, stages, bridge_frames=1).sample
    assert cut is not None
    assert (cut.meta["frames"], cut.meta["interpolated_frames"]) == (12, 0)


def test_sound_shorter_than_the_picture_is_followed_by_silence(
    stages: list[Stage], face: np.ndarray, tmp_path: Path
):
    write_video(tmp_path / "a.mkv", [face] * 20, audio=noise_beside(12))
    sample = prepared(tmp_path / "a.mkv", stages).sample
    assert sample is not None
    assert problems(sample) == []
    assert sample.audio[: 11 * 640].any()
    assert not sample.audio[14 * 640 :].any()


def test_what_was_done_to_the_file_stands_in_row_and_json(
    stages: list[Stage], face: np.ndarray, tmp_path: Path
):
    left = noise_beside(20).samples // 2
    stereo = Audio(np.stack([left, -left], axis=1))  # its mix is silence
    write_video(tmp_path / "a.mkv", [face] * 20, audio=stereo)
    clip = prepared(tmp_path / "a.mkv", stages)
    assert clip.row["notes"] == "loudest-channel"
    assert clip.sample is not None
    assert clip.sample.meta["notes"] == ["loudest-channel"]
    assert problems(clip.sample) == []
    plain = prepared(write_filmed(tmp_path / "b.mp4", [face] * 12), stages)
    assert plain.row["notes"] == ""
    assert "notes" not in plain.sample.meta


def test_the_picture_size_is_an_option(face: np.ndarray, tmp_path: Path, landmark_task: Path):
    path = write_filmed(tmp_path / "a.mp4", [face] * 12)
    options = PrepOptions(image_size=64, smoothing="clip")
    stages = default_stages(options, {"face_landmarker.task": landmark_task})
    sample = One(prepare_clip(ManifestRow("key", str(path), "a.mp4"), options, stages)).sample
    assert sample is not None
    assert problems(sample) == []
    assert sample.frames[0].shape == (64, 64, 3)
    assert len({tuple(m) for m in sample.meta["transforms"]}) == 1


# --- what becomes of the others -------------------------------------------------------------------


def _files(folder: Path, face: np.ndarray) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    noise = list(rng.integers(0, 256, (12, 240, 260, 3)).astype(np.uint8))
    text, cut = folder / "text.mp4", folder / "cut.mp4"
    text.write_text("no video\n" * 100)
    data = write_filmed(folder / "whole.mp4", [face] * 12).read_bytes()
    cut.write_bytes(data[:400])
    return {
        "text": text,
        "cut": cut,
        "absent": folder / "absent.mp4",
        "silent": write_filmed(folder / "silent.mp4", [face] * 12, silent=True),
        "noise": write_filmed(folder / "noise.mp4", noise),
        "short": write_filmed(folder / "short.mp4", [EMPTY] * 3 + [face] * 9),
        "beyond": folder / "whole.mp4",
    }


@pytest.mark.parametrize(
    "case",
    [
        ("text", "failed", "decode", "cannot read"),
        ("cut", "failed", "decode", "no video stream"),
        ("absent", "failed", "decode", "no such file"),
        ("silent", "skipped", "decode", "no sound stream"),
        ("noise", "skipped", "landmarks", "no face found"),
        ("short", "skipped", "landmarks", "clip_seconds 0.36 fails clip_seconds >= 0.4"),
        ("beyond", "skipped", "landmarks", "no frame between start and end"),
    ],
)
def test_a_clip_that_cannot_be_used_is_a_row_with_its_reason(
    stages: list[Stage],
    face: np.ndarray,
    tmp_path: Path,
    case: tuple[str, str, str, str],
):
    name, status, stage, reason = case
    path = _files(tmp_path, face)[name]
    outcome = prepared(path, stages, start=0.8 if name == "beyond" else 0.0)
    assert outcome.sample is None
    row = outcome.row
    assert (row["clip_id"], row["source"], row["speaker"]) == ("key", "s/clip.mp4", "s")
    assert (row["status"], row["stage"]) == (status, stage)
    assert reason in row["reason"]
    assert row["traceback"] == ""


def test_a_fault_of_ours_is_a_row_with_its_traceback():
    def breaks(clip: Clip) -> Clip:
        raise ZeroDivisionError(os.fsdecode(b"in \xff.mp4"))

    outcome = prepared("a.mp4", [lambda clip: clip, breaks])
    assert outcome.sample is None
    assert (outcome.row["status"], outcome.row["stage"]) == ("failed", "breaks")
    assert outcome.row["reason"] == "ZeroDivisionError: in \N{REPLACEMENT CHARACTER}.mp4"
    assert "test_prepare_clip.py" in outcome.row["traceback"]
    outcome.row["traceback"].encode()  # a row must fit into a table of UTF-8


def test_what_follows_a_failure_is_as_if_it_had_not_been(
    stages: list[Stage], face: np.ndarray, tmp_path: Path
):
    files = _files(tmp_path, face)
    before = prepared(files["beyond"], stages).sample
    for name in ("text", "noise", "silent"):
        prepared(files[name], stages)
    after = prepared(files["beyond"], stages).sample
    assert before is not None
    assert after is not None
    assert bytes(before.frames.data) == bytes(after.frames.data)
    assert before.meta == after.meta
