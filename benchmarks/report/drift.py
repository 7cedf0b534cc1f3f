"""How a long video drifts: its frames against those of the first seconds.

An autoregressive model draws each frame from the last ones, so that errors add up. Each measure is
averaged over seconds and set against its mean over the first two; a face's likeness is the cosine
of its embedding to the mean embedding of those. What was lost before these seconds ended does not
show there: so each second is compared with the face that the video began with as well.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.image.csim import WEIGHTS, FaceEmbedder
from benchmarks.metrics.image.ssim import ssim
from benchmarks.report.figures import Series, curves, system_colour
from model.sampling.inputs import read_face
from pipeline.errors import UserError
from pipeline.faces.sharpness import sharpness
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.files import write_json, write_text
from pipeline.media import FPS
from pipeline.media.image import resize
from pipeline.templates import environment
from pipeline.weights import locate

Frame = NDArray[np.uint8]
# A face's embedding, or None where the frame shows no face.
Embed = Callable[[Frame], NDArray[np.floating] | None]

REFERENCE_SECONDS = 2
LIMIT = 0.1  # share of the first seconds' value within which a video is held to be steady
_EMBED_EVERY = 5  # frames
_FACE_SIDE = 128  # of training crops, which the identity frames of smaller models average
MEASURES = {
    "sharpness": "frequency of edges in the face, cycles per pixel",
    "brightness": "mean luma, 0 to 255",
    "contrast": "standard deviation of luma over a frame",
    "red": "mean of red, 0 to 255",
    "green": "mean of green, 0 to 255",
    "blue": "mean of blue, 0 to 255",
}
JUDGED = (*MEASURES, "identity")
# A head that moves is less like its first frame too: these are drawn, not judged.
TO_START = {
    "ssim_to_start": "SSIM to the face that the video began with",
    "identity_to_start": "cosine to the embedding of that face",
}


@dataclass(frozen=True)
class Drift:
    """The drift of one video."""

    name: str  # of the video
    seconds: int  # whole seconds measured
    # Per measure, those of `TO_START` among them, its mean in every second, (seconds,).
    values: dict[str, list[float]]
    # Per measure that is judged, value over that of the first two seconds, (seconds,).
    ratios: dict[str, list[float]]
    identity: str  # why there is no identity cosine; empty where there is one

    @property
    def last(self) -> dict[str, float]:
        """Ratio of the last two seconds' mean to the first two's, per judged measure."""
        return {name: float(np.mean(curve[-2:])) for name, curve in self.ratios.items()}

    @property
    def steady(self) -> bool:
        """Whether all of them stayed within a tenth."""
        return all(abs(value - 1) <= LIMIT for value in self.last.values())


def measure(
    name: str, frames: Iterable[Frame], embed: Embed | str, start: Frame | None = None
) -> Drift:
    """Measures a video, one frame in memory at a time.

    `frames`: (S, S, 3) uint8 RGB aligned crops, 25 a second; `start`: (H, H, 3) uint8 RGB, the
    aligned face that the video was made from; None takes the video's first frame for it.
    """
    rows: list[list[float]] = []
    embeddings: list[tuple[int, NDArray[np.floating]]] = []
    began = None
    for k, frame in enumerate(frames):
        if began is None:
            height, width = frame.shape[:2]
            if start is not None and height != width:
                raise UserError(f"{name} is {width} x {height}, no aligned crops; leave --face out")
            began = frame if start is None else resize(start, (height, height))
        # The likeness of the start to itself is no measurement.
        likeness = ssim(began, frame) if began is not frame else float("nan")
        pixels = frame.astype(np.float32)
        luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
        colours = pixels.mean((0, 1)).tolist()
        of_luma = float(luma.mean()), float(luma.std())
        rows.append([sharpness(frame), *of_luma, *colours, likeness])
        if not isinstance(embed, str) and k % _EMBED_EVERY == 0:
            found = _unit(embed(frame))
            if found is not None:
                embeddings.append((k, found))
    seconds = len(rows) // FPS
    if seconds < 2 * REFERENCE_SECONDS:
        raise UserError(f"{name} is too short to drift: {2 * REFERENCE_SECONDS} seconds at least")
    names = [*MEASURES, "ssim_to_start"]
    table = np.array(rows[: seconds * FPS]).reshape(seconds, FPS, len(names))
    values = dict(zip(names, np.nanmean(table, axis=1).T.tolist(), strict=True))
    if isinstance(embed, str):
        reason = embed
    else:
        first = None if start is None or began is None else _unit(embed(began))
        found_in = _identity(embeddings, seconds, first)
        reason = "" if found_in else "no face found in some second"
        values |= found_in
    ratios = {}
    for measured in JUDGED:
        if measured in values:
            curve = np.array(values[measured])
            ratios[measured] = (curve / curve[:REFERENCE_SECONDS].mean()).tolist()
    return Drift(name, seconds, values, ratios, reason)


def _unit(embedding: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
    return None if embedding is None else embedding / np.linalg.norm(embedding)


def _identity(
    embeddings: Sequence[tuple[int, NDArray[np.floating]]],
    seconds: int,
    start: NDArray[np.floating] | None,
) -> dict[str, list[float]]:
    """Mean cosines in every second, to the first seconds' mean embedding and to the start's.

    `embeddings` are of frame k each, of unit length. Nothing if some second shows no face; no
    cosine to the start, by default the first frame, if that shows none.
    """
    parts = [[e for k, e in embeddings if k // FPS == second] for second in range(seconds)]
    if not all(parts):
        return {}

    def cosines(to: NDArray[np.floating]) -> list[float]:
        return [float(np.mean([e @ to for e in part])) for part in parts]

    first = np.mean([e for part in parts[:REFERENCE_SECONDS] for e in part], axis=0)
    found = {"identity": cosines(first / np.linalg.norm(first))}
    if start is None and embeddings[0][0] == 0:
        start = embeddings[0][1]
    return found if start is None else found | {"identity_to_start": cosines(start)}


def aligned_face(path: Path, weights_dir: Path | None) -> Frame:
    """(128, 128, 3) uint8 RGB: the face of a picture or video, as dh-sample shows the model."""
    tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))
    return read_face(path, tracker, _FACE_SIDE).crop


def face_embedding(weights_dir: Path | None) -> Embed | str:
    """A function from (S, S, 3) uint8 RGB frames to embeddings of CSIM's network, or why not."""
    try:
        embedder = FaceEmbedder(locate(WEIGHTS, weights_dir))
        tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))
    except UserError as error:
        return str(error)

    def embed(frame: Frame) -> NDArray[np.floating] | None:
        track = tracker.track([frame])
        return embedder(frame, track.points[0]) if track.found[0] else None

    return embed


def write_drift(out: Path, drifts: Sequence[Drift]) -> list[Path]:
    """Writes OUT.json and OUT.html, what was measured and its curves, and returns their paths."""
    paths = [out.with_suffix(".json"), out.with_suffix(".html")]
    write_json(
        paths[0],
        {
            "protocol": f"means over seconds; ratios to the mean of the first {REFERENCE_SECONDS} "
            f"seconds; steady: the last two seconds within {LIMIT:.0%} of them",
            "measures": {
                **MEASURES,
                "identity": "cosine to the mean embedding of the first seconds",
                **TO_START,
            },
            "videos": [
                {
                    "name": one.name,
                    "seconds": one.seconds,
                    "steady": one.steady,
                    "last": {name: _finite(value) for name, value in one.last.items()},
                    "values": {n: [*map(_finite, curve)] for n, curve in one.values.items()},
                    "identity_missing": one.identity,
                }
                for one in drifts
            ],
        },
    )

    # A plot for each measure: ratios with a tenth on either side, then likeness to the start.
    seconds, plots = max(one.seconds for one in drifts), []
    titles = {name: name.replace("_", " ").replace("ssim", "SSIM") for name in TO_START}
    for name in (*JUDGED, *TO_START):
        shown = [one.ratios if name in JUDGED else one.values for one in drifts]
        lines = [
            Series(one.name, system_colour(k), np.array(of_video[name], np.float64))
            for k, (one, of_video) in enumerate(zip(drifts, shown, strict=True))
            if name in of_video
        ]
        if lines:
            band = LIMIT if name in JUDGED else 0.0
            in_view = 1 - 2 * LIMIT, 1 + 2 * band
            svg = curves(lines, seconds, band=band, in_view=in_view)
            plots.append((titles.get(name, name), svg))
    html = environment("benchmarks").get_template("drift.html.j2").render(
        drifts=drifts,
        names=[(one.name, system_colour(k)) for k, one in enumerate(drifts)],
        plots=plots,
        judged=[name for name in JUDGED if any(name in one.ratios for one in drifts)],
        starts=list(titles.items()),
        missing=sorted({one.identity for one in drifts if one.identity}),
        reference=REFERENCE_SECONDS,
    )  # fmt: skip
    write_text(paths[1], html)
    return paths


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None
