"""What dh-sample is asked for, made into jobs, and refused before the work where it cannot be."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.sampling.jobs import Job, read_jobs, without_pair
from model.sampling.output import SUFFIXES, preview_path
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from model.sampling.output import FormatName


@dataclass(frozen=True)
class Wanted:
    """What the user names.

    Attributes:
        face: a picture or a video; with `speech`, instead of `pairs`.
        speech: a recording.
        pairs: a list of them, see `model.sampling.jobs.read_jobs`.
        out: the file to write, or the folder of a list.
        format_name: of the videos; None goes by the suffix of `out`.
        preview: whether each gets a strip of its frames.
    """

    face: Path | None
    speech: Path | None
    pairs: Path | None
    out: Path
    format_name: FormatName | None
    preview: bool = False


def jobs_for(wanted: Wanted, seed: int) -> list[tuple[int, Job]]:
    """What is still to make, each with the seed that its place in the list gives it.

    Says on standard error what of a list is left out.

    Args:
        wanted: what the user names.
        seed: of the first.

    Raises:
        UserError: too much or too little is named, or it cannot be written where it is to go.
    """
    face, speech, out = wanted.face, wanted.speech, wanted.out
    if wanted.pairs is not None and face is None and speech is None:
        suffix = SUFFIXES[wanted.format_name or "mp4"]
        numbered = enumerate(read_jobs(wanted.pairs, out, suffix), start=seed)
        every = list(numbered)
        jobs = [(number, job) for number, job in every if not job.out.exists()]
        _note_left(wanted.pairs, out, kept=len(every) - len(jobs))
    elif wanted.pairs is None and face is not None and speech is not None:
        _check_suffix(out, wanted.format_name)
        if out.exists():
            raise UserError(f"{out} exists already; take another name or move it away")
        jobs = [(seed, Job(face, speech, out))]
    else:
        raise UserError("give either --face and --speech, or --pairs")
    for _, job in jobs:
        if wanted.preview and preview_path(job.out).exists():
            raise UserError(
                f"{preview_path(job.out)} exists already; move it away, or leave out --preview"
            )
        if any(parent.is_file() for parent in job.out.parents):
            raise UserError(f"cannot write {job.out}: a folder in it is a file")
        there = next(parent for parent in job.out.absolute().parents if parent.exists())
        if not os.access(there, os.W_OK):
            raise UserError(
                f"cannot write {job.out}: {there} is not yours to write; choose another"
            )
    return jobs


def _note_left(pairs: Path, out: Path, *, kept: int) -> None:
    """Says what of a list of pairs is not made: what is there, and what has no partner."""
    if kept:
        print(f"kept {kept} videos that are in {out} already", file=sys.stderr)
    lonely = without_pair(pairs) if pairs.is_dir() else []
    if lonely:
        named = ", ".join(path.name for path in lonely[:3]) + (" …" if len(lonely) > 3 else "")
        print(
            f"left out {len(lonely)} files without a partner of their name: {named}",
            file=sys.stderr,
        )


def _check_suffix(out: Path, format_name: FormatName | None) -> None:
    """Tells before the work that a name does not fit its format."""
    known = [suffix for suffix in SUFFIXES.values() if suffix]
    if format_name is None and out.suffix.lower() not in known:
        raise UserError(
            f"--out must end in {', '.join(known)} (or be a folder with --pairs or --format png), "
            f"not {out}"
        )
    if format_name is not None and out.suffix.lower() != SUFFIXES[format_name]:
        ending = f"end in {SUFFIXES[format_name]}" if SUFFIXES[format_name] else "have no suffix"
        raise UserError(f"with --format {format_name}, --out must {ending}, not {out}")
