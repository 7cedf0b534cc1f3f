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

from benchmarks.systems.method_file import Box, Input, Method, Output, fill
from pipeline.media import FPS, read_frames, write_image, write_video
from pipeline.media.audio import wav_bytes
from pipeline.media.image import resize

_COPIED = 16 << 20  # bytes of a file up to which it is copied: whatever a script may overwrite
_STILLS = 16  # frames more than the clip's: systems look ahead a little


def make_workspace(folder: Path, clone: Path | None, private: Mapping[str, Sequence[str]]) -> None:
    """Makes a working folder that looks like a clone.

    Args:
        folder: an empty folder.
        clone: the user's clone, or None.
        private: see `Method.private`.
    """
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
    """Writes a clip's inputs into its working folder.

    Args:
        folder: the working folder.
        given: what the method takes, and where.
        face: (H, W, 3) uint8, the first frame.
        samples: (N,) int16, the sound at 16 kHz.
        frames: of the clip.
        driving: frames of the driving clip; empty without one.
    """
    picture = placed(face, given)
    for path in given.face:
        _parent(folder / path)
        write_image(folder / path, picture)
    for path in given.speech:
        _parent(folder / path)
        (folder / path).write_bytes(wav_bytes(samples))
    if given.still:
        _write_frames(folder / given.still, [picture] * (frames + _STILLS))
    if given.driving_video:
        _write_frames(folder / given.driving_video, (placed(one, given) for one in driving))


def write_texts(folder: Path, method: Method, values: Mapping[str, str]) -> None:
    """Writes the method's small files, their placeholders filled."""
    for one in method.files:
        _parent(folder / one.path)
        (folder / one.path).write_text(fill(one.text, values), encoding="utf-8")


def placed(frame: NDArray[np.uint8], given: Input) -> NDArray[np.uint8]:
    """A frame at its place in the method's picture, its edge drawn out to the picture's.

    Args:
        frame: (H, W, 3) uint8.
        given: its `size` is the picture's side, its `frame` the place.

    Returns:
        (size, size, 3) uint8.
    """
    x0, y0, x1, y1 = (round(share * given.size) for share in given.frame)
    around = (y0, given.size - y1, x0, given.size - x1)
    shown = resize(frame, (x1 - x0, y1 - y0))
    return np.asarray(cv2.copyMakeBorder(shown, *around, cv2.BORDER_REPLICATE), np.uint8)


def read_output(
    video: Path, output: Output, shape: tuple[int, ...], frames: int
) -> Iterator[NDArray[np.uint8]]:
    """A system's pictures as the protocol's frames: cropped, of the clip's size, frame k at k.

    Args:
        video: what the system made, at any rate.
        output: where the frame lies in its pictures, and how it begins.
        shape: (H, W, …) of the clip's frames.
        frames: the most to read.

    Yields:
        (H, W, 3) uint8 RGB at 25 fps.
    """
    made = itertools.islice(read_frames(video, fps=FPS), output.skip, None)
    first = next(made, None)
    if first is None:
        return
    lead = itertools.repeat(first, output.lead)
    for picture in itertools.islice(itertools.chain(lead, [first], made), frames):
        crop = _crop(picture, output.frame)
        yield np.ascontiguousarray(resize(crop, (shape[1], shape[0])))


def _crop(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    x0, x1 = (round(share * width) for share in (box[0], box[2]))
    y0, y1 = (round(share * height) for share in (box[1], box[3]))
    return picture[y0:y1, x0:x1]


def _write_frames(path: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    """A video, or one picture a frame where the name holds a pattern; counted from 0."""
    _parent(path)
    if "%" not in path.name:
        write_video(path, frames)
        return
    for index, frame in enumerate(frames):
        write_image(path.with_name(path.name % index), frame)


def _parent(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
