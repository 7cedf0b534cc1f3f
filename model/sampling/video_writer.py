"""Writes drawn frames to a file of any format, pasted back, compared, with a preview strip."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, repeat
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.sampling.inputs import Face, VideoInputs
from model.sampling.jobs import preview_path
from model.sampling.sample_config import OutputOptions
from pipeline.errors import UserError
from pipeline.faces.alignment import crop, transforms
from pipeline.faces.geometry import invert
from pipeline.faces.tracking import Tracker
from pipeline.media import IMAGE_SUFFIXES, Frames, open_pictures, open_video, write_image
from pipeline.media.image import resize
from pipeline.units import evenly

Frame = NDArray[np.uint8]

_STRIP = 12  # frames of a preview
_FEATHER = 0.1  # share of the crop's side over which it fades into the picture


@contextmanager
def open_video_writer(
    inputs: VideoInputs,
    output: OutputOptions,
    size: int,
    metadata: dict[str, str],
    tracker: Tracker | None,
) -> Iterator[Callable[[Frame], None]]:
    """Gives a function that writes the next drawn frame, (size, size, 3).

    The name decides on the format: .mp4, .webm, .gif, or none for a folder of PNG.
    """
    out = inputs.job.out
    real = _real_frames(inputs.job.face, size, tracker) if output.compare else None
    paste = make_paster(inputs.face) if output.paste_back else None
    # Which frames go into the preview strip.
    previewed = evenly(range(len(inputs.speech)), _STRIP)
    strip: list[Frame] = []
    numbers = itertools.count()
    with ExitStack() as stack:
        write: Callable[[Frame], object] = stack.enter_context(
            open_video(out, audio=inputs.audio, metadata=metadata)
            if out.suffix
            else open_pictures(out)
        )

        def next_frame(frame: Frame) -> None:
            shown = frame if real is None else np.hstack([frame, next(real)])
            if next(numbers) in previewed and output.preview:
                strip.append(shown)
            write(shown if paste is None else paste(frame))

        yield next_frame
    if output.preview and strip:
        write_image(preview_path(out), np.hstack(strip))


def _real_frames(video: Path, size: int, tracker: Tracker | None) -> Iterator[Frame]:
    """The aligned frames of a real clip; black where it shows no face or has ended."""
    if tracker is None or video.suffix.lower() in IMAGE_SUFFIXES:
        raise UserError(f"--compare needs a video of the face, and {video} is a picture")
    frames = Frames(video)
    track = tracker.track(frames)
    black = np.zeros((size, size, 3), np.uint8)
    points = track.points.copy()
    points[~track.found] = points[track.found][0]
    crops = zip(crop(frames, transforms(points, size, "authors"), size), track.found, strict=True)
    return chain((picture if found else black for picture, found in crops), repeat(black))


def make_paster(face: Face) -> Callable[[Frame], Frame]:
    """A function that puts a (S, S, 3) frame back to where the face was found.

    The crop fades into the picture over a tenth of its side. The picture is cut by a row or a
    column where its size is odd, which video encoders do not take.
    """
    height, width = (side - side % 2 for side in face.picture.shape[:2])
    picture = face.picture[:height, :width].astype(np.float32)
    back = invert(face.matrix)  # (2, 3), crop to picture
    side = len(face.crop)
    distance = np.minimum(np.arange(side) + 0.5, side - 0.5 - np.arange(side))
    ramp = np.clip(distance / (_FEATHER * side), 0, 1).astype(np.float32)
    mask = cv2.warpAffine(np.minimum.outer(ramp, ramp), back, (width, height))[..., None]

    def paste(frame: Frame) -> Frame:
        warped = cv2.warpAffine(
            resize(frame, (side, side)), back, (width, height), flags=cv2.INTER_LINEAR
        )
        return (picture + mask * (warped - picture)).round().astype(np.uint8)

    return paste
