"""Folders and files on this machine or in an object store, addressed by path or fsspec URL."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import UserError
from pipeline.files import atomic_path, json_bytes

# Packages whose errors are a store's refusal.
_STORES = frozenset({"aiobotocore", "aiohttp", "botocore", "gcsfs", "google", "s3fs", "adlfs"})


def is_url(where: Path | str) -> bool:
    """Whether `where` is an fsspec URL (`s3://…`) and no path of this machine."""
    return "://" in str(where)


def _remote(url: str) -> tuple[Any, str]:
    """File system, without a cache of listings since others write too, and full name of a URL."""
    import fsspec

    protocol = url.partition("://")[0]
    try:
        system: Any = fsspec.filesystem(protocol, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"cannot use {protocol}:// ({error}); for S3 install: pip install 'diffused-heads[s3]'"
        ) from error
    return system, str(system._strip_protocol(url))  # noqa: SLF001 - fsspec's own way to do it


@contextmanager
def _refused_as(
    kind: type[Exception], url: str, passed: type[Exception] | tuple[()] = ()
) -> Iterator[None]:
    """What an object store refuses becomes an error of a kind; `passed` errors stay as they are."""
    try:
        yield
    except passed:
        raise
    except Exception as error:
        # Errors of a store's library are of dozens of kinds, without a base that they share.
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _STORES:
            raise kind(f"{url}: {error}; are address, access and network right?") from error
        raise


@dataclass(frozen=True)
class Folder:
    """A folder whose files are read whole and written whole.

    It holds nothing but its address, so that it can be sent to another machine.
    """

    url: str  # a path, or an fsspec URL

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
    def _files(self, *, writing: bool = False) -> Iterator[Any]:
        """The folder as a file system of its own; a store's refusal becomes a `UserError`."""
        from fsspec.implementations.dirfs import DirFileSystem

        system, root = _remote(
            self.url if self.local is None else f"file://{self.local.absolute()}"
        )
        passed = OSError if self.local else () if writing else FileNotFoundError
        with _refused_as(UserError, self.url, passed):
            yield DirFileSystem(root, system)

    def names(self, pattern: str = "*") -> list[str]:
        """Names of the files in it that match, sorted; none when there is no such folder."""
        found: list[str] = []
        with suppress(FileNotFoundError), self._files() as files:
            found = files.ls("", detail=False)
        # Some stores list the folder's own marker too, whose name is empty.
        return sorted(filter(None, fnmatch.filter(found, pattern)))

    def exists(self, name: str) -> bool:
        """Whether it holds a file of that name."""
        with self._files() as files:
            return bool(files.exists(name))

    def read_bytes(self, name: str) -> bytes:
        """The content of a file."""
        return self.read_many([name])[name]

    def read_many(self, names: Sequence[str]) -> dict[str, bytes]:
        """The contents of several files, fetched together from an object store."""
        if not names:
            return {}
        with self._files() as files:
            contents = files.cat(list(names))
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
            with self._files(writing=True) as files:
                files.put_file(str(temporary), name)

    def overwrite(self, name: str, data: bytes) -> None:
        """Puts a small file in place of another, whole, but without waiting for the disk."""
        if self.local is not None:
            temporary = self.local / f"{name}.new"
            temporary.write_bytes(data)
            temporary.replace(self.local / name)
            return
        with self._files(writing=True) as files:
            files.pipe_file(name, data)

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file, whole."""
        with self.write(name) as path:
            path.write_bytes(json_bytes(value))

    def read_json(self, name: str) -> Any:
        """The value in a JSON file; a FileNotFoundError or ValueError if there is none."""
        return json.loads(self.read_bytes(name))

    def remove(self, name: str) -> None:
        """Removes a file if it is there."""
        with suppress(FileNotFoundError), self._files() as files:
            files.rm_file(name)


@contextmanager
def open_file(where: Path | str) -> Iterator[BinaryIO]:
    """A file at a path or URL, open for reading from its beginning to its end."""
    if not is_url(where):
        with Path(where).open("rb") as file:
            yield file
        return
    system, path = _remote(str(where))
    with system.open(path, "rb") as file:
        yield file


@contextmanager
def local_copy(where: str) -> Iterator[str]:
    """The file at a path or URL as a file on this machine: itself, or a copy for as long as needed.

    A URL that cannot be fetched is an OSError.
    """
    here = where.removeprefix("file://")
    if not is_url(here):
        yield here
        return
    system, path = _remote(where)
    with tempfile.TemporaryDirectory(prefix="dh-fetch-") as folder:
        target = Path(folder) / ("clip" + posixpath.splitext(path)[1])
        with _refused_as(OSError, where):
            system.get_file(path, str(target))
        yield str(target)


def remote_size(url: str) -> int:
    """Bytes of the file at a URL."""
    system, path = _remote(url)
    with _refused_as(OSError, url):
        return int(system.size(path))


def find_files(where: str) -> list[str]:
    """Every file below a URL, or that matches it where it holds * ? or [, as URLs, sorted."""
    system, path = _remote(where)
    with _refused_as(UserError, where):
        found = system.glob(path) if any(sign in path for sign in "*?[") else system.find(path)
    return sorted(str(system.unstrip_protocol(name)) for name in found)
