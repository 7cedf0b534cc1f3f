"""The rows of a table that were measured here, from scores.json files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.metrics.catalogue import METRICS
from benchmarks.scoring.results import Scores, SetRow, same_name, values_of
from benchmarks.tables.published import GROUND_TRUTH, Published
from benchmarks.tables.table import MEASURED, NONE, Cell, Column, Row

# What scores.json calls the columns: metrics, papers' other names of them, and protocols of theirs.
_REGIONS = {
    f"{name} ({region})": name.casefold()
    for name in ("SSIM", "PSNR", "MSE")
    for region in ("face", "mouth")
}
_WINDOWS = ("FVD16", "FVD32", "FVD128")
METRIC_KEYS = (
    {metric.label: metric.name for metric in METRICS.values()}
    | dict.fromkeys(_WINDOWS, "fvd")
    | _REGIONS
)
# How the protocol of such a column begins; papers compare whole frames.
_PROTOCOLS = (
    {name: f"fvd_{name.removeprefix('FVD')}f" for name in _WINDOWS}
    | {name: f"{name.casefold()}_n" for name in ("SSIM", "PSNR", "MSE")}
    | {name: f"{key}_{name.split('(')[1][:-1]}" for name, key in _REGIONS.items()}
)

_REFERENCE = "the real clips are what is compared against"


@dataclass(frozen=True)
class Measured:
    """One row to be: a system's scores, by data set as the paper spells it."""

    name: str  # of the system, or `GT`
    mark: str  # number of its footnote
    scores: Mapping[str, Scores]  # by data set; one where rows name the data set
    dataset_rows: bool  # rows name the data set
    is_truth: bool = False  # the real clips of the scores are the row, not the fakes

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets it was measured on."""
        return tuple(self.scores)

    def set_row(self, dataset: str, column: Column) -> SetRow | None:
        """The metric of a column on a data set; None where the scores do not have it."""
        scores = self.scores.get(dataset)
        if scores is None or column.dataset not in {"", dataset}:
            return None
        row = scores["metrics"].get(METRIC_KEYS[column.metric])
        if row and not row["protocol"].startswith(_PROTOCOLS.get(column.metric, "")):
            return None
        return _truth(scores, METRIC_KEYS[column.metric], row) if self.is_truth and row else row

    def row(
        self,
        columns: Sequence[Column],
        entries: Sequence[Published],
        ranked: Mapping[tuple[str, Column, str], int],
    ) -> Row:
        """The table's row, its footnote saying how it was measured."""
        cells = []
        for column in columns:
            dataset = column.dataset or self.datasets[0]
            rank = ranked.get((dataset, column, self.mark), 0)
            # As many decimals as the paper prints, if it has the column.
            printed = (len(e.value.partition(".")[2]) for e in entries if e.metric == column.metric)
            cells.append(self._cell(dataset, column, rank, max(printed, default=3)))
        name = f"{self.name}{MEASURED}"
        return Row(
            leads=(self.datasets[0], name) if self.dataset_rows else (name,),
            cells=tuple(cells),
            source=" ".join(self._footnote(dataset, columns) for dataset in self.datasets),
            mark=self.mark,
            clips=" + ".join(str(_clips(scores)) for scores in self.scores.values()),
        )

    def _cell(self, dataset: str, column: Column, rank: int, decimals: int) -> Cell:
        row = self.set_row(dataset, column)
        if dataset not in self.scores:
            return Cell(NONE, note=f"not scored on {dataset}")
        if row is None:
            return Cell(
                NONE, note="not in these scores, or by another protocol; score again for it"
            )
        if row["mean"] is None:
            reason = row["reason"] or "no clip could be measured"
            return Cell(NONE, n=row["n"], protocol=row["protocol"], note=reason)
        low_high = [f"{bound:.{decimals}f}" for bound in row["ci95"] or ()]
        return Cell(
            text=f"{row['mean']:.{decimals}f}",
            rank=rank,
            value=row["mean"],
            ci95=(low_high[0], low_high[1]) if low_high else None,
            n=row["n"],
            protocol=row["protocol"],
        )

    def _footnote(self, dataset: str, columns: Sequence[Column]) -> str:
        scores = self.scores[dataset]
        n = _clips(scores)
        who = f"The real clips of {scores['method']}'s scores" if self.is_truth else self.name
        sentences = [f"{who} on {dataset}, n = {n} clips: {scores['protocol']}."]
        for column in columns:
            row = self.set_row(dataset, column)
            if row and row["mean"] is not None and not self.is_truth:
                sentences.append(f"{_with_interval(row, n)}: {row['protocol']}.")
            elif row and row["mean"] is not None and row["n"] != n:
                sentences.append(f"{row['label']} of n = {row['n']}.")
        failed = [row for row in scores["clips"] if row["status"] == "failed"]
        if failed:
            named = f"{failed[0]['clip_id']}: {failed[0]['reason']}"
            sentences.append(f"{len(failed)} clips failed, the first, {named}.")
        warned = [row for row in scores["clips"] if row.get("warnings")]
        if warned and not self.is_truth:
            named = f"{warned[0]['clip_id']}: {'; '.join(warned[0]['warnings'])}"
            sentences.append(f"{len(warned)} clips with warnings, the first, {named}.")
        unmatched = sum(map(len, scores["unmatched"].values()))
        if unmatched:
            sentences.append(f"{unmatched} clips had no counterpart.")
        return " ".join(sentences)


def measured_rows(
    scores: Sequence[Scores], entries: Sequence[Published], *, dataset_rows: bool
) -> list[Measured]:
    """A row for each scores.json, or for each system with its data sets side by side."""
    rows: list[tuple[str, dict[str, Scores]]] = []
    for one in scores:
        # The paper's spelling, if the data set is one of the paper's.
        names = (entry.dataset for entry in entries if same_name(entry.dataset, one["dataset"]))
        dataset = next(names, one["dataset"])
        same = (row for name, row in rows if name == one["method"] and dataset not in row)
        row = None if dataset_rows else next(same, None)
        if row is None:
            rows.append((one["method"], row := {}))
        row[dataset] = one
    return [
        Measured(name, str(number), row, dataset_rows)
        for number, (name, row) in enumerate(rows, start=1)
    ]


def truth_of(measured: Sequence[Measured]) -> list[Measured]:
    """A row of the real clips for each data set, from the scores with the most of them.

    Which those are does not depend on the order of files: of equally many, the first by name.
    """
    on: dict[str, list[Measured]] = {}
    for one in measured:
        for dataset, scores in one.scores.items():
            if any(row["real"] is not None for row in scores["metrics"].values()):
                on.setdefault(dataset, []).append(one)
    rows: list[Measured] = []
    for dataset, systems in on.items():
        counts = [(-_clips(one.scores[dataset]), one.name) for one in systems]
        most = systems[counts.index(min(counts))]
        mark = str(len(measured) + len(rows) + 1)
        own = {dataset: most.scores[dataset]}
        rows.append(Measured(GROUND_TRUTH, mark, own, most.dataset_rows, is_truth=True))
    return rows


def _truth(scores: Scores, key: str, row: SetRow) -> SetRow:
    """A metric of the real clips themselves, on as many of them as have it."""
    values = list(values_of(scores, key, "real_values").values())
    real, n = row["real"], row.get("n_real", len(values))
    if real is None and row["direction"] != "closer" and values:
        real, n = float(np.mean(values)), len(values)
    reason = "" if real is not None else row["reason"] or _REFERENCE
    return {**row, "mean": real, "std": None, "ci95": None, "real": None, "n": n, "reason": reason}


def _clips(scores: Scores) -> int:
    return max((row["n"] for row in scores["metrics"].values()), default=0)


def _with_interval(row: SetRow, clips: int) -> str:
    parts = [f"95% CI {row['ci95'][0]:.3f} to {row['ci95'][1]:.3f}"] if row["ci95"] else []
    parts += [f"n = {row['n']}"] if row["n"] != clips else []
    parts += [f"real {row['real']:.3f}"] if row["real"] is not None else []
    return f"{row['label']} {row['mean']:.3f}" + (f" ({', '.join(parts)})" if parts else "")
