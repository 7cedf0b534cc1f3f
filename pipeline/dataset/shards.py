"""Shards: byte-reproducible tars, written and read by webdataset, which is imported when needed.

Its import brings torch, which takes more than a second.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.sample import Sample, from_members
from pipeline.errors import UserError
from pipeline.storage import Folder, open_file

if TYPE_CHECKING:
    from webdataset import DataPipeline

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
    from webdataset import TarWriter

    with (
        path.open("wb") as file,
        TarWriter(file, encoder=False, user="", group="", mode=0o644, mtime=0) as tar,
    ):

        def add(key: str, members: dict[str, bytes]) -> None:
            for name, data in members.items():  # one by one: `write` sorts what it is given
                tar.write({"__key__": key, name: data})

        yield add


def shard_pipeline(*paths: Path | str) -> DataPipeline:
    """The samples of shards, in order, as a pipeline of webdataset.

    It yields dictionaries of `__key__`, `__url__` and the members' bytes; stages are added with
    `compose`. Paths may be URLs.

    Raises (when iterated):
        tarfile.TarError: a tar is damaged.
        ValueError: a sample holds a member twice.
    """
    from webdataset import DataPipeline
    from webdataset.tariterators import group_by_keys, tar_file_expander

    sources = [{"url": str(path)} for path in paths]
    return DataPipeline(lambda: sources, _open_shards, tar_file_expander, group_by_keys, _checked)


def _open_shards(sources: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A stage of webdataset that opens whatever fsspec opens; its own runs command-line tools."""
    for source in sources:
        with open_file(source["url"]) as stream:
            yield source | {"stream": stream}


def _checked(samples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The samples; errors get their plain messages back, to which webdataset adds its objects."""
    try:
        yield from samples
    except (tarfile.TarError, ValueError) as error:
        raise type(error)(str(error.args[0]).partition(" @ <")[0]) from error


def decode_sample(sample: dict[str, Any]) -> Sample:
    """The sample in a dictionary of webdataset."""
    return from_members(sample["__key__"], sample)


def read_shard(path: Path | str) -> Generator[tuple[str, dict[str, bytes]], None, None]:
    """Yields (key, members) of a shard, by path or URL, in order, a sample at a time."""
    for sample in shard_pipeline(path):
        members = {name: data for name, data in sample.items() if not name.startswith("__")}
        yield sample["__key__"], members


def read_dataset(folder: Folder | Path | str) -> dict[str, Any]:
    """`dataset.json` of a finished data set, by path or URL."""
    folder = Folder.at(folder)
    if folder.local is not None and not folder.local.is_dir():
        found = folder.local.exists()
        raise UserError(f"{'not a folder' if found else 'no such folder'}: {folder}")
    try:
        return folder.read_json(DATASET_FILE)
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} is not a finished data set (no {DATASET_FILE}); "
            "make one, or finish it, with: dh-prep run INPUT --out DIR"
        ) from error


def shard_paths(folder: Folder | Path | str, split: str | None = None) -> list[str]:
    """Paths or URLs of the tars of a finished data set, in order; of one split if it is given."""
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
    yield from map(decode_sample, shard_pipeline(*shard_paths(folder, split)))
