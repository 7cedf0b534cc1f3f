"""Files are whole or absent."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from pipeline.files import atomic_path, printable, read_json, sha256_file, write_json, write_text


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path: Path):
    target = tmp_path / "deep" / "a.json"
    write_json(target, {"old": True})

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert read_json(target) == {"old": True}
    assert list(target.parent.iterdir()) == [target]


def test_the_target_appears_only_at_the_end_and_under_its_own_suffix(tmp_path: Path):
    target = tmp_path / "clip.mp4"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"x")
        assert not target.exists()
        assert temporary.suffix == ".mp4"
        assert temporary.parent == target.parent  # the same file system, so that renaming is atomic
        assert temporary.name.startswith(".")  # and the folder still counts as empty
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("stem", ["語" * 80, "😀" * 60, "x" * 250])
def test_names_as_long_as_the_file_system_allows(tmp_path: Path, stem: str):
    target = tmp_path / f"{stem}.txt"
    write_text(target, "é")
    assert target.read_bytes() == b"\xc3\xa9"


def test_nan_is_refused_since_it_is_not_json(tmp_path: Path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_json_is_readable_text_in_the_order_given(tmp_path: Path):
    write_json(tmp_path / "a.json", {"b": "ß", "a": 1})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "ß" in text
    assert list(json.loads(text)) == ["b", "a"]


def test_sha256_is_that_of_the_bytes(tmp_path: Path):
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_printable_changes_only_what_is_no_utf8():
    assert printable("ß 😀\n") == "ß 😀\n"
    broken = os.fsdecode(b"a\xff.mp4")
    with pytest.raises(UnicodeEncodeError):
        broken.encode()
    assert printable(broken) == "a\N{REPLACEMENT CHARACTER}.mp4"
