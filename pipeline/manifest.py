"""Which clips: manifests read and checked, folders of the field's data sets turned into them."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import pandas as pd

from pipeline.errors import UserError
from pipeline.files import atomic_path, printable
from pipeline.media import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Layout = Literal["folder", "crema", "lrw", "grid", "voxceleb", "hdtf"]
COLUMNS = ("clip_id", "path", "speaker", "split", "start", "end")
# A folder of CSV files beside the packages, in the checkout as in the wheel.
_TEST_ACTORS = Path(__file__).parents[1] / "manifests" / "crema_test_actors.csv"
_KEY_LENGTH = 80  # with the longest member name this fits the 100 characters of a tar header


@dataclass(frozen=True)
class ManifestRow:
    """One clip.

    Attributes:
        clip_id: the sample's key: unique, of letters, digits, `_` and `-`.
        path: the video on this machine.
        source: the video as the manifest names it, or relative to the folder that was scanned.
        speaker: who talks; empty when unknown.
        split: train, val or test.
        start: seconds after the first frame.
        end: seconds after the first frame; None for the end of the video.
    """

    clip_id: str
    path: str
    source: str
    speaker: str = ""
    split: str = "train"
    start: float = 0.0
    end: float | None = None


def read_input(source: str) -> list[ManifestRow]:
    """Clips of a folder, a glob pattern, one video, or a manifest CSV.

    Raises:
        UserError: nothing there, no video in it, or a manifest that does not hold together.
    """
    path = Path(source)
    if path.suffix.lower() == ".csv":
        return read_manifest(path)
    if path.is_dir():
        return scan(path, "folder")
    if path.is_file():
        return _rows([path], path.parent, "folder")
    if any(letter in source for letter in "*?["):
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else source
        found = sorted(p for p in base.glob(pattern) if p.is_file() and _is_video(p))
        if not found:
            raise UserError(f"no video matches {source}")
        return _rows(found, _common_folder(found), "folder")
    raise UserError(f"no such folder, video or manifest: {source}")


def scan(folder: Path, layout: Layout) -> list[ManifestRow]:
    """Every video below a folder, with the speaker and split that its path tells.

    Raises:
        UserError: no such folder, no video in it, or paths that do not follow the layout.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    found = sorted(path for path in folder.rglob("*") if _is_video(path) and not path.is_dir())
    if not found:
        kinds = " ".join(sorted(VIDEO_SUFFIXES))
        raise UserError(f"no videos in {folder} (looked below it for {kinds})")
    return _rows(found, folder, layout)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _common_folder(paths: list[Path]) -> Path:
    folder = paths[0].parent
    while not all(path.is_relative_to(folder) for path in paths):
        folder = folder.parent
    return folder


def _rows(paths: list[Path], folder: Path, layout: Layout) -> list[ManifestRow]:
    relative = [path.relative_to(folder) for path in paths]
    keys = unique_keys([path.as_posix() for path in relative])
    read = _LAYOUTS[layout](folder, relative)
    return [
        ManifestRow(key, str(folder / path), printable(path.as_posix()), printable(speaker), split)
        for key, path, (speaker, split) in zip(keys, relative, read, strict=True)
    ]


def _digest(name: str) -> str:
    """Eight hexadecimal digits that a name alone decides."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def unique_keys(names: list[str]) -> list[str]:
    """Sample keys from relative paths: readable, without dots and slashes, unique, repeatable.

    A name that changes beyond its slashes, or that another file shares, ends in eight digits of
    its own hash, so that a key never depends on which other files are there unless they clash.
    """
    plain = [str(Path(name).with_suffix("")) for name in names]
    slugs = [re.sub(r"[^A-Za-z0-9_-]", "_", name.replace("/", "_")) for name in plain]
    shared = Counter(slugs)
    keys = []
    for name, stem, slug in zip(names, plain, slugs, strict=True):
        exact = stem.replace("/", "_") == slug and len(slug) <= _KEY_LENGTH
        digest = _digest(name)
        keys.append(slug if exact and shared[slug] == 1 else f"{slug[: _KEY_LENGTH - 9]}-{digest}")
    return keys


def _folder(_: Path, paths: list[Path]) -> Iterable[tuple[str, str]]:
    """Speaker: the first folder below the one scanned, if any; about a tenth of the clips is test.

    Which tenth is told by a hash of the name, so that a new video moves no other one's split.
    """
    for path in paths:
        speaker = path.parts[0] if len(path.parts) > 1 else ""
        yield speaker, "test" if int(_digest(path.as_posix()), 16) % 10 == 0 else "train"


def _crema(_: Path, paths: list[Path]) -> Iterable[tuple[str, str]]:
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


def _lrw(_: Path, paths: list[Path]) -> Iterable[tuple[str, str]]:
    """WORD/{train,val,test}/WORD_00001.mp4; LRW does not tell its speakers."""
    for path in paths:
        if len(path.parts) < 2 or path.parts[-2] not in ("train", "val", "test"):
            raise UserError(f"{path} does not lie as in LRW (WORD/train/WORD_00001.mp4)")
        yield "", path.parts[-2]


def _grid(folder: Path, paths: list[Path]) -> Iterable[tuple[str, str]]:
    """s1/bbaf2n.mpg: the folder is the speaker; of each, every tenth sentence by name is test."""
    seen: Counter[str] = Counter()
    for path in paths:
        if not re.fullmatch(r"[a-z]{4}[a-z0-9][a-z0-9]", path.stem):
            raise UserError(f"{path} is not named as in GRID (bbaf2n.mpg); use another layout")
        named = [part for part in path.parts[:-1] if re.fullmatch(r"s\d+", part)]
        speaker = named[-1] if named else (path.parts[-2] if len(path.parts) > 1 else folder.name)
        seen[speaker] += 1
        yield speaker, "test" if seen[speaker] % 10 == 0 else "train"


def _voxceleb(_: Path, paths: list[Path]) -> Iterable[tuple[str, str]]:
    """…/id00012/21Uxsk56VDQ/00001.mp4: the id is the speaker; below a folder `test`, test."""
    for path in paths:
        speaker = next((part for part in path.parts if re.fullmatch(r"id\d{5}", part)), None)
        if speaker is None:
            raise UserError(f"{path} does not lie as in VoxCeleb2 (id00012/21Uxsk56VDQ/00001.mp4)")
        yield speaker, "test" if "test" in path.parts else "train"


def _hdtf(_: Path, paths: list[Path]) -> Iterable[tuple[str, str]]:
    """WDA_BarackObama_000.mp4: the middle is the speaker; HDTF has no split, so all train."""
    for path in paths:
        match = re.match(r"(RD|WDA|WRA)_(.+?)(?:_\d+)*$", path.stem)
        if not match:
            raise UserError(f"{path} is not named as in HDTF (WDA_BarackObama_000.mp4)")
        # "Radio34" is the 34th recording, each with a speaker of its own.
        yield match[2], "train"


_LAYOUTS: dict[str, Callable[[Path, list[Path]], Iterable[tuple[str, str]]]] = {
    "folder": _folder,
    "crema": _crema,
    "lrw": _lrw,
    "grid": _grid,
    "voxceleb": _voxceleb,
    "hdtf": _hdtf,
}


def read_manifest(path: Path) -> list[ManifestRow]:
    """Reads a manifest CSV; relative paths are relative to its folder.

    Raises:
        UserError: no such file, a column or value is missing or wrong; the sentence names the row.
    """
    if not path.is_file():
        raise UserError(f"no such manifest: {path}")
    try:
        table = pd.read_csv(
            path, dtype=object, keep_default_na=False, encoding_errors="surrogateescape"
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV file: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first cells for an index
        raise UserError(f"{path} has rows with more cells than its first line has names")
    missing = {"clip_id", "path"} - set(table.columns)
    if missing:
        raise UserError(f"{path} lacks the column {' and '.join(sorted(missing))}")
    if table.empty:
        raise UserError(f"{path} lists no clip")
    repeated = table["clip_id"][table["clip_id"].duplicated()]
    if len(repeated):
        raise UserError(f"{path} lists clip_id {repeated.iloc[0]!r} more than once")
    records = cast("list[dict[str, str]]", table.to_dict("records"))
    return [_manifest_row(path, line, row) for line, row in enumerate(records, start=2)]


def _manifest_row(path: Path, line: int, row: dict[str, str]) -> ManifestRow:
    key = row["clip_id"]
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{_KEY_LENGTH}}}", key):
        raise UserError(
            f"{path}, line {line}: clip_id {key!r} must be 1 to {_KEY_LENGTH} letters, digits, "
            "_ or -"
        )
    if not row["path"]:
        raise UserError(f"{path}, line {line}: no path")
    try:
        start = float(row.get("start") or 0)
        end = float(row["end"]) if row.get("end") else None
    except ValueError as error:
        raise UserError(f"{path}, line {line}: start and end are seconds ({error})") from error
    if not math.isfinite(start + (end or 0)):
        raise UserError(f"{path}, line {line}: start and end are seconds, not {start} and {end}")
    if start < 0 or (end is not None and end <= start):
        raise UserError(f"{path}, line {line}: start {start} and end {end} hold no frame")
    video = Path(row["path"])
    return ManifestRow(
        clip_id=key,
        path=str(video if video.is_absolute() else path.parent / video),
        source=printable(row["path"]),
        speaker=printable(row.get("speaker", "")),
        split=row.get("split") or "train",
        start=start,
        end=end,
    )


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Writes rows as a manifest CSV with absolute paths, atomically."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            end = "" if row.end is None else row.end
            where = str(Path(row.path).absolute())
            writer.writerow([row.clip_id, where, row.speaker, row.split, row.start or "", end])
