"""The working folder of one clip: like the clone, the inputs in it, and the video that comes out.

Research code reads and writes beside itself: examples/, temp/, results/. So that clips do not meet
there, and so that the user's clone stays as it is, each clip has a folder that looks like the
clone: folders and large files are links into it, small files are copies, and the folders that the
system writes into are its own.
"""

import fnmatch
import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.systems.method_file import Input, Output
from pipeline.files import write_bytes
from pipeline.media import FPS, read_frames, write_image, write_video
from pipeline.media.audio import wav_bytes
from pipeline.media.image import resize

_COPIED = 16 << 20  # bytes of a file up to which it is copied: whatever a script may overwrite
_STILLS = 16  # frames more than the clip's: systems look ahead a little


def make_workspace(folder: Path, clone: Path | None, private: Mapping[str, Sequence[str]]) -> None:
    """Makes an empty folder look like a clone, if there is one; `private`: see `Method.private`."""
    own = {PurePosixPath(name) for name in private}
    own |= {parent for name in own for parent in name.parents if parent.name}
    if clone is not None:
        _mirror(folder, clone.resolve(), ["*"], PurePosixPath(), own)
    for name in sorted(own, key=lambda one: len(one.parts)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        patterns = private.get(str(name), ["*"])
        if clone is not None and (clone / name).is_dir():
            _mirror(folder / name, clone.resolve() / name, patterns, name, own)


def _mirror(
    folder: Path, source: Path, patterns: Sequence[str], name: PurePosixPath,
    own: set[PurePosixPath],
) -> None:  # fmt: skip
    for entry in source.iterdir():
        matches = any(fnmatch.fnmatch(entry.name, pattern) for pattern in patterns)
        if not matches or name / entry.name in own or entry.name == ".git":
            continue
        if entry.is_file() and entry.stat().st_size <= _COPIED:
            shutil.copy(entry, folder / entry.name)
        else:
            (folder / entry.name).symlink_to(entry)


def write_inputs(
    folder: Path,
    given: Input,
    face: NDArray[np.uint8],
    samples: NDArray[np.int16],
    frames: int,
    driving: Sequence[NDArray[np.uint8]],
) -> None:
    """Writes a clip's inputs into its working folder: what the method takes, where it takes it.

    `face`: (H, W, 3) uint8, the first of the clip's frames; `samples`: (N,) int16 at 16 kHz.
    """
    picture = placed(face, given)
    for path in given.face:
        write_image(folder / path, picture)
    for path in given.speech:
        write_bytes(folder / path, wav_bytes(samples))
    if given.still:
        _write_frames(folder / given.still, [picture] * (frames + _STILLS))
    if given.driving_video:
        _write_frames(folder / given.driving_video, (placed(one, given) for one in driving))


def placed(frame: NDArray[np.uint8], given: Input) -> NDArray[np.uint8]:
    """(size, size, 3): a frame at its place in the method's picture, its edge drawn out."""
    x0, y0, x1, y1 = (round(share * given.size) for share in given.frame)
    around = (y0, given.size - y1, x0, given.size - x1)
    shown = resize(frame, (x1 - x0, y1 - y0))
    return np.asarray(cv2.copyMakeBorder(shown, *around, cv2.BORDER_REPLICATE), np.uint8)


def read_output(
    video: Path, output: Output, shape: tuple[int, ...], frames: int
) -> Iterator[NDArray[np.uint8]]:
    """A system's pictures as the protocol's frames: cropped, of the clip's size, frame k at k.

    At most `frames`, (H, W, 3) uint8 RGB at 25 fps, `shape` being that of the clip's frames.
    """
    made = itertools.islice(read_frames(video, fps=FPS), output.skip, None)
    first = next(made, None)
    if first is None:
        return
    lead = itertools.repeat(first, output.lead)
    for picture in itertools.islice(itertools.chain(lead, [first], made), frames):
        height, width = picture.shape[:2]
        x0, x1 = (round(share * width) for share in output.frame[::2])
        y0, y1 = (round(share * height) for share in output.frame[1::2])
        yield np.ascontiguousarray(resize(picture[y0:y1, x0:x1], (shape[1], shape[0])))


def _write_frames(path: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    """A video, or one picture a frame where the name holds a pattern; counted from 0."""
    if "%" not in path.name:
        write_video(path, frames)
        return
    for index, frame in enumerate(frames):
        write_image(path.with_name(path.name % index), frame)
