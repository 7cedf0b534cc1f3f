"""The rows beside the shards, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import UserError
from pipeline.rows import read_rows

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_without_shards_has_no_rows(tmp_path: Path):
    with pytest.raises(UserError, match="holds no shard"):
        read_rows(tmp_path)
