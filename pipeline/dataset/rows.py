"""The row of a clip in the parquet beside its shard: what became of it, and what was measured."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.columns import COLUMNS, DESCRIBED, MEASURED, SECONDS
from pipeline.errors import UserError
from pipeline.storage import Folder


def rows_bytes(rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows as a parquet file, every column there whatever the rows hold."""
    table = pd.DataFrame(list(rows)).reindex(columns=COLUMNS)
    # A shard in which nobody came to a stage must have the columns' types all the same.
    kinds = dict.fromkeys([*MEASURED, *SECONDS], "float64") | dict.fromkeys(DESCRIBED, "str")
    buffer = io.BytesIO()
    table.astype(kinds).to_parquet(buffer, index=False)
    return buffer.getvalue()


def parse_rows(data: bytes, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows in a parquet file."""
    return _table(data, columns).to_pandas()


def _table(data: bytes, columns: Sequence[str] | None) -> pa.Table:
    """The table; what was not measured yet when it was written is null."""
    file = pq.ParquetFile(pa.BufferReader(data))
    there, chosen = file.schema_arrow.names, columns or COLUMNS
    added = (*MEASURED, "notes", "collection")
    later = [name for name in chosen if name in added and name not in there]
    asked = None if columns is None else [name for name in columns if name not in later]
    if asked and not set(asked) <= set(there):
        raise ValueError(f"no column {', '.join(sorted(set(asked) - set(there)))}")
    table = file.read(asked, use_threads=False)
    for name in later:
        text = name in DESCRIBED
        empty = pa.array([""] * len(table)) if text else pa.nulls(len(table), pa.float64())
        table = table.append_column(name, empty)
    return table


def read_rows(folder: Folder | Path | str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The row of every clip of a data set, in the order of its shards.

    Args:
        folder: of the data set.
        columns: which columns; None for all.

    Raises:
        UserError: the folder holds no shard.
    """
    folder = Folder.at(folder)
    names = folder.names("shard-*.parquet")
    if not names:
        raise UserError(f"{folder} holds no shard; make one with: dh-prep run INPUT --out {folder}")
    # Joined before they become a frame, which takes a third of the time.
    parts = [_table(data, columns) for data in folder.read_many(names).values()]
    return pa.concat_tables(parts, promote_options="default").to_pandas()


def without_file(reason: str, source: str) -> str:
    """A reason without the file it names."""
    return re.sub(r"(/.*)?\S*" + re.escape(source), "the file", reason)


def drop_reasons(rows: pd.DataFrame) -> list[tuple[str, str, int, str]]:
    """Why clips are not in the data set: (status, reason, clips, an example), most frequent first.

    Reasons that differ only in their numbers, or in the file they name, are one; the numbers shown
    are the example's.
    """
    dropped = rows[rows["status"] != "ok"].to_dict("records")
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], tuple[str, str]] = {}
    for row in dropped:
        kind = (row["status"], kind_of(row["reason"], row["source"]))
        counts[kind] += 1
        examples.setdefault(kind, (without_file(row["reason"], row["source"]), row["clip_id"]))
    return [(kind[0], examples[kind][0], n, examples[kind][1]) for kind, n in counts.most_common()]


def cut_off(rows: pd.DataFrame) -> pd.DataFrame:
    """The samples of files that say they are longer than what of them decodes."""
    return rows[(rows["status"] == "ok") & (rows["missing_seconds"] > 0)]


def kind_of(reason: str, source: str) -> str:
    """A reason without its file and its numbers: what many clips have in common."""
    return re.sub(r"-?\d+(\.\d+)?", "#", without_file(reason, source))
