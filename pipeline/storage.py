"""Folders and files on this machine or in an object store, addressed by path or fsspec URL."""

from __future__ import annotations

import fnmatch
import json
import os
import posixpath
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from pipeline.errors import UserError
from pipeline.files import atomic_path, json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


# Packages whose errors are a store's refusal.
_STORES = frozenset({"aiobotocore", "aiohttp", "botocore", "gcsfs", "google", "s3fs", "adlfs"})


def is_url(where: Path | str) -> bool:
    """Whether `where` is an fsspec URL (`s3://…`) and no path of this machine."""
    return "://" in str(where)


@lru_cache(maxsize=16)
def _system(protocol: str) -> Any:
    """The file system of a protocol, without its cache of listings: other workers write too.

    Raises:
        UserError: no such protocol, or the package that speaks it is not installed.
    """
    import fsspec

    try:
        return fsspec.filesystem(protocol, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"cannot use {protocol}:// ({error}); for S3 install: pip install 'diffused-heads[s3]'"
        ) from error


def _remote(url: str) -> tuple[Any, str]:
    """File system and full name of a URL."""
    protocol = url.partition("://")[0]
    system = _system(protocol)
    return system, str(system._strip_protocol(url))  # noqa: SLF001 - fsspec's own way to do it


@contextmanager
def refusals_as_user_errors(url: str) -> Iterator[None]:
    """What an object store refuses becomes a `UserError` with the address in it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or _is_refusal(error):
            raise UserError(f"{url}: {error}; are address, access and network right?") from error
        raise


def _is_refusal(error: Exception) -> bool:
    """Whether an error is of a store's library: dozens of kinds, none with a base they share."""
    return type(error).__module__.partition(".")[0] in _STORES


@dataclass(frozen=True)
class Folder:
    """A folder whose files are read whole and written whole.

    It holds nothing but its address, so that it can be sent to another machine.

    Attributes:
        url: a path, or an fsspec URL.
    """

    url: str

    @classmethod
    def at(cls, where: Folder | Path | str) -> Folder:
        """The folder at a path or URL."""
        if isinstance(where, Folder):
            return where
        return cls(str(where).removeprefix("file://").rstrip("/") or "/")

    def __str__(self) -> str:
        return self.url

    @property
    def local(self) -> Path | None:
        """Its path on this machine; None when it lies in an object store."""
        return None if is_url(self.url) else Path(self.url)

    def absolute(self) -> Folder:
        """The same folder, by an address that holds in other working directories."""
        return self if self.local is None else Folder(str(self.local.absolute()))

    def __truediv__(self, name: str) -> str:
        return f"{self.url}/{name}" if self.local is None else str(self.local / name)

    @contextmanager
    def _store(self, *, writing: bool = False) -> Iterator[Any]:
        """The folder in its object store, as a file system of its own.

        Raises:
            FileNotFoundError: from inside the context, as it is, when reading.
            UserError: the store refuses.
        """
        from fsspec.implementations.dirfs import DirFileSystem

        system, root = _remote(self.url)
        absent = None
        with refusals_as_user_errors(self.url):
            try:
                yield DirFileSystem(root, system)
            except FileNotFoundError as error:
                if writing:
                    raise
                absent = error
        if absent is not None:
            raise absent

    def names(self, pattern: str = "*") -> list[str]:
        """Names of the files in it that match, sorted; none when there is no such folder."""
        if self.local is not None:
            found = os.listdir(self.local) if self.local.is_dir() else []  # noqa: PTH208
        else:
            found = []
            with suppress(FileNotFoundError), self._store() as store:
                found = store.ls("", detail=False)
        # Some stores list the folder's own marker too, whose name is empty.
        return sorted(filter(None, fnmatch.filter(found, pattern)))

    def exists(self, name: str) -> bool:
        """Whether it holds a file of that name."""
        if self.local is not None:
            return (self.local / name).exists()
        with self._store() as store:
            return bool(store.exists(name))

    def read_bytes(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: it holds no such file.
        """
        return self.read_many([name])[name]

    def read_many(self, names: Sequence[str]) -> dict[str, bytes]:
        """The contents of several files, fetched together from an object store.

        Raises:
            FileNotFoundError: it does not hold one of them.
            UserError: the store refuses.
        """
        if self.local is not None:
            return {name: (self.local / name).read_bytes() for name in names}
        if not names:
            return {}
        with self._store() as store:
            contents = store.cat(list(names))
        # fsspec unpacks a list of one.
        return {names[0]: contents} if isinstance(contents, bytes) else contents

    @contextmanager
    def write(self, name: str) -> Iterator[Path]:
        """Gives a local path to write to; what is there at the end becomes `name`, whole.

        Object stores show an object only when it was sent to its end.
        """
        if self.local is not None:
            with atomic_path(self.local / name) as temporary:
                yield temporary
            return
        with tempfile.TemporaryDirectory(prefix="dh-store-") as folder:
            temporary = Path(folder) / posixpath.basename(name)
            yield temporary
            with self._store(writing=True) as store:
                store.put_file(str(temporary), name)

    def overwrite(self, name: str, data: bytes) -> None:
        """Puts a small file in place of another, whole, but without waiting for the disk."""
        if self.local is not None:
            temporary = self.local / f"{name}.new"
            temporary.write_bytes(data)
            temporary.replace(self.local / name)
            return
        with self._store(writing=True) as store:
            store.pipe_file(name, data)

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file, whole."""
        with self.write(name) as path:
            path.write_bytes(json_bytes(value))

    def read_json(self, name: str) -> Any:
        """The value in a JSON file.

        Raises:
            FileNotFoundError: it holds no such file.
            ValueError: that file is no JSON.
        """
        return json.loads(self.read_bytes(name))

    def remove(self, name: str) -> None:
        """Removes a file if it is there."""
        if self.local is not None:
            (self.local / name).unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError), self._store() as store:
            store.rm_file(name)


@contextmanager
def open_file(where: Path | str) -> Iterator[BinaryIO]:
    """A file at a path or URL, open for reading from its beginning to its end.

    Raises:
        FileNotFoundError: there is none.
    """
    if not is_url(where):
        with Path(where).open("rb") as file:
            yield file
        return
    system, path = _remote(str(where))
    with system.open(path, "rb") as file:
        yield cast("BinaryIO", file)


@contextmanager
def local_copy(where: str) -> Iterator[str]:
    """The file at a path or URL as a file on this machine: itself, or a copy for as long as needed.

    Raises:
        OSError: a URL that cannot be fetched.
    """
    here = where.removeprefix("file://")
    if not is_url(here):
        yield here
        return
    system, path = _remote(where)
    with tempfile.TemporaryDirectory(prefix="dh-fetch-") as folder:
        target = Path(folder) / ("clip" + posixpath.splitext(path)[1])
        with fetching(where), system.open(path, "rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 4 << 20)
        yield str(target)


@contextmanager
def fetching(url: str) -> Iterator[None]:
    """What an object store refuses becomes an `OSError` with the address in it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or _is_refusal(error):
            raise OSError(f"cannot fetch {url}: {error}") from error
        raise


def remote_size(url: str) -> int:
    """Bytes of the file at a URL.

    Raises:
        OSError: it is not there, or not to be had.
    """
    system, path = _remote(url)
    with fetching(url):
        return int(system.size(path))


def find_files(where: str) -> list[str]:
    """Every file below a URL, or that matches it where it holds * ? or [, as URLs, sorted.

    Raises:
        UserError: the store refuses.
    """
    system, path = _remote(where)
    with refusals_as_user_errors(where):
        found = system.glob(path) if any(sign in path for sign in "*?[") else system.find(path)
    return sorted(str(system.unstrip_protocol(name)) for name in found)
