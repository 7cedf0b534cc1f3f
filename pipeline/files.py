"""Files that are either whole or absent, and what identifies them."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Gives a temporary path beside `path`; it takes the name `path` only if all went well.

    The temporary name keeps the suffix, since encoders choose the container by it, and only the
    beginning of the stem, since a file name holds 255 bytes and no more.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        yield temporary
        _sync(temporary)  # a name must not outlive its content when the power fails
        temporary.replace(path)
    finally:
        # Where nothing could be written nothing can be removed; the first error is the one to tell.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Waits until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Writes `data` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Writes UTF-8 text atomically."""
    write_bytes(path, text.encode())


def json_bytes(value: Any) -> bytes:
    """`value` as a JSON file: indented, keys in the order given, UTF-8, without NaN."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Path | str, value: Any) -> None:
    """Writes `value` atomically as JSON, see `json_bytes`."""
    write_bytes(path, json_bytes(value))


def read_json(path: Path | str) -> Any:
    """Reads a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def printable(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file name that are not UTF-8 become question marks."""
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "replace")


def visible(text: str) -> str:
    """Text with its control characters spelled out: a file name may hold what clears a screen."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)


def short_digest(name: str) -> str:
    """Eight hexadecimal digits that a name alone decides."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
