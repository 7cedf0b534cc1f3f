"""The Live tab's side of the server: sound of a browser in, frames with their sound out."""

import base64
import json
import queue
import secrets
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from starlette.types import Receive, Scope, Send

from model.app.uploads import UploadedVideoMaker, copy_upload, sentence
from model.sampling.denoiser import FrameDenoiser
from model.sampling.inputs import crop_size, read_face
from model.sampling.live import Pacer, denoisers_for_live, talk_live, warm_up
from pipeline.dataset.sample import pack_frames
from pipeline.errors import UserError
from pipeline.media import FPS
from pipeline.speech.streaming import speech_samples

_QUALITY = 90  # of the JPEG pictures
_SILENCE = 3.0  # seconds without a request, after which a browser is gone
_BACKLOG = 0.5  # seconds of sound that wait, of which then all but the newest are left out
_SAMPLE = np.dtype("<f4")


class SoundInbox:
    """Sound of one session as it arrives, at `rate` Hz; it ends after `seconds`."""

    def __init__(self, rate: int, seconds: int) -> None:
        self._rate, self._most = rate, seconds * rate
        self._queue: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()
        self._arrived = self._left_out = self._taken = 0  # samples
        self.session = secrets.token_hex(16)

    def add(self, sound: bytes) -> None:
        """Adds float32 samples, little-endian; none are the end."""
        chunk = np.frombuffer(sound, _SAMPLE)
        self._arrived += len(chunk)
        self._queue.put(chunk)

    def clock(self) -> float:
        """Seconds of sound that have come, without those that were left out."""
        return (self._arrived - self._left_out) / self._rate

    def left_out(self) -> float:
        """Seconds of sound that were left out."""
        return self._left_out / self._rate

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """The sound, until it ends or has lasted too long, or the browser is gone."""
        while self._taken < self._most:
            try:
                chunk = self._queue.get(timeout=_SILENCE)
            except queue.Empty:
                return
            if not len(chunk):
                return
            self._taken += len(chunk)
            # A machine that cannot even repeat frames would fall behind for good.
            if self._arrived - self._taken > _BACKLOG * self._rate:
                self._left_out += len(chunk)
            else:
                yield chunk


class LiveTalker:
    """Draws live for one browser at a time, or a video of the maker's.

    A session ends after `seconds`, so that others have their turn.
    """

    def __init__(self, maker: UploadedVideoMaker, seconds: int) -> None:
        self._maker, self._seconds = maker, seconds
        self._denoisers: list[FrameDenoiser] = []
        self.inbox: SoundInbox | None = None

    def stop(self) -> None:
        """Ends the session."""
        if self.inbox is not None:
            self.inbox.add(b"")

    def answers(self, face: dict[str, Any] | None, rate: int) -> Generator[dict[str, Any]]:
        """Draws while sound comes, with a face as Gradio describes uploads.

        Yields `session` when the sound may begin; for each frame `frame`, a JPEG picture, `sound`,
        640 int16 samples, both in base64, and `at`, when it was recorded, in seconds from the first
        sample; at last `end`, a sentence.
        """
        if not self._maker.busy.acquire(timeout=_SILENCE + 1):  # somebody may just have left
            yield {"end": "Another face is being drawn; try again when it is done."}
            return
        try:
            end = yield from self._draw(face, rate)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is one sentence on the page
            end = sentence(error)
        finally:
            self.inbox = None
            self._maker.busy.release()
        yield {"end": end}

    def _draw(self, face: dict[str, Any] | None, rate: int) -> Generator[dict[str, Any], None, str]:
        # All that takes longer than a frame comes before the first sound.
        loaded = self._maker.loaded
        with TemporaryDirectory(dir=self._maker.folder.parent) as work:
            file = copy_upload(face, "a face", Path(work, "face"))
            try:
                crop = read_face(file, loaded.tracker, crop_size(loaded.info.preset)).crop
            except UserError as error:
                raise UserError(str(error).replace(str(file), "the face's file")) from error
        if not self._denoisers:
            self._denoisers = denoisers_for_live(loaded)
            warm_up(loaded, self._denoisers)
        inbox = self.inbox = SoundInbox(rate, self._seconds)
        samples = speech_samples(inbox.chunks(), rate)
        yield {"session": inbox.session}

        pacer = Pacer(self._denoisers, inbox.clock)
        for k, (frame, sound) in enumerate(talk_live(loaded, crop, samples, pacer)):
            picture, _ = pack_frames([frame], _QUALITY)
            yield {
                "frame": base64.b64encode(picture).decode(),
                "sound": base64.b64encode(sound.astype("<i2").tobytes()).decode(),
                "at": k / FPS + inbox.left_out(),
            }
        return pacer.summary()


class _LiveAnswer(StreamingResponse):
    """Lines of JSON. When the browser is gone, the next one has its turn."""

    def __init__(self, answers: Generator[dict[str, Any]]) -> None:
        self._answers = answers
        lines = (json.dumps(answer) + "\n" for answer in answers)
        super().__init__(lines, media_type="application/x-ndjson")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with suppress(ValueError):  # a thread is still in it, and ends with the sound
                self._answers.close()


def add_live_routes(app: FastAPI, talker: LiveTalker) -> None:
    """Adds POST /live, answered as long as there is sound, and POST /live/SESSION for sound."""

    @app.post("/live")
    async def talk(request: Request) -> StreamingResponse:
        given = await request.json()
        if not isinstance(given, dict) or not isinstance(given.get("rate"), int):
            raise HTTPException(400, "face and rate must be given")
        return _LiveAnswer(talker.answers(given.get("face"), given["rate"]))

    @app.post("/live/{session}", status_code=204)
    async def receive(session: str, request: Request) -> None:
        sound = await request.body()
        if len(sound) % _SAMPLE.itemsize:
            raise HTTPException(400, "sound is float32 samples")
        if talker.inbox is None or session != talker.inbox.session:
            raise HTTPException(404, "no such session")
        talker.inbox.add(sound)
