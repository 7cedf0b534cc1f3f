"""Videos in and data sets out of an object store: S3 as a local moto server speaks it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import boto3
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from pipeline.dataset.check import check_dataset
from pipeline.dataset.rows import read_rows
from pipeline.dataset.shards import read_dataset, read_samples
from pipeline.errors import UserError
from pipeline.storage import Folder, find_files, is_url, local_copy, open_file, remote_size
from tests.datasets import content, run_prep, write_talker

_WORDS = ("--clips-per-shard", "2", "--image-size", "64", "--workers")
_BUCKET = "talkers"


@pytest.fixture(scope="module")
def s3():
    """A bucket on a server of our own, and this process and its children sent to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = dict(os.environ)
    os.environ.update(settings)
    S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket=_BUCKET)
    yield client
    os.environ.clear()
    os.environ.update(before)
    S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def videos(s3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips and one that is none, on this disk and in the bucket below in/."""
    folder = tmp_path_factory.mktemp("store") / "in"
    for index in range(3):
        write_talker(folder / f"ann/clip {index}.mp4", 16 + index, index)
    (folder / "ann/junk.mp4").write_text("no video")
    (folder / "notes.txt").write_text("not a video either")
    for path in folder.rglob("*.*"):
        s3.upload_file(str(path), _BUCKET, f"in/{path.relative_to(folder)}")
    return folder


@pytest.fixture(scope="module")
def local(landmark_task: Path, videos: Path) -> Path:
    """The data set of the clips on this disk."""
    out = videos.parent / "local"
    assert run_prep(videos, "--out", out, *_WORDS, 0).returncode == 1
    return out


def _download(s3, prefix: str, folder: Path) -> Path:
    for entry in s3.list_objects_v2(Bucket=_BUCKET, Prefix=prefix)["Contents"]:
        path = folder / entry["Key"].removeprefix(prefix).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(_BUCKET, entry["Key"], str(path))
    return folder


def _samples(folder: Path) -> dict[str, str]:
    """What of a data set does not tell where its videos lay."""
    other_files = ("plan.json", "dataset.json", "README.md", "report.csv", "rows")
    return {name: value for name, value in content(folder).items() if name not in other_files}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_from_store_to_store_the_shards_are_the_same_bytes(
    s3, videos: Path, local: Path, tmp_path: Path, workers: int
):
    out = f"s3://{_BUCKET}/out{workers}"
    words = (f"s3://{_BUCKET}/in", "--out", out, *_WORDS, workers)
    ended = run_prep(*words)
    assert ended.returncode == 1, ended.stderr
    assert "3 of 4 clips prepared" in ended.stdout
    assert _samples(_download(s3, f"out{workers}", tmp_path)) == _samples(local)
    rows = read_rows(out).set_index("source")
    assert f"s3://{_BUCKET}/in/ann/junk.mp4" in rows.loc["ann/junk.mp4", "reason"]

    verdict = check_dataset(out)
    assert verdict.problems == []
    assert verdict.samples == 3
    assert [s.key for s in read_samples(out)] == [s.key for s in read_samples(local)]
    # What is done stays done; what is lost is made again.
    s3.delete_object(Bucket=_BUCKET, Key=f"out{workers}/shard-00000.json")
    assert "carrying on: 1 of 2 shards are done" in run_prep(*words).stdout
    assert _samples(_download(s3, f"out{workers}", tmp_path)) == _samples(local)


@pytest.mark.slow
def test_a_manifest_names_videos_here_and_there(s3, videos: Path, local: Path, tmp_path: Path):
    names = sorted(path.name for path in videos.glob("ann/clip*.mp4"))
    table = pd.DataFrame({"clip_id": ["a", "b", "c"], "path": [
        f"s3://{_BUCKET}/in/ann/{names[0]}", f"ann/{names[1]}", f"s3://{_BUCKET}/in/absent.mp4",
    ]})  # fmt: skip
    s3.put_object(Bucket=_BUCKET, Key="in/m.csv", Body=table.to_csv(index=False))
    ended = run_prep(f"s3://{_BUCKET}/in/m.csv", "--out", tmp_path / "out", *_WORDS, 0)
    assert ended.returncode == 1, ended.stderr
    rows = read_rows(tmp_path / "out").set_index("clip_id")
    assert rows.status.tolist() == ["ok", "ok", "failed"]
    assert rows.loc["c", "stage"] == "fetch"
    assert f"s3://{_BUCKET}/in/absent.mp4" in rows.loc["c", "reason"]
    assert rows.loc["a", "source"] == f"s3://{_BUCKET}/in/ann/{names[0]}"


def test_what_a_store_refuses_is_a_sentence(s3, videos: Path, tmp_path: Path):
    for source, sentence in (
        (f"s3://{_BUCKET}/nothing", "no videos in"),
        (f"s3://{_BUCKET}/absent.csv", "no such manifest"),
        ("s3://no-such-bucket-here/in", "no videos in|address, access and network"),
        ("nonsense://a/b", "cannot use nonsense://"),
    ):
        ended = run_prep(source, "--out", tmp_path / "out", *_WORDS, 0)
        assert ended.returncode == 2, source
        assert any(part in ended.stderr for part in sentence.split("|")), ended.stderr
        assert "Traceback" not in ended.stderr
    ended = run_prep(videos, "--out", "s3://no-such-bucket-here/out", *_WORDS, 0)
    assert ended.returncode == 2
    assert "no-such-bucket-here" in ended.stderr
    assert "Traceback" not in ended.stderr
    with pytest.raises(UserError, match="is not a finished data set"):
        read_dataset(f"s3://{_BUCKET}/in")


@pytest.mark.parametrize("kind", ["here", "there"])
def test_a_folder_is_the_same_here_and_there(s3, tmp_path: Path, kind: str):
    folder = Folder.at(tmp_path / "f" if kind == "here" else f"s3://{_BUCKET}/f/")
    assert folder.names() == []
    assert not folder.exists("a.json")
    with pytest.raises(FileNotFoundError):
        folder.read_json("a.json")
    folder.write_json("a.json", {"ä": 1})
    with folder.write("b.bin") as path:
        path.write_bytes(b"\0" * 100)
    with suppress(ZeroDivisionError), folder.write("c.bin") as path:
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert folder.names() == ["a.json", "b.bin"]
    assert folder.names("*.bin") == ["b.bin"]
    assert folder.read_json("a.json") == {"ä": 1}
    assert folder.read_many(["b.bin", "a.json"])["b.bin"] == b"\0" * 100
    folder.write_json("a.json", 2)  # replaces
    assert folder.read_json("a.json") == 2
    with open_file(folder / "b.bin") as file:
        assert file.read() == b"\0" * 100
    with local_copy(folder / "b.bin") as copy:
        assert Path(copy).read_bytes() == b"\0" * 100
    assert Path(copy).exists() == (kind == "here")
    folder.remove("b.bin")
    folder.remove("b.bin")
    assert folder.names() == ["a.json"]
    shutil.rmtree(tmp_path / "f", ignore_errors=True)


def test_urls_are_found_and_measured(s3, videos: Path):
    found = find_files(f"s3://{_BUCKET}/in")
    assert [url for url in found if url.endswith("junk.mp4")] == [f"s3://{_BUCKET}/in/ann/junk.mp4"]
    assert find_files(f"s3://{_BUCKET}/in/*/junk*") == [f"s3://{_BUCKET}/in/ann/junk.mp4"]
    assert remote_size(f"s3://{_BUCKET}/in/ann/junk.mp4") == len("no video")
    with pytest.raises(OSError, match="absent"):
        remote_size(f"s3://{_BUCKET}/in/absent")
    assert is_url("s3://a/b")
    assert not is_url("a/b:c")
