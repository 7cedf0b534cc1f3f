"""The test protocol with another system, run from the user's clone or taken from finished videos.

Each clip is made in a working folder of its own, see `benchmarks.systems.workspace`, and
converted to the protocol: 25 fps, the clip's size and sound, frame k where frame k belongs.
"""

import io
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.commands import CommandError, run_commands
from benchmarks.systems.method_file import Method, check_needs, fill, find_method, read_method
from benchmarks.systems.protocol import (
    claim,
    data_recipe,
    missing_clips,
    synthetic_tags,
    video_path,
    write_clip,
)
from benchmarks.systems.protocol_options import MethodOptions
from benchmarks.systems.workspace import make_workspace, read_output, write_inputs
from pipeline.dataset.sample import Sample, from_members
from pipeline.dataset.shards import read_shard, shard_paths
from pipeline.errors import UserError
from pipeline.files import sha256_file, write_json, write_text
from pipeline.media import SAMPLES_PER_FRAME
from pipeline.progress import progress
from pipeline.storage import open_file

FAILURES_FILE = "failures.json"
_SALT = 77  # of driving clips, apart from other draws of the same seed
_HOPELESS = 3  # clips that fail first and at once: then the set-up is wrong, not the clips


@dataclass(frozen=True)
class MethodRun:
    """A method and what its clips are made with; `finished`: its videos, where it is not run."""

    method: Method
    data: Path
    out: Path
    options: MethodOptions
    finished: dict[str, Path] | None


@dataclass(frozen=True)
class GeneratedClip:
    """One clip: its video, or the reason why it has none."""

    key: str
    path: Path
    reason: str = ""


def generate_with(
    name: str, data: Path, out: Path, options: MethodOptions | None = None
) -> Iterator[GeneratedClip]:
    """Makes the missing videos of a split with another system and yields each clip once done."""
    options = options or MethodOptions()
    file = find_method(name)
    method = read_method(file)
    if options.driving and not method.input.driving_video:
        raise UserError(f"{method.name} takes no driving video; leave --driving out")
    if options.driving:
        method = replace(method, input=replace(method.input, driving=options.driving))

    # Whatever is missing is reported before anything is written.
    shard_paths(data, options.clips.split)
    finished = find_videos(options.finished) if options.finished else None
    if finished is None:
        check_needs(method, options.clone, options.weights)
    claim(out, _recipe(method, file, data, options))

    run = MethodRun(method, data, out, options, finished)
    failures: dict[str, str] = {}
    done = 0
    count = sum(1 for _ in missing_clips(data, out, options.clips))
    with progress("clips", count) as step:
        for place, sample in missing_clips(data, out, options.clips):
            made = _generate(run, place, sample)
            step(f"{made.key} failed" if made.reason else "")
            done += not made.reason
            if made.reason:
                failures[made.key] = made.reason
                write_json(out / FAILURES_FILE, failures)
                if len(failures) == _HOPELESS and not done and finished is None:
                    raise UserError(
                        f"{method.name} failed on the first {_HOPELESS} clips ({made.reason}); "
                        f"see {out / 'logs'}"
                    )
            yield made
    if (out / FAILURES_FILE).exists():
        write_json(out / FAILURES_FILE, failures)


def _recipe(method: Method, file: Path, data: Path, options: MethodOptions) -> dict[str, Any]:
    """All that shapes a video, as far as it can be known from outside the system."""
    return {
        "method": method.name,
        "method_sha256": sha256_file(file),
        "clone": str(options.clone.resolve()) if options.clone else None,
        "clone_commit": _commit(options.clone) if options.clone else None,
        "weights": str(options.weights.resolve()) if options.weights else None,
        "finished": str(options.finished.resolve()) if options.finished else None,
        "driving": method.input.driving,
        "seed": options.seed,
    } | data_recipe(data, options.clips)


def _commit(clone: Path) -> str | None:
    """The commit that a clone is at; None where it is no clone or git is not installed."""
    command = ["git", "-C", str(clone), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _generate(run: MethodRun, place: int, sample: Sample) -> GeneratedClip:
    """Makes, or takes, the video of one clip."""
    clips = run.options.clips
    path = video_path(run.out, sample.key, clips)
    frames = min(len(sample.frames), clips.max_frames or len(sample.frames))
    sound = sample.audio[: frames * SAMPLES_PER_FRAME]
    try:
        if run.finished is None:
            pictures = _run(run, place, sample, frames, sound)
        else:
            source, shape = _finished(run.finished, sample), sample.frames[0].shape
            pictures = list(read_output(source, run.method.output, shape, frames))
        write_clip(path, pictures, sound, synthetic_tags(run.method.name))
        reason = ""
    except (CommandError, UserError, OSError, ValueError) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours, shown as one
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    return GeneratedClip(sample.key, path, reason)


def _finished(finished: dict[str, Path], sample: Sample) -> Path:
    """The finished video of a clip: called like it, or like the video it was cut from."""
    names = dict.fromkeys((sample.key, Path(sample.meta["source"]).stem))
    found = next((finished[name] for name in names if name in finished), None)
    if found is None:
        raise CommandError(f"no finished video is called {' or '.join(names)}")
    return found


def _run(
    run: MethodRun, place: int, sample: Sample, frames: int, sound: NDArray[np.int16]
) -> list[NDArray[np.uint8]]:
    """Runs the system on one clip in a working folder of its own."""
    method, options = run.method, run.options
    log = run.out / "logs" / f"{sample.key}.log"
    # No dot and no blank in the name: research code splits paths at both.
    with tempfile.TemporaryDirectory(prefix="dh-bench-") as name:
        # A folder like the clone, the clip's inputs in it.
        folder = Path(name)
        make_workspace(folder, options.clone, method.private)
        driving = _driving_frames(run, place, sample)[: options.clips.max_frames or None]
        write_inputs(folder, method.input, sample.frames[0], sound, frames, driving)
        values = {
            "python": _python(options),
            "clone": str((options.clone or folder).resolve()),
            "weights": str((options.weights or options.clone or folder).resolve()),
            "folder": str(folder),
            "face": method.input.face[0],
            "speech": method.input.speech[0],
            "driving": method.input.driving_video,
            "seed": str(options.seed + place),
            "frames": str(frames),
            "driving_frames": str(len(driving)),
        }
        for file in method.files:
            write_text(folder / file.path, fill(file.text, values))

        # Its commands, and the one video that they make.
        commands = [
            ([fill(text, values) for text in step.args], folder / step.cwd) for step in method.steps
        ]
        run_commands(commands, log, options.timeout or method.timeout)
        found = sorted(folder.glob(method.output.video))
        if len(found) != 1:
            raise CommandError(
                f"{len(found)} files are called {method.output.video} after its run, not one; "
                f"see {log}"
            )
        return list(read_output(found[0], method.output, sample.frames[0].shape, frames))


def _python(options: MethodOptions) -> str:
    if options.python:
        return str(options.python.absolute())  # not resolved: an environment's is a link
    own = options.clone / ".venv" / "bin" / "python" if options.clone else None
    return str(own.absolute()) if own and own.exists() else sys.executable


def _driving_frames(run: MethodRun, place: int, sample: Sample) -> list[NDArray[np.uint8]]:
    """Frames of the clip that gives the pose, by the method's rule."""
    if run.method.input.driving == "none":
        return []
    if run.method.input.driving == "another":
        split, seed = run.options.clips.split, run.options.seed
        sample = read_driving_clip(run.data, split, sample.key, place, seed)
    return list(sample.frames)


def choose_driving_clip(data: Path, split: str, key: str, place: int, seed: int) -> tuple[str, str]:
    """A clip of another speaker if the split has one, else another clip, drawn at random.

    `key` is the clip to be driven, `place` its place in the split. Returns key and shard.
    """
    parts = []
    for shard in shard_paths(data, split):
        with open_file(f"{shard.removesuffix('.tar')}.parquet") as file:
            content = io.BytesIO(file.read())
        part = pd.read_parquet(content, columns=["clip_id", "speaker", "status"])
        parts.append(part[part["status"] == "ok"].assign(shard=shard))
    rows = pd.concat(parts, ignore_index=True).set_index("clip_id")
    speaker = rows["speaker"].get(key, "")
    others = rows.drop(key, errors="ignore")
    strangers = others[others["speaker"] != speaker]
    chosen = strangers if speaker and len(strangers) else others
    if not len(chosen):
        raise UserError(f"{key} is the only clip of its split, and needs another to drive it")
    drawn = int(np.random.default_rng([_SALT, seed, place]).integers(len(chosen)))
    return str(chosen.index[drawn]), str(chosen["shard"].iloc[drawn])


def read_driving_clip(data: Path, split: str, key: str, place: int, seed: int) -> Sample:
    """The sample of the clip that `choose_driving_clip` chooses."""
    chosen, shard = choose_driving_clip(data, split, key, place, seed)
    members = next(members for found, members in read_shard(shard) if found == chosen)
    return from_members(chosen, members)
