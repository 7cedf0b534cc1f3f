"""Synthetic talking heads with sound and with the truth about them, for machines without data.

Real speech with known phones is acted out by people made of one public-domain photograph; see
`pipeline.talkers`. The folder:

    videos/<speaker>/<clip_id>.mp4   25 fps H.264 and AAC, picture and sound in sync
    manifest.csv                     clip_id, path (relative to this folder), speaker, split
    truth.json                       the right answers for every clip, see `_UNITS`
    demo.json                        the options; written first, so that a run can be carried on
"""

import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.faces.networks.face_mesh import FaceMesh
from pipeline.files import read_json, write_json, write_text
from pipeline.media import FPS, Audio, fit_audio, write_video
from pipeline.talkers.acting import Performance, perform
from pipeline.talkers.cutout import cut_out
from pipeline.talkers.demo_options import DemoOptions
from pipeline.talkers.people import PEOPLE, Person
from pipeline.talkers.portraits import make_portrait
from pipeline.talkers.talker import Talker
from pipeline.talkers.voices import SENTENCES, Utterance, read_recordings, speak
from pipeline.weights import locate

TRAIN_SENTENCES, TEST_SENTENCE = SENTENCES[:-1], SENTENCES[-1]
_CANVAS = 1.25  # side of the portrait over side of the frame: room for the head to move
_CRF = 16
_RECIPE = 1  # counts up when the same options make other videos
_COMMENT = "synthetic: made by dh-prep demo from a public-domain photograph"
_UNITS = {
    "opening": "gap of the inner lips (points 62 and 66 of the 68) over the distance of the outer "
    "eye corners (36 and 45), one value a frame",
    "blinks": "first and last frame, counted from 0, in which the lids are not fully open",
    "offset": "frames by which the sound comes later than the picture",
    "phones": "ARPAbet symbol, first and last second",
    "head": "shift to the right and down in distances of the outer eye corners, roll in degrees "
    "clockwise, growth, one row a frame",
}


@dataclass(frozen=True)
class DemoClip:
    """One video to make."""

    clip_id: str
    person: Person
    sentence: str
    split: str

    @property
    def path(self) -> str:
        """Relative to the demo's folder."""
        return f"videos/{self.person.name}/{self.clip_id}.mp4"


def plan_clips(options: DemoOptions) -> list[DemoClip]:
    """Who speaks which sentence: each goes round the people, and one is kept for the test split."""
    people = PEOPLE[: options.people]
    tests = min(len(people), max(1, options.clips // 4))
    clips = []
    for k in range(options.clips - tests):
        turn, who = divmod(k, len(people))
        sentence = TRAIN_SENTENCES[(turn + who) % len(TRAIN_SENTENCES)]
        clips.append(_clip(people[who], sentence, turn // len(TRAIN_SENTENCES), "train"))
    return clips + [_clip(person, TEST_SENTENCE, 0, "test") for person in people[:tests]]


def _clip(person: Person, sentence: str, take: int, split: str) -> DemoClip:
    suffix = f"-{take + 1}" if take else ""
    return DemoClip(f"{person.name}-{sentence}{suffix}", person, sentence, split)


def make_demo(
    out: Path,
    options: DemoOptions,
    *,
    weights_dir: Path | None = None,
    on_clip: Callable[[], None] | None = None,
) -> Path:
    """Makes the videos that are not there yet, then the manifest, whose path it returns, and truth.

    `out` is absent, empty, or was begun with the same options; `on_clip` is called when a clip is
    done.
    """
    clips = plan_clips(options)
    _claim(out, options)
    manifest = out / "manifest.csv"  # written last: where it is, all is
    if manifest.exists() and all((out / clip.path).exists() for clip in clips):
        return manifest
    recordings = read_recordings(weights_dir)
    truth: dict[str, Any] = {}
    talkers: dict[str, Talker] = {}  # made when first needed: a finished demo needs none
    for clip in clips:
        # The sentence in the person's voice, and the movements for it.
        utterance = speak(recordings[clip.sentence], clip.person.voice)
        performance = perform(utterance, _rng(options, clip.clip_id))
        truth[clip.clip_id] = _truth(clip, utterance, performance)
        # The video, unless an earlier run made it.
        if not (out / clip.path).exists():
            name = clip.person.name
            if name not in talkers:
                mesh = FaceMesh(locate("face_landmarker.task", weights_dir))
                canvas = round(options.size * _CANVAS)
                cutout = cut_out(mesh, canvas, mirrored=clip.person.mirrored)
                portrait = make_portrait(clip.person, cutout, _rng(options, name))
                talkers[name] = Talker(portrait, options.size)
            write_video(
                out / clip.path,
                talkers[name].render(performance),
                audio=Audio(fit_audio(utterance.samples, len(performance))),
                crf=_CRF,
                metadata={"comment": _COMMENT},
            )
        if on_clip:
            on_clip()
    write_json(out / "truth.json", {"fps": FPS, "units": _UNITS, "clips": truth})
    rows = [(clip.clip_id, clip.path, clip.person.name, clip.split) for clip in clips]
    table = pd.DataFrame(rows, columns=["clip_id", "path", "speaker", "split"])
    write_text(manifest, table.to_csv(index=False, lineterminator="\n"))
    return manifest


def _claim(out: Path, options: DemoOptions) -> None:
    """Marks the folder with the options, unless it belongs to something else."""
    mark, record = out / "demo.json", {"recipe": _RECIPE, **asdict(options)}
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder for the demo")
    if mark.exists():
        if read_json(mark) != record:
            raise UserError(
                f"{out} holds a demo made with other options (see demo.json in it); "
                "name another folder"
            )
    elif out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no demo; name another folder")
    write_json(mark, record)


def _rng(options: DemoOptions, name: str) -> np.random.Generator:
    """A generator for each name, so that one clip does not depend on another."""
    return np.random.default_rng([options.seed, zlib.crc32(name.encode())])


def _truth(clip: DemoClip, utterance: Utterance, performance: Performance) -> dict[str, Any]:
    return {
        "speaker": clip.person.name,
        "split": clip.split,
        "voice": utterance.voice,
        "sentence": utterance.sentence,
        "text": utterance.text,
        "frames": len(performance),
        "offset": 0,
        "blinks": performance.blinks,
        "opening": performance.opening.round(4).tolist(),
        "phones": [[p.symbol, p.start, p.end] for p in utterance.phones],
        "head": performance.head.round(5).tolist(),
    }
