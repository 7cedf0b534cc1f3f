"""Which clips: manifests read, checked and written; folders, patterns and URLs turned into them."""

import csv
import io
import math
import os
import posixpath
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.files import atomic_path, printable, short_digest
from pipeline.media import VIDEO_SUFFIXES, is_video
from pipeline.sources.layouts import Layout, speakers_and_splits
from pipeline.storage import find_files, is_url, open_file

SPLITS = ("train", "val", "test")  # those that are used, in any case; others are kept
COLUMNS = ("clip_id", "path", "speaker", "split", "start", "end")
_COLLECTION = "collection"  # a column that few manifests need
_KEY_LENGTH = 80  # with the longest member name this fits the 100 characters of a tar header
_KEY = re.compile(rf"[A-Za-z0-9_-]{{1,{_KEY_LENGTH}}}")
# The number of a shot of a clip that was split, see `pipeline.run.stages.shot_key`.
SHOT_SUFFIX = re.compile(r"--\d+$")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One clip."""

    clip_id: str  # the sample's key: unique, of letters, digits, `_` and `-`
    path: str  # where the video lies: an absolute path, or an fsspec URL
    source: str  # the video as the manifest names it, or relative to the folder that was scanned
    speaker: str = ""  # who talks; empty when unknown
    split: str = "train"  # clips of other splits than `SPLITS` are prepared, and used by no command
    start: float = 0.0  # seconds after the first frame
    end: float | None = None  # None for the end of the video
    collection: str = ""  # the data set that it comes from, where a manifest joins several


def read_input(source: str) -> list[ManifestRow]:
    """Clips of a folder, a glob pattern, one video, or a manifest CSV; by path or fsspec URL."""
    if Path(source).suffix.lower() == ".csv" and not Path(source).is_dir():
        return read_manifest(source)
    if is_url(source):
        return _scan_url(source, "folder")
    path = Path(source)
    if path.is_dir():
        return scan(source, "folder")
    if path.is_file():
        return _rows([path.name], str(path.parent), "folder")
    if any(letter in source for letter in "*?["):
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else source
        found = sorted(p for p in base.glob(pattern) if not p.is_dir() and is_video(str(p)))
        if not found:
            raise UserError(f"no video matches {source}")
        folder = _common_folder([str(path.parent) for path in found])
        return _rows([path.relative_to(folder).as_posix() for path in found], folder, "folder")
    raise UserError(f"no such folder, video or manifest: {source}")


def scan(folder: Path | str, layout: Layout) -> list[ManifestRow]:
    """Every video below a folder, with the speaker and split given by its path.

    Links to folders are followed.
    """
    if is_url(folder):
        return _scan_url(str(folder), layout)
    if not Path(folder).is_dir():
        raise UserError(f"no such folder: {folder}")
    found = sorted(_walk(str(folder)), key=lambda name: name.split("/"))
    if not found:
        raise _no_videos(folder)
    return _rows(found, str(folder), layout)


def _walk(folder: str) -> Iterator[str]:
    """Videos below a folder, relative to it; links that lead back to a folder above are skipped."""
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(here)
        folders[:] = [
            name
            for name in folders
            if not (os.path.islink(os.path.join(here, name)) and _leads_back(here, name, real))  # noqa: PTH114, PTH118 - a Path for each of a million names takes a minute
        ]
        inside = os.path.relpath(here, folder)
        prefix = "" if inside == "." else f"{inside}/"
        yield from (prefix + name for name in files if is_video(f"{here}/{name}"))


def _refuse(error: OSError) -> None:
    """Raises for a folder that cannot be opened: it may hold clips."""
    raise UserError(
        f"cannot look into {printable(str(error.filename))}: {error.strerror}; ask for the right "
        "to read it, or name what is to be prepared in a manifest"
    ) from error


def _leads_back(here: str, name: str, real: str) -> bool:
    target = os.path.realpath(Path(here, name))
    return real == target or real.startswith(target.rstrip("/") + "/")


def _scan_url(source: str, layout: Layout) -> list[ManifestRow]:
    files = find_files(source)
    found = [url for url in files if PurePosixPath(url).suffix.lower() in VIDEO_SUFFIXES]
    if not found:
        raise _no_videos(source)
    pattern = any(sign in source for sign in "*?[")
    folder = _common_folder([posixpath.dirname(url) for url in found]) if pattern else source
    if found == [source]:
        folder = posixpath.dirname(source)
    folder = folder.rstrip("/")
    return _rows([url.removeprefix(f"{folder}/") for url in found], folder, layout)


def _no_videos(folder: Path | str) -> UserError:
    kinds = " ".join(sorted(VIDEO_SUFFIXES))
    return UserError(
        f"no videos in {folder} (looked below it for {kinds}, and into files of unknown suffix)"
    )


def _common_folder(folders: list[str]) -> str:
    """The deepest folder, or beginning of a URL, that all lie in."""
    start = folders[0].partition("://")[0] + "://" if is_url(folders[0]) else ""
    return start + posixpath.commonpath([folder.removeprefix(start) for folder in folders])


def _rows(names: list[str], folder: str, layout: Layout) -> list[ManifestRow]:
    """Rows of videos, named relative to a folder or URL."""
    keys = unique_keys(names)
    folder = _absolute(folder)
    paths = [PurePosixPath(name) for name in names]
    read = speakers_and_splits(layout, posixpath.basename(folder), paths)
    return [
        ManifestRow(key, posixpath.join(folder, name), printable(name), printable(speaker), split)
        for key, name, (speaker, split) in zip(keys, names, read, strict=True)
    ]


def _absolute(folder: str) -> str:
    """A folder as an absolute path, which workers in another folder can use; a URL as it is."""
    return folder if is_url(folder) else os.path.abspath(folder)  # noqa: PTH100 - see `_walk`


def unique_keys(names: list[str]) -> list[str]:
    """Sample keys from relative paths: readable, without dots and slashes, unique, repeatable.

    A name that changes beyond its slashes, that another file shares, or that looks like the shot of
    a clip, ends in eight digits of its own hash, so that a key never depends on which other files
    are there unless they clash.
    """
    plain = [os.path.splitext(name)[0] for name in names]  # noqa: PTH122 - see `_walk`
    slugs = [re.sub(r"[^A-Za-z0-9_-]", "_", name.replace("/", "_")) for name in plain]
    shared = Counter(slugs)
    keys = []
    for name, stem, slug in zip(names, plain, slugs, strict=True):
        exact = stem.replace("/", "_") == slug and len(slug) <= _KEY_LENGTH and shared[slug] == 1
        plain_key = exact and not SHOT_SUFFIX.search(slug)
        keys.append(slug if plain_key else f"{slug[: _KEY_LENGTH - 9]}-{short_digest(name)}")
    return keys


def read_manifest(path: Path | str) -> list[ManifestRow]:
    """Reads a manifest CSV at a path or URL; relative paths are relative to its folder."""
    where = str(path)
    try:
        with (
            open_file(where) as file,
            io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text,
        ):
            rows = list(_parse(where, text))
    except FileNotFoundError as error:
        raise UserError(f"no such manifest: {path}") from error
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file: {error}") from error
    if not rows:
        raise UserError(f"{path} lists no clip")
    if len({row.clip_id for row in rows}) < len(rows):
        most = Counter(row.clip_id for row in rows).most_common(1)[0][0]
        raise UserError(f"{path} lists clip_id {most!r} more than once")
    return rows


def _parse(where: str, text: Iterable[str]) -> Iterator[ManifestRow]:
    """Rows of a manifest, checked one by one: a million take some seconds."""
    reader = csv.reader(text)
    names = next(reader, [])
    if not any(names):
        raise UserError(f"{where} is not a CSV file: its first line names no columns")
    missing = {"clip_id", "path"} - set(names)
    if missing:
        raise UserError(
            f"{where} lacks the column {' and '.join(sorted(missing))}; its first line is "
            f"{','.join(names)!r}, and is to name columns with commas between: {','.join(COLUMNS)}"
        )
    place = {name: index for index, name in enumerate(names)}
    known = [place.get(name, -1) for name in (*COLUMNS, _COLLECTION)]
    folder = _absolute(posixpath.dirname(where))
    for cells in filter(None, reader):
        at = f"{where}, line {reader.line_num}"
        if len(cells) > len(names):
            raise UserError(f"{at}: more cells than the first line has names")
        values = [cells[index] if 0 <= index < len(cells) else "" for index in known]
        yield _manifest_row(at, folder, values)


def _manifest_row(where: str, folder: str, values: list[str]) -> ManifestRow:
    key, path, speaker, split, start, end, collection = values
    if not _KEY.fullmatch(key):
        raise UserError(
            f"{where}: clip_id {key!r} must be 1 to {_KEY_LENGTH} letters, digits, _ or -"
        )
    if not path:
        raise UserError(f"{where}: no path")
    begin, stop = _span(where, start, end) if start or end else (0.0, None)
    return ManifestRow(
        clip_id=key,
        path=path if is_url(path) else posixpath.join(folder, os.path.expanduser(path)),  # noqa: PTH111 - see `_walk`
        source=printable(path),
        # A few names stand in a million rows.
        speaker=sys.intern(printable(speaker)),
        split=sys.intern(split.lower() if split.lower() in SPLITS else split or "train"),
        start=begin,
        end=stop,
        collection=sys.intern(printable(collection)),
    )


def _span(where: str, start: str, end: str) -> tuple[float, float | None]:
    try:
        begin, stop = float(start or 0), float(end) if end else None
    except ValueError as error:
        raise UserError(f"{where}: start and end are seconds ({error})") from error
    if not math.isfinite(begin + (stop or 0)):
        raise UserError(f"{where}: start and end are seconds, not {begin} and {stop}")
    if begin < 0 or (stop is not None and stop <= begin):
        raise UserError(f"{where}: start {begin} and end {stop} hold no frame")
    return begin, stop


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Writes rows as a manifest CSV with absolute paths or URLs, atomically."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        rows = list(rows)
        joined = any(row.collection for row in rows)
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *[_COLLECTION] * joined])
        for row in rows:
            end = "" if row.end is None else row.end
            where = row.path if is_url(row.path) else str(Path(row.path).absolute())
            cells = [row.clip_id, where, row.speaker, row.split, row.start or "", end]
            writer.writerow([*cells, *[row.collection] * joined])
