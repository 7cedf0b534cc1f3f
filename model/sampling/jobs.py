"""Which videos to make: one pair of face and recording, or a list or folder of pairs."""

import csv
import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from model.config.choices import FormatName
from model.sampling.sample_config import VideoOptions
from pipeline.errors import UserError
from pipeline.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES

# Of the file that each format writes; PNG is a folder of pictures.
SUFFIXES: dict[FormatName, str] = {"mp4": ".mp4", "webm": ".webm", "gif": ".gif", "png": ""}
SOUND_SUFFIXES = frozenset(
    [".aac", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"]
)


@dataclass(frozen=True)
class Job:
    """One video to make."""

    face: Path  # a picture, or a video whose first frame with a face is taken
    speech: Path  # a recording, or a video with sound
    out: Path  # the video to write, see `model.sampling.video_writer`
    seed: int = 0  # of its noise


def plan_jobs(options: VideoOptions, *, preview: bool = False) -> list[Job]:
    """The videos to make; each place in a list has its seed, counted up.

    Reports on standard error which entries of a list are left out.
    """
    face, speech, pairs, out = options.face, options.speech, options.pairs, options.out
    if pairs is not None and face is None and speech is None:
        listed = read_jobs(pairs, out, SUFFIXES[options.format or "mp4"])
        seeded = [replace(job, seed=seed) for seed, job in enumerate(listed, start=options.seed)]
        jobs = [job for job in seeded if not job.out.exists()]
        if len(jobs) < len(listed):
            print(
                f"kept {len(listed) - len(jobs)} videos that are in {out} already", file=sys.stderr
            )
        unpaired = [path.name for path in unpaired_files(pairs)] if pairs.is_dir() else []
        if unpaired:
            named = ", ".join(unpaired[:3]) + (" …" if len(unpaired) > 3 else "")
            print(
                f"left out {len(unpaired)} files without a partner of their name: {named}",
                file=sys.stderr,
            )
    elif pairs is None and face is not None and speech is not None:
        _check_suffix(out, options.format)
        if out.exists():
            raise UserError(f"{out} exists already; take another name or move it away")
        jobs = [Job(face, speech, out, options.seed)]
    else:
        raise UserError("give either --face and --speech, or --pairs")
    for job in jobs:
        if preview and preview_path(job.out).exists():
            raise UserError(
                f"{preview_path(job.out)} exists already; move it away, or leave out --preview"
            )
        if any(parent.is_file() for parent in job.out.parents):
            raise UserError(f"cannot write {job.out}: a folder in it is a file")
        existing = next(parent for parent in job.out.absolute().parents if parent.exists())
        if not os.access(existing, os.W_OK):
            raise UserError(
                f"cannot write {job.out}: no permission to write in {existing}; choose another"
            )
    return jobs


def preview_path(out: Path) -> Path:
    """The file of a video's preview strip."""
    return out.with_name(f"{out.stem}.preview.png")


def _check_suffix(out: Path, format_name: FormatName | None) -> None:
    known = [suffix for suffix in SUFFIXES.values() if suffix]
    if format_name is None and out.suffix.lower() not in known:
        raise UserError(
            f"--out must end in {', '.join(known)} (or be a folder with --pairs or --format png), "
            f"not {out}"
        )
    if format_name is not None and out.suffix.lower() != SUFFIXES[format_name]:
        ending = f"end in {SUFFIXES[format_name]}" if SUFFIXES[format_name] else "have no suffix"
        raise UserError(f"with --format {format_name}, --out must {ending}, not {out}")


def read_jobs(pairs: Path, out: Path, suffix: str = ".mp4") -> list[Job]:
    """Jobs from a CSV with the columns face, speech and optionally name; or from a folder.

    Paths are relative to the CSV's folder; the video is called OUT/NAME.mp4, by default after face
    and speech. In a folder, a picture or video and a recording of one name are a pair, and a video
    without a recording is paired with its own sound. Folders of PNG have no suffix: dots in their
    names become _, because what follows a dot would be taken for one.
    """
    found = _pairs_of_folder(pairs) if pairs.is_dir() else _pairs_of_csv(pairs)
    jobs = [
        Job(face, speech, out / (f"{name}{suffix}" if suffix else name.replace(".", "_")))
        for face, speech, name in found
    ]
    if not jobs and pairs.is_dir():
        raise UserError(
            f"{pairs} holds no pair: a face and its recording have one name, as ann.jpg and ann.wav"
        )
    if not jobs:
        raise UserError(f"{pairs} lists no pair; give it a line for each, face,speech[,name]")
    repeated, count = Counter(job.out for job in jobs).most_common(1)[0]
    if count > 1:
        raise UserError(f"{pairs} makes {repeated.name} twice; add a column name")
    return jobs


def unpaired_files(folder: Path) -> list[Path]:
    """The pictures, videos and recordings of a folder whose name has no partner."""
    paired = {face.stem for face, _, _ in _pairs_of_folder(folder)}
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES | SOUND_SUFFIXES
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in known and path.stem not in paired
    )


def _pairs_of_folder(folder: Path) -> list[tuple[Path, Path, str]]:
    """Face, speech and name; pictures go before videos as faces."""
    pairs = []
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for stem in sorted({path.stem for path in files}):
        pictures, videos, sounds = (
            [path for path in files if path.stem == stem and path.suffix.lower() in suffixes]
            for suffixes in (IMAGE_SUFFIXES, VIDEO_SUFFIXES, SOUND_SUFFIXES)
        )
        faces, recordings = [*pictures, *videos], [*sounds, *videos]
        if faces and recordings:
            pairs.append((faces[0], recordings[0], stem))
    return pairs


def _pairs_of_csv(path: Path) -> list[tuple[Path, Path, str]]:
    """Face, speech and name of every line."""
    if not path.is_file():
        raise UserError(f"no such list of pairs: {path}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, columns = [(reader.line_num, row) for row in reader], reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV in UTF-8: {error}") from error
    if not {"face", "speech"} <= set(columns):
        raise UserError(
            f"{path} needs the columns face and speech, with commas between; its first line is "
            f"{','.join(columns)!r}"
        )
    pairs = []
    for line, row in rows:
        if not row["face"] or not row["speech"]:
            raise UserError(f"{path}, line {line}: names no face or no speech")
        face, speech = (path.parent / Path(row[key]).expanduser() for key in ("face", "speech"))
        pairs.append((face, speech, row.get("name") or f"{face.stem}__{speech.stem}"))
    return pairs
