"""Lists of pairs of a face and a recording: a CSV, or a folder."""

from pathlib import Path

import pytest

from model.sampling.jobs import Job, read_jobs, unpaired_files
from pipeline.errors import UserError


def test_a_list_of_pairs(tmp_path: Path):
    (tmp_path / "pairs.csv").write_text("\ufeffface,speech,name\na.png,s/b.wav,\n/c.mp4,d.wav,x\n")
    jobs = read_jobs(tmp_path / "pairs.csv", tmp_path / "out")
    first, second = jobs
    assert first == Job(tmp_path / "a.png", tmp_path / "s/b.wav", tmp_path / "out/a__b.mp4")
    assert str(second.face) == "/c.mp4"
    assert second.out == tmp_path / "out/x.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "face,sound\na.png,b.wav\n",
            "needs the columns face and speech, .* first line is 'face,sound'",
        ),
        ("face,speech\na.png,b.wav\nc.png,\n", "line 3: names no face or no speech"),
        ("face,speech\n", "lists no pair"),
        ("", "needs the columns face and speech"),
        ("face;speech\na.png;b.wav\n", "with commas between; its first line is 'face;speech'"),
        ("face,speech\na.png,b.wav\nx/a.png,b.wav\n", "makes a__b.mp4 twice; add a column name"),
        ("face,speech\n\xff\xfe,b.wav\n", "is no CSV in UTF-8"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, text: str, message: str):
    (tmp_path / "pairs.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=message):
        read_jobs(tmp_path / "pairs.csv", tmp_path)
    with pytest.raises(UserError, match="no such list of pairs"):
        read_jobs(tmp_path / "none.csv", tmp_path)


def test_a_folder_pairs_files_of_one_name(tmp_path: Path):
    folder, empty, out = tmp_path / "given", tmp_path / "empty", tmp_path / "out"
    folder.mkdir()
    empty.mkdir()
    for name in ("a.PNG", "a.wav", "b.mp4", "c.jpg", "c.mp4", "d.mp4", "d.mp3", "e.jpg", "f.wav"):
        (folder / name).touch()
    found = [
        (job.face.name, job.speech.name, job.out.name) for job in read_jobs(folder, out, ".webm")
    ]
    assert found == [
        ("a.PNG", "a.wav", "a.webm"),
        ("b.mp4", "b.mp4", "b.webm"),
        ("c.jpg", "c.mp4", "c.webm"),
        ("d.mp4", "d.mp3", "d.webm"),
    ]
    assert [path.name for path in unpaired_files(folder)] == ["e.jpg", "f.wav"]
    with pytest.raises(UserError, match=r"holds no pair: .* as ann.jpg and ann.wav"):
        read_jobs(empty, out)


def test_folders_of_pictures_have_no_dot_that_looks_like_a_suffix(tmp_path: Path):
    (tmp_path / "pairs.csv").write_text("face,speech,name\na.b.png,c.1.wav,\nd.png,e.wav,take.2\n")
    assert [job.out.name for job in read_jobs(tmp_path / "pairs.csv", tmp_path, "")] == [
        "a_b__c_1",
        "take_2",
    ]


def test_a_list_may_name_the_home_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "pairs.csv").write_text("face,speech\n~/a.png,b.wav\n")
    job = read_jobs(tmp_path / "pairs.csv", tmp_path)[0]
    assert (job.face, job.speech) == (tmp_path / "home" / "a.png", tmp_path / "b.wav")
