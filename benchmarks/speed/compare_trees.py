"""Speed of the four commands in two source trees, on the same small work, in turns.

Commands are taken from `[project.scripts]` of each tree's pyproject.toml, so that modules may have
moved between them; both trees run in this environment. The work is dh-prep on some clips, dh-train
on a data set and dh-sample with a checkpoint that the base tree made, and dh-bench on those clips
against strongly compressed copies. Prints Markdown; needs Linux.
"""

import itertools
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import Cost, each, header, load, markdown, run_command, spread
from pipeline.files import read_json
from pipeline.media import read_audio, read_frames, write_video

HERE = Path(__file__).resolve().parents[2]
WORKERS = 2  # of dh-prep and dh-bench


@dataclass(frozen=True)
class Tree:
    """A checkout of the toolkit, by its name in the table."""

    name: str
    root: Path

    def run(self, command: str, *words: object) -> Cost:
        """What a command of this tree costs, Ray's processes included."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        module, function = project["project"]["scripts"][command].split(":")
        code = (
            f"import sys, {module} as m; sys.argv[0] = {command!r}\n"
            f"if not m.__file__.startswith({str(self.root)!r}): sys.exit('not ' + m.__file__)\n"
            f"m.{function}()"
        )
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        with tempfile.TemporaryDirectory() as elsewhere:  # where no package of that name lies
            return run_command(
                [sys.executable, "-c", code, *map(str, words)],
                environment=environment,
                cwd=Path(elsewhere),
            )[0]


def work(
    tree: Tree, folder: Path, speech: Path, train: Sequence[object], score: Sequence[object]
) -> dict[str, Cost]:
    """The cost of each command; as dh-train reports it, the seconds of an image.

    `folder` is that of `make_clips`, where the first tree's data set and run stay for all;
    `speech` a clip with a face and sound; `train` and `score` are options of the commands.
    """
    costs, out = {}, folder / "out"
    prep = ["run", folder / "clips.csv", "--out", out / "data", "--workers", WORKERS]
    costs["dh-prep run"] = tree.run("dh-prep", *prep)
    data, model = folder / "data", folder / "run"
    if not data.exists():
        shutil.copytree(out / "data", data)
    costs["dh-train"] = tree.run("dh-train", "--data", data, "--out", out / "run", *train)
    report = read_json(out / "run" / "report.json")
    costs["dh-train, an image as it reports"] = Cost(clock=1 / report["images_per_second"])
    if not model.exists():
        shutil.copytree(out / "run", model)
    sample = ["--checkpoint", model, "--face", speech, "--speech", speech, "--seed", 0]
    costs["dh-sample"] = tree.run("dh-sample", *sample, "--out", out / "video.mp4")
    words = ["score", "--real", folder / "real", "--fake", folder / "fake", "--cache", out, *score]
    for name in ("dh-bench score", "dh-bench score, from its cache"):
        costs[name] = tree.run("dh-bench", *words, "--out", out / "scores.json")
    shutil.rmtree(out)
    return costs


def make_clips(clips: Sequence[Path], folder: Path, frames: int) -> None:
    """The clips' beginnings as real/ and, strongly compressed, as fake/; and a manifest of them."""
    listed = []
    for clip in clips:
        pictures, sound = list(itertools.islice(read_frames(clip), frames)), read_audio(clip)
        for side, crf in (("real", 18), ("fake", 38)):
            path = folder / side / f"{clip.stem}.mp4"
            write_video(path, pictures, audio=sound, crf=crf)
        listed.append((clip.stem, folder / "real" / f"{clip.stem}.mp4", clip.stem, "train"))
    columns = ["clip_id", "path", "speaker", "split"]
    pd.DataFrame(listed, columns=columns).to_csv(folder / "clips.csv", index=False)


def main(
    base: Annotated[Path, typer.Argument(help="The other tree, a checkout.")],
    clips: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    count: Annotated[int, typer.Option("--clips", min=2, help="Spread evenly.")] = 24,
    frames: Annotated[int, typer.Option(min=25, help="Of each clip, at most.")] = 150,
    steps: Annotated[int, typer.Option(min=1, help="Of dh-train.")] = 60,
    preset: Annotated[str, typer.Option(help="Of dh-train.")] = "tiny",
    metrics: Annotated[str, typer.Option(help="Of dh-bench.")] = "ssim,psnr,ofm,f_mse,cpbd,lmd",
    rounds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Prints medians of both trees, and base / this: above 1, this tree is faster."""
    trees = [Tree("base", base.resolve()), Tree("this", HERE)]
    chosen = spread(sorted(find_videos(clips).values()), count)
    # The speed that dh-train reports is that of the second half.
    train = ["--preset", preset, "--steps", steps, "--log-every", max(1, steps // 2)]
    score = ["--workers", WORKERS, "--metrics", metrics]
    costs = []
    print(header(["torch", "ray"]))
    with tempfile.TemporaryDirectory(prefix="dh-trees-") as name:
        make_clips(chosen, Path(name), frames)
        speech = Path(name) / "real" / f"{chosen[0].stem}.mp4"
        for turn in each(range(rounds), "rounds"):
            for tree in trees if turn % 2 == 0 else trees[::-1]:
                found = work(tree, Path(name), speech, train, score)
                costs += [(label, tree.name, *astuple(cost)) for label, cost in found.items()]
    table = pd.DataFrame(costs, columns=["label", "tree", "processor", "clock"])
    rows = []
    for label, turns in table.groupby("label", sort=False):
        median = turns.groupby("tree")[["clock", "processor"]].median()
        cells = [str(label)]
        for before, after in zip(median.loc["base"], median.loc["this"], strict=True):
            cells += [f"{before:.3f}", f"{after:.3f}", f"{before / after:.2f}" if after else ""]
        rows.append(cells)
    print(f"base: {base}; {len(chosen)} clips of {frames} frames at most, {WORKERS} workers,")
    print(f"{steps} steps of {preset}; medians of {rounds} rounds; {load()} at the end\n")
    columns = ["base, s", "this, s", "base / this"]
    print(markdown(["", *columns, *(f"processor: {c}" for c in columns)], rows))


if __name__ == "__main__":
    typer.run(main)
