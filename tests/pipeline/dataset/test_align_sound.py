"""A known lag is found in a set and taken out; where the curve is not sure, nothing moves."""

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset import align_sound as module
from pipeline.dataset.check import check_dataset
from pipeline.dataset.columns import COLUMNS
from pipeline.dataset.filter import filter_dataset
from pipeline.dataset.finalize import write_shard
from pipeline.dataset.limits import Limits
from pipeline.dataset.plan import claim, plan_shards
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import read_rows
from pipeline.dataset.sample import (
    SCHEMA_VERSION,
    Meta,
    PackedFrames,
    Sample,
    pack_frames,
    to_members,
)
from pipeline.dataset.shards import read_dataset, read_samples
from pipeline.media import Audio, probe, read_audio, read_frames, write_video
from pipeline.run.prepare import conclude, pending, prepare
from pipeline.run.summary import describe_dataset
from pipeline.sources.manifest import ManifestRow
from pipeline.speech.mfcc import MFCC_DIM, mfcc_windows
from pipeline.storage import Folder
from tests.datasets import content

FRAMES, SIZE = 60, 8
# Collection, speaker and by how many frames their sound is late; None is the sound of another clip.
GROUPS = {("A", "a"): 2, ("A", "b"): 2, ("B", "c"): -3, ("C", "d"): 0, ("D", "e"): None}
CLIPS = 6  # of each speaker


def make_sample(row: ManifestRow, options: PrepOptions, lag: int | None, seed: int) -> Sample:
    """Lips that open with the loudness of noise, which is `lag` frames late."""
    rng = np.random.default_rng(seed)
    speech = np.convolve(rng.normal(size=FRAMES + 40), np.ones(4), "same")
    loud = np.roll(speech, lag or 0)[20 : 20 + FRAMES]
    lips = (
        speech if lag is not None else np.convolve(rng.normal(size=len(speech)), np.ones(4), "same")
    )
    noise = rng.normal(size=(FRAMES, 640)) * 1000 * 10 ** (loud[:, None] / 4)
    audio = noise.clip(-30000, 30000).astype(np.int16).reshape(-1)
    landmarks = np.zeros((FRAMES, 68, 2), np.float32)
    landmarks[:, 45, 0] = 4
    landmarks[:, 66, 1] = 1 + lips[20 : 20 + FRAMES] / 10
    meta = Meta(
        schema_version=SCHEMA_VERSION, clip_id=row.clip_id, source=row.source, source_sha256="",
        speaker=row.speaker, split=row.split, frames=FRAMES, image_size=SIZE, speech_dim=MFCC_DIM,
        source_fps=25.0, source_size=[SIZE, SIZE], source_audio_rate=16000, kept_seconds=[1.0, 3.4],
        landmark_backend="mediapipe", interpolated_frames=0,
        transforms=[[t, 0, 0, 0, 0, 0] for t in range(FRAMES)], frame_psnr=99.0, jpeg_quality=95,
        options=options.of_a_sample(),
    )  # fmt: skip
    pictures = (np.full((SIZE, SIZE, 3), 4 * t, np.uint8) for t in range(FRAMES))
    mouth = np.tile(np.array([0, 0, 1, 1], np.int16), (FRAMES, 1))
    mouth[:, 2] += np.arange(FRAMES, dtype=np.int16) % 4
    frames = PackedFrames(*pack_frames(pictures, 95))
    return Sample(row.clip_id, frames, audio, mfcc_windows(audio, FRAMES), landmarks, mouth, meta)


def write_shards(out: Path, by: str, limits: Limits | None = None) -> tuple:
    """Shards as a run leaves them before the sound is aligned; what `conclude` takes."""
    rows = [
        ManifestRow(f"{s}{k}", f"/{s}{k}.mp4", f"{s}{k}.mp4", s, collection=c)
        for (c, s), k in product(GROUPS, range(CLIPS))
    ]
    options = PrepOptions(
        image_size=SIZE, clips_per_shard=8, align_sound=by, limits=limits or Limits()
    )
    shards = plan_shards(rows, options.clips_per_shard)
    claim(out, shards, options, source="made up")
    for shard in shards:
        inputs = len(shard.rows)
        with write_shard(Folder.at(out), shard.name, "train", inputs, "mfcc") as (add, table):
            for row in shard.rows:
                lag = GROUPS[row.collection, row.speaker]
                sample = make_sample(row, options, lag, rows.index(row))
                add(sample.key, to_members(sample), sample.speech)
                known = {"clip_id": row.clip_id, "manifest_id": row.clip_id, "status": "ok"}
                known |= {"speaker": row.speaker, "split": "train", "collection": row.collection}
                known |= {"frames": FRAMES, "clip_seconds": FRAMES / 25, "reason": ""}
                table.append(dict.fromkeys(COLUMNS[:11], "") | known)
    return Folder.at(out), shards, options


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """The shards before."""
    out = tmp_path_factory.mktemp("align") / "set"
    write_shards(out, "set")
    return out


@pytest.fixture(scope="module")
def aligned(before: Path, tmp_path_factory) -> tuple:
    """The data set when its sound is aligned by collection, and what `conclude` took."""
    out = tmp_path_factory.mktemp("aligned") / "set"
    planned = write_shards(out, "set")
    conclude(*planned)
    return out, planned


def test_the_lag_of_each_collection_is_found_and_written_down(aligned: tuple, capsys):
    out, _ = aligned
    groups = {group["collection"]: group for group in read_dataset(out)["sound"]}
    assert {name: groups[name]["lag"] for name in "ABC"} == {"A": 2, "B": -3, "C": 0}
    assert {name: group["sure"] for name, group in groups.items()} == {
        "A": True, "B": True, "C": True, "D": False,
    }  # fmt: skip
    assert groups["A"]["clips"] == 2 * CLIPS
    lags = read_rows(out).groupby("collection")["sound_lag"].agg(set)
    assert lags.to_dict() == {"A": {2}, "B": {-3}, "C": {0}, "D": {0}}
    card = (out / "README.md").read_text()
    assert "| B | 6 | -3 |" in card
    assert "12 samples by 2" in card
    describe_dataset(out, read_dataset(out), read_rows(out))
    printed = capsys.readouterr().out
    assert "B: late by -3 frames" in printed
    assert "D: not sure" in printed


def test_a_sample_that_was_moved_holds_what_belongs_together(before: Path, aligned: tuple):
    out, _ = aligned
    assert check_dataset(out).problems == []
    old = {sample.key: sample for sample in _samples(before)}
    for sample in read_samples(out):
        former, lag = old[sample.key], GROUPS[_group(sample.key)] or 0
        length, first = FRAMES - abs(lag), max(0, -lag)
        pictures, sounds = slice(first, first + length), slice(first + lag, first + lag + length)
        assert (sample.frames.stack() == former.frames.stack()[pictures]).all()
        assert (sample.landmarks == former.landmarks[pictures]).all()
        assert (sample.mouth == former.mouth[pictures]).all()
        assert (sample.speech == former.speech[sounds]).all()
        assert (sample.audio.reshape(-1, 640) == former.audio.reshape(-1, 640)[sounds]).all()
        assert sample.meta["transforms"] == former.meta["transforms"][pictures]
        assert sample.meta["kept_seconds"] == [1 + first / 25, 1 + (first + length) / 25]
        assert sample.meta.get("sound_lag", 0) == lag
    rows = read_rows(out)
    assert (rows[rows["collection"] == "A"]["av_lag"] == 0).mean() > 0.9


@pytest.mark.slow
def test_interrupted_anywhere_it_carries_on_to_the_same_bytes(
    aligned: tuple, tmp_path: Path, monkeypatch
):
    out, _ = aligned
    planned = write_shards(tmp_path / "set", "set")
    copy, begun = module.copy_shard, []

    def interrupted(*args):
        begun.append(args)
        if len(begun) == 3:
            raise KeyboardInterrupt
        copy(*args)

    monkeypatch.setattr(module, "copy_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        conclude(*planned)
    conclude(*planned)
    assert len(begun) == 3 + 2  # of four shards
    assert content(tmp_path / "set") == content(out)
    conclude(*planned)  # nothing is left to do
    assert len(begun) == 5
    assert pending(tmp_path / "set", planned[1], retry_failed=False) == []


@pytest.mark.slow
def test_speakers_have_lags_of_their_own_and_else_that_of_their_collection(tmp_path: Path):
    conclude(*write_shards(tmp_path / "set", "speaker"))
    found = {g["speaker"]: g["lag"] for g in read_dataset(tmp_path / "set")["sound"] if g["sure"]}
    assert {name: found[name] for name in "abcd"} == {"a": 2, "b": 2, "c": -3, "d": 0}
    assert "e" not in found


@pytest.mark.slow
def test_the_decision_and_its_limits_live_on(aligned: tuple, tmp_path: Path):
    out, planned = aligned
    # A filtered data set says what was done to it.
    filter_dataset(out, tmp_path / "late", Limits(keep="sound_lag != 0"))
    assert read_dataset(tmp_path / "late")["sound"] == read_dataset(out)["sound"]
    assert check_dataset(tmp_path / "late").problems == []
    # A licence that is added keeps the plan's decision.
    shutil.copytree(out, tmp_path / "set")
    claim(tmp_path / "set", *planned[1:], licence="CC0")
    conclude(Folder.at(tmp_path / "set"), *planned[1:])
    assert read_dataset(tmp_path / "set")["sound"] == read_dataset(out)["sound"]
    # What is too short once it was moved is dropped, with its reason.
    conclude(*write_shards(tmp_path / "strict", "set", Limits(min_seconds=FRAMES / 25)))
    rows = read_rows(tmp_path / "strict").set_index("collection")
    assert (rows.loc["A", "status"] == "skipped").all()
    assert rows.loc["A", "reason"].str.contains("clip_seconds 2.32 fails").all()
    assert (rows.loc["C", "status"] == "ok").all()


@pytest.mark.slow
def test_real_sentences_whose_sound_is_three_frames_late(
    shared_data: Path, landmark_task: Path, tmp_path: Path
):
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in sorted((shared_data / "grid_s1").glob("*.mpg"))[::19]:
        samples = read_audio(str(path), origin=probe(str(path)).start).samples
        late = Audio(np.pad(samples, (3 * 640, 0))[: len(samples)])
        write_video(videos / f"{path.stem}.mp4", read_frames(str(path)), audio=late)
    options = PrepOptions(image_size=64, clips_per_shard=5, align_sound="set")
    out = tmp_path / "set"
    rows = prepare(videos, out, options, workers=0)
    (group,) = read_dataset(out)["sound"]
    assert (group["lag"], group["sure"]) == (3, True)
    assert set(rows["sound_lag"]) == {3}
    assert check_dataset(out).problems == []
    # Killed while a shard was exchanged: it is prepared again, and its sound moved as decided.
    whole = content(out)
    for name in ("shard-00001.json", "dataset.json"):
        (out / name).unlink()
    prepare(videos, out, options, workers=0)
    assert content(out) == whole


def _group(key: str) -> tuple[str, str]:
    return next(group for group in GROUPS if group[1] == key[0])


def _samples(folder: Path):
    for tar in sorted(folder.glob("*.tar")):
        for key, members in module.read_shard(str(tar)):
            yield module.from_members(key, members)
