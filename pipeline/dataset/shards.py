"""Shards: tars that are byte-reproducible, whole or absent, and readable by stock webdataset."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from pipeline.dataset.sample import Sample, from_members
from pipeline.errors import UserError
from pipeline.storage import Folder, open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

DATASET_FILE = "dataset.json"


def shard_name(index: int) -> str:
    """`shard-00000`, the stem shared by a shard's .tar, .parquet and .json."""
    return f"shard-{index:05d}"


@contextmanager
def open_shard(path: Path) -> Iterator[Callable[[str, dict[str, bytes]], None]]:
    """Opens an uncompressed tar for writing and gives the function that adds a sample.

    Time stamps, owners and modes are fixed and the order is that of the calls, so that the same
    samples are the same bytes on any machine.
    """
    with tarfile.open(path, mode="w:", format=tarfile.USTAR_FORMAT) as tar:

        def add(key: str, members: dict[str, bytes]) -> None:
            for name, data in members.items():
                info = tarfile.TarInfo(f"{key}.{name}")
                info.size = len(data)
                info.mode = 0o644
                tar.addfile(info, io.BytesIO(data))

        yield add


def read_tar(path: Path | str) -> Generator[tuple[str, dict[str, bytes]], None, None]:
    """Yields (key, members) of a shard, by path or URL, in order, a sample at a time."""
    key, members = "", cast("dict[str, bytes]", {})
    with open_file(path) as whole, tarfile.open(fileobj=whole, mode="r|") as tar:
        for info in tar:
            own_key, _, name = info.name.partition(".")
            if own_key != key and members:
                yield key, members
                members = {}
            key = own_key
            file = tar.extractfile(info)
            if file is not None:
                members[name] = file.read()
    if members:
        yield key, members


def read_dataset(folder: Folder | Path | str) -> dict[str, Any]:
    """`dataset.json` of a finished data set, by path or URL.

    Raises:
        UserError: the folder is no data set, or one that was not finished.
    """
    folder = Folder.at(folder)
    if folder.local is not None and not folder.local.is_dir():
        found = folder.local.exists()
        raise UserError(f"{'not a folder' if found else 'no such folder'}: {folder}")
    try:
        return cast("dict[str, Any]", folder.read_json(DATASET_FILE))
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not a finished data set (no {DATASET_FILE}); "
            "make one, or finish it, with: dh-prep run INPUT --out DIR"
        ) from error


def shard_paths(folder: Folder | Path | str, split: str | None = None) -> list[str]:
    """Paths or URLs of the tars of a finished data set, in order; of one split if it is given.

    Raises:
        UserError: no finished data set, or no clip of that split in it.
    """
    folder = Folder.at(folder)
    shards = [shard for shard in read_dataset(folder)["shards"] if shard["samples"]]
    if not shards:
        raise UserError(f"{folder} holds no clip: all of them were skipped or failed")
    chosen = [shard for shard in shards if split in (None, shard["split"])]
    if not chosen:
        splits = sorted({shard["split"] for shard in shards})
        other = "" if split == "train" else "name one of those with --split, or "
        raise UserError(
            f"{folder} has no clip of split {split!r}, only of {', '.join(splits)}; {other}prepare "
            "with a manifest that says the split"
        )
    return [folder / shard["name"] for shard in chosen]


def read_samples(folder: Folder | Path | str, split: str | None = None) -> Iterator[Sample]:
    """Yields every sample of a data set, or of one split of it, in order."""
    for path in shard_paths(folder, split):
        for key, members in read_tar(path):
            yield from_members(key, members)
