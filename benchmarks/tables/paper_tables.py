"""The paper's tables, published beside measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scoring.results import Scores, by_text, pairing, plain_protocol, same_name
from benchmarks.tables.measured import Measured, measured_rows, truth_of
from benchmarks.tables.published import ENCODED, GROUND_TRUTH, Published, ranks, read_published
from benchmarks.tables.table import MEASURED, NONE, Cell, Column, Row, Table


@dataclass(frozen=True)
class Layout:
    """How a published table is laid out."""

    title: str  # heading and caption
    # Data sets are groups of rows, as in a table of many metrics; else of columns.
    dataset_rows: bool
    note: str  # what a reader must know of the published numbers


LAYOUTS = {
    "v1": Layout(
        "Diffused Heads, first version: SSIM and PSNR",
        dataset_rows=False,
        note=(
            "The paper states no window or range for SSIM and no peak for PSNR: a number measured "
            "here is comparable only as far as the protocols agree."
        ),
    ),
    "v2": Layout(
        "Diffused Heads, published version",
        dataset_rows=True,
        note=(
            "→GT: the closer to the real clips (GT) the better. Wav2Lip is driven from still "
            "images. OFM and F-MSE are those of the authors' script, which differ from their "
            "equations. The published CREMA numbers are over the 820 clips of ten test actors; "
            "the paper states no windows for FVD and no frames for FID."
        ),
    ),
    "ablation": Layout(
        "Diffused Heads, ablation: speech embeddings a side (m_y) and grey motion frames",
        dataset_rows=True,
        note=(
            "m_y speech embeddings before and after the frame's own enter the network; two grey "
            "motion frames or none. CPBD measures sharpness, LMD the distance of mouth landmarks."
        ),
    ),
    "dawn": Layout(
        "Diffused Heads, measured by the authors of DAWN",
        dataset_rows=True,
        note=(
            "A later paper's numbers of this model, under a protocol of its own: FVD on windows of "
            "16 and of 32 frames, another face network for CSIM."
        ),
    ),
}


def build_table(name: str, scores: Sequence[Scores]) -> Table:
    """A published table, a key of `LAYOUTS`, with a row more for each system of the scores."""
    layout, entries = LAYOUTS[name], read_published(name)
    columns = _columns(layout, entries, scores)
    measured = measured_rows(scores, entries, dataset_rows=layout.dataset_rows)
    if any(entry.method == GROUND_TRUTH for entry in entries):
        measured += truth_of(measured)
    ranked, unranked = measured_ranks(columns, measured)
    rows = _beside(
        _published_rows(layout, entries, columns),
        [(m, m.row(columns, entries, ranked)) for m in measured],
    )
    sources = "; ".join(dict.fromkeys(entry.source for entry in entries))
    marks = (
        f"Published rows: {sources}. Bold is the best value of a column, underlined the second "
        "best: of the published systems among themselves, and of those measured here, where there "
        "are two or more, among themselves. Small: 95% bootstrap intervals over clips."
    )
    return Table(
        title=layout.title,
        leads=("Data", "Method") if layout.dataset_rows else ("Method",),
        columns=columns,
        rows=tuple(rows),
        notes=(marks, layout.note, *unranked),
    )


def _columns(
    layout: Layout, entries: Sequence[Published], scores: Sequence[Scores]
) -> tuple[Column, ...]:
    """The published columns, then those of data sets that no paper has."""
    if layout.dataset_rows:
        return tuple(dict.fromkeys(Column("", e.metric, e.direction) for e in entries))
    columns = list(dict.fromkeys(Column(e.dataset, e.metric, e.direction) for e in entries))
    metrics = dict.fromkeys((column.metric, column.direction) for column in columns)
    for one in scores:
        if not any(same_name(one["dataset"], column.dataset) for column in columns):
            columns += [Column(one["dataset"], *metric) for metric in metrics]
    return tuple(columns)


def _published_rows(
    layout: Layout, entries: Sequence[Published], columns: Sequence[Column]
) -> list[Row]:
    by_key = {(entry.dataset, entry.method, entry.metric): entry for entry in entries}
    ranked = {}
    for dataset, metric, direction in dict.fromkeys(
        (entry.dataset, entry.metric, entry.direction) for entry in entries
    ):
        column = (e for e in entries if (e.dataset, e.metric) == (dataset, metric) and e.value)
        values = {entry.method: float(entry.value) for entry in column}
        truth = values.pop(GROUND_TRUTH, None)
        if len(values) > 1:  # else there is nothing to be better than
            found = ranks(values, direction, dict.fromkeys(values, truth))
            ranked.update({(dataset, method, metric): rank for method, rank in found.items()})
    rows = []
    for own, method in dict.fromkeys(
        (entry.dataset if layout.dataset_rows else "", entry.method) for entry in entries
    ):
        keys = [(own or column.dataset, method, column.metric) for column in columns]
        cells = tuple(_published_cell(by_key.get(key), ranked.get(key, 0)) for key in keys)
        source = next(entry.source for entry in entries if entry.method == method)
        rows.append(Row((own, method) if own else (method,), cells, source))
    return rows


def _published_cell(entry: Published | None, rank: int) -> Cell:
    if entry is None:
        return Cell(NONE, note="the paper does not use this data set")
    if not entry.value:
        return Cell(NONE, note=entry.note)
    return Cell(entry.value, rank, float(entry.value))


def measured_ranks(
    columns: Sequence[Column], measured: Sequence[Measured]
) -> tuple[dict[tuple[str, Column, str], int], list[str]]:
    """The rank of each measured system by data set, column and footnote mark, from two on.

    Numbers of unequally many clips or by different protocols are not ranked; a sentence says so.
    """
    ranked, unranked = {}, {}
    for dataset in dict.fromkeys(one for m in measured for one in m.datasets):
        for column in columns:
            values, truths, counts, protocols = {}, {}, {}, set()
            for m in measured:
                row = m.set_row(dataset, column)
                if m.is_truth or m.name == ENCODED or row is None or row["mean"] is None:
                    continue
                if column.direction == "closer" and row["real"] is None:
                    continue
                values[m.mark] = row["mean"]
                truths[m.mark] = row["real"] or 0.0
                counts[m.mark] = row["n"]
                protocols.add((plain_protocol(row), pairing(m.scores[dataset])))
            name = f"{column.metric} on {dataset}"
            if len(set(counts.values())) > 1:
                systems = ", ".join(f"[{mark}] n = {n}" for mark, n in counts.items())
                unranked[name] = f"of unequally many clips ({systems})"
            elif len(protocols) > 1:
                marks = ", ".join(f"[{mark}]" for mark in counts)
                unranked[name] = f"measured by different protocols, see {marks}"
            elif len(values) > 1:
                found = ranks(values, column.direction, truths)
                ranked.update({(dataset, column, mark): rank for mark, rank in found.items()})
    return ranked, [f"Not ranked: {text}." for text in by_text(unranked.items())]


def _beside(published: list[Row], measured: list[tuple[Measured, Row]]) -> list[Row]:
    """Each measured row below the published one of its name; others below their data set's rows."""
    rows = list(published)
    for one, row in measured:
        group = [at for at, other in enumerate(rows) if other.leads[:-1] == row.leads[:-1]]
        named = [at for at in group if same_name(_system(rows[at]), one.name)]
        if one.name == ENCODED:
            place = group[-1] + 1 if group else len(rows)
        elif named:
            place = named[-1] + 1
        else:
            truth = [at for at in group if _system(rows[at]) == GROUND_TRUTH]
            place = truth[0] if truth else group[-1] + 1 if group else len(rows)
        rows.insert(place, row)
    return rows


def _system(row: Row) -> str:
    return row.leads[-1].removesuffix(MEASURED) if row.mark else row.leads[-1]
