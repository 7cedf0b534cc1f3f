"""Shards as users read them without this toolkit: webdataset, Ray Data, Hugging Face datasets."""

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import webdataset

from pipeline.dataset.sample import MEMBERS
from pipeline.dataset.shards import read_samples, shard_paths
from tests.datasets import run_prep, write_talker


@pytest.fixture(scope="module")
def data(landmark_task: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips in two shards."""
    folder = tmp_path_factory.mktemp("stock")
    for shift in range(3):
        write_talker(folder / "videos" / f"clip{shift}.mp4", shift=shift)
    words = ("--clips-per-shard", 2, "--image-size", 64, "--workers", 0)
    assert run_prep(folder / "videos", "--out", folder / "data", *words).returncode == 0
    return folder / "data"


@pytest.fixture(scope="module")
def members(data: Path) -> dict[str, dict[str, bytes]]:
    """The members of each sample, by key, as the standard library's tarfile reads them."""
    found: dict[str, dict[str, bytes]] = {}
    for path in shard_paths(data):
        with tarfile.open(path) as tar:
            for info in tar:
                key, _, name = info.name.partition(".")
                found.setdefault(key, {})[name] = tar.extractfile(info).read()
    assert sorted(found) == ["clip0", "clip1", "clip2"]
    return found


def test_webdataset_reads_the_bytes(data: Path, members: dict[str, Any]):
    read = webdataset.WebDataset(shard_paths(data), shardshuffle=False)
    assert {s["__key__"]: {name: s[name] for name in MEMBERS} for s in read} == members


def test_webdataset_decodes_what_it_knows(data: Path):
    read = webdataset.WebDataset(shard_paths(data), shardshuffle=False).decode()
    for sample, own in zip(read, read_samples(data), strict=True):
        assert sample["json"] == own.meta
        assert (sample["speech.npy"] == own.speech).all()
        assert (sample["mouth.npy"] == own.mouth).all()


@pytest.mark.slow
def test_ray_data_reads_the_same(data: Path, members: dict[str, Any]):
    import ray.data

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        rows = ray.data.read_webdataset(shard_paths(data), decoder=None).take_all()
    finally:
        ray.shutdown()
    assert {row["__key__"]: {name: row[name] for name in MEMBERS} for row in rows} == members


def test_hugging_face_datasets_streams_the_same(
    data: Path, members: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    from datasets import Features, Value, load_dataset

    # Bytes as they are: by itself it would take `wav` for sound to be decoded, with torchcodec.
    names = ("__key__", "__url__", *MEMBERS)
    kinds = {name: Value("string" if name.startswith("__") else "binary") for name in names}
    rows = load_dataset(
        "webdataset",
        data_files={"train": shard_paths(data)},
        split="train",
        streaming=True,
        features=Features(kinds),
    )
    found = {row["__key__"]: row for row in rows}
    assert sorted(found) == sorted(members)
    for key, row in found.items():
        assert row["frames"] == members[key]["frames"]
        assert row["wav"] == members[key]["wav"]
