"""What tests of scoring share: a pattern that moves, and scores by what needs no network."""

from dataclasses import replace

import cv2
import numpy as np

from benchmarks.metrics.catalogue import METRICS
from benchmarks.scoring.score import score as score_folders
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.media import read_audio, read_frames, write_video

FRAMEWISE = ("ssim", "psnr")
OUTPUTS = ("1033_IOM_NEU_XX", "1062_DFA_HAP_XX", "1089_IEO_ANG_LO")
_NETWORKS = {"lpips", "fid", "kid", "fvd", "csim", "av_offset", "av_confidence", "lse_c", "lse_d"}
WITHOUT_NETWORKS = tuple(name for name in METRICS if name not in _NETWORKS)


def write_outputs(shared_data, base):
    """Three outputs of the authors as real clips; worse encodings of them, two mute, as fakes."""
    for number, name in enumerate(OUTPUTS):
        source = shared_data / "diffused_heads_outputs" / f"{name}.mp4"
        (base / "real").mkdir(exist_ok=True)
        (base / "real" / source.name).symlink_to(source)
        (base / "real" / f"{name}.txt").write_text("bin blue at f two now")
        frames = list(read_frames(source))[:22]
        sound = read_audio(source) if number == 0 else None
        write_video(base / "fake" / source.name, frames, audio=sound, crf=30)
    return base / "real", base / "fake"


def moving(seed, count=6, size=(64, 48)):
    """A coloured pattern that moves, (width, height) = size."""
    rng = np.random.default_rng(seed)
    big = cv2.resize(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8), (2 * size[0], 2 * size[1]))
    return [big[k : k + size[1], 2 * k : 2 * k + size[0]] for k in range(count)]


def score(real, fake, options=None):
    """Scores by what needs no network, in this process."""
    return score_folders(
        real, fake, replace(options or ScoreOptions(), metrics=FRAMEWISE, workers=1)
    )


def row(scores, clip_id):
    return next(row for row in scores["clips"] if row["clip_id"] == clip_id)
