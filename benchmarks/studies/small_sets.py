"""How many clips FID and KID need: both over sets of n clips drawn from real ones.

    python benchmarks/studies/small_sets.py ../shared/data --cache /tmp/small_sets \
        --out docs/assets/small_sets.svg

Each clip is one frame of a real video beside the same frame coded badly (H.264 at CRF 40, at 128
pixels), so that clips are as independent as clips can be. Sets are drawn without replacement.
"""

import itertools
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.clips.cache import MeasurementCache
from benchmarks.clips.pairs import find_videos
from benchmarks.metrics.distribution.fid import FEATURES, WEIGHTS, fid_features
from benchmarks.metrics.distribution.frechet import Moments, distance
from benchmarks.metrics.distribution.kid import kid
from benchmarks.networks.inception import load_inception
from benchmarks.speed.harness import header, markdown
from pipeline.files import sha256_file, write_text
from pipeline.media import read_frames, write_video
from pipeline.media.image import resize
from pipeline.plots import COLOURS, inline_svg
from pipeline.progress import progress
from pipeline.weights import locate

FOLDERS = ("people", "clips", "grid_s1")
MOMENTS = (12, 62, 112)  # frames of a video, as far as it has them
SIZES = (50, 100, 200, 400, 800)
DRAWS = {50: 30, 100: 30, 200: 30, 400: 15, 800: 8}
CRF, SIDE, _AROUND = 40, 128, 5  # a frame is coded as the last of five


def features(data: Path, cache: Path, clips: int) -> NDArray[np.float32]:
    """(N, 2, 2048) Inception's features of real and badly coded frames, N = `clips` at most."""
    network = load_inception(locate(WEIGHTS))
    kept = MeasurementCache(cache)
    videos = [path for folder in FOLDERS for path in find_videos(data / folder).values()]

    def measure(video: Path, moment: int) -> NDArray[np.float32]:
        """(2, 2048), or (0, 2048) of a shorter video."""
        shown = list(itertools.islice(read_frames(video), moment + 1 - _AROUND, moment + 1))
        if len(shown) < _AROUND:
            return np.empty((0, FEATURES), np.float32)
        small = [resize(frame, (SIDE, SIDE)) for frame in shown]
        write_video(cache / "coded.mp4", small, crf=CRF)
        return fid_features(network, [small[-1], list(read_frames(cache / "coded.mp4"))[-1]])

    # A frame of every video, then a later one of those that have it, and so on.
    found: list[NDArray[np.float32]] = []
    with progress("frames", clips) as step:
        for moment, video in itertools.product(MOMENTS, videos):
            key = f"{sha256_file(video)}-{moment}"
            pair = kept.array(key, lambda video=video, at=moment: measure(video, at))  # type: ignore[misc]
            if len(pair):
                found.append(pair)
                step()
            if len(found) == clips:
                break
    return np.stack(found)


def measured(chosen: NDArray[np.float32]) -> tuple[float, float]:
    """FID and 1000 times KID of (n, 2, 2048) features."""
    real, fake = chosen[:, 0], chosen[:, 1]
    fid = distance(Moments.of(real), Moments.of(fake))
    return fid, kid(list(real[:, None]), list(fake[:, None]))[0]


def draw_figure(found: dict[int, NDArray[np.float64]]) -> str:
    """Both distances over n, as SVG: the mean of the draws and 95 % of them."""
    figure, sizes = Figure(figsize=(9.2, 3.1)), list(found)
    for place, (name, colour) in enumerate((("FID", "s0"), ("KID x 1000", "s1"))):
        axes = figure.add_axes((0.08 + 0.5 * place, 0.16, 0.4, 0.72))
        values = [found[n][:, place] for n in sizes]
        low, high = (np.array([np.quantile(v, q) for v in values]) for q in (0.025, 0.975))
        outline = np.concatenate([sizes, sizes[::-1]]), np.concatenate([low, high[::-1]])
        axes.fill(*outline, color=COLOURS[colour], alpha=0.25, linewidth=0)
        axes.plot(sizes, [v.mean() for v in values], color=COLOURS[colour], linewidth=2)
        axes.set_xscale("log")
        axes.set_xticks(sizes, [str(n) for n in sizes])
        axes.minorticks_off()
        axes.set(ylim=(0, 1.1 * high.max()))
        axes.set_title(f"{name} over n clips", loc="left", color=COLOURS["text"], fontsize=11)
        for spine in axes.spines.values():
            spine.set_color(COLOURS["line"])
        axes.tick_params(colors=COLOURS["text"])
    return inline_svg(figure, "FID and KID over the number of clips")


def main(
    data: Annotated[Path, typer.Argument(help="The shared data.")],
    cache: Annotated[Path, typer.Option(help="Folder that keeps features.")],
    out: Annotated[Path, typer.Option(help="The figure, as SVG.")],
    clips: Annotated[int, typer.Option(help="Frames in all.")] = 880,
) -> None:
    """Prints a table of both distances at each n and draws it."""
    all_clips = features(data, cache, clips)
    rng = np.random.default_rng(0)
    found: dict[int, NDArray[np.float64]] = {}
    for n in (n for n in SIZES if n <= len(all_clips)):
        draws = [rng.permutation(len(all_clips))[:n] for _ in range(DRAWS[n])]
        found[n] = np.array([measured(all_clips[chosen]) for chosen in draws])
    rows = []
    for n, values in found.items():
        cells = [str(n), str(len(values))]
        for place, digits in ((0, 1), (1, 2)):
            low, high = np.quantile(values[:, place], (0.025, 0.975))
            cells += [
                f"{values[:, place].mean():.{digits}f}",
                f"{low:.{digits}f} to {high:.{digits}f}",
            ]
        rows.append(cells)
    print(header(["torch", "scipy"]))
    print(f"{len(all_clips)} clips of one frame\n")
    print(markdown(["n", "draws", "FID", "95 % of draws", "KID x 1000", "95 % of draws"], rows))
    write_text(out, draw_figure(found))


if __name__ == "__main__":
    typer.run(main)
