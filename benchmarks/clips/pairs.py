"""Which fake imitates which real clip: finds the videos of two folders and matches them by name."""

import hashlib
import itertools
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from benchmarks.clips.decoded_video import DecodedVideo, open_video
from pipeline.dataset.sample import from_members
from pipeline.dataset.shards import DATASET_FILE, read_dataset, read_shard, shard_paths
from pipeline.errors import UserError
from pipeline.media import VIDEO_SUFFIXES, is_video
from pipeline.progress import progress


@dataclass(frozen=True)
class RealClip:
    """A real clip that is decoded only when asked for."""

    clip_id: str  # what its fake should be called
    stem: str  # what its fake may be called as well: the file name of its source, without suffix
    source: str  # the file or the shard that holds it
    origin: Path  # the video file that it was made from, if that is known
    # Its video, from the most frames that are looked at; 0 takes all.
    open: Callable[[int], DecodedVideo]


@dataclass(frozen=True)
class ClipBatch:
    """Real clips of one file or shard, which one worker measures one after another."""

    source: str  # a video, or a shard of dh-prep
    fakes: Mapping[str, Path]  # the fake of each real clip that has one, by clip id

    def pairs(self) -> Iterator[tuple[RealClip, Path]]:
        """Each real clip with its fake."""
        if self.source.endswith(".tar"):
            clips = shard_clips(self.source)
        else:
            clips = (file_clip(clip_id, Path(self.source)) for clip_id in self.fakes)
        return ((clip, self.fakes[clip.clip_id]) for clip in clips if clip.clip_id in self.fakes)


def find_videos(folder: Path) -> dict[str, Path]:
    """The videos in a folder and the folders in it, by file name without suffix, sorted.

    Names that are in several folders have theirs before them: `s1/bbaf2n`.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    videos: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and is_video(str(path)):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in videos:
                raise UserError(
                    f"clips are matched by name, but two in {folder} are called {name!r}: "
                    f"{videos[name].name} and {path.name}; take one of them out"
                )
            videos[name] = path
    if not videos:
        raise UserError(f"no video in {folder}; looked for {' '.join(sorted(VIDEO_SUFFIXES))}")
    stems = Counter(path.stem for path in videos.values())
    return {path.stem if stems[path.stem] == 1 else name: path for name, path in videos.items()}


def chosen_split(folder: Path, split: str | None) -> str | None:
    """The split to score: the one asked for, else `test` of a data set that has it, else all."""
    if (folder / DATASET_FILE).exists():
        splits = {shard["split"] for shard in read_dataset(folder)["shards"] if shard["samples"]}
        return split or ("test" if "test" in splits else None)
    if split:
        raise UserError(f"--split is for a data set made by dh-prep; {folder} is not one")
    return None


def real_clips(folder: Path, split: str | None) -> Iterator[RealClip]:
    """The real clips of a dh-prep data set (shard by shard) or of a folder of videos."""
    if not (folder / DATASET_FILE).exists():
        yield from itertools.starmap(file_clip, find_videos(folder).items())
        return
    for shard in shard_paths(folder, split):
        yield from shard_clips(shard)


def for_each_clip(
    folder: Path, split: str | None, label: str, work: Callable[[RealClip], None]
) -> dict[str, str]:
    """Does something with every real clip; gives the reason, by clip id, where it fails."""
    failed = {}
    with progress(label, sum(1 for _ in real_clips(folder, split))) as step:
        for clip in real_clips(folder, split):
            try:
                work(clip)
            except (UserError, ValueError, OSError) as error:
                failed[clip.clip_id] = str(error)
            step()
    return failed


def file_clip(clip_id: str, path: Path) -> RealClip:
    """A video as a real clip."""
    return RealClip(clip_id, path.stem, str(path), path, partial(open_video, path))


def shard_clips(shard: str) -> Iterator[RealClip]:
    """The clips of a shard of dh-prep."""
    try:
        for key, members in read_shard(shard):
            try:
                origin = _source_folder(Path(shard).parent) / json.loads(members["json"])["source"]
                stem = origin.stem
            except (KeyError, TypeError, ValueError):
                origin, stem = Path(key), key  # a damaged sample; opening it gives the reason
            yield RealClip(key, stem, shard, origin, partial(_open_packed, key, members, shard))
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f"{shard} does not read ({error}); see dh-prep check {Path(shard).parent}"
        ) from error


def _open_packed(
    key: str, members: Mapping[str, bytes], shard: str, max_frames: int
) -> DecodedVideo:
    digest = hashlib.sha256(b"".join(members[name] for name in sorted(members))).hexdigest()
    return DecodedVideo(
        f"{key} in {shard}",
        digest,
        max_frames,
        open_frames=lambda: from_members(key, members).frames,
        open_samples=lambda: from_members(key, members).audio,
    )


@cache
def _source_folder(data: Path) -> Path:
    """The folder that a data set was made from: what the sources of its clips are relative to."""
    try:
        source = Path(json.loads((data / DATASET_FILE).read_text(encoding="utf-8"))["source"])
    except (OSError, KeyError, TypeError, ValueError):
        return Path()
    return source if source.is_dir() else source.parent


def match_folders(
    real: Path, fake: Path, split: str | None
) -> tuple[list[ClipBatch], dict[str, list[str]]]:
    """Matches the fakes in one folder to the real clips in another.

    Returns the clips that have a fake, those of a shard together, since it is read once; and names
    of the `real` clips and of the `fake` videos that are left over.
    """
    fakes = find_videos(fake)
    stems, sources = {}, {}
    for clip in real_clips(real, split):
        stems[clip.clip_id] = clip.stem
        sources[clip.clip_id] = clip.source
    by_folder = {path.relative_to(fake).with_suffix("").as_posix(): path for path in fakes.values()}
    matched = match_clips(stems, by_folder | fakes)
    if not matched:
        hints = (case_hint(name, fakes) for name in stems)
        raise UserError(
            f"no video in {fake} is called like a clip in {real} "
            f"(for example {next(iter(fakes))!r} against {next(iter(stems))!r})"
            f"{next(filter(None, hints), '')}"
        )
    by_source: dict[str, dict[str, Path]] = {}
    for clip_id, path in matched.items():
        by_source.setdefault(sources[clip_id], {})[clip_id] = path
    used = set(matched.values())
    unmatched = {
        "real": [clip_id for clip_id in stems if clip_id not in matched],
        "fake": [name for name, path in fakes.items() if path not in used],
    }
    return [ClipBatch(source, pairs) for source, pairs in by_source.items()], unmatched


def case_hint(name: str, others: Iterable[str]) -> str:
    """What to do about a clip without a counterpart, if only its case is another."""
    same = next((other for other in others if other.casefold() == name.casefold()), None)
    return f"; {same!r} differs from {name!r} in case: rename one of them" if same else ""


def match_clips(stems: Mapping[str, str], fakes: Mapping[str, Path]) -> dict[str, Path]:
    """The fake of each real clip that has one: called like the clip, or like its source file."""
    shared = Counter(stems.values())
    pairs = {}
    for clip_id, stem in stems.items():
        if clip_id in fakes:
            pairs[clip_id] = fakes[clip_id]
        elif stem in fakes and stem not in stems and shared[stem] == 1:
            pairs[clip_id] = fakes[stem]
    return pairs
