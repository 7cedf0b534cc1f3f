"""The jobs of `dh-sample serve`: uploads by number, one video at a time, how far each is."""

from __future__ import annotations

import queue
import secrets
import threading
import time
import traceback
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
import av.error

from model.sampling.inputs import read_inputs
from model.sampling.jobs import Job
from model.sampling.talking_video import make_videos
from model.sampling.video_writer import OutputOptions
from pipeline.errors import UserError
from pipeline.media import read_audio

if TYPE_CHECKING:
    from io import BufferedIOBase
    from pathlib import Path

    from model.sampling.batch import LoadedModel

_CHUNK = 1 << 16
# Media that hold everything themselves, by their first bytes, and the suffix they are read by.
_MAGIC: list[tuple[int, bytes, str]] = [
    (0, b"\x89PNG\r\n\x1a\n", ".png"),
    (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"BM", ".bmp"),
    (8, b"WEBP", ".webp"),
    (8, b"WAVE", ".wav"),
    (8, b"AVI ", ".avi"),
    (0, b"\x00\x00\x01\xba", ".mpg"),  # GRID
    (4, b"ftyp", ".mp4"),
    (0, b"\x1a\x45\xdf\xa3", ".mkv"),
    (0, b"OggS", ".ogg"),
    (0, b"fLaC", ".flac"),
    (0, b"ID3", ".mp3"),
    (0, b"\xff\xfb", ".mp3"),
    (0, b"\xff\xf3", ".mp3"),
    (0, b"\xff\xf1", ".aac"),
]
_PICTURES = frozenset([".png", ".jpg", ".bmp", ".webp"])
# The first bytes do not bind FFmpeg, which takes what it likes for a script; these are none.
_DEMUXERS = "wav,avi,mov,matroska,ogg,flac,mp3,aac,mpeg"
_NOT_TAKEN = (
    "this file is not taken; take a PNG, JPEG, WebP, WAV, MP3, FLAC, Ogg, MP4, MPEG or WebM"
)


class Refusal(Exception):  # noqa: N818 - it is no error of ours
    """A request that is not done, and the HTTP status that says so."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What may be asked.

    Attributes:
        upload: bytes of a file.
        seconds: of a recording.
        waiting: jobs that wait for the one before them.
        kept: uploads and results that are kept; the oldest go first.
    """

    upload: int = 50 << 20
    seconds: int = 120
    waiting: int = 8
    kept: int = 32


@dataclass
class _Work:
    """A job on its way.

    Attributes:
        face: the upload.
        speech: the upload.
        out: the video.
        seed: of the noise.
        output: what is written around the frames.
        number: of the jobs taken before it.
        frames: made so far.
        total: to make; 0 while that is not known.
        since: when the first frame was begun.
        error: what went wrong.
        done: whether the video is there.
    """

    face: Path
    speech: Path
    out: Path
    seed: int
    output: OutputOptions
    number: int
    frames: int = 0
    total: int = 0
    since: float = 0.0
    error: str = ""
    done: bool = False
    taken: float = field(default_factory=time.monotonic)


def _is_taken(path: Path) -> bool:
    """Whether FFmpeg, left to itself, reads a file as one of the kinds that are taken."""
    try:
        with av.open(f"file:{path}", options={"format_whitelist": _DEMUXERS}):
            return True
    except (av.error.FFmpegError, OSError):
        return False


class Desk:
    """Takes uploads and jobs from many threads, and does the jobs in one of its own.

    Args:
        loaded: what makes the videos.
        folder: where uploads and videos lie; the server's own.
        limits: what may be asked.
    """

    def __init__(self, loaded: LoadedModel, folder: Path, limits: Limits) -> None:
        self._loaded, self._folder, self._limits = loaded, folder, limits
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, Path] = OrderedDict()
        self._jobs: OrderedDict[str, _Work] = OrderedDict()
        self._queue: queue.Queue[_Work] = queue.Queue()
        self._taken = self._ended = 0
        threading.Thread(target=self._work, daemon=True).start()

    def take(self, body: BufferedIOBase, length: int) -> str:
        """Keeps an upload and returns its number.

        Raises:
            Refusal: it is no picture, sound or video of a kind that is taken.
        """
        head = body.read(min(length, 16))
        suffix = next((s for at, magic, s in _MAGIC if head[at : at + len(magic)] == magic), None)
        if suffix is None:
            raise Refusal(415, _NOT_TAKEN)
        number = secrets.token_hex(16)
        path = self._folder / f"{number}{suffix}"
        with path.open("wb") as file:
            file.write(head)
            left = length - len(head)
            while left and (part := body.read(min(left, _CHUNK))):
                file.write(part)
                left -= len(part)
        if left:
            path.unlink()
            raise Refusal(400, "the file broke off on the way; send it again")
        if suffix not in _PICTURES and not _is_taken(path):
            path.unlink()
            raise Refusal(415, _NOT_TAKEN)
        with self._lock:
            self._uploads[number] = path
            while len(self._uploads) > self._limits.kept:
                self._uploads.popitem(last=False)[1].unlink(missing_ok=True)
        return number

    def begin(self, wanted: Any) -> str:
        """Takes a job and returns its number.

        Raises:
            Refusal: it is not understood, or too many wait.
        """
        try:
            face, speech = (self._uploads[str(wanted[kind])] for kind in ("face", "speech"))
            seed, output = int(wanted.get("seed", 0)), OutputOptions(bool(wanted.get("paste_back")))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise Refusal(400, "send a face and a recording first") from error
        if not 0 <= seed < 2**31:
            raise Refusal(400, "the seed must be 0 to 2147483647")
        with self._lock:
            if self._taken - self._ended > self._limits.waiting:
                raise Refusal(503, "too many videos are waiting; try again in a while")
            number = secrets.token_hex(16)
            work = _Work(face, speech, self._folder / f"{number}.mp4", seed, output, self._taken)
            self._taken += 1
            self._jobs[number] = work
            ended = [key for key, old in self._jobs.items() if old.done or old.error]
            for key in ended[: max(0, len(self._jobs) - self._limits.kept)]:
                self._jobs.pop(key).out.unlink(missing_ok=True)
        self._queue.put(work)
        return number

    def status(self, number: str) -> dict[str, Any]:
        """How a job stands: frames, total, rate, jobs before it, error, done."""
        work = self._find(number)
        # Asked first: a job that ends meanwhile would be done with fewer frames than it has.
        done, error = work.done, work.error
        seconds = time.monotonic() - work.since if work.since else 0.0
        return {
            "frames": work.frames,
            "total": work.total,
            "rate": work.frames / seconds if work.frames and seconds else 0.0,
            "waiting": max(0, work.number - self._ended),
            "error": error,
            "done": done,
        }

    def video(self, number: str) -> bytes:
        """The video of a job that is done."""
        work = self._find(number)
        if not work.done:
            raise Refusal(409, "this video is not made yet")
        return work.out.read_bytes()

    def _find(self, number: str) -> _Work:
        work = self._jobs.get(number)
        if work is None:
            raise Refusal(404, "this video is not kept any more; make it again")
        return work

    def _work(self) -> None:
        """Does job after job; what goes wrong with one is told to the user, and no end of it."""
        while True:
            work = self._queue.get()
            try:
                self._make(work)
                work.done = True
            except UserError as error:
                # Where the server keeps its files is no business of the user's.
                told = str(error).replace(str(work.face), "the face's file")
                work.error = told.replace(str(work.speech), "the recording")
            except Exception:  # noqa: BLE001 - a fault of ours: seen here, told there, and on
                traceback.print_exc()
                work.error = (
                    "something went wrong on our side; the terminal of the server says what"
                )
            with self._lock:
                self._ended += 1

    def _make(self, work: _Work) -> None:
        loaded = self._loaded
        preset = loaded.info.preset
        most = self._limits.seconds
        # A small file may hold hours: no more is decoded than tells that it is too long.
        if read_audio(work.speech, end=most + 1).seconds > most:
            raise UserError(f"the recording is longer than {most} seconds, the most taken here")
        job = Job(work.face, work.speech, work.out)
        ready = read_inputs(job, loaded.tracker, preset, loaded.featurise)
        work.total, work.since = len(ready.speech), time.monotonic()

        def count(frames: int) -> None:
            work.frames += frames

        make_videos(
            loaded.denoiser,
            preset,
            [ready],
            loaded.run.config,
            seeds=[work.seed],
            output=work.output,
            progress=count,
        )
