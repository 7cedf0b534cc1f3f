"""All that is measured of one clip, both of its videos decoded once and their faces found once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from benchmarks.clips.paired_frames import compare, warnings
from benchmarks.scoring.cache import key_of
from benchmarks.scoring.clip_metrics import ClipMeasures
from benchmarks.scoring.pretrained import AbsentError
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.clips.decoded_video import Video
    from benchmarks.clips.paired_frames import Comparison
    from benchmarks.scoring.clip_metrics import Kit
    from benchmarks.scoring.results import ClipRow


@dataclass
class Measured:
    """What is known of a clip.

    Attributes:
        row: for scores.json.
        evidence: what numbers over the set are made of, by metric: small, or keys of the cache.
    """

    row: ClipRow
    evidence: dict[str, Any] = field(default_factory=dict)


def measure_clip(
    kit: Kit, clip_id: str, real: Video, fake: Video, said: list[str] | None, fake_path: Path
) -> Measured:
    """Measures one clip; what it cannot tell is named with the reason.

    Args:
        kit: metrics, networks and cache.
        clip_id: of the clip.
        real: the real clip.
        fake: the video that imitates it.
        said: the words said in it, if they are known.
        fake_path: file of the fake, for the lip reader.

    Raises:
        MediaError: a video does not read.
        ValueError: the two cannot be compared.
    """
    wanted = [name for name in ("ssim", "psnr", "mse") if name in kit.metrics]
    key = key_of("compare", real.digest, fake.digest, real.limit, kit.image_size, wanted)
    comparison: Comparison = kit.cache.record(
        key, lambda: compare(real, fake, wanted, kit.image_size)
    )
    size = cast("tuple[int, int]", tuple(comparison["compared"]))
    clip = ClipMeasures(kit, real, fake, size)
    clip.frames(comparison)
    for names, measure in (
        (("ofm", "ofm_equation", "f_mse", "f_mse_equation"), clip.motion),
        (("cpbd",), clip.sharpness),
        (("blinks_per_second", "blink_duration"), clip.eyes),
        (("lip_lag", "lip_correlation"), clip.lips),
        (("lmd",), clip.mouth),
        (("csim",), clip.identity),
        (("av_offset", "av_confidence", "lse_c", "lse_d"), clip.sync),
        (("fid",), clip.frame_features),
        (("fvd",), clip.window_features),
        (("wer",), lambda: clip.words(said, fake_path)),
    ):
        chosen = [name for name in names if name in kit.metrics]
        if chosen:
            try:
                measure()
            except (AbsentError, ValueError, UserError) as error:
                clip.drop(chosen, str(error))
    row: ClipRow = {
        "clip_id": clip_id,
        "status": "ok",
        "warnings": warnings(comparison),
        "frames": comparison["frames"],
        "frames_real": comparison["frames_real"],
        "frames_fake": comparison["frames_fake"],
        "identical_frames": comparison["identical_frames"],
        "size_real": comparison["size_real"],
        "size_fake": comparison["size_fake"],
        "size_compared": comparison["size_compared"],
        "values": {name: v for name, v in clip.values.items() if name in kit.metrics},
        "real_values": {name: v for name, v in clip.real_values.items() if name in kit.metrics},
        "curves": clip.curves,
        "missing": clip.missing,
    }
    return Measured(row, clip.evidence)
