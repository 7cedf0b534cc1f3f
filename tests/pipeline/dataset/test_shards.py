"""Shards: the same bytes for the same samples, read by stock tar and webdataset."""

import hashlib
import tarfile
from pathlib import Path

import pytest
import webdataset

from pipeline.dataset.shards import open_shard, read_dataset, read_shard, shard_name, shard_paths
from pipeline.errors import UserError
from pipeline.files import write_json

_SAMPLES = [
    ("clip-b", {"frames": bytes(range(256)) * 9, "offsets.npy": b"12", "json": b'{"a": 1}'}),
    ("clip-a", {"frames": b"", "offsets.npy": b"3", "json": b'{"a": 2}'}),
    ("x" * 80, {"frames": b"z", "landmarks.npy": b"4", "json": b'{"a": 3}'}),
]


def _write(path: Path) -> Path:
    with open_shard(path) as add:
        for key, members in _SAMPLES:
            add(key, members)
    return path


def test_the_same_samples_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = _write(tmp_path / "a.tar").read_bytes()
    # Another time, user and umask leave no trace.
    monkeypatch.setattr("time.time", lambda: 1.9e9)
    second = _write(tmp_path / "b.tar").read_bytes()
    assert first == second
    # A fixed value guards against a change of Python's defaults: it changes users' checksums.
    digest = "d8941e121ba1a3efa0728cf773cf771f07e6504150ffeb11b3b377accde2c28b"
    assert hashlib.sha256(first).hexdigest() == digest


def test_headers_hold_nothing_of_the_machine(tmp_path: Path):
    with tarfile.open(_write(tmp_path / "a.tar")) as tar:
        entries = tar.getmembers()
    assert [e.name for e in entries] == [f"{k}.{m}" for k, ms in _SAMPLES for m in ms]
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in entries} == {
        (0, 0, 0, "", "", 0o644)
    }
    # Names fit the plain header: no extension record that some reader does not know.
    assert {e.type for e in entries} == {tarfile.REGTYPE}
    assert not any(e.pax_headers for e in entries)


def test_read_tar_gives_back_what_was_written(tmp_path: Path):
    assert list(read_shard(_write(tmp_path / "a.tar"))) == _SAMPLES


def test_an_empty_shard_is_a_tar_without_samples(tmp_path: Path):
    with open_shard(tmp_path / "a.tar"):
        pass
    assert list(read_shard(tmp_path / "a.tar")) == []
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getmembers() == []


def test_stock_webdataset_reads_the_same(tmp_path: Path):
    path = _write(tmp_path / "shard-00000.tar")
    read = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in read] == [key for key, _ in _SAMPLES]
    for sample, (_, members) in zip(read, _SAMPLES, strict=True):
        assert {k: v for k, v in sample.items() if not k.startswith("__")} == members


def test_a_data_set_that_is_none_says_so(tmp_path: Path):
    with pytest.raises(UserError, match="no such folder"):
        read_dataset(tmp_path / "absent")
    with pytest.raises(UserError, match=r"not a finished data set.*dh-prep run"):
        read_dataset(tmp_path)


def test_shards_of_a_split(tmp_path: Path):
    shards = [
        {"name": f"{shard_name(i)}.tar", "split": split, "samples": samples}
        for i, (split, samples) in enumerate([("test", 2), ("train", 3), ("train", 0), ("val", 0)])
    ]
    write_json(tmp_path / "dataset.json", {"shards": shards})
    names = ["shard-00000.tar", "shard-00001.tar"]
    assert shard_paths(tmp_path) == [str(tmp_path / name) for name in names]  # empty ones left out
    assert shard_paths(tmp_path, "train") == [str(tmp_path / names[1])]
    with pytest.raises(UserError, match=r"no clip of split 'dev', only of test, train; name one"):
        shard_paths(tmp_path, "dev")
    write_json(tmp_path / "dataset.json", {"shards": shards[2:]})
    with pytest.raises(UserError, match="holds no clip: all of them were skipped or failed"):
        shard_paths(tmp_path)
