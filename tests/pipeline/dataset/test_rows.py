"""The rows beside the shards, read back."""

import io
from pathlib import Path

import pandas as pd
import pytest

from pipeline.dataset.columns import COLUMNS
from pipeline.dataset.rows import parse_rows, read_rows, rows_bytes
from pipeline.errors import UserError


def test_a_folder_without_shards_has_no_rows(tmp_path: Path):
    with pytest.raises(UserError, match="holds no shard"):
        read_rows(tmp_path)


def test_what_was_not_measured_yet_when_a_set_was_made_is_missing(tmp_path: Path):
    row = {"clip_id": "a", "status": "ok", "faces": 1, "missing_seconds": 2.0}
    old = pd.read_parquet(io.BytesIO(rows_bytes([row]))).drop(columns=["missing_seconds", "notes"])
    old.to_parquet(tmp_path / "shard-00000.parquet", index=False)
    for rows in (
        read_rows(tmp_path),
        parse_rows((tmp_path / "shard-00000.parquet").read_bytes(), COLUMNS),
    ):
        assert set(rows.columns) == set(COLUMNS)
        assert rows.missing_seconds.isna().all()
        assert rows.notes.tolist() == [""]
        assert rows.faces.tolist() == [1]
    some = ["faces", "missing_seconds"]
    assert list(read_rows(tmp_path, some).columns) == some
    with pytest.raises(ValueError, match="no column nonsense"):
        read_rows(tmp_path, ["nonsense", "faces"])
