"""Speaker and split of videos, read from their paths, for the layouts of the field's data sets."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.errors import UserError
from pipeline.files import short_digest

Layout = Literal["folder", "crema", "lrw", "grid", "voxceleb", "hdtf"]
# A folder of CSV files beside the packages, in the checkout as in the wheel.
_TEST_ACTORS = Path(__file__).parents[2] / "manifests" / "crema_test_actors.csv"


def speakers_and_splits(
    layout: Layout, name: str, paths: list[PurePosixPath]
) -> Iterable[tuple[str, str]]:
    """Speaker (empty when unknown) and split of every video below the folder called `name`."""
    return _LAYOUTS[layout](name, paths)


def _folder(_: str, paths: list[PurePosixPath]) -> Iterable[tuple[str, str]]:
    """Speaker: the first folder below the one scanned, if any; about a tenth of the clips is test.

    A hash of the name decides, so that a new video changes no other one's split.
    """
    for path in paths:
        speaker = path.parts[0] if len(path.parts) > 1 else ""
        yield speaker, "test" if int(short_digest(path.as_posix()), 16) % 10 == 0 else "train"


def _crema(_: str, paths: list[PurePosixPath]) -> Iterable[tuple[str, str]]:
    """1015_DFA_ANG_XX.*: actor 1015; the authors' ten actors are the test split."""
    with _TEST_ACTORS.open(encoding="utf-8") as file:
        test = {row["actor"] for row in csv.DictReader(file)}
    for path in paths:
        match = re.match(r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{1,2}", path.stem)
        if not match:
            raise UserError(
                f"{path} is not named as in CREMA-D (1015_DFA_ANG_XX); use another layout"
            )
        yield match[1], "test" if match[1] in test else "train"


def _lrw(_: str, paths: list[PurePosixPath]) -> Iterable[tuple[str, str]]:
    """WORD/{train,val,test}/WORD_00001.mp4; LRW does not name its speakers."""
    for path in paths:
        if len(path.parts) < 2 or path.parts[-2] not in ("train", "val", "test"):
            raise UserError(f"{path} is not laid out as in LRW (WORD/train/WORD_00001.mp4)")
        yield "", path.parts[-2]


def _grid(name: str, paths: list[PurePosixPath]) -> Iterable[tuple[str, str]]:
    """s1/bbaf2n.mpg: the folder is the speaker; of each, every tenth sentence by name is test."""
    sentences: Counter[str] = Counter()
    for path in paths:
        if not re.fullmatch(r"[a-z]{4}[a-z0-9][a-z0-9]", path.stem):
            raise UserError(f"{path} is not named as in GRID (bbaf2n.mpg); use another layout")
        named = [part for part in path.parts[:-1] if re.fullmatch(r"s\d+", part)]
        speaker = named[-1] if named else (path.parts[-2] if len(path.parts) > 1 else name)
        sentences[speaker] += 1
        yield speaker, "test" if sentences[speaker] % 10 == 0 else "train"


def _voxceleb(_: str, paths: list[PurePosixPath]) -> Iterable[tuple[str, str]]:
    """…/id00012/21Uxsk56VDQ/00001.mp4: the id is the speaker; below a folder `test`, test."""
    for path in paths:
        speaker = next((part for part in path.parts if re.fullmatch(r"id\d{5}", part)), None)
        if speaker is None:
            raise UserError(
                f"{path} is not laid out as in VoxCeleb2 (id00012/21Uxsk56VDQ/00001.mp4)"
            )
        yield speaker, "test" if "test" in path.parts else "train"


def _hdtf(_: str, paths: list[PurePosixPath]) -> Iterable[tuple[str, str]]:
    """WDA_BarackObama_000.mp4: the middle is the speaker; HDTF has no split, so all train."""
    for path in paths:
        match = re.match(r"(RD|WDA|WRA)_(.+?)(?:_\d+)*$", path.stem)
        if not match:
            raise UserError(f"{path} is not named as in HDTF (WDA_BarackObama_000.mp4)")
        # "Radio34" is the 34th recording, each with a speaker of its own.
        yield match[2], "train"


_LAYOUTS: dict[str, Callable[[str, list[PurePosixPath]], Iterable[tuple[str, str]]]] = {
    "folder": _folder,
    "crema": _crema,
    "lrw": _lrw,
    "grid": _grid,
    "voxceleb": _voxceleb,
    "hdtf": _hdtf,
}
