"""What a run is about to do and what came of it, told on the terminal."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.files import atomic_path
from pipeline.media import FPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from pipeline.manifest import ManifestRow
    from pipeline.plan import Shard

REPORT_FILE = "report.csv"
_NAMED = 20  # failed clips that are named on the terminal; the report holds all


def say(line: str = "") -> None:
    """Prints a line as it is: a file name may hold what rich would read as markup."""
    Console(highlight=False).print(line, markup=False, emoji=False, soft_wrap=True)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table, its cells as they are; the numbers stand to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(header):
        numbers = all(re.fullmatch(r"[-\d.,]+", text[index]) for text in texts)
        shown.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for text in texts:
        shown.add_row(*map(Text, text))
    Console(highlight=False).print(shown)


def by_split(rows: Iterable[ManifestRow]) -> list[tuple[str, int, int]]:
    """(split, clips, known speakers) of a manifest."""
    rows = list(rows)
    found = []
    for split in sorted({row.split for row in rows}):
        part = [row for row in rows if row.split == split]
        found.append((split, len(part), len({row.speaker for row in part} - {""})))
    return found


def size_text(size: float) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(seconds: float) -> str:
    """A length of time for people."""
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


def describe_plan(shards: Sequence[Shard], todo: Sequence[Shard], how: dict[str, str]) -> None:
    """Prints what a run would do.

    Args:
        shards: of the whole plan.
        todo: those that are not done yet.
        how: further lines, name and value.
    """
    rows = [row for shard in shards for row in shard.rows]
    paths = [Path(row.path) for row in rows]
    missing = [path for path in paths if not path.is_file()]
    size = sum(path.stat().st_size for path in set(paths) - set(missing))
    say(f"clips      {len(rows)}, {size_text(size)}")
    if missing:
        say(f"missing    {len(missing)} files, the first {missing[0]}")
    for split, clips, speakers in by_split(rows):
        say(f"split      {split}: clips {clips}, known speakers {speakers}")
    done = len(shards) - len(todo)
    say(f"shards     {len(todo)} to do" + (f", {done} done" if done else ""))
    for name, value in how.items():
        say(f"{name:<10} {value}")


def drop_reasons(rows: pd.DataFrame) -> list[tuple[str, str, int, str]]:
    """Why clips are not in the data set: (status, reason, clips, an example), most frequent first.

    Reasons that differ only in their numbers, or in the file they name, are one; the numbers shown
    are the example's.
    """
    dropped = rows[rows["status"] != "ok"].to_dict("records")
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], tuple[str, str]] = {}
    for row in dropped:
        reason = re.sub(r"(/.*)?\S*" + re.escape(row["source"]), "the file", row["reason"])
        kind = (row["status"], re.sub(r"\d+(\.\d+)?", "#", reason))
        counts[kind] += 1
        examples.setdefault(kind, (reason, row["clip_id"]))
    return [(kind[0], examples[kind][0], n, examples[kind][1]) for kind, n in counts.most_common()]


def write_report(out: Path, rows: pd.DataFrame) -> None:
    """Writes a CSV with every clip that is in no shard, and why."""
    columns = ["clip_id", "source", "status", "stage", "reason", "traceback"]
    with atomic_path(out / REPORT_FILE) as temporary:
        rows.loc[rows["status"] != "ok", columns].to_csv(temporary, index=False)


def describe_dataset(out: Path, dataset: dict[str, Any], rows: pd.DataFrame) -> None:
    """Prints what lies in a finished data set, what does not and why, and what to type next."""
    counts = dataset["counts"]
    say(
        f"{counts['samples']} of {counts['clips']} clips prepared: {counts['frames']} frames, "
        f"{time_text(counts['frames'] / FPS)}; {counts['skipped']} skipped by rule, "
        f"{counts['failed']} failed"
    )
    skipped = drop_reasons(rows[rows["status"] == "skipped"])
    if skipped:
        table(
            "Skipped by rule",
            ("reason", "clips", "for example"),
            [(reason, count, example) for _, reason, count, example in skipped],
        )
    failed = rows[rows["status"] == "failed"]
    if len(failed):
        named = failed[["clip_id", "stage", "reason"]].head(_NAMED).to_numpy().tolist()
        table("Failed clips", ("clip", "stage", "reason"), named)
        if len(failed) > _NAMED:
            say(f"and {len(failed) - _NAMED} more, see {out / REPORT_FILE}")
    size = sum(shard["bytes"] for shard in dataset["shards"])
    say(f"shards   {out / 'shard-*.tar'}: {len(dataset['shards'])}, {size_text(size)}")
    say(f"rows     {out / 'shard-*.parquet'}: one a clip")
    say(f"report   {out / REPORT_FILE}: clips left out, {counts['clips'] - counts['samples']}")
