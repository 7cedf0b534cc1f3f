"""What dh-bench score prints."""

from collections.abc import Iterable

from benchmarks.clips.pairs import case_hint
from benchmarks.scoring.results import Scores, by_text
from benchmarks.tables.render import print_table
from benchmarks.tables.table import ARROWS, Cell, Column, Row, Table

_LISTED = 10


def print_scores(scores: Scores) -> None:
    """The set's numbers with their protocol, why others are absent, what went wrong, by name."""
    measured = [row for row in scores["metrics"].values() if row["mean"] is not None]
    rows = []
    for row in measured:
        texts = (
            f"{row['mean']:.4f}",
            "-" if row["ci95"] is None else "{:.4f} to {:.4f}".format(*row["ci95"]),
            "" if row["real"] is None else f"{row['real']:.4f}",
            str(row["n"]),
        )
        rows.append(Row((f"{row['label']} {ARROWS[row['direction']]}",), tuple(map(Cell, texts))))
    print_table(
        Table(
            f"{scores['method']} on {scores['dataset']}",
            ("metric",),
            tuple(Column("", name) for name in ("mean", "95% CI", "real", "clips")),
            tuple(rows),
            (scores["protocol"], *(f"{row['label']}: {row['protocol']}" for row in measured)),
        )
    )

    absent = [row for row in scores["metrics"].values() if row["mean"] is None]
    clips = scores["clips"]
    failed = (f"{row['clip_id']}: {row['reason']}" for row in clips if row["status"] == "failed")
    warned = (f"{row['clip_id']}: {text}" for row in clips for text in row.get("warnings", []))
    _print_list("not measured", by_text((row["label"], row["reason"]) for row in absent))
    _print_list("failed", failed)
    _print_list("warnings", warned)
    real, fake = scores["unmatched"]["real"], scores["unmatched"]["fake"]
    _print_list("real clips without a fake", (f"{name}{case_hint(name, fake)}" for name in real))
    _print_list("fakes without a real clip", fake)


def _print_list(title: str, items: Iterable[str]) -> None:
    lines = list(items)
    if lines:
        print(f"{title} ({len(lines)}):", *(f"  {line}" for line in lines[:_LISTED]), sep="\n")
    if len(lines) > _LISTED:
        print(f"  … and {len(lines) - _LISTED} more, all in the JSON")
