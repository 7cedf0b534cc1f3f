"""The report: one page, readable without a network, that shows what was measured and how."""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clips.pairs import case_hint
from benchmarks.report.cards import clip_card, drift_figures, label_of, metric_cards, metric_names
from benchmarks.report.excerpts import (
    Excerpt,
    generated_video,
    make_excerpts,
    order_clips,
    worst_and_best,
)
from benchmarks.report.figures import system_colour
from benchmarks.report.report_options import ReportOptions
from benchmarks.scoring.results import Scores, same_name
from benchmarks.scoring.significance import compare_scores
from benchmarks.tables.comparison import comparison_table
from benchmarks.tables.paper_tables import LAYOUTS, build_table
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.templates import environment

_TILES = ("fvd", "fid", "ssim", "psnr", "av_confidence", "lip_correlation", "blinks_per_second")
_HEADLINES = 4  # metrics named at the top of the page
_COMPARISONS = 6  # pairs of systems, at most


def write_report(
    out: Path, scores: Sequence[Scores], options: ReportOptions | None = None
) -> list[str]:
    """Writes the page; gives a sentence for each clip that is shown without its video."""
    if not scores:
        raise UserError("a report needs at least one file written by dh-bench score")
    options = options or ReportOptions()

    # Systems on the same data set share a part of the page; their place in it is their colour.
    groups: list[list[Scores]] = []
    colours = []
    for one in scores:
        found = (g for g in groups if same_name(g[0]["dataset"], one["dataset"]))
        group = next(found, None)
        if group is None:
            groups.append(group := [])
        colours.append(system_colour(len(group)))
        group.append(one)

    # A part for each data set: metrics, comparisons, clips, drift.
    parts, without_video = [], []
    for place, group in enumerate(groups):
        excerpts, by = _choose_excerpts(group, options, len(groups))
        without_video += [f"{e.clip_id}: {e.note}" for e in excerpts if e.note]
        parts.append(
            {
                "name": f" · {group[0]['dataset']}" if len(groups) > 1 else "",
                "systems": [(one["method"], system_colour(k)) for k, one in enumerate(group)],
                **metric_cards(group),
                "shown": {e.clip_id: f"clip-{place}-{k}" for k, e in enumerate(excerpts)},
                "comparisons": _comparisons(group),
                "by": label_of(group, by) if excerpts else "",
                "clips": [clip_card(group, excerpt, by) for excerpt in excerpts],
                "drift": drift_figures(group),
            }
        )

    # The paper's tables; those that the scores have columns of are open.
    tables = []
    for name, layout in LAYOUTS.items():
        table = build_table(name, scores)
        filled = any(cell.value is not None for row in table.measured for cell in row.cells)
        tables.append((layout.title, table, filled and name in ("v1", "v2")))

    methods, datasets = (
        ", ".join(dict.fromkeys(names))
        for names in zip(*((one["method"], one["dataset"]) for one in scores), strict=True)
    )
    page = environment("benchmarks").get_template("report.html.j2")
    html = page.render(
        title=f"{methods} on {datasets}",
        video=generated_video(options.video) if options.video else None,
        tiles=_tiles(scores, colours),
        parts=parts,
        tables_of_paper=tables,
        left_out=_left_out(scores),
        scores=scores,
        protocols=[
            # Those of the first system once, of others what differs from it.
            [pair for pair in protocols if one is scores[0] or pair not in _protocols(scores[0])]
            for one, protocols in ((one, _protocols(one)) for one in scores)
        ],
    )
    write_text(out, html)
    return without_video


def _protocols(scores: Scores) -> list[tuple[str, str]]:
    return [(row["label"], row["protocol"]) for row in scores["metrics"].values()]


def _choose_excerpts(
    group: Sequence[Scores], options: ReportOptions, groups: int
) -> tuple[list[Excerpt], str]:
    """The clips shown of one data set, and the metric that chose them."""
    names = metric_names(group)
    by = options.by or next((name for name in names if order_clips(group, name)), "")
    ordered = order_clips(group, by) if by else []
    if options.by and not ordered:
        known = ", ".join(name for name in names if order_clips(group, name)) or "none"
        raise UserError(f"no clip has a value of {options.by!r}; metrics of clips here: {known}")
    chosen = worst_and_best(ordered, options.clips)
    return make_excerpts(group, chosen, int(options.megabytes * 1e6 / groups)), by


def _tiles(scores: Sequence[Scores], colours: Sequence[str]) -> list[dict[str, Any]]:
    """How many clips, and the best known metrics: a number a system, with its colour."""
    counts = [sum(row["status"] == "ok" for row in one["clips"]) for one in scores]
    counted = counts[:1] if len(set(counts)) == 1 else counts
    tiles: list[dict[str, Any]] = [
        {"name": "clips scored", "values": list(zip(counted, colours, strict=False))}
    ]
    for name in _TILES:
        means = [one["metrics"][name]["mean"] for one in scores if name in one["metrics"]]
        if len(means) == len(scores) and None not in means and len(tiles) <= _HEADLINES:
            values = list(zip(means, colours, strict=True))
            tiles.append({"name": label_of(scores, name), "values": values})
    return tiles


def _comparisons(group: Sequence[Scores]) -> list[dict[str, Any]]:
    """Each pair of systems: the verdicts counted, and the table; or why there is no comparison."""
    shown: list[dict[str, Any]] = []
    for a, b in itertools.islice(itertools.combinations(group, 2), _COMPARISONS):
        try:
            found = compare_scores(a, b)
        except UserError as error:
            shown.append({"error": str(error)})
            continue
        verdicts = Counter(one.verdict for one in found.differences)
        counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        shown.append(
            {"error": "", "a": a, "b": b, "counted": counted, "table": comparison_table(found)}
        )
    return shown


def _left_out(scores: Sequence[Scores]) -> list[dict[str, str]]:
    """Clips that failed or lack numbers, with the reason, and videos without a counterpart."""
    items = []
    for one in scores:
        for row in one["clips"]:
            failed = [f"failed: {row['reason']}"] if row["status"] == "failed" else []
            clip = {"who": one["method"], "side": "", "clip": row["clip_id"]}
            items += [clip | {"why": why} for why in [*failed, *row.get("warnings", [])]]
        for side, other in (("real", "fake"), ("fake", "real")):
            for name in one["unmatched"][side]:
                why = f"has no {other} counterpart{case_hint(name, one['unmatched'][other])}"
                items.append({"who": one["method"], "side": f"{side} ", "clip": name, "why": why})
    return items
