"""The report: one page, readable without a network, that shows what was measured and how."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from benchmarks.report.clip_section import clip_section
from benchmarks.report.drift_section import drift_section
from benchmarks.report.excerpts import make_excerpts, order_clips, worst_and_best
from benchmarks.report.metric_cards import colour, metric_cards, metric_names
from benchmarks.report.provenance import left_out_section, provenance_section
from benchmarks.report.style import HEAD
from benchmarks.scoring.results import same_name
from benchmarks.scoring.significance import compare_scores
from benchmarks.tables.comparison import title as comparison_title
from benchmarks.tables.comparison import to_html as comparison_html
from benchmarks.tables.html import table_and_notes
from benchmarks.tables.layout import LAYOUTS
from benchmarks.tables.paper_tables import build_table
from pipeline.dataset.html_page import html_page
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.progress import progress
from pipeline.units import number_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.report.excerpts import Excerpt
    from benchmarks.scoring.results import Scores

_TILES = ("fvd", "fid", "ssim", "psnr", "av_confidence", "lip_correlation", "blinks_per_second")
_HEADLINES = 4  # metrics named at the top of the page


@dataclass(frozen=True)
class ReportOptions:
    """What the page shows.

    Attributes:
        clips: worst and best clips shown as video, so many of each; 0 shows none.
        by: the metric that tells worst from best; empty takes the first with values of clips.
        megabytes: the most that all videos together may take on the page.
    """

    clips: int = 3
    by: str = ""
    megabytes: float = 16.0


def write_report(
    out: Path, scores: Sequence[Scores], options: ReportOptions | None = None
) -> list[str]:
    """Writes the page of one or several scores.json files.

    Args:
        out: the HTML file.
        scores: systems on the same data set stand side by side, others in parts of their own.
        options: what is shown.

    Returns:
        What the page lacks, in sentences: a clip whose video does not read.

    Raises:
        UserError: no scores, or `by` is a metric that no clip has.
    """
    if not scores:
        raise UserError("a report needs at least one file written by dh-bench score")
    options = options or ReportOptions()
    groups = _by_dataset(scores)
    told: list[str] = []
    parts = [_header(scores)]
    for place, group in enumerate(groups):
        excerpts, by = _excerpts(group, options, len(groups))
        told += [f"{e.clip_id}: {e.note}" for e in excerpts if e.note]
        parts.append(_part(group, excerpts, by, place if len(groups) > 1 else None))
    parts += [_tables(scores), left_out_section(scores), provenance_section(scores)]
    write_text(out, html_page(_title(scores), "".join(parts), head=HEAD))
    return told


def _by_dataset(scores: Sequence[Scores]) -> list[list[Scores]]:
    groups: list[list[Scores]] = []
    for one in scores:
        found = (g for g in groups if same_name(g[0]["dataset"], one["dataset"]))
        group = next(found, None)
        if group is None:
            groups.append(group := [])
        group.append(one)
    return groups


def _title(scores: Sequence[Scores]) -> str:
    methods = list(dict.fromkeys(one["method"] for one in scores))
    datasets = list(dict.fromkeys(one["dataset"] for one in scores))
    return f"{', '.join(methods)} on {', '.join(datasets)}"


def _header(scores: Sequence[Scores]) -> str:
    key = "".join(
        f'<li><span class="swatch {colour(i)}"></span>{escape(one["method"])}</li>'
        for i, one in enumerate(_by_dataset(scores)[0])
    )
    return (
        f'<header><p class="eyebrow">Talking-head benchmark</p><h1>{escape(_title(scores))}</h1>'
        '<p class="synthetic"><b>Synthetic media.</b> The generated videos on this page show '
        "people saying what they did not say. Keep this label with them.</p>"
        f'<div class="tiles">{_tiles(scores)}</div>'
        f'<ul class="key">{key}<li><span class="swatch real"></span>real clips</li></ul>'
        '<nav><a href="#metrics-0">Metrics</a><a href="#clips-0">Clips</a>'
        '<a href="#tables">Tables</a><a href="#provenance">Protocol</a></nav></header>'
    )


def _tiles(scores: Sequence[Scores]) -> str:
    """How many clips, and the best known metrics; each system's in its colour."""
    counts = [sum(row["status"] == "ok" for row in one["clips"]) for one in scores]
    same = len(set(counts)) == 1
    tiles = [_tile(_coloured(scores, counts[:1] if same else counts), "clips scored")]
    shown = 0
    for name in _TILES:
        means = [one["metrics"][name]["mean"] for one in scores if name in one["metrics"]]
        if len(means) == len(scores) and None not in means and shown < _HEADLINES:
            label = scores[0]["metrics"][name]["label"]
            tiles.append(_tile(_coloured(scores, [mean or 0.0 for mean in means]), label))
            shown += 1
    return "".join(tiles)


def _coloured(scores: Sequence[Scores], values: Sequence[float]) -> str:
    """One number plain, several in the colours of their systems."""
    if len(values) == 1:
        return number_text(values[0])
    groups = _by_dataset(scores)
    places = {id(one): place for group in groups for place, one in enumerate(group)}
    return " ".join(
        f'<span class="{colour(places[id(one)])}">{number_text(value)}</span>'
        for one, value in zip(scores, values, strict=True)
    )


def _tile(value: str, name: str) -> str:
    return f"<div><b>{value}</b><span>{escape(name)}</span></div>"


def _excerpts(
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
    room = int(options.megabytes * 1e6 / groups)
    excerpts = []
    with progress("clips", len(chosen)) as step:
        for excerpt in make_excerpts(group, chosen, room):
            excerpts.append(excerpt)
            step()
    return excerpts, by


def _part(group: Sequence[Scores], excerpts: Sequence[Excerpt], by: str, place: int | None) -> str:
    """All that is drawn of the systems on one data set, the only one or the `place`-th."""
    name = "" if place is None else f" · {escape(group[0]['dataset'])}"
    ids = {excerpt.clip_id: f"clip-{place or 0}-{k}" for k, excerpt in enumerate(excerpts)}
    how = (
        "<p>Mean over clips with its 95% bootstrap interval, and the distribution over clips. "
        "↑ higher is better, ↓ lower, →GT the closer to the real clips.</p>"
    )
    sections = [f"<h2>Metrics{name}</h2>{how}{metric_cards(group, ids)}"]
    pairs = list(itertools.islice(itertools.combinations(group, 2), 6))
    if pairs:
        sections.append(f"<h2>Beyond noise?{name}</h2>")
        sections += [_difference(a, b, opened=len(pairs) == 1) for a, b in pairs]
    clips = clip_section(group, excerpts, by, ids)
    sections += [f'<section id="clips-{place or 0}">{clips}</section>', drift_section(group)]
    return f'<div id="metrics-{place or 0}">{"".join(sections)}</div>'


def _difference(a: Scores, b: Scores, *, opened: bool) -> str:
    try:
        found = compare_scores(a, b)
    except UserError as error:
        return f"<p>{escape(str(error))}.</p>"
    verdicts = Counter(one.verdict for one in found.differences)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    return (
        f'<details class="box"{" open" if opened else ""}><summary>{escape(found.a)} against '
        f'{escape(found.b)}: <span class="counted">{counted}</span></summary>'
        f"<p>{escape(comparison_title(found))}.</p>{comparison_html(found)}</details>"
    )


def _tables(scores: Sequence[Scores]) -> str:
    """The paper's tables; those that the scores have columns of are open."""
    shown = []
    for name, layout in LAYOUTS.items():
        table = build_table(name, scores)
        filled = any(cell.value is not None for row in table.measured for cell in row.cells)
        opened = " open" if filled and name != "ablation" else ""
        shown.append(
            f'<details class="box"{opened}><summary>{escape(layout.title)}</summary>'
            f"{table_and_notes(table)}</details>"
        )
    return f'<h2 id="tables">The paper\'s tables</h2>{"".join(shown)}'
