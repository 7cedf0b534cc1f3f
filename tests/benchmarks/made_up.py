"""Made-up contents of scores.json, with what a scorer writes of every kind of metric."""

import numpy as np

from benchmarks.scoring.results import SCHEMA_VERSION

# name: label, direction, unit, level, spread over clips (None: a number of the whole set)
METRICS = {
    "ssim": ("SSIM", "higher", "", 0.68, 0.05),
    "psnr": ("PSNR", "higher", "dB", 20.5, 1.5),
    "fid": ("FID", "lower", "", 21.4, None),
    "fvd": ("FVD", "lower", "", 190.3, None),
    "blinks_per_second": ("Blinks/s", "closer", "1/s", 0.31, 0.1),
    "ofm": ("OFM", "closer", "", 66.1, 3.0),
    "av_confidence": ("AV confidence", "higher", "", 4.1, 0.6),
}
NO_WEIGHTS = "needs syncnet_v2.model; put it into the folder of --weights-dir"


def made_up_scores(dataset="CREMA", method="tiny", *, clips=12, shift=0.0, seed=0, **changes):
    """The content of a scores.json; `shift` moves every clip's values by so many spreads."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(size=clips)  # what systems share: a clip is hard for all of them
    own = np.random.default_rng([seed, *method.encode()])
    rows = []
    for index in range(clips):
        values, real = {}, {}
        for name, (_, direction, _, level, spread) in METRICS.items():
            if spread is not None:
                value = level + spread * (difficulty[index] + 0.2 * own.normal() + shift)
                values[name] = float(value)
            if direction == "closer" or name == "av_confidence":
                real[name] = float(level + spread * difficulty[index])
        t = np.arange(25)
        curves = {
            "lips_real": (0.2 + 0.1 * np.sin(t / 2)).tolist(),
            "lips_fake": (0.2 + 0.08 * np.sin((t - 1) / 2)).tolist(),
            "energy": (-30 + 10 * np.sin(t / 2)).tolist(),
        }
        rows.append(
            {
                "clip_id": f"clip{index:02d}",
                "status": "ok",
                "frames": 25,
                "values": values,
                "real_values": real,
                "curves": curves,
            }
        )
    metrics = {name: _set_row(name, rows, clips) for name in METRICS}
    scores = {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "dataset": dataset,
        "real": "real",
        "fake": "fake",
        "split": None,
        "protocol": "compared at 128x128",
        "options": {"max_frames": 100},
        "software": {"diffused-heads": "0.1.0", "torch": "2.13.0"},
        "weights": {"face_landmarker.task": "64184e22" * 8},
        "metrics": metrics,
        "unmatched": {"real": [], "fake": []},
        "sources": {row["clip_id"]: {"real": "", "fake": ""} for row in rows},
        "clips": rows,
    }
    return scores | changes


def _set_row(name, rows, clips):
    label, direction, unit, level, spread = METRICS[name]
    row = {"label": label, "direction": direction, "unit": unit, "n": clips, "reason": ""}
    row |= {"protocol": f"{name}_n{clips}: how it is measured", "real": None}
    if spread is None:
        return row | {"mean": level, "std": None, "ci95": [level * 0.9, level * 1.1]}
    values = np.array([clip["values"][name] for clip in rows])
    half = 2 * values.std() / np.sqrt(clips)
    if direction == "closer":
        row["real"] = float(np.mean([clip["real_values"][name] for clip in rows]))
    mean = float(values.mean())
    return row | {"mean": mean, "std": float(values.std()), "ci95": [mean - half, mean + half]}


def without(scores, name, reason=NO_WEIGHTS):
    """The same scores as if a metric could not be measured."""
    row = scores["metrics"][name]
    row.update(mean=None, std=None, ci95=None, real=None, n=0, reason=reason)
    for clip in scores["clips"]:
        clip["values"].pop(name, None)
        clip["real_values"].pop(name, None)
    return scores
