"""dh-bench: numbers for generated videos, and the paper's tables with ours beside them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import typer

from benchmarks.cli.generate import generate_command, methods_command
from benchmarks.cli.tables import check_command, compare_command, report_command, table_command
from benchmarks.scoring.score_options import FeatureOptions, ScoreOptions, with_cache
from pipeline.command_options import dataclass_options
from pipeline.errors import UserError, run_command

app = typer.Typer(
    help="Scores generated talking heads and sets them beside the paper's published numbers.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    pretty_exceptions_enable=False,
)


@app.command("score")
@dataclass_options
def score_command(
    *,
    real: Annotated[
        Path,
        typer.Option(help="The real clips: a folder of videos, or a data set made by dh-prep."),
    ],
    fake: Annotated[
        Path | None,
        typer.Option(help="The generated videos, each called like the clip it imitates."),
    ] = None,
    encoded: Annotated[
        Path | None,
        typer.Option(
            help="In place of --fake: a new folder, into which the real clips are written as "
            "generated ones are. Their scores, 'GT, encoded', are the floor of MP4."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the numbers go, as JSON.")],
    metrics: Annotated[
        str,
        typer.Option(
            help="Names of metrics with commas between, as the JSON has them.", show_default="all"
        ),
    ] = "",
    options: ScoreOptions,
) -> None:
    """Every number of the paper for generated videos, per clip and over the set, in one pass.

    Frame k is compared with frame k at 25 frames/s; a fake of another size is brought to the real
    clip's. Numbers come with their protocol and a 95% bootstrap interval over clips; one that
    cannot be measured has the reason and the remedy. A clip that cannot be compared or has no
    counterpart is named here and in the JSON.

    Exit code: 0 all clips scored, 1 some clips failed or had no counterpart, 2 wrong use.
    """
    from benchmarks.scoring.score import score_to
    from benchmarks.systems.protocol import encode_clips
    from benchmarks.tables.published import ENCODED
    from benchmarks.tables.scores_text import print_scores

    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file, for example {out / 'scores.json'}")
    if (fake is None) == (encoded is None):
        raise UserError("name the generated videos with --fake, or a new folder with --encoded")
    options = replace(with_cache(options), metrics=_names(metrics))
    if encoded:
        for clip_id, reason in encode_clips(
            real, encoded, options.split, options.max_frames
        ).items():
            print(f"not encoded {clip_id}: {reason}")
        options = replace(options, method=options.method or ENCODED)
    scores = score_to(out, real, encoded or cast("Path", fake), options)
    print_scores(scores)
    print(f"wrote {out}")
    failed = [row for row in scores["clips"] if row["status"] == "failed"]
    if failed or any(scores["unmatched"].values()):
        raise typer.Exit(1)


@app.command("reference")
@dataclass_options
def reference_command(
    *,
    real: Annotated[
        Path,
        typer.Argument(
            metavar="REAL", help="The real clips: a folder of videos, or a data set of dh-prep."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the statistics go, as .npz.")],
    metrics: Annotated[str, typer.Option(help="fid, fvd or both.")] = "fid,fvd",
    options: FeatureOptions,
) -> None:
    """Measures real clips once for FID and FVD: dh-bench score --reference takes the file.

    Whoever has the file needs no clips for these two metrics. Programs that take the statistics of
    pytorch-fid (mu, sigma) take it too.

    Exit code: 0 all clips measured, 1 some were left out, 2 wrong use.
    """
    from benchmarks.scoring.reference import make_reference

    if out.suffix != ".npz":
        raise UserError(f"cannot write {out}: use a name that ends in .npz")
    failed = make_reference(real, out, _names(metrics), with_cache(options))
    for clip_id, reason in failed.items():
        print(f"left out {clip_id}: {reason}")
    print(f"wrote {out}")
    if failed:
        raise typer.Exit(1)


app.command("generate")(generate_command)
app.command("methods")(methods_command)
app.command("table")(table_command)
app.command("compare")(compare_command)
app.command("check")(check_command)
app.command("report")(report_command)


@app.command("drift")
def drift_command(
    *,
    videos: Annotated[
        Path, typer.Option(help="A long generated video of aligned crops, or a folder of them.")
    ],
    face: Annotated[
        Path | None,
        typer.Option(
            help="The picture or video whose face was given to dh-sample, to compare with.",
            show_default="a video's first frame",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="OUT.json and OUT.html are written.")] = Path("drift"),
    weights_dir: Annotated[
        Path | None, typer.Option(help="Your folder of pretrained files.")
    ] = None,
) -> None:
    """How long videos drift: likeness, sharpness, colour, pixels of each second against the first.

    A video is steady if the last two seconds are within a tenth of the first two. What was lost
    before that shows in the likeness to the start: SSIM, and the cosine of face embeddings where
    their network is at hand.

    Exit code: 0 all are steady, 1 some are not, 2 wrong use.
    """
    from benchmarks.clips.pairs import find_videos
    from benchmarks.report.drift import aligned_face, face_embedding, measure, write_drift
    from pipeline.media import read_frames

    found = list(find_videos(videos).values()) if videos.is_dir() else [videos]
    start = None if face is None else aligned_face(face, weights_dir)
    embed = face_embedding(weights_dir)
    drifts = [measure(path.stem, read_frames(path), embed, start) for path in found]
    for one in drifts:
        last = ", ".join(f"{name} {value:.3f}" for name, value in one.last.items())
        print(f"{one.name}: {one.seconds} s, {'steady' if one.steady else 'drifts'}: {last}")
        early, late = one.values["ssim_to_start"][0], one.values["ssim_to_start"][-1]
        print(f"  SSIM to the start: {early:.3f} in the first second, {late:.3f} in the last")
    for path in write_drift(out, drifts):
        print(f"wrote {path}")
    if not all(one.steady for one in drifts):
        raise typer.Exit(1)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def main() -> None:
    """The entry point of dh-bench."""
    run_command(app)
