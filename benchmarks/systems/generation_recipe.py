"""What shaped a folder of generated videos: written beside them, compared when it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.network.talking_head import SpeechFormat
from pipeline.dataset.shards import DATASET_FILE, read_dataset
from pipeline.errors import UserError
from pipeline.files import read_json, sha256_file, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from model.checkpoints.checkpoint import CheckpointInfo
    from model.sampling.sample_config import SampleConfig

RECIPE_FILE = "generate.json"
# What older recipes leave out could not be chosen when they were written.
_ALWAYS = {"reanchor": 0}
# Where things lie; what they hold is compared by SHA-256, a clone by its commit.
_PLACES = ("checkpoint", "data", "clone", "weights", "finished")


def recipe(
    data: Path,
    checkpoint: Path,
    info: CheckpointInfo,
    config: SampleConfig,
    *,
    split: str,
    frames: int,
) -> dict[str, Any]:
    """All that shapes a video; folders of equal recipes may be one."""
    return {
        "checkpoint": str(checkpoint.resolve()),
        "checkpoint_sha256": sha256_file(checkpoint),
        "preset": info.preset.name,
        "step": info.step,
        "sampler": config.sampler,
        "steps": config.steps,
        "spacing": config.spacing,
        "start": config.start,
        "start_step": config.start_step,
        "noise_correlation": config.noise_correlation,
        "reanchor": config.reanchor,
        "seed": config.seed,
        "precision": config.precision,
        "data": str(data.resolve()),
        "data_sha256": sha256_file(data / DATASET_FILE),
        "split": split,
        "max_frames": frames,
    }


def claim(out: Path, wanted: dict[str, Any]) -> None:
    """Writes the recipe into an empty folder, or makes sure that the folder was begun with it.

    Raises:
        UserError: the folder holds other files, or videos of another recipe.
    """
    path = out / RECIPE_FILE
    if not path.exists():
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file; name a folder with --out")
        if out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
            raise UserError(f"{out} holds other files; name a new or empty folder with --out")
        write_json(path, wanted)
        return
    begun = _ALWAYS | read_json(path)
    changed = [
        f"{name} {begun.get(name)} is now {value}"
        for name, value in wanted.items()
        if name not in _PLACES and begun.get(name) != value
    ]
    if changed:
        raise UserError(
            f"{out} holds videos of another recipe ({'; '.join(changed)}); use another --out"
        )


def check_speech(data: Path, info: CheckpointInfo) -> None:
    """Makes sure that a data set has the speech features that a checkpoint takes.

    Raises:
        UserError: it has others.
    """
    given, taken = SpeechFormat.of(read_dataset(data)["speech"]), info.speech
    if not given.fits(taken):
        raise UserError(
            f"the checkpoint takes speech features {_told(taken, given)}, {data} has "
            f"{_told(given, taken).removeprefix('of ')}; prepare it as the training data was"
        )


def _told(one: SpeechFormat, other: SpeechFormat) -> str:
    """What of a format tells it from another."""
    if one.name != other.name:
        return one.name
    if (one.steps, one.coefficients) != (other.steps, other.coefficients):
        return f"of {one.steps} x {one.coefficients}"
    return f"of the encoder {one.encoder[:10]}"
