"""Whether the lips that a model generates follow the speech of held-out sentences.

Generates every clip of a split from its first frame and speech, and once more with
the speech of another clip; prints Markdown, and writes numbers, curves of lip opening and frames
into a folder. The frames, in a folder of their own, show a person.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray

from benchmarks.metrics.image.csim import WEIGHTS, FaceEmbedder, cosines, embed
from benchmarks.metrics.image.psnr import psnr
from benchmarks.metrics.image.ssim import ssim
from benchmarks.speed.harness import header, markdown
from model.checkpoints.checkpoint import CheckpointInfo, load_talking_head, read_info, resolve
from model.device import choose_device, choose_precision
from model.network.talking_head import TalkingHead
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig, choose_sampler
from pipeline.dataset.sample import Sample
from pipeline.dataset.shards import read_samples
from pipeline.faces.mouth_box import MOUTH
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.files import write_json
from pipeline.media import write_image
from pipeline.media.image import resize
from pipeline.speech.lip_sync import pearson
from pipeline.weights import locate

SIDE = 256  # pixels of the frames in which landmarks are found and distances given
_SHOWN = 8  # clips whose frames are written as pictures


@dataclass(frozen=True)
class Generated:
    """A test clip and the videos generated for it.

    Attributes:
        key: of the sample.
        real: (T, S, S, 3) uint8 at the model's size.
        own: (T, S, S, 3) uint8, generated with its own speech.
        other: (T', S, S, 3) uint8, generated with another clip's.
        landmarks: (T, 68, 2) of the real clip, at `SIDE`.
    """

    key: str
    real: NDArray[np.uint8]
    own: NDArray[np.uint8]
    other: NDArray[np.uint8]
    landmarks: NDArray[np.float64]


def opening(points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(T, 68, 2) to (T,): mean distance of the inner lips at their three middle pairs."""
    gap: NDArray[np.float64] = points[:, [61, 62, 63]] - points[:, [67, 66, 65]]
    return np.asarray(np.linalg.norm(gap, axis=2).mean(1))


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's r over the frames that both have; 0 if one of them does not move."""
    length = min(len(one), len(other))
    return float(np.nan_to_num(pearson(one[:length], other[:length])))


def draw(
    model: TalkingHead,
    info: CheckpointInfo,
    samples: Sequence[Sample],
    config: SampleConfig,
    batch: int,
) -> list[Generated]:
    """Draws every clip with its own speech and with that of the next clip in the list."""
    size = info.preset.unet.image_size
    following = [*samples[1:], samples[0]]
    jobs = [(s.frames[0], s.speech) for s in samples]
    jobs += [
        (s.frames[0], other.speech[: len(s.speech)])
        for s, other in zip(samples, following, strict=True)
    ]
    denoiser = make_denoiser(model, info.preset, config)
    videos: list[list[NDArray[np.uint8]]] = [[] for _ in jobs]
    for begin in range(0, len(jobs), batch):
        faces, speech = zip(*jobs[begin : begin + batch], strict=True)
        for frames in generate_frames(denoiser, info.preset, list(faces), list(speech), config):
            for place, frame in enumerate(frames, start=begin):
                if frame is not None:
                    videos[place].append(frame)
        print(f"{min(begin + batch, len(jobs))}/{len(jobs)} clips", file=sys.stderr)
    return [
        Generated(
            sample.key,
            np.stack([resize(frame, (size, size)) for frame in sample.frames]),
            np.stack(videos[k]),
            np.stack(videos[k + len(samples)]),
            sample.landmarks.astype(np.float64) * SIDE / sample.meta["image_size"],
        )
        for k, sample in enumerate(samples)
    ]


def enlarged(frames: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Frames at `SIDE`."""
    return [
        np.asarray(cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
        for f in frames
    ]


def found(tracker: MediaPipeTracker, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Landmarks of small frames, (T, 68, 2) at `SIDE`; NaN where no face is seen."""
    return tracker.track(enlarged(frames)).points.astype(np.float64)


def likeness(
    clip: Generated, drawn: NDArray[np.float64], embedder: FaceEmbedder
) -> dict[str, float]:
    """CSIM of the generated and of the real frames to the clip's first.

    Args:
        clip: what was generated.
        drawn: (T, 68, 2) landmarks of the generated frames, at `SIDE`.
        embedder: dlib's network.
    """
    real = embed(embedder, enlarged(clip.real), clip.landmarks)
    own = embed(embedder, enlarged(clip.own), drawn)
    return {
        "csim": float(cosines(real, own).mean()) if len(own) else float("nan"),
        "csim_real": float(cosines(real, real[1:]).mean()),
    }


def measure(
    clip: Generated, tracker: MediaPipeTracker, embedder: FaceEmbedder | None = None
) -> dict[str, Any]:
    """The numbers of a clip, and its curves; CSIM where a network is given."""
    own, other = found(tracker, clip.own), found(tracker, clip.other)
    frozen = found(tracker, clip.real[:1])
    truth, drawn = opening(clip.landmarks), opening(own)

    def mouth_distance(points: NDArray[np.float64]) -> float | None:
        gap = np.linalg.norm((points - clip.landmarks)[:, MOUTH], axis=2)
        return None if np.isnan(gap).all() else float(np.nanmean(gap))

    pairs = list(zip(clip.real, clip.own, strict=True))
    return {
        "key": clip.key,
        "r_own": correlation(drawn, truth),
        "r_other": correlation(opening(other), truth),
        "mouth_distance": mouth_distance(own),
        "mouth_distance_frozen": mouth_distance(np.repeat(frozen, len(truth), axis=0)),
        "ssim": float(np.mean([ssim(real, fake) for real, fake in pairs])),
        "psnr": float(np.mean([psnr(real, fake) for real, fake in pairs])),
        **(likeness(clip, own, embedder) if embedder else {}),
        "faces_missed": int(np.isnan(drawn).sum()),
        "opening_real": [round(float(v), 2) for v in truth],
        "opening_drawn": [None if np.isnan(v) else round(float(v), 2) for v in drawn],
    }


def sheet(clip: Generated, columns: int = 12) -> NDArray[np.uint8]:
    """Every few frames of a clip: real above drawn."""
    shown = np.linspace(0, len(clip.own) - 1, columns).round().astype(int)
    rows = [np.concatenate([video[k] for k in shown], axis=1) for video in (clip.real, clip.own)]
    return np.concatenate(rows)


def draw_curves(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes lip opening over time of every clip, real and generated, one small chart each."""
    from matplotlib.figure import Figure

    down = -(-len(rows) // 3)
    figure = Figure((9, 1.2 * down + 0.4), layout="constrained")
    axes = figure.subplots(down, 3, squeeze=False, sharey=True)
    for axis in axes.flat[len(rows) :]:
        axis.set_axis_off()
    for axis, row in zip(axes.flat, rows, strict=False):
        axis.plot(row["opening_real"], color="#888", label="real")
        drawn = np.array(row["opening_drawn"], np.float64)  # None becomes NaN, a gap
        axis.plot(drawn, color="#c0392b", label="generated from first frame and speech")
        axis.set_title(f"{row['key']}  r = {row['r_own']:.2f}", fontsize=8)
        axis.set_axis_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def summary(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The table: mean over clips, and the goal."""

    def mean(name: str) -> float:
        known = [row[name] for row in rows if row.get(name) is not None]
        return float(np.mean(known)) if known else float("nan")

    own, other = mean("r_own"), mean("r_other")
    distance, frozen = mean("mouth_distance"), mean("mouth_distance_frozen")
    return [
        ["(a) r of lip opening, own speech", f"{own:.3f}", "at least 0.45"],
        ["(b) the same, another clip's speech", f"{other:.3f}", ""],
        ["(a) - (b)", f"{own - other:.3f}", "at least 0.35"],
        [f"(c) mouth landmark distance, px of {SIDE}", f"{distance:.2f}", "below frozen"],
        ["the same, first frame frozen", f"{frozen:.2f}", ""],
        ["(d) SSIM", f"{mean('ssim'):.3f}", ""],
        ["(d) PSNR, dB", f"{mean('psnr'):.2f}", ""],
        ["(e) CSIM (dlib) to the first frame", f"{mean('csim'):.3f}", "0.9 of the real clips'"],
        ["the same, real clips", f"{mean('csim_real'):.3f}", ""],
    ][: 9 if "csim" in rows[0] else 7]


def main(
    data: Annotated[Path, typer.Argument(help="A data set of dh-prep with a test split.")],
    checkpoint: Annotated[Path, typer.Argument(help="A run's folder, or a checkpoint.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for numbers, curves and frames.")],
    split: Annotated[str, typer.Option(help="train: people and clips seen in training.")] = "test",
    clips: Annotated[int | None, typer.Option(help="Only this many, the first.")] = None,
    csim: Annotated[bool, typer.Option(help="Measure identity, by the package dlib-bin.")] = False,
    sampler: str = "auto",
    steps: Annotated[int, typer.Option(min=0, help="Calls a frame; 0: the sampler's own.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Videos generated side by side.")] = 19,
    seed: int = 0,
) -> None:
    """Prints how well the lips of the test clips follow their speech."""
    path = resolve(checkpoint)
    device = choose_device("auto")
    model, info = load_talking_head(path, device)
    given = SampleConfig(
        sampler=sampler,  # type: ignore[arg-type]
        steps=steps,
        seed=seed,
        precision=choose_precision("auto", device),
    )
    config = choose_sampler(given, info.preset.diffusion)
    samples = list(islice(read_samples(data, split), clips))
    begin = time.perf_counter()
    drawn = draw(model, info, samples, config, batch)
    seconds = time.perf_counter() - begin
    tracker = MediaPipeTracker(locate("face_landmarker.task"))
    embedder = FaceEmbedder(locate(WEIGHTS)) if csim else None
    rows = [measure(clip, tracker, embedder) for clip in drawn]
    print(header(["torch"]))
    frames = 2 * sum(len(clip.own) for clip in drawn)
    print(
        f"{path.name}, step {read_info(path).step}, {info.preset.unet.image_size} px, {len(rows)} "
        f"{split} clips; {config.sampler}, {config.steps} calls a frame, {seconds / frames:.3f} s "
        f"a frame on {torch.get_num_threads()} threads\n"
    )
    print(markdown(["mean over clips", "value", "goal"], summary(rows)))
    write_json(out / "talk.json", {"options": vars(config), "clips": rows})
    draw_curves(rows, out / "lips.svg")
    for clip in drawn[:_SHOWN]:
        write_image(out / "frames" / f"{clip.key}.png", sheet(clip))


if __name__ == "__main__":
    typer.run(main)
