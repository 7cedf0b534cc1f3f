"""dh-bench table, compare and report: from scores.json files to what people read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmarks.report.report_options import ReportOptions
from pipeline.command_options import dataclass_options
from pipeline.errors import UserError


def table_command(
    *,
    scores: Annotated[
        list[Path] | None,
        typer.Option(help="A file written by dh-bench score: a row of ours. Repeatable."),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="Where the table goes: .md, .csv, .tex, .html or .json. Repeatable.",
            show_default="the terminal",
        ),
    ] = None,
    table: Annotated[
        Literal["v1", "v2", "ablation", "dawn", "all"],
        typer.Option(
            help="v1: SSIM and PSNR, of the paper's first version. v2: FVD, FID, blinks, motion "
            "and sync, of the published version. ablation: its ablation on LRW. dawn: its "
            "numbers in the paper of DAWN. all: every metric of the scored systems, and no "
            "published number."
        ),
    ] = "v1",
    sort: Annotated[
        str,
        typer.Option(
            help="With --table all: the column by which systems are sorted, the best first.",
            show_default="the first that all have",
        ),
    ] = "",
) -> None:
    """The paper's table with a row for each scored system; without --scores, as published.

    A system that the paper has stands below its published row; the others below their data set's.
    Best and second best are bold and underlined, published and measured rows each among
    themselves. A number of ours has its 95% interval, its clips and its protocol with it, an empty
    cell a footnote with the reason.
    """
    from benchmarks.scoring.results import read_scores
    from benchmarks.tables.all_metrics import all_metrics
    from benchmarks.tables.paper_tables import build_table
    from benchmarks.tables.render import RENDERERS, print_table, write_each

    if sort and table != "all":
        raise UserError("--sort is for --table all; the others have their papers' order")
    read = [read_scores(path) for path in scores or []]
    built = all_metrics(read, sort) if table == "all" else build_table(table, read)
    write_each(out or [], RENDERERS, built)
    if not out:
        print_table(built)


def check_command(
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="SCORES.json", help="Files that somebody sends.")
    ],
) -> None:
    """Whether scores can be what dh-bench score wrote: fields, protocols, hashes, n and numbers.

    What follows from the rest of a file is computed again. Forged throughout, a file can only be
    found out by scoring its videos.

    Exit code: 0 nothing is wrong, 1 something is, 2 a file is none of dh-bench score.
    """
    from benchmarks.scoring.results import read_scores
    from benchmarks.tables.check import problems_of

    wrong = False
    for path in files:
        scores = read_scores(path)
        problems = problems_of(scores)
        print(f"{path}: {len(problems) or 'no'} problem{'s' if len(problems) != 1 else ''}")
        for text in problems:
            print(f"  {text}")
        done = sum(clip["status"] == "ok" for clip in scores["clips"])
        left = len(scores["clips"]) - done + sum(map(len, scores["unmatched"].values()))
        print(f"  {done} clips scored, {left} failed or without a counterpart")
        wrong |= bool(problems)
    if wrong:
        raise typer.Exit(1)


def compare_command(
    *,
    a: Annotated[Path, typer.Argument(metavar="A.json", help="Scores of the system judged.")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="Scores it is held against.")],
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Where the result goes as well: .json or .md. Repeatable."),
    ] = None,
) -> None:
    """Which differences between two systems are beyond noise.

    A paired bootstrap over the clips that both were scored on, metric by metric, with Holm's bound
    for looking at many metrics at once. FID and FVD, which only a whole set has, are judged by
    whether their intervals overlap.
    """
    from benchmarks.scoring.results import read_scores
    from benchmarks.scoring.significance import compare_scores
    from benchmarks.tables.comparison import WRITERS, comparison_table
    from benchmarks.tables.render import print_table, write_each

    found = compare_scores(read_scores(a), read_scores(b))
    print_table(comparison_table(found))
    write_each(out or [], WRITERS, found)


@dataclass_options
def report_command(
    *,
    scores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCORES.json", help="Files written by dh-bench score."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The HTML page to write.")],
    real: Annotated[
        Path | None, typer.Option(help="Score first: the real clips, as dh-bench score takes them.")
    ] = None,
    fake: Annotated[
        list[Path] | None,
        typer.Option(help="Score first: a folder of generated videos. Repeatable."),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            help="With --real: what tables call the data.", show_default="the name of --real"
        ),
    ] = "",
    options: ReportOptions,
) -> None:
    """One page that needs no network: tables, distributions, clips as video, curves, protocol.

    Several scores stand side by side, each with its own colour; systems on common clips are
    compared as dh-bench compare does it. Videos are re-encoded small, the real clip beside the
    generated one, and labelled as synthetic.

    With --real and --fake the folders are scored first, with the defaults of dh-bench score, and
    the scores are kept beside the page: from generated videos to the page in one command.
    """
    from benchmarks.report.excerpts import located
    from benchmarks.report.report import write_report
    from benchmarks.scoring.results import read_scores

    if out.suffix.lower() not in {".html", ".htm"}:
        raise UserError(f"cannot write {out}: use a name that ends in .html")
    if (real is None) != (not fake):
        raise UserError("--real and --fake go together: give both, or files of dh-bench score")
    files = [*(scores or []), *(_scored(real, fake or [], dataset, out) if real else [])]
    notes = write_report(out, [located(read_scores(path), path.parent) for path in files], options)
    for line in notes:
        print(line)
    print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")


def _scored(real: Path, fakes: list[Path], dataset: str, out: Path) -> list[Path]:
    """Scores each folder of fakes; the files lie beside the page and are called like it."""
    from benchmarks.scoring.score import score_to
    from benchmarks.scoring.score_options import ScoreOptions, with_cache

    files = []
    for fake in fakes:
        name = fake.resolve().name
        path = out.with_name(f"{out.stem}-{name}.json")
        score_to(path, real, fake, with_cache(ScoreOptions(method=name, dataset=dataset)))
        print(f"wrote {path}")
        files.append(path)
    return files
