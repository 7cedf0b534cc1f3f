"""Damaged media through everything that reads media: run in a process of its own, as decoders may
crash.

    python -m tests.faults.fuzz FOLDER WORK --seed 1 --files 10000

FOLDER holds valid files. The file being read lies in WORK, so that after a crash it is still there;
the program ends with 1 if a file shows a fault.
"""

import faulthandler
import itertools
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer

from model.app.uploads import copy_upload
from pipeline.errors import UserError
from pipeline.media import IMAGE_SUFFIXES, is_video, probe, read_audio, read_frames
from pipeline.media.image import read_image

_LONGEST = 30  # seconds that one reader may take for a file of 0.4 s
_MOST_FRAMES = 60
_MOST_MEMORY = 600 << 20  # bytes that one reader may need
_MOST_GROWTH = 150 << 20  # bytes by which the process may grow over a whole run
_WARM = 100  # files after which growth is measured
_SPECIAL = np.array([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF], np.uint32)


def damaged(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """One to three damages to the first of `files`, whose last other serves to be joined on."""
    data = files[0]
    for _ in range(rng.integers(1, 4)):
        # Headers decide most, and lie at the beginning or at the end.
        size = max(len(data), 16)
        place = int(size * rng.random() ** 3)
        place = size - place if rng.random() < 0.3 else place
        length = int(rng.integers(1, max(2, size // 4)))
        kind = rng.integers(6)
        if kind == 0:  # single bytes
            at = rng.integers(0, min(size, 2 * place + 16), rng.integers(1, 40))
            content = np.frombuffer(data.ljust(16), np.uint8).copy()
            content[np.minimum(at, len(content) - 1)] ^= rng.integers(1, 256, len(at), np.uint8)
            data = content.tobytes()
        elif kind == 1:  # a number
            order = "<>"[rng.integers(2)]
            number = (
                rng.choice(_SPECIAL).astype(f"{order}u4").tobytes()[-int(2 ** rng.integers(3)) :]
            )
            data = data[:place] + number + data[place + len(number) :]
        elif kind == 2:  # cut off
            data = data[:place]
        elif kind == 3:  # a hole, left out or filled with zeros
            data = data[:place] + bytes(length * int(rng.integers(2))) + data[place + length :]
        elif kind == 4:  # a part twice
            data = data[: place + length] + data[place:]
        else:  # joined to another
            data = data[:place] + files[1][int(len(files[1]) * rng.random()) :]
    return data


def _frames(path: Path) -> None:
    shapes = set()
    for frame in itertools.islice(read_frames(path), _MOST_FRAMES):
        assert frame.dtype == np.uint8
        shapes.add(frame.shape)
    assert len(shapes) <= 1, shapes
    assert all(len(shape) == 3 and shape[2] == 3 for shape in shapes), shapes


def _sound(path: Path) -> None:
    assert read_audio(path).samples.ndim == 1
    assert read_audio(path, rate=None, mono=False, start=0.1, end=0.3).seconds < 0.21


def _picture(path: Path) -> None:
    if path.suffix in IMAGE_SUFFIXES:
        assert read_image(path).shape[2:] == (3,)


def _upload(path: Path) -> None:
    copy = path.with_name("copy")
    try:
        copy = copy_upload({"path": str(path), "orig_name": path.name}, "a face", copy)
    finally:
        copy.unlink(missing_ok=True)


_READERS: tuple[Callable[[Path], object], ...] = (
    lambda path: is_video(str(path)), probe, _frames, _sound, _picture, _upload,
)  # fmt: skip


def _memory(what: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(what))


def fuzz(folder: Path, work: Path, seed: int = 0, files: int = 200, first: int = 0) -> None:
    """Reads damaged files.

    Args:
        folder: of valid files.
        work: where the damaged ones lie while they are read, and those that show a fault stay.
        seed: decides all damages, together with the number of the file.
        files: how many.
        first: number of the first file.
    """
    valid = [(path.suffix, path.read_bytes()) for path in sorted(folder.iterdir())]
    # What asks for more memory than this gets an error, and this machine does not suffer.
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (3 << 30), resource.RLIM_INFINITY))
    faults = succeeded = settled = 0
    for number in range(first, first + files):
        rng = np.random.default_rng([seed, number])
        chosen = rng.integers(len(valid), size=2)
        path = work / f"{seed}-{number}{valid[chosen[0]][0]}"
        path.write_bytes(damaged(rng, [valid[k][1] for k in chosen]))
        try:
            succeeded += _read(path)
            path.unlink()
        except Exception:  # noqa: BLE001 - every fault is shown
            traceback.print_exc()
            print(f"^ {path}", file=sys.stderr)
            faults += 1
        if number == first + _WARM:
            settled = _memory("VmRSS")
    growth = _memory("VmRSS") - settled if settled else 0
    print(
        f"{files} files, {succeeded} readings succeeded, {faults} faults, "
        f"grown by {growth >> 20} MB"
    )
    if faults or growth > _MOST_GROWTH:
        sys.exit(1)


def _read(path: Path) -> int:
    """Number of readers that a file satisfies; all others must refuse it."""
    succeeded = 0
    for reader in _READERS:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        before = _memory("VmRSS")
        faulthandler.dump_traceback_later(_LONGEST, exit=True)
        try:
            reader(path)
            succeeded += 1
        except UserError:
            pass  # refused, in a sentence
        finally:
            faulthandler.cancel_dump_traceback_later()
        peak = _memory("VmHWM") - before
        assert peak < _MOST_MEMORY, f"{peak >> 20} MB in {reader}"
    return succeeded


if __name__ == "__main__":
    faulthandler.enable()
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(fuzz)
    app()
