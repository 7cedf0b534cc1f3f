"""A run's folder: its options, and whether a run can begin or go on in it."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.checkpoints.checkpoint import check_whole, latest, read_info
from model.network.talking_head import SpeechFormat
from model.training.run_options import RunOptions
from pipeline.dataset.plan import PLAN_FILE
from pipeline.errors import UserError
from pipeline.files import read_json, write_json

OPTIONS_FILE = "options.json"


def checkpoint_path(run: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return run / f"checkpoint-{step:07d}.safetensors"


def write_options(options: RunOptions, dataset: dict[str, Any]) -> None:
    """Writes `options.json`: the options, and which clips the run is trained on."""
    write_json(
        options.out / OPTIONS_FILE,
        {
            **asdict(options),
            "data": str(options.data.absolute()),
            "data_sha256": data_sha256(dataset),
            "out": str(options.out),
            "init_from": str(options.init_from) if options.init_from else None,
        },
    )


def data_sha256(dataset: dict[str, Any]) -> str:
    """A hash of the training clips in a `dataset.json`, wherever they lie."""
    shards = [shard for shard in dataset["shards"] if shard["split"] == "train"]
    sums = "".join(f"{shard.get('sha256', '')}  {shard['name']}\n" for shard in shards)
    return hashlib.sha256(sums.encode()).hexdigest()


def checkpoint_to_resume(options: RunOptions, dataset: dict[str, Any]) -> Path | None:
    """The run's last checkpoint if it is to be resumed; None for a new run."""
    out = options.out
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder with --out")
    found = latest(out)
    if found and not options.resume:
        raise UserError(f"{out} holds a run already; add --resume, or use another --out")
    if (out / PLAN_FILE).exists():
        raise UserError(f"{out} is a data set; name a folder of its own with --out")
    if options.other_data and not options.resume:
        raise UserError("--other-data is for a run that goes on; add --resume, or leave it out")
    if options.resume and not found:
        raise UserError(f"nothing to resume: no checkpoint in {out}; leave out --resume to begin")
    if found is None:
        return None
    if options.init_from:
        raise UserError(
            f"{out} goes on with its own weights; leave out --init-from, or --resume and use "
            "another --out"
        )
    check_whole(found)
    _same_model(found, options, SpeechFormat.of(dataset["speech"]))
    if not options.other_data:
        _same_data(options, dataset)
    step, steps = read_info(found).step, options.preset.train.steps
    if step > steps:
        raise UserError(
            f"{out} is at step {step} already, past the {steps} asked for; ask for more with "
            "--steps"
        )
    return found


def _same_model(found: Path, options: RunOptions, speech: SpeechFormat) -> None:
    """A run can be resumed with another recipe, not with another network."""
    info = read_info(found)
    before, now = (
        (p.unet, p.diffusion, p.speech_hidden, p.train.motion.level_as_input)
        for p in (info.preset, options.preset)
    )
    if before != now and info.preset.name == options.preset.name:
        raise UserError(
            f"{found} was trained with other --set of the network or the diffusion; give those of "
            f"{options.out / OPTIONS_FILE}, or use another --out"
        )
    if before != now:
        raise UserError(
            f"{found} was trained with preset {info.preset.name!r}, whose network differs from "
            f"that of {options.preset.name!r}; resume with --preset {info.preset.name}, or use "
            "another --out"
        )
    if not info.speech.fits(speech):
        raise UserError(f"{found} takes other speech features than {options.data} holds")


def _same_data(options: RunOptions, dataset: dict[str, Any]) -> None:
    """A run goes on with the clips that it was trained on, unless --other-data is given."""
    before = _other_data_before(options, dataset)
    if before is None:
        return
    if before == str(options.data.absolute()):
        raise UserError(
            f"{options.data} holds other clips than when {options.out} was trained on it; add "
            "--other-data to go on with them, or use another --out"
        )
    raise UserError(
        f"{options.out} was trained on {before}, and {options.data} holds other clips; name the "
        "first with --data, or add --other-data to go on with the second"
    )


def _other_data_before(options: RunOptions, dataset: dict[str, Any]) -> str | None:
    """Where the clips of the run so far lay; None if they are the same ones, or not known."""
    try:
        written: dict[str, Any] = read_json(options.out / OPTIONS_FILE)
    except FileNotFoundError:
        return None
    # Runs of older versions have no hash.
    same = written.get("data_sha256") in (None, data_sha256(dataset))
    return None if same else str(written["data"])


def notes_on_changes(
    resumed: Path | None, options: RunOptions, dataset: dict[str, Any]
) -> list[str]:
    """Notes for the user: data or recipe other than so far, crops that have to be enlarged."""
    notes = []
    if resumed:
        before = _other_data_before(options, dataset)
        if before:
            notes.append(f"note: trained on {before} so far, from here on {options.data}")
        old, new = (
            flat("train", asdict(preset.train))
            for preset in (read_info(resumed).preset, options.preset)
        )
        changed = [
            f"{name} {old[name]} is now {new[name]}" for name in new if old[name] != new[name]
        ]
        if changed:
            notes.append(f"note: another recipe than so far: {'; '.join(changed)}")
    crop, size = dataset["options"]["image_size"], options.preset.unet.image_size
    if crop < size:
        notes.append(
            f"note: the data's crops of {crop} x {crop} are enlarged to the model's {size} x "
            f"{size}; sharper: dh-prep run --image-size {size}"
        )
    return notes


def flat(name: str, value: Any) -> dict[str, Any]:
    """Values of nested dictionaries by their names in --set, as in `train.motion.noise`."""
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: inner
        for part in value
        for key, inner in flat(f"{name}.{part}" if name else part, value[part]).items()
    }
