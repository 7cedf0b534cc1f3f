"""Which videos to make: the pairs of face and recording in a list or a folder."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES

SOUND_SUFFIXES = frozenset(
    [".aac", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"]
)


@dataclass(frozen=True)
class Job:
    """One video to make.

    Attributes:
        face: a picture, or a video whose first frame with a face is taken.
        speech: a recording, or a video with sound.
        out: the video to write, see `model.sampling.output`.
    """

    face: Path
    speech: Path
    out: Path


def read_jobs(pairs: Path, out: Path, suffix: str = ".mp4") -> list[Job]:
    """Jobs from a CSV with the columns face, speech and, if wanted, name; or from a folder.

    Paths are relative to the CSV's folder; the video is called OUT/NAME.mp4, by default after
    face and speech. Of a folder, a picture or video and a recording of one name are a pair, and a
    video without one talks with its own sound. Where videos have no suffix, being folders of
    pictures, dots in their names become _: what follows a dot would be taken for one.

    Args:
        pairs: the CSV, or the folder.
        out: the folder of the videos.
        suffix: of their names.

    Raises:
        UserError: no such file, no CSV, a missing column, no pair, or two videos of one name.
    """
    found = _jobs_of_folder(pairs) if pairs.is_dir() else _jobs_of_csv(pairs)
    jobs = [Job(face, speech, out / _file_name(name, suffix)) for face, speech, name in found]
    if not jobs and pairs.is_dir():
        raise UserError(
            f"{pairs} holds no pair: a face and its recording have one name, as ann.jpg and ann.wav"
        )
    if not jobs:
        raise UserError(f"{pairs} lists no pair; give it a line for each, face,speech[,name]")
    twice, count = Counter(job.out for job in jobs).most_common(1)[0]
    if count > 1:
        raise UserError(f"{pairs} makes {twice.name} twice; add a column name")
    return jobs


def _file_name(name: str, suffix: str) -> str:
    return f"{name}{suffix}" if suffix else name.replace(".", "_")


def without_pair(folder: Path) -> list[Path]:
    """The pictures and recordings of a folder whose name no recording or no face has."""
    files = [path for path in folder.iterdir() if path.is_file()]
    used = {path for face, speech, _ in _jobs_of_folder(folder) for path in (face, speech)}
    stems = {path.stem for path in used}
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES | SOUND_SUFFIXES
    return sorted(p for p in files if p.suffix.lower() in known and p.stem not in stems)


def _jobs_of_folder(folder: Path) -> list[tuple[Path, Path, str]]:
    """Files of one name paired; pictures go before videos as faces."""
    jobs = []
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for stem in sorted({path.stem for path in files}):
        same = [path for path in files if path.stem == stem]
        pictures, videos, sounds = (
            [path for path in same if path.suffix.lower() in suffixes]
            for suffixes in (IMAGE_SUFFIXES, VIDEO_SUFFIXES, SOUND_SUFFIXES)
        )
        faces, recordings = [*pictures, *videos], [*sounds, *videos]
        if faces and recordings:
            jobs.append((faces[0], recordings[0], stem))
    return jobs


def _jobs_of_csv(manifest: Path) -> list[tuple[Path, Path, str]]:
    """Face, speech and name in every line."""
    if not manifest.is_file():
        raise UserError(f"no such list of pairs: {manifest}")
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, names = [(reader.line_num, row) for row in reader], reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{manifest} is no CSV in UTF-8: {error}") from error
    if not {"face", "speech"} <= set(names):
        raise UserError(
            f"{manifest} needs the columns face and speech, with commas between; its first line is "
            f"{','.join(names)!r}"
        )
    jobs = []
    for line, row in rows:
        if not row["face"] or not row["speech"]:
            raise UserError(f"{manifest}, line {line}: names no face or no speech")
        face, speech = (manifest.parent / Path(row[n]).expanduser() for n in ("face", "speech"))
        name = row.get("name") or f"{face.stem}__{speech.stem}"
        jobs.append((face, speech, name))
    return jobs
