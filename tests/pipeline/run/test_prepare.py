"""Whole runs: the same bytes on any number of workers, interrupted or not, and nothing lost."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from skimage import data

from pipeline.dataset.columns import COLUMNS
from pipeline.dataset.finalize import finish
from pipeline.dataset.plan import Shard, claim, plan_shards
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import read_rows
from pipeline.dataset.sample import from_members, problems
from pipeline.dataset.shards import read_dataset, read_samples
from pipeline.errors import UserError
from pipeline.files import read_json, sha256_file
from pipeline.media import Audio, write_video
from pipeline.run.prepare import pending, run_tasks
from pipeline.run.shard_writer import ShardTask
from pipeline.run.work_options import WorkOptions
from pipeline.sources.manifest import scan
from tests.datasets import workers_of

_OPTIONS = PrepOptions(clips_per_shard=2, image_size=64)
_GOOD = {"ann/a b", "ann/c", "bea/d", "bea/e"}  # stems of the clips that become samples


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four good clips, cut from a public-domain photograph, and four that are not."""
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    photograph = data.astronaut()[..., :3]
    for index, name in enumerate(("ann/a b.mp4", "ann/c.mkv", "bea/d.mp4", "bea/e.mov")):
        (folder / name).parent.mkdir(exist_ok=True)
        frames = [
            np.ascontiguousarray(photograph[: 240 - 2 * index, 80 + t : 340 + t])
            for t in range(12 + 2 * index)
        ]
        sound = Audio(rng.normal(0, 2000, len(frames) * 640).astype(np.int16))
        write_video(folder / name, frames, audio=sound)
    (folder / "ann/text.mp4").write_text("no video\n" * 100)
    (folder / "bea/cut.mkv").write_bytes((folder / "ann/c.mkv").read_bytes()[:200])
    write_video(folder / "silent.mp4", frames)
    noise = list(rng.integers(0, 256, (12, 120, 160, 3)).astype(np.uint8))
    write_video(folder / "zz.mp4", noise, audio=Audio(np.zeros(7680, np.int16)))
    return folder


def _run(
    videos: Path, out: Path, *, workers: int = 0, retry_failed: bool = False
) -> list[dict[str, Any]]:
    shards = _begin(videos, out)
    rows = list(_work(out, shards, workers=workers, retry_failed=retry_failed))
    finish(out, [shard.name for shard in shards], _OPTIONS.as_json())
    return rows


def _begin(videos: Path, out: Path) -> list[Shard]:
    shards = plan_shards(scan(videos, "folder"), _OPTIONS.clips_per_shard)
    claim(out, shards, _OPTIONS)
    return shards


def _work(
    out: Path, shards: list[Shard], *, workers: int = 0, retry_failed: bool = False
) -> Iterator[dict[str, Any]]:
    tasks = pending(out, shards, retry_failed=retry_failed)
    for rows in run_tasks(out, tasks, _OPTIONS, WorkOptions(workers)):
        yield from rows


def _tars(out: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(out.glob("*.tar"))}


def _state(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path): (path.stat().st_mtime_ns, sha256_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def finished(landmark_task: Path, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished data set of the videos, made in this process."""
    out = tmp_path_factory.mktemp("finished") / "set"
    before = _state(videos)
    _run(videos, out)
    assert _state(videos) == before  # nothing of the user's is touched
    return out


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The finished data set, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "set"))


# --- what is written ------------------------------------------------------------------------------


def test_every_clip_is_a_sample_or_a_row_with_its_reason(finished: Path):
    rows = read_rows(finished)
    assert list(rows.columns) == COLUMNS
    assert len(rows) == 8
    told = {
        row.source: (row.status, row.stage, row.reason)
        for row in rows.itertuples()
        if row.status != "ok"
    }
    assert {Path(s).with_suffix("").as_posix() for s in rows[rows.status == "ok"].source} == _GOOD
    assert told["ann/text.mp4"][:2] == ("failed", "decode")
    assert told["bea/cut.mkv"][:2] == ("failed", "decode")
    assert told["silent.mp4"] == ("skipped", "decode", "no sound stream")
    assert told["zz.mp4"] == ("skipped", "landmarks", "no face found in any frame")
    assert all(reason for _, _, reason in told.values())


def test_the_samples_meet_the_contract_and_stock_webdataset_reads_them(finished: Path):
    samples = {sample.key: sample for sample in read_samples(finished)}
    assert len(samples) == 4
    urls = [str(path) for path in sorted(finished.glob("*.tar"))]
    read = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False))
    assert [sample["__key__"] for sample in read] == list(samples)
    for raw in read:
        members = {name: value for name, value in raw.items() if not name.startswith("__")}
        sample = from_members(raw["__key__"], members)
        assert problems(sample) == []
        assert sample.meta == samples[sample.key].meta


def test_the_data_sets_json_counts_what_is_there(finished: Path):
    dataset, samples = read_dataset(finished), list(read_samples(finished))
    frames = sum(sample.meta["frames"] for sample in samples)
    assert dataset["counts"] == {
        "inputs": 8,
        "clips": 8,
        "samples": 4,
        "frames": frames,
        "failed": 2,
        "skipped": 2,
        "hours": round(frames / 90_000, 4),
    }
    assert dataset["options"] == _OPTIONS.as_json()
    assert {s["name"]: s["sha256"] for s in dataset["shards"]} == _tars(finished)
    for shard in dataset["shards"]:
        assert shard["bytes"] == (finished / shard["name"]).stat().st_size
    values = np.concatenate([sample.speech.reshape(-1, 13) for sample in samples])
    np.testing.assert_allclose(dataset["speech"]["mean"], values.mean(0), atol=1e-4)
    np.testing.assert_allclose(dataset["speech"]["std"], values.std(0), atol=1e-4)
    assert not list(finished.glob(".*"))


# --- the same bytes -------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_clips_in_another_place_are_the_same_bytes(
    finished: Path, videos: Path, tmp_path: Path
):
    elsewhere = Path(shutil.copytree(videos, tmp_path / "elsewhere"))
    _run(elsewhere, tmp_path / "out")
    assert _tars(tmp_path / "out") == _tars(finished)
    assert (tmp_path / "out/dataset.json").read_bytes() == (finished / "dataset.json").read_bytes()


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_even_when_one_dies(
    finished: Path, videos: Path, tmp_path: Path
):
    out = tmp_path / "out"
    shards = _begin(videos, out)
    rows = []
    killed = False
    for row in _work(out, shards, workers=2):
        rows.append(row)
        if not killed:  # one that has given a row is at work on the rest of its shard or the next
            os.kill(workers_of(os.getpid())[0], signal.SIGKILL)
            killed = True
    finish(out, [shard.name for shard in shards], _OPTIONS.as_json())
    assert _tars(out) == _tars(finished)
    assert sorted({row["source"] for row in rows}) == sorted(read_rows(finished).source)
    assert read_rows(out).status.tolist() == read_rows(finished).status.tolist()
    assert not list(out.glob(".*"))  # nor does the dead one's half of a tar stay


# --- carrying on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".tar", ".parquet"])
def test_a_shard_that_lost_a_file_is_made_again_and_no_other(
    copy: Path, finished: Path, videos: Path, suffix: str
):
    shards = _begin(videos, copy)
    assert pending(copy, shards, retry_failed=False) == []
    untouched = {
        path: path.stat().st_mtime_ns for path in copy.glob("shard-*") if "00000" not in path.name
    }
    (copy / f"shard-00000{suffix}").unlink()
    assert pending(copy, shards, retry_failed=False) == [ShardTask(shards[0])]
    rows = _run(videos, copy)
    assert sorted(row["clip_id"] for row in rows) == [row.clip_id for row in shards[0].rows]
    assert _tars(copy) == _tars(finished)
    assert (copy / "dataset.json").read_bytes() == (finished / "dataset.json").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched


@pytest.mark.slow
def test_an_interrupted_shard_leaves_nothing_and_is_made_whole_later(
    finished: Path, videos: Path, tmp_path: Path
):
    out = tmp_path / "out"
    shards = _begin(videos, out)
    work = _work(out, shards)
    for _ in range(3):  # one shard done, the next begun
        next(work)
    work.close()
    assert sorted(path.name for path in out.iterdir()) == [
        "plan.json",
        "shard-00000.json",
        "shard-00000.parquet",
        "shard-00000.tar",
    ]
    assert pending(out, shards, retry_failed=False) == [ShardTask(shard) for shard in shards[1:]]
    with pytest.raises(UserError, match="not a finished data set"):
        read_dataset(out)
    _run(videos, out)
    assert _tars(out) == _tars(finished)


def test_failed_clips_are_tried_again_when_asked(finished: Path, videos: Path, tmp_path: Path):
    mended = Path(shutil.copytree(videos, tmp_path / "videos"))
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    shards = _begin(mended, out)
    failed = [s for s in shards if read_json(out / f"{s.name}.json")["failed"]]
    assert pending(out, shards, retry_failed=True) == [
        ShardTask(shard, keep=True) for shard in failed
    ]
    shutil.copy(mended / "ann/c.mkv", mended / "bea/cut.mkv")
    _run(mended, out, retry_failed=True)
    dataset = read_dataset(out)
    assert (dataset["counts"]["samples"], dataset["counts"]["failed"]) == (5, 1)
    assert {s["name"]: s["sha256"] for s in dataset["shards"]} == _tars(out)
    # Skipped clips were dropped by a rule and are not tried again.
    assert dataset["counts"]["skipped"] == 2


def test_a_retry_that_breaks_off_leaves_the_shard_as_it_was(
    copy: Path, finished: Path, videos: Path
):
    shards = _begin(videos, copy)
    work = _work(copy, shards, retry_failed=True)
    next(work)
    work.close()
    assert pending(copy, shards, retry_failed=False) == []
    assert _state(copy).keys() == {
        path.replace(str(finished), str(copy)) for path in _state(finished)
    }
    assert _tars(copy) == _tars(finished)


@pytest.mark.slow
def test_what_did_not_fail_is_not_opened_again_by_a_retry(
    finished: Path, videos: Path, tmp_path: Path
):
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    mended = Path(shutil.copytree(videos, tmp_path / "videos"))
    shutil.copy(mended / "ann/c.mkv", mended / "bea/cut.mkv")
    _run(mended, tmp_path / "anew")
    for name in ("ann/c.mkv", "bea/d.mp4", "ann/a b.mp4", "silent.mp4"):
        (mended / name).write_bytes(b"no video any more")  # who opens it fails
    before = read_rows(out).set_index("clip_id")
    _run(mended, out, retry_failed=True)
    assert _tars(out) == _tars(tmp_path / "anew")
    rows = read_rows(out).set_index("clip_id")
    kept = before[before.status != "failed"].index
    assert rows.loc[kept].equals(before.loc[kept])  # seconds and all


def test_a_retry_of_a_shard_that_lost_its_mark_makes_all_of_it_anew(
    copy: Path, finished: Path, videos: Path
):
    (task, *_) = pending(copy, _begin(videos, copy), retry_failed=True)
    # As a kill between the new rows and the new tar leaves it.
    (copy / f"{task.shard.name}.json").unlink()
    (copy / f"{task.shard.name}.tar").write_bytes(b"")
    list(run_tasks(copy, [task], _OPTIONS, WorkOptions(0)))
    assert _tars(copy) == _tars(finished)
