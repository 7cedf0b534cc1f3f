"""All numbers of one clip, and what is wrong with it."""

from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.clips.cache import key_of
from benchmarks.clips.decoded_video import DecodedVideo
from benchmarks.clips.face_place import place_warnings
from benchmarks.clips.paired_frames import (
    FrameComparison,
    compare_frames,
    copy_warnings,
    length_warnings,
)
from benchmarks.clips.pairs import RealClip
from benchmarks.metrics.catalogue import METRICS
from benchmarks.scoring.clip_metrics import FAMILIES, Numbers, frame_size
from benchmarks.scoring.clip_videos import ClipVideos, MeasureSetup
from benchmarks.scoring.pretrained import LANDMARKS, UnavailableError
from benchmarks.scoring.results import ClipRow
from pipeline.errors import UserError


class MeasuredClip(NamedTuple):
    """What is known of a clip: its row for scores.json, and see `Numbers.pooled`."""

    row: ClipRow
    pooled: dict[str, Any]


def measure_clip(
    setup: MeasureSetup, clip: RealClip, real: DecodedVideo, fake: DecodedVideo, fake_file: Path
) -> MeasuredClip:
    """Measures one clip; a number that it cannot give is in `missing` with the reason."""
    # How the two go together; what does not is not measured.
    metrics, side = setup.options.metrics, setup.options.image_size
    key = key_of("compare", real.digest, fake.digest, real.max_frames, side)
    comparison: FrameComparison = setup.cache.record(key, lambda: compare_frames(real, fake, side))
    size = cast("tuple[int, int]", tuple(comparison["compared"]))
    numbers = Numbers()
    warnings = length_warnings(comparison) + copy_warnings(comparison)

    # Then family by family, of the frames that both have; one that fails leaves the others.
    shared = comparison["frames"]
    if comparison["frames_real"] > shared:
        real = real.first(shared)
    if comparison["frames_fake"] > shared:
        fake = fake.first(shared)
    videos = ClipVideos(setup, real, fake, size, clip.origin, fake_file)
    missing: dict[str, str] = {}
    lacking: dict[str, list[str]] = {}  # by reason, where it is the clip's own
    for family, measure in FAMILIES.items():
        chosen = [name for name in family if name in metrics]
        try:
            if chosen:
                measure(videos, numbers)
        except (UnavailableError, ValueError, UserError) as error:
            missing |= {name: str(error) for name in chosen if name not in numbers.fake}
            if isinstance(error, ValueError):
                lacking.setdefault(str(error), []).extend(METRICS[name].label for name in chosen)
    warnings += [f"no {', '.join(labels)}: {reason}" for reason, labels in lacking.items()]
    if LANDMARKS in setup.networks.paths:
        points = videos.landmarks(real), videos.landmarks(fake)
        fake_size, real_size = videos.of_both("frame size", frame_size)
        warnings += place_warnings(*points, real_size, fake_size)

    row = {
        "clip_id": clip.clip_id,
        "status": "ok",
        "warnings": warnings,
        **{name: value for name, value in comparison.items() if name in ClipRow.__annotations__},
        "values": {name: v for name, v in numbers.fake.items() if name in metrics},
        "real_values": {name: v for name, v in numbers.real.items() if name in metrics},
        "curves": numbers.curves,
        "missing": missing,
    }
    return MeasuredClip(cast("ClipRow", row), numbers.pooled)
