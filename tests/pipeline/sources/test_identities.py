"""Clips grouped by face: against SciPy's single linkage, and against known people."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import UserError
from pipeline.faces.networks.embedding import WEIGHTS
from pipeline.sources import identities
from pipeline.sources.identities import clip_embedder, group, name_by_face
from pipeline.sources.manifest import ManifestRow, read_manifest
from pipeline.weights import find


def _rows(count: int) -> list[ManifestRow]:
    return [ManifestRow(f"c{k}", f"/{k}.mp4", f"{k}.mp4", "somebody") for k in range(count)]


@pytest.mark.parametrize("at_once", [7 * 150, 1 << 26])
@pytest.mark.parametrize("same", [0.08, 0.12, 0.2])
def test_groups_are_those_of_single_linkage(
    monkeypatch: pytest.MonkeyPatch, at_once: int, same: float
):
    monkeypatch.setattr(identities, "_AT_ONCE", at_once)
    points = np.random.default_rng(3).normal(0, 0.35, (150, 2))
    ours = group(points, same)
    theirs = fcluster(linkage(points, "single"), same, "distance")
    assert 1 < len(set(theirs.tolist())) < 150
    assert len(set(zip(ours.tolist(), theirs.tolist(), strict=True))) == len(set(theirs.tolist()))
    assert len(set(ours.tolist())) == len(set(theirs.tolist()))
    first = [ours.tolist().index(label) for label in range(ours.max() + 1)]
    assert first == sorted(first)  # counted in order of appearance


def test_speakers_are_named_after_their_first_clip():
    faces = [np.zeros(3), np.full(3, 5.0), None, np.full(3, 0.1), np.full(3, 5.1)]
    rows = name_by_face(_rows(5), faces)
    assert [row.speaker for row in rows] == ["face-c0", "face-c1", "", "face-c0", "face-c1"]
    with pytest.raises(UserError, match="no face found in any of 2 clips"):
        name_by_face(_rows(2), [None, None])


@pytest.fixture
def dlib() -> None:
    """dlib and its network, or the test is skipped."""
    pytest.importorskip("dlib", reason="needs the extra csim")
    if find(WEIGHTS) is None:
        pytest.skip(f"needs {WEIGHTS}; dh-bench score fetches it")


@pytest.fixture
def videos(shared_data: Path, tmp_path: Path) -> Path:
    """Two clips each of two people, and one that is no video."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("bbir6n", "bgaa8p"):
        shutil.copy(shared_data / "clips" / f"grid_s1_{name}.mpg", folder / f"x_{name}.mpg")
    for name in ("bwaq8s", "lwajza"):
        shutil.copy(shared_data / "clips" / f"grid_s26_{name}.mpg", folder / f"y_{name}.mpg")
    (folder / "z.mp4").write_text("no video")
    return folder


@pytest.mark.usefixtures("dlib")
def test_a_film_without_a_face_or_that_does_not_decode_has_none(videos: Path, tmp_path: Path):
    embed = clip_embedder()
    assert embed(ManifestRow("z", str(videos / "z.mp4"), "z.mp4")) is None
    face = embed(ManifestRow("x", str(videos / "x_bbir6n.mpg"), "x.mpg"))
    assert face is not None
    assert face.shape == (128,)


@pytest.mark.slow
@pytest.mark.usefixtures("dlib")
@pytest.mark.parametrize("workers", [0, 2])
def test_people_are_recognised_and_kept_apart(videos: Path, tmp_path: Path, workers: int):
    out = tmp_path / "people.csv"
    words = ["manifest", videos, "--layout", "folder", "--split-by", "face", "--out", out]
    words += ["--test", "0.3", "--workers", workers]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert "1 clips without a face, or unreadable" in done.stdout
    assert "2 clips; look whether they are one person's" in done.stdout
    rows = {row.clip_id: (row.speaker, row.split) for row in read_manifest(out)}
    assert rows["x_bbir6n"] == rows["x_bgaa8p"]
    assert rows["y_bwaq8s"] == rows["y_lwajza"]
    assert rows["x_bbir6n"][0] != rows["y_bwaq8s"][0]
    assert {rows["x_bbir6n"][1], rows["y_bwaq8s"][1]} == {"train", "test"}
    assert rows["z"] == ("", "train")


@pytest.mark.slow
@pytest.mark.usefixtures("dlib")
def test_the_61_people_of_the_real_clips_are_found(shared_data: Path):
    with (shared_data / "clips.tsv").open() as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    people = [line["notes"].split(";")[0] for line in lines]  # "person 8"
    rows = [ManifestRow(str(k), str(shared_data / x["file"]), "") for k, x in enumerate(lines)]
    found = name_by_face(rows, list(identities.faces_of_clips(rows, workers=2)))
    pairs = {(row.speaker, person) for row, person in zip(found, people, strict=True)}
    assert len(pairs) == len(set(people)) == len({row.speaker for row in found}) == 61
