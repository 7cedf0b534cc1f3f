"""What a run is about to do and its outcome, for the terminal."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.dataset.pages.data_card import CARD_FILE
from pipeline.dataset.plan import SOUND, Shard
from pipeline.dataset.prep_options import PrepOptions, flat_options
from pipeline.dataset.rows import cut_off, drop_reasons, kind_of
from pipeline.files import visible
from pipeline.media import FPS
from pipeline.run.estimate import estimate, total_size
from pipeline.sources.manifest import SPLITS, ManifestRow
from pipeline.sources.splits import in_several, speakers_by_split
from pipeline.storage import Folder
from pipeline.units import size_text, time_text

if TYPE_CHECKING:
    from pipeline.run.shard_writer import ShardTask
    from pipeline.run.work_options import WorkOptions

REPORT_FILE = "report.csv"
_NAMED = 20  # failed clips that are named on the terminal; the report holds all


def say(line: str = "") -> None:
    """Prints a line as it is: a file name may hold what rich would read as markup."""
    Console(highlight=False).print(visible(line), markup=False, emoji=False, soft_wrap=True)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table, its cells as they are; the numbers stand to the right."""
    texts = [[visible(str(cell)) for cell in row] for row in rows]
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
    clips = Counter(row.split for row in rows)
    speakers = speakers_by_split(rows)
    return [(split, count, len(speakers[split])) for split, count in sorted(clips.items())]


def note_speakers(rows: Iterable[ManifestRow]) -> None:
    """Says which speakers are in more than one split, and if no clip is to be trained on.

    A test on speakers that were trained on flatters the model.
    """
    rows = list(rows)
    splits = sorted({row.split for row in rows})
    if "train" not in splits:
        say(f"note     dh-train reads split train, and all clips are in {', '.join(splits)}")
    unused = Counter(row.split for row in rows if row.split not in SPLITS)
    for split, count in sorted(unused.items()):
        say(f"note     {count:,} clips in split {split!r}, which no command reads by itself")
    shared = in_several(speakers_by_split(rows))
    if shared:
        named = ", ".join(shared[:3]) + (" …" if len(shared) > 3 else "")
        say(
            f"note     speakers in more than one split: {len(shared)} ({named}); splits that share "
            "none: dh-prep manifest --split-by speaker"
        )


def describe_plan(
    shards: Sequence[Shard],
    tasks: Sequence[ShardTask],
    options: PrepOptions,
    out: Folder,
    work: WorkOptions,
) -> None:
    """Prints what a run would do, and about what it takes: a few clips are prepared for that."""
    rows = [row for shard in shards for row in shard.rows]
    size, missing, looked = total_size(rows)
    say(f"clips      {len(rows):,}, {size_text(size)}")
    if missing:
        say(f"missing    {len(missing):,} of {looked:,} files looked for, the first {missing[0]}")
    for split, clips, speakers in by_split(rows):
        say(f"split      {split}: clips {clips:,}, known speakers {speakers:,}")
    note_speakers(rows)
    done = len(shards) - len(tasks)
    say(f"shards     {len(tasks):,} to do" + (f", {done:,} done" if done else ""))
    say(
        f"stages     decode, landmarks ({options.landmarks}), speech ({options.speech}), align "
        f"({options.image_size} x {options.image_size}, smoothing {options.smoothing})"
    )
    for name, value in flat_options({"limits": options.limits.as_json()}).items():
        say(f"limit      {name.replace('_', ' ')}: {value}")
    workers = (os.cpu_count() or 1) if work.workers is None else work.workers
    processes = min(workers, len(tasks))
    say(f"workers    {processes or 'in this process'}")
    say(f"out        {out}")
    if tasks:
        todo = [row for task in tasks for row in task.shard.rows]
        for line in estimate(todo, options, max(processes, 1), work.weights_dir):
            say(line)


class Reasons:
    """Counts why clips are left out while a run goes on."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Counts the rows of a clip."""
        for row in rows:
            if row["status"] != "ok":
                self._counts[row["status"], kind_of(row["reason"], row["source"])] += 1

    def __str__(self) -> str:
        parts = []
        for status in ("failed", "skipped"):
            counts = Counter({kind: n for (s, kind), n in self._counts.items() if s == status})
            if counts:
                most, n = counts.most_common(1)[0]
                more = f", {len(counts) - 1} other reasons" if len(counts) > 1 else ""
                parts.append(
                    f"{counts.total()} {status} ({n}: {shorten(most, 40, placeholder=' …')}{more})"
                )
        return visible(", ".join(parts))


def write_report(out: Folder | Path | str, rows: pd.DataFrame) -> None:
    """Writes a CSV with every clip that is in no shard, and why."""
    columns = ["clip_id", "source", "status", "stage", "reason", "traceback"]
    with Folder.at(out).write(REPORT_FILE) as temporary:
        rows.loc[rows["status"] != "ok", columns].to_csv(temporary, index=False)


def describe_dataset(out: Folder | str, dataset: dict[str, Any], rows: pd.DataFrame) -> None:
    """Prints what lies in a finished data set, what does not and why."""
    out, counts = Folder.at(out), dataset["counts"]
    say(
        f"{counts['samples']} of {counts['clips']} clips prepared: {counts['frames']} frames, "
        f"{time_text(counts['frames'] / FPS)}; {counts['skipped']} skipped by rule, "
        f"{counts['failed']} failed"
    )
    skipped = drop_reasons(rows[rows["status"] == "skipped"])
    if skipped:
        table("Skipped by rule", ("reason", "clips", "for example"), [row[1:] for row in skipped])
    failed = rows[rows["status"] == "failed"]
    if len(failed):
        named = failed[["clip_id", "stage", "reason"]].head(_NAMED).to_numpy().tolist()
        table("Failed clips", ("clip", "stage", "reason"), named)
        if len(failed) > _NAMED:
            say(f"and {len(failed) - _NAMED} more, see {out / REPORT_FILE}")
    short = cut_off(rows)
    if len(short):
        say(
            f"note     samples of files that were cut off: {len(short)}, which say they are up to "
            f"{short['missing_seconds'].max():.1f} s longer (column missing_seconds); a data set "
            "without them: dh-prep filter --max-missing 0"
        )
    for group in dataset.get(SOUND, ()):
        if not group["speaker"]:
            found = f"late by {group['lag']} frames" if group["sure"] else "not sure, left as it is"
            say(f"sound    {group['collection'] or 'all clips'}: {found}")
    size = sum(shard["bytes"] for shard in dataset["shards"])
    say(f"shards   {out / 'shard-*.tar'}: {len(dataset['shards'])}, {size_text(size)}")
    say(f"rows     {out / 'shard-*.parquet'}: one a clip")
    say(f"report   {out / REPORT_FILE}: clips left out, {counts['clips'] - counts['samples']}")
    say(f"card     {out / CARD_FILE}: what the data set is, for whoever gets it")
