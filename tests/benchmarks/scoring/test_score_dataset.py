"""Scoring against a data set of dh-prep: its splits, its shards, and samples that are damaged."""

import io
import json
import tarfile

import numpy as np
import pytest

from benchmarks.clips.pairs import shard_clips
from benchmarks.metrics.speech.wer import transcript
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.dataset.sample import MEMBERS, pack_frames
from pipeline.dataset.shards import read_shard
from pipeline.errors import UserError
from pipeline.media import write_video
from pipeline.media.audio import wav_bytes
from tests.benchmarks.score_inputs import moving, row, score


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_tar(path, samples):
    """A shard, by the standard library alone."""
    with tarfile.open(path, "w") as tar:
        for key, members in samples:
            for name, data in members.items():
                info = tarfile.TarInfo(f"{key}.{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def sample(key, stem, frames):
    """The members of a sample with these frames, as pipeline.sample lays them down."""
    data, offsets = pack_frames(frames, 100)
    length = len(frames)
    members = {
        "frames": data,
        "offsets.npy": npy(offsets),
        "wav": wav_bytes(np.zeros(length * 640, np.int16)),
        "speech.npy": npy(np.zeros((length, 13), np.float32)),
        "landmarks.npy": npy(np.zeros((length, 68, 2), np.float32)),
        "mouth.npy": npy(np.tile(np.array([1, 1, 9, 9], np.int16), (length, 1))),
        "json": json.dumps({"clip_id": key, "source": f"/data/{stem}.mpg"}).encode(),
    }
    assert set(members) == set(MEMBERS)
    return key, members


@pytest.fixture
def dataset(tmp_path):
    """A data set of a test and a train shard, with fakes of three of its four clips."""
    folder = tmp_path / "set"
    folder.mkdir()
    shards = {
        "test": [sample("spk_a", "a", moving(0)), sample("spk_b", "b", moving(1))],
        "train": [sample("spk_c", "c", moving(2))],
    }
    listed = []
    for index, (split, samples) in enumerate(shards.items()):
        name = f"shard-{index:05d}.tar"
        write_tar(folder / name, samples)
        listed.append({"name": name, "split": split, "samples": len(samples)})
    (folder / "dataset.json").write_text(json.dumps({"shards": listed}))
    fake = tmp_path / "generated"
    for name, seed in (("spk_a", 0), ("b", 1), ("c", 2)):
        write_video(fake / f"{name}.mp4", moving(seed), crf=20)
    return folder, fake


def test_a_data_set_is_scored_on_its_test_split(dataset):
    scores = score(*dataset)
    assert scores["split"] == "test"
    assert [row["clip_id"] for row in scores["clips"]] == ["spk_a", "spk_b"]
    assert all(row["status"] == "ok" and row["frames"] == 6 for row in scores["clips"])
    assert scores["metrics"]["psnr"]["mean"] > 25
    assert scores["unmatched"] == {"real": [], "fake": ["c"]}
    train = score(*dataset, ScoreOptions(split="train"))
    assert [row["clip_id"] for row in train["clips"]] == ["spk_c"]
    with pytest.raises(UserError, match="no clip of split 'val'"):
        score(*dataset, ScoreOptions(split="val"))


@pytest.mark.parametrize(
    ("member", "damaged", "reason"),
    [
        ("offsets.npy", None, "sample spk_a lacks offsets.npy"),
        ("offsets.npy", npy(np.zeros(7, np.int64)), "picture 0 is no JPEG"),
        ("wav", b"RIFF", "sample spk_a: wav does not parse"),
        ("speech.npy", b"", "sample spk_a: speech.npy does not parse"),
        ("mouth.npy", b"PK\3\4 is how a zip begins", "sample spk_a: mouth.npy does not parse"),
    ],
)
def test_a_damaged_sample_does_not_end_the_run(dataset, member, damaged, reason):
    path = dataset[0] / "shard-00000.tar"
    samples = dict(read_shard(path))
    del samples["spk_a"][member]
    if damaged is not None:
        samples["spk_a"][member] = damaged
    write_tar(path, samples.items())
    scores = score(*dataset)
    assert row(scores, "spk_a")["reason"].startswith(reason)
    assert row(scores, "spk_b")["status"] == "ok"


def test_a_damaged_shard_is_one_sentence(dataset):
    path = dataset[0] / "shard-00000.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"shard-00000.tar .* dh-prep check"):
        score(*dataset)
    path.unlink()
    with pytest.raises(UserError, match=r"shard-00000.tar .* dh-prep check"):
        score(*dataset)


def test_transcripts_lie_beside_the_videos_that_the_set_was_made_from(tmp_path):
    videos, folder = tmp_path / "videos", tmp_path / "set"
    for path in (videos / "ann", folder):
        path.mkdir(parents=True)
    (videos / "ann" / "a.txt").write_text("Bin blue")
    key, members = sample("ann_a", "a", moving(0))
    members["json"] = json.dumps({"clip_id": key, "source": "ann/a.mpg"}).encode()
    write_tar(folder / "shard-00000.tar", [(key, members)])
    (folder / "dataset.json").write_text(json.dumps({"source": str(videos)}))
    (clip,) = shard_clips(str(folder / "shard-00000.tar"))
    assert transcript(clip.origin) == ["bin", "blue"]
