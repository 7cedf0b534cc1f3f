"""Two uploads to a video; one is made at a time."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import av
import av.error

from model.sampling.inputs import read_inputs
from model.sampling.jobs import Job
from model.sampling.sample_config import OutputOptions
from model.sampling.talking_video import make_videos
from pipeline.errors import UserError
from pipeline.media import read_audio

if TYPE_CHECKING:
    from model.sampling.batch import LoadedModel

    Report = Callable[[int, int, float], object]

# The formats that are opened, by FFmpeg's names, and the suffix under which each is read. They hold
# all their data themselves; FFmpeg would also read play lists, and the files named in them.
_SUFFIXES = {
    "png_pipe": ".png", "jpeg_pipe": ".jpg", "bmp_pipe": ".bmp", "webp_pipe": ".webp",
    "wav": ".wav", "avi": ".avi", "mpeg": ".mpg", "mov,mp4,m4a,3gp,3g2,mj2": ".mp4",
    "matroska,webm": ".mkv", "ogg": ".ogg", "flac": ".flac", "mp3": ".mp3", "aac": ".aac",
}  # fmt: skip


def sentence(error: Exception) -> str:
    """The sentence of an error for the page; an unexpected one leaves its traceback here."""
    if isinstance(error, UserError):
        return str(error)
    traceback.print_exception(error)
    return "something went wrong on our side; the terminal of the server says what"


def copy_upload(upload: dict[str, Any] | None, what: str, to: Path) -> Path:
    """Copies an upload to a path, to which the suffix of its format is added.

    Gradio describes uploads by path and orig_name; `what` the user was to give. A `UserError` if
    nothing was given, the format is not accepted, or the file was deleted meanwhile.
    """
    if not upload or not upload.get("path"):
        raise UserError(f"give {what} first")
    name = upload.get("orig_name") or what
    try:
        shutil.copyfile(upload["path"], to)
        accepted = {"format_whitelist": ",".join(_SUFFIXES)}
        with av.open(f"file:{to}", options=accepted, metadata_errors="replace") as container:
            return to.rename(to.with_suffix(_SUFFIXES[container.format.name]))
    except FileNotFoundError as error:
        raise UserError(f"{name} is no longer kept; upload it again") from error
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(
            f"{name}: this file is not accepted; use a PNG, JPEG, WebP, WAV, MP3, FLAC, Ogg, MP4, "
            "MPEG or WebM"
        ) from error


class UploadedVideoMaker:
    """Makes videos from uploads, one at a time, whatever the number of threads that ask.

    Finished ones go into `folder`; a recording may last `seconds`.
    """

    def __init__(self, loaded: LoadedModel, folder: Path, seconds: int) -> None:
        self.loaded, self.folder, self._seconds = loaded, folder, seconds
        self.stopping = threading.Event()  # set, it ends the video being made at its next frame
        self.busy = threading.Lock()  # held while one is made

    def make(
        self,
        face: dict[str, Any] | None,
        recording: dict[str, Any] | None,
        seed: Any,
        paste_back: Any,
        report: Report,
    ) -> Path:
        """Makes a video, in a folder of its own whose name cannot be guessed.

        Face (a picture or video) and recording (with sound) are as Gradio describes uploads; the
        seed is 0 to 2^31 - 1; `report` is called with frames made, frames in all, and frames a
        second. A `UserError` if one of them cannot be used, or the server is stopping.
        """
        if not isinstance(seed, int | float) or not 0 <= seed < 2**31:
            raise UserError("the seed must be a number from 0 to 2147483647")
        with self.busy, TemporaryDirectory(dir=self.folder.parent) as work:
            face_file = copy_upload(face, "a face", Path(work, "face"))
            recording_file = copy_upload(recording, "a recording", Path(work, "recording"))
            job = Job(face_file, recording_file, Path(work, "talking.mp4"), int(seed))
            try:
                self._draw(job, OutputOptions(bool(paste_back)), report)
            except UserError as error:
                # Users do not know the paths of this machine, and should not.
                message = str(error).replace(str(face_file), "the face's file")
                raise UserError(message.replace(str(recording_file), "the recording")) from error
            finished = self.folder / secrets.token_hex(16)
            finished.mkdir()
            return job.out.rename(finished / job.out.name)

    def _draw(self, job: Job, output: OutputOptions, report: Report) -> None:
        """Reads both files and draws the frames."""
        loaded = self.loaded
        # A small file may hold hours: only as much is decoded as shows that it is too long.
        if read_audio(job.speech, end=self._seconds + 1).seconds > self._seconds:
            raise UserError(
                f"the recording is longer than {self._seconds} seconds, the most accepted here"
            )
        preset = loaded.info.preset
        ready = read_inputs(job, loaded.tracker, preset, loaded.featurise)
        made, start = 0, time.monotonic()

        def count(frames: int = 1) -> None:
            nonlocal made
            if self.stopping.is_set():
                raise UserError("the server was stopped")
            made += frames
            report(made, len(ready.speech), made / (time.monotonic() - start))

        count(0)
        make_videos(
            loaded.denoiser,
            preset,
            [ready],
            loaded.config,
            output=output,
            on_frame=count,
        )
