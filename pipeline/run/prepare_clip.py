"""One clip through the stages: whatever becomes of it, it ends as samples or rows with reasons."""

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import SCHEMA_VERSION, Meta, Sample
from pipeline.errors import UserError
from pipeline.files import printable, sha256_file
from pipeline.media import FPS
from pipeline.run.clip import Clip, Skip, Stage
from pipeline.sources.manifest import ManifestRow
from pipeline.storage import local_copy


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: rows of the shard's parquet, and the samples among them."""

    rows: list[dict[str, Any]]
    samples: list[Sample]


@dataclass
class _Piece:
    """A clip, or a shot of one, on its way, with what it cost so far and why it ended."""

    clip: Clip
    seconds: dict[str, float] = field(default_factory=dict)
    ended: dict[str, str] | None = None


def prepare_clip(row: ManifestRow, options: PrepOptions, stages: Sequence[Stage]) -> Outcome:
    """Takes one clip through the stages; whatever goes wrong becomes a row with its reason.

    A row's status is `ok`, `skipped` (dropped by a rule) or `failed` (unreadable, or a fault of
    ours, whose traceback the row keeps). A clip of which one shot fails, fails.
    """
    at = "fetch"
    path = row.path

    def ended(reason: str, trace: str = "") -> Outcome:
        # A video from an object store is known by its address, not by its copy here.
        return failed(row, at, reason.replace(path, row.path), trace)

    try:
        with local_copy(row.path) as path:
            pieces = [_Piece(Clip(replace(row, path=path), options))]
            for stage in stages:
                at = stage.__name__
                pieces = [after for piece in pieces for after in _step(stage, piece)]
            at = "pack"
            good = [piece.clip for piece in pieces if piece.ended is None]
            digest = sha256_file(path) if good else ""
            rows = [
                _row_start(row, shot_key(row.clip_id, piece.clip.shot))
                | {"notes": ", ".join(piece.clip.notes)}
                | (piece.ended or {})
                | piece.clip.measures
                | piece.seconds
                for piece in pieces
            ]
            return Outcome(rows, [to_sample(clip, digest) for clip in good])
    except (UserError, OSError) as error:
        return ended(str(error))
    except Exception as error:  # noqa: BLE001 - the run goes on; the row keeps the traceback
        return ended(f"{type(error).__name__}: {error}", traceback.format_exc())


def failed(row: ManifestRow, stage: str, reason: str, trace: str = "") -> Outcome:
    """The outcome of a clip that failed as a whole, with the traceback of a fault of ours."""
    ending = _ending("failed", stage, reason) | {"traceback": printable(trace)}
    return Outcome([_row_start(row, row.clip_id) | ending], [])


def _step(stage: Stage, piece: _Piece) -> Iterator[_Piece]:
    """A piece after one stage; several where the stage splits it; the same if it has ended."""
    if piece.ended is not None:
        yield piece
        return
    name, begin = stage.__name__, time.perf_counter()
    result = stage(piece.clip)
    seconds = piece.seconds | {f"seconds_{name}": time.perf_counter() - begin}
    if isinstance(result, Skip):
        yield _Piece(piece.clip, seconds, _ending("skipped", name, result.reason))
        return
    # What a clip cost before it was split stands in the row of its first shot.
    for clip in result if isinstance(result, list) else [result]:
        known = _row_start(clip.row, shot_key(clip.row.clip_id, clip.shot)) | clip.measures
        broken = clip.options.limits.broken(known)
        yield _Piece(clip, seconds, _ending("skipped", name, broken) if broken else None)
        seconds = {}


def _row_start(row: ManifestRow, key: str) -> dict[str, Any]:
    return {
        "clip_id": key,
        "manifest_id": row.clip_id,
        "source": row.source,
        "speaker": row.speaker,
        "split": row.split,
        "collection": row.collection,
        "status": "ok",
        "stage": "",
        "reason": "",
        "traceback": "",
        "notes": "",
    }


def _ending(status: str, stage: str, reason: str) -> dict[str, str]:
    return {"status": status, "stage": stage, "reason": printable(reason)}


def shot_key(clip_id: str, shot: int) -> str:
    """The key of a shot of a clip; of the whole clip for shot 0."""
    return f"{clip_id}--{shot}" if shot else clip_id


def to_sample(clip: Clip, digest: str) -> Sample:
    """The finished sample of a clip that went through all stages; `digest` is of the source."""
    assert clip.info is not None
    assert clip.crops is not None
    assert clip.stretch is not None
    row, info, kept = clip.row, clip.info, clip.stretch.frames
    key = shot_key(row.clip_id, clip.shot)
    meta = Meta(
        schema_version=SCHEMA_VERSION,
        clip_id=key,
        source=row.source,
        source_sha256=digest,
        speaker=row.speaker,
        split=row.split,
        frames=len(clip.crops),
        image_size=clip.options.image_size,
        speech_dim=clip.speech.shape[1],
        source_fps=round(info.fps, 3),
        source_size=[info.width, info.height],
        source_audio_rate=info.audio_rate,
        kept_seconds=[round(row.start + k / FPS, 6) for k in (kept.start, kept.stop)],
        landmark_backend=clip.backend,
        interpolated_frames=clip.stretch.interpolated,
        transforms=np.round(clip.matrices.reshape(-1, 6), 5).tolist(),
        frame_psnr=round(clip.psnr, 2),
        jpeg_quality=clip.jpeg_quality,
        options=clip.options.of_a_sample(),
    )
    if clip.notes:
        meta["notes"] = list(clip.notes)
    return Sample(key, clip.crops, clip.audio, clip.speech, clip.landmarks, clip.mouth, meta)
