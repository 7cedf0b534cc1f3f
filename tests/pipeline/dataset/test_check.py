"""Whatever is changed in a data set, check finds it."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.check import check_dataset
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.shards import open_shard, read_shard
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.sources.manifest import ManifestRow
from tests.datasets import prepare_rows

CLIPS = {"a": "lrs3_UZmXwOgNq7c_00002.webm", "b": "lrs3_ooAIIeo4AJQ_00003.webm"}


@pytest.fixture(scope="module")
def prepared(shared_data, landmark_task, tmp_path_factory) -> Path:
    """A data set of two clips in two splits, made once."""
    out = tmp_path_factory.mktemp("check") / "set"
    rows = [
        ManifestRow(key, str(shared_data / "clips" / name), name, split=split)
        for (key, name), split in zip(CLIPS.items(), ("train", "test"), strict=True)
    ]
    prepare_rows(out, rows, PrepOptions())
    return out


@pytest.fixture
def data(prepared, tmp_path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(prepared, tmp_path / "set")


def edit_json(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def rewrite(tar: Path, change, *, trust: bool = True) -> None:
    """Changes the members of every sample; `trust` brings digests and sizes up to date."""
    samples = [change(key, dict(members)) for key, members in read_shard(tar)]
    with open_shard(tar) as add:
        for key, members in samples:
            add(key, members)
    if trust:
        new = {"sha256": sha256_file(tar), "bytes": tar.stat().st_size}
        edit_json(tar.with_suffix(".json"), lambda mark: mark.update(new))

        def update(dataset) -> None:
            next(s for s in dataset["shards"] if s["name"] == tar.name).update(new)

        edit_json(tar.parent / "dataset.json", update)


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_a_sound_data_set_has_no_problem(data):
    verdict = check_dataset(data)
    assert verdict.problems == []
    dataset = json.loads((data / "dataset.json").read_text())
    read = (verdict.shards, verdict.clips, verdict.samples, verdict.frames)
    assert read == (2, 2, 2, dataset["counts"]["frames"])


def test_one_flipped_byte_is_found(data):
    tar = data / "shard-00001.tar"
    damaged = bytearray(tar.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    tar.write_bytes(damaged)
    assert any("shard-00001.json: sha256 is" in p for p in check_dataset(data).problems)


def test_a_cut_tar_is_found_and_the_others_are_still_read(data):
    tar = data / "shard-00000.tar"
    tar.write_bytes(tar.read_bytes()[:5000])
    verdict = check_dataset(data)
    assert any(p.startswith("shard-00000.tar: cannot be read to its end") for p in verdict.problems)
    assert not any(p.startswith("shard-00001") for p in verdict.problems)
    assert verdict.samples == 1


def test_a_dropped_row_is_found(data):
    path = data / "shard-00000.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    problems = check_dataset(data).problems
    assert any("shard-00000.json: clips is 1, not 0" in p for p in problems)
    assert any("is in the tar but not in the parquet" in p for p in problems)


def test_a_sample_that_is_gone_is_found(data):
    tar = data / "shard-00000.tar"
    tarfile.open(tar, "w").close()
    problems = check_dataset(data).problems
    assert any("is in the parquet but not in the tar" in p for p in problems)
    assert any("shard-00000.json: bytes is" in p for p in problems)


def test_an_absent_file_of_each_kind_is_found(data):
    for name in ("shard-00000.tar", "shard-00001.parquet", "shard-00000.json", "plan.json"):
        (data / name).unlink()
    problems = check_dataset(data).problems
    assert "shard-00000.tar: no such file" in problems
    assert any(p.startswith("shard-00001.tar: shard-00001.parquet cannot") for p in problems)
    assert any(p.startswith("plan.json cannot be read") for p in problems)


def speech_to_nan(key, members):
    speech = np.load(io.BytesIO(members["speech.npy"]))
    speech[0, 0] = np.nan
    return key, members | {"speech.npy": npy(speech)}


def short_audio(key, members):
    return key, members | {"wav": members["wav"][:44] + members["wav"][1000:]}


def no_mouth(key, members):
    del members["mouth.npy"]
    return key, members


def broken_frame(key, members):
    return key, members | {"frames": b"\0" * 500 + members["frames"][500:]}


def meta_with(**changes):
    def change(key, members):
        meta = json.loads(members["json"]) | changes
        return key, members | {"json": json.dumps(meta).encode()}

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (speech_to_nan, "not finite"),
        (short_audio, "wav is int16"),
        (no_mouth, "lacks mouth.npy"),
        (broken_frame, "frame 0"),
        (lambda key, members: (key, members | {"json": b"{}"}), "json lacks"),
        (lambda key, members: (key, members | {"json": b"\xff"}), "utf-8"),
        (meta_with(split="val"), "split val in a shard of split test"),
        (meta_with(image_size=64), "not (64, 64, 3)"),
        (meta_with(options={"image_size": 128}), "other options"),
        (meta_with(clip_id="other"), "is not the clip_id"),
    ],
)
def test_a_sample_that_breaks_the_contract_is_named_whatever_its_digest(data, change, problem):
    rewrite(data / "shard-00000.tar", change)
    problems = check_dataset(data).problems
    assert any(p.startswith("shard-00000.tar: b: ") and problem in p for p in problems), problems
    assert not any("sha256 is" in p for p in problems)


def test_speech_that_is_not_what_the_statistics_were_taken_from_is_found(data):
    def louder(key, members):
        speech = np.load(io.BytesIO(members["speech.npy"]))
        return key, members | {"speech.npy": npy(speech + 1)}

    rewrite(data / "shard-00000.tar", louder)
    assert any("shard-00000.json: speech: sum is" in p for p in check_dataset(data).problems)


def test_a_key_in_two_shards_is_found(data):
    path = data / "shard-00001.parquet"
    frame = pd.read_parquet(path)
    frame["clip_id"] = "b"
    frame.to_parquet(path)
    assert "clip_id b occurs 2 times" in check_dataset(data).problems


def test_counts_that_do_not_add_up_are_found(data):
    edit_json(data / "dataset.json", lambda d: d["counts"].update(samples=3, frames=1))
    problems = check_dataset(data).problems
    assert "dataset.json: counts: samples is 3, not 2" in problems


def test_a_shard_of_another_data_set_is_found(data):
    shutil.copy(data / "shard-00001.tar", data / "shard-00002.tar")
    assert "shard-00002.tar lies there but is not in dataset.json" in check_dataset(data).problems


def test_other_options_than_the_plan_are_found(data):
    edit_json(data / "plan.json", lambda plan: plan["options"].update(smoothing="none"))
    assert any(p.startswith("plan.json has options") for p in check_dataset(data).problems)


@pytest.mark.parametrize("text", ["", "[]", '{"shards": []}'])
def test_a_damaged_dataset_json_is_a_problem_and_no_crash(data, text):
    (data / "dataset.json").write_text(text)
    (problem,) = check_dataset(data).problems
    assert problem.startswith("dataset.json cannot be used")


def test_a_folder_that_is_no_data_set_is_wrong_use(tmp_path):
    with pytest.raises(UserError, match="not a finished data set"):
        check_dataset(tmp_path)
