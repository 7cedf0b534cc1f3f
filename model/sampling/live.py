"""Live video: the face talks while the sound comes.

A frame needs 0.2 s of sound from its beginning on: its speech window and those of the frames after
it. It is drawn as soon as they are there, and goes out with its own 40 ms of sound, so that picture
and sound are in step whatever happens. A machine that does not keep up draws with fewer calls, then
shows frames twice; it never falls behind by more than half a second.
"""

import itertools
import select
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

import av
import numpy as np
from numpy.typing import NDArray

from model.checkpoints.checkpoint import load_talking_head
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.batch import LoadedModel
from model.sampling.denoiser import FrameDenoiser
from model.sampling.inputs import crop_size
from pipeline.errors import UserError
from pipeline.media import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, read_audio
from pipeline.speech.streaming import stream_mfcc_windows

Sound = NDArray[np.int16]
SampleType = Literal["s16", "f32"]

_NEEDED = 5 / FPS  # s of sound from a frame's beginning on: its own, 80 ms, 2 frames of context
_LATE, _TOO_LATE = 0.06, 0.16  # s after that, when calls are saved, and when frames are shown twice


def live_features(chunks: Iterable[Sound], loaded: LoadedModel) -> Iterator[NDArray[np.float32]]:
    """Speech features of sound as it comes, (F,) a frame."""
    if loaded.info.speech.name == "released":
        raise UserError(
            "this checkpoint takes the embeddings of the authors' speech encoder, which are made "
            "of a whole recording: give one, or a checkpoint trained on MFCC"
        )
    return stream_mfcc_windows(chunks)


@dataclass
class Pacer:
    """Chooses for every frame what keeps the video in step with the clock."""

    denoisers: Sequence[FrameDenoiser]  # of one model, the best first, the quickest last
    # Seconds that pass; where sound is counted as it arrives, those of the sound.
    clock: Callable[[], float] = time.monotonic
    began: float = 0.0  # when the sound began, see `timed`
    # How many frames had how many calls, 0 where the frame before was shown again.
    drawn: Counter[int] = field(default_factory=Counter)
    # Seconds from the moment at which a frame's sound was there to the choice.
    delays: list[float] = field(default_factory=list)

    def timed(self, chunks: Iterable[Sound]) -> Iterator[Sound]:
        """The sound as it comes; the first of it says when it began."""
        for k, chunk in enumerate(chunks):
            if k == 0:
                self.began = self.clock() - len(chunk) / SAMPLE_RATE
            yield chunk

    def __call__(self, k: int) -> FrameDenoiser | None:
        """The denoiser that draws frame k; None to show the frame before once more."""
        late = self.clock() - (self.began + k / FPS + _NEEDED)
        self.delays.append(late)
        chosen = None
        if late < _TOO_LATE:
            chosen = self.denoisers[0 if late < _LATE else -1]
        self.drawn[len(chosen.schedule) if chosen else 0] += 1
        return chosen

    def summary(self) -> str:
        """How many frames had how many calls, and how late they were."""
        if not self.delays:
            return "no frame: there was no sound"
        counts = [
            f"{count} in {calls} calls" if calls else f"{count} shown again"
            for calls, count in sorted(self.drawn.items(), reverse=True)
        ]
        late = 1000 * (np.quantile(self.delays, [0.5, 0.95]) + _NEEDED)
        return (
            f"{len(self.delays)} frames: {', '.join(counts)}; drawing began {late[0]:.0f} ms after "
            f"the sound of a frame (median), {late[1]:.0f} ms (95 %)"
        )


def denoisers_for_live(loaded: LoadedModel) -> list[FrameDenoiser]:
    """The denoiser of the run, and one that takes half of its calls."""
    config = loaded.config
    if config.steps == 1:
        return [loaded.denoiser]
    model, info = load_talking_head(loaded.checkpoint, loaded.denoiser.device)
    return [
        loaded.denoiser,
        make_denoiser(model, info.preset, replace(config, steps=config.steps // 2)),
    ]


def warm_up(loaded: LoadedModel, denoisers: Sequence[FrameDenoiser]) -> None:
    """Draws a frame with each denoiser: the first call of a network allocates and compiles."""
    size = crop_size(loaded.info.preset)
    face, silence = np.zeros((size, size, 3), np.uint8), np.zeros(SAMPLES_PER_FRAME, np.int16)
    for denoiser in denoisers:
        features = live_features([silence], loaded)
        list(generate_frames(denoiser, loaded.info.preset, [face], [features], loaded.config))


def recorded(path: Path) -> Iterator[Sound]:
    """A recording at its own pace, 40 ms at a time."""
    samples = read_audio(path).samples
    begin = time.monotonic()
    for first in range(0, len(samples), SAMPLES_PER_FRAME):
        chunk = samples[first : first + SAMPLES_PER_FRAME]
        # A sound is there at its end.
        time.sleep(max(0.0, begin + (first + len(chunk)) / SAMPLE_RATE - time.monotonic()))
        yield chunk


def raw(stream: BinaryIO, samples: SampleType = "s16") -> Iterator[NDArray[Any]]:
    """Sound of a pipe: mono, as `arecord -t raw -f S16_LE` writes it.

    What waits in the pipe when it is first read came while the networks were loaded. It is left
    out, lest the video is late for good. Samples are little-endian.
    """
    kind = np.dtype({"s16": "<i2", "f32": "<f4"}[samples])
    data = b""
    if select.select([stream], [], [], 0)[0]:
        data = stream.read1(1 << 16)  # type: ignore[attr-defined]
        data = data[len(data) // kind.itemsize * kind.itemsize :]
    while more := stream.read1(kind.itemsize * SAMPLES_PER_FRAME):  # type: ignore[attr-defined]
        data += more
        yield (chunk := np.frombuffer(data, kind, len(data) // kind.itemsize))
        data = data[chunk.nbytes :]


@contextmanager
def open_stream(
    out: Path | BinaryIO, size: int
) -> Iterator[Callable[[NDArray[np.uint8], Sound], None]]:
    """Gives a function that sends a (S, S, 3) frame with its 640 samples of sound at once.

    Matroska with H.264 for low delay and uncompressed sound, which players take from a pipe.
    """
    target: Any = f"file:{out}" if isinstance(out, Path) else out
    options = {"fflags": "+flush_packets", "cluster_time_limit": "40"}
    with av.open(target, "w", format="matroska", options=options) as container:
        video: Any = container.add_stream("libx264", rate=FPS)
        video.height = video.width = size
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "14"}
        sound: Any = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        numbers = itertools.count()

        def send(frame: NDArray[np.uint8], samples: Sound) -> None:
            sent = next(numbers)
            block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            block.sample_rate, block.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            block.pts = sent * SAMPLES_PER_FRAME
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = sent, Fraction(1, FPS)
            container.mux(sound.encode(block))
            container.mux(video.encode(picture))

        yield send
        container.mux(video.encode(None))


def talk_live(
    loaded: LoadedModel,
    crop: NDArray[np.uint8],
    chunks: Iterable[Sound],
    pacer: Callable[[int], FrameDenoiser | None],
    *,
    seed: int = 0,
) -> Iterator[tuple[NDArray[np.uint8], Sound]]:
    """Frames and the sound that belongs to each, as the sound comes.

    Chunks are (n,) int16, mono 16 kHz, of any lengths; see `speech_samples` for others, and `Pacer`
    for the pacer. Frames are (S, S, 3) uint8 RGB, their sound (640,) int16, filled up with silence.
    """
    preset = loaded.info.preset
    waiting = np.zeros(0, np.int16)  # sound whose frames are still to come

    def kept() -> Iterator[Sound]:
        nonlocal waiting
        for chunk in chunks:
            waiting = np.concatenate([waiting, chunk])
            yield chunk

    features = live_features(kept(), loaded)
    if (first := next(features, None)) is None:
        return
    features = chain([first], features)
    for (frame,) in generate_frames(
        loaded.denoiser, preset, [crop], [features], loaded.config, [seed], choose=pacer
    ):
        assert frame is not None
        own, waiting = waiting[:SAMPLES_PER_FRAME], waiting[SAMPLES_PER_FRAME:]
        yield frame, np.pad(own, (0, SAMPLES_PER_FRAME - len(own)))
