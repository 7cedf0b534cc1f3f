"""The demo's videos hold what its truth file says, measured by our own landmarks."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline import weights
from pipeline.errors import UserError
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import SAMPLES_PER_FRAME, read_audio, read_frames
from pipeline.talkers.acting import perform
from pipeline.talkers.demo import make_demo, plan_clips
from pipeline.talkers.demo_options import DemoOptions
from pipeline.talkers.people import PEOPLE
from pipeline.talkers.voices import VOICES, read_recordings, speak

pytestmark = pytest.mark.slow

needs_files = pytest.mark.skipif(
    any(
        weights.find(name) is None for name in weights.FILES if "face_l" in name or "sphinx" in name
    ),
    reason="the landmark nets or the recordings are neither in the cache nor in DH_WEIGHTS",
)
SMALL = DemoOptions(clips=2, people=1, size=128)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Four clips as `dh-prep demo` makes them: folder, manifest rows, truth, tracked points."""
    out = tmp_path_factory.mktemp("demo")
    manifest = make_demo(out, DemoOptions(clips=4))
    with manifest.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))["clips"]
    tracker = MediaPipeTracker(weights.locate("face_landmarker.task"))
    tracks = {
        row["clip_id"]: tracker.track(read_frames(manifest.parent / row["path"])).points
        for row in rows
    }
    return out, rows, truth, tracks


def opening(points):
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    return np.linalg.norm(points[:, 62] - points[:, 66], axis=1) / eyes


def eye_aspect(points):
    def one(eye):
        height = np.linalg.norm(eye[:, 1:3] - eye[:, [5, 4]], axis=2).mean(1)
        return height / np.linalg.norm(eye[:, 0] - eye[:, 3], axis=1)

    return (one(points[:, 36:42]) + one(points[:, 42:48])) / 2


@needs_files
def test_every_clip_is_there_with_picture_sound_and_a_face_in_every_frame(demo):
    out, rows, truth, tracks = demo
    assert len(rows) == len(truth) == 4
    for row in rows:
        assert not Path(row["path"]).is_absolute()
        frames = truth[row["clip_id"]]["frames"]
        points = tracks[row["clip_id"]]
        assert len(points) == frames == len(truth[row["clip_id"]]["opening"])
        assert not np.isnan(points).any()
        samples = read_audio(out / row["path"]).samples
        assert abs(len(samples) - frames * SAMPLES_PER_FRAME) <= 1024  # one AAC packet


@needs_files
def test_tracked_mouth_opening_is_the_truth(demo):
    _, _, truth, tracks = demo
    for clip, points in tracks.items():
        expected, measured = np.array(truth[clip]["opening"]), opening(points)
        assert np.corrcoef(expected, measured)[0, 1] > 0.95, clip
        assert np.abs(expected - measured).mean() < 0.03, clip
        assert expected.max() > 0.18, clip  # open vowels are plain to see
        assert measured[expected < 0.005].mean() < 0.035, clip  # and closed lips are closed


@needs_files
def test_eyes_close_in_every_blink_and_at_no_other_time(demo):
    _, _, truth, tracks = demo
    blinks = 0
    for clip, points in tracks.items():
        aspect = eye_aspect(points)
        aspect /= np.median(aspect)
        outside = np.ones(len(aspect), bool)
        for first, last in truth[clip]["blinks"]:
            assert 4 <= last - first + 1 <= 8, clip
            assert aspect[first : last + 1].min() < 0.7, (clip, first)
            outside[first : last + 1] = False
            blinks += 1
        assert aspect[outside].min() > 0.85, clip
    assert blinks >= 4


@needs_files
def test_the_sound_belongs_to_the_picture(demo):
    out, rows, _, tracks = demo
    lags = np.arange(-8, 9)
    total = np.zeros(len(lags))
    for row in rows:
        lips = opening(tracks[row["clip_id"]])
        samples = read_audio(out / row["path"]).samples.astype(np.float64)
        count = min(len(lips), len(samples) // SAMPLES_PER_FRAME)
        blocks = samples[: count * SAMPLES_PER_FRAME].reshape(count, -1)
        energy = np.log((blocks**2).mean(1) + 100)
        a, b = ((v - v.mean()) / v.std() for v in (lips[8 : count - 8], energy))
        total += [(a * b[8 + lag : 8 + lag + len(a)]).mean() for lag in lags]
    assert abs(lags[total.argmax()]) <= 1
    assert total.max() / len(rows) > 0.3


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A tiny demo: its folder."""
    return make_demo(tmp_path_factory.mktemp("small"), SMALL).parent


@needs_files
def test_the_same_seed_gives_the_same_frames_and_another_seed_other_ones(small, tmp_path):
    again = make_demo(tmp_path / "again", SMALL).parent
    assert (small / "truth.json").read_bytes() == (again / "truth.json").read_bytes()
    clip = plan_clips(SMALL)[1]
    one, two = (np.stack(list(read_frames(folder / clip.path))) for folder in (small, again))
    assert np.array_equal(one, two)
    said = speak(read_recordings()[clip.sentence], clip.person.voice)
    first, other = (perform(said, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.allclose(first.head, other.head)


@needs_files
def test_a_second_run_makes_only_what_is_missing(small, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(small, out)
    videos = [out / clip.path for clip in plan_clips(SMALL)]
    written = [path.stat().st_mtime_ns for path in (*videos, out / "manifest.csv")]
    make_demo(out, SMALL)
    assert [path.stat().st_mtime_ns for path in (*videos, out / "manifest.csv")] == written
    videos[1].unlink()
    make_demo(out, SMALL)
    assert videos[0].stat().st_mtime_ns == written[0]
    assert len(list(read_frames(videos[1]))) > 50
    assert not list(out.rglob("*.tmp*"))
    with pytest.raises(UserError, match="other options"):
        make_demo(out, DemoOptions(clips=3, people=1, size=128))


def test_the_plan_keeps_the_test_sentence_out_of_training():
    clips = plan_clips(DemoOptions())
    train, test = ([c for c in clips if c.split == split] for split in ("train", "test"))
    assert (len(train), len(test)) == (12, 4)
    assert len({clip.clip_id for clip in clips}) == 16
    assert len({clip.person.name for clip in clips}) == len({c.person.name for c in test}) == 4
    assert {clip.sentence for clip in test} == {"0930"}
    for sentence in {clip.sentence for clip in train}:
        speakers = [clip.person for clip in train if clip.sentence == sentence]
        assert len({person.name for person in speakers}) >= 3, sentence
        assert {person.voice for person in speakers} == set(VOICES), sentence
        assert sentence != "0930"


@pytest.mark.parametrize("clips", [2, 5, 40])
def test_any_number_of_clips_has_both_splits_and_no_name_twice(clips):
    made = plan_clips(DemoOptions(clips=clips))
    assert len(made) == len({clip.path for clip in made}) == clips
    assert {clip.split for clip in made} == {"train", "test"}


@pytest.mark.parametrize(
    "wrong", [{"clips": 1}, {"people": 0}, {"people": len(PEOPLE) + 1}, {"size": 321}, {"size": 64}]
)
def test_wrong_options_are_refused_by_name(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DemoOptions(**wrong)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        make_demo(tmp_path, DemoOptions())
    with pytest.raises(UserError, match="is a file"):
        make_demo(tmp_path / "mine.txt", DemoOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
