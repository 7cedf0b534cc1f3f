"""Draws docs/assets/flow.svg, the picture of the page How it works."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

OUT = Path(__file__).with_name("assets") / "flow.svg"
FILE, COMMAND, INK = "#e9eef2", "#ffccbc", "#263238"
# Left edge, bottom, width, height, colour.
BOXES = {
    "videos": (0.0, 4.0, 2.1, 1.6, FILE),
    "prep": (2.9, 3.9, 3.2, 1.8, COMMAND),
    "shards": (6.9, 3.9, 3.2, 1.8, FILE),
    "train": (10.9, 3.9, 2.8, 1.8, COMMAND),
    "model": (14.5, 4.0, 2.3, 1.6, FILE),
    "inputs": (6.9, 0.5, 3.2, 1.6, FILE),
    "sample": (10.9, 0.4, 2.8, 1.8, COMMAND),
    "fake": (14.5, 0.5, 2.3, 1.6, FILE),
    "bench": (10.9, -3.3, 2.8, 2.0, COMMAND),
    "scores": (6.9, -3.4, 3.2, 1.4, FILE),
}
TEXTS = {
    "videos": ("videos", "any container,\nfolder, manifest\nor URL"),
    "prep": ("dh-prep run", "decode → track face →\nspeech features → align\nlimits and reasons"),
    "shards": (
        "shards",
        "frames, sound, speech,\nlandmarks, mouth boxes\n+ a row a clip (Parquet)",
    ),
    "train": ("dh-train", "lanes of frames →\nnoise → U-Net →\nlosses → average"),
    "model": ("checkpoint", "safetensors\n+ JSON"),
    "inputs": ("face, recording", "a picture and any sound;\nor test clips"),
    "sample": ("dh-sample", "frame by frame from\ntwo frames before,\nface and speech"),
    "fake": ("videos", "in sync, marked\nas synthetic"),
    "bench": ("dh-bench", "pairs decoded once →\nmetrics → intervals"),
    "scores": ("scores", "JSON → tables, report,\ncomparison"),
}
ARROWS = (
    ("videos", "prep"),
    ("prep", "shards"),
    ("shards", "train"),
    ("train", "model"),
    ("inputs", "sample"),
    ("sample", "fake"),
    ("bench", "scores"),
)


def main() -> None:
    """Draws the boxes and the arrows between them."""
    mpl.rcParams["svg.hashsalt"] = "flow"  # the same bytes each time
    figure = Figure(figsize=(12.6, 6.9), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.3, 17.1), ylim=(-3.6, 6.2))
    axes.axis("off")
    for name, (x, y, width, height, colour) in BOXES.items():
        corners = "round,pad=0,rounding_size=0.18"
        axes.add_patch(FancyBboxPatch((x, y), width, height, corners, fc=colour, ec=INK, lw=1))
        heading, text = TEXTS[name]
        middle, top = x + width / 2, y + height
        axes.text(middle, top - 0.42, heading, ha="center", color=INK, weight="bold", size=12)
        axes.text(middle, top - 0.62, text, ha="center", va="top", color=INK, size=10.5)

    def arrow(start: tuple[float, float], end: tuple[float, float], bend: float = 0) -> None:
        curve = f"arc3,rad={bend}"
        axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", connectionstyle=curve, mutation_scale=16, color=INK
            )
        )

    for one, other in ARROWS:
        (x, y, width, height, _), (to, _, to_width, _, _) = BOXES[one], BOXES[other]
        level = y + height / 2
        if to > x:
            arrow((x + width, level), (to, level))
        else:
            arrow((x, level), (to + to_width, level))
    arrow((14.9, 4.0), (13.3, 2.25))  # checkpoint to dh-sample
    arrow((15.6, 0.5), (13.75, -1.6), -0.2)  # generated videos to dh-bench
    # Real clips to dh-bench, around the face and the recording.
    axes.plot([7.5, 7.5, 6.3, 6.3, 10.4], [3.9, 2.9, 2.9, -1.55, -1.55], color=INK, lw=1)
    arrow((10.3, -1.55), (10.9, -1.55))
    axes.text(6.15, 0.6, "real clips", color=INK, size=10.5, ha="right")
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
