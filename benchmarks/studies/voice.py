"""Our speech activity against Silero VAD and WebRTC VAD, with GRID's word alignments as truth.

The same sentences as they are, with noise, music and gain; and sounds that hold no speech. Prints
Markdown; needs silero-vad and webrtcvad-wheels.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.speed.harness import each, header, markdown, spread, timed
from pipeline.media import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, read_audio
from pipeline.speech.activity import speech_activity

Sound = NDArray[np.int16]  # (T * 640,) mono 16 kHz
Voice = Callable[[Sound], NDArray[np.bool_]]  # to (T,) video frames


def webrtc_voice(mode: int, sound: Sound) -> NDArray[np.bool_]:
    """Speech in each video frame by WebRTC's detector, in steps of 20 ms."""
    detector = import_module("webrtcvad").Vad(mode)
    half = SAMPLES_PER_FRAME // 2
    parts = sound.reshape(-1, half)
    found = [detector.is_speech(part.tobytes(), SAMPLE_RATE) for part in parts]
    return np.array(found).reshape(-1, 2).mean(1) >= 0.5


def silero_voice(model: Any, sound: Sound) -> NDArray[np.bool_]:
    """Speech in each video frame by Silero's network, with its own thresholds."""
    import torch

    get_speech_timestamps = import_module("silero_vad").get_speech_timestamps
    samples = torch.from_numpy(sound.astype(np.float32) / 32768)
    active = np.zeros(len(sound))
    for stretch in get_speech_timestamps(samples, model):
        active[stretch["start"] : stretch["end"]] = 1
    return np.asarray(active.reshape(-1, SAMPLES_PER_FRAME).mean(1) >= 0.5)


def sentences(data: Path) -> Iterator[tuple[Sound, NDArray[np.bool_]]]:
    """Sound of GRID sentences, and whether a word is spoken in each video frame."""
    found = {path: path.with_suffix(".mpg") for path in (data / "grid_s1").glob("*.align")}
    words = (data / "clips_words").glob("*.align")
    found |= {path: data / "clips" / f"grid_{path.stem}.mpg" for path in words}
    for align, video in sorted(found.items()):
        sound = read_audio(video).samples if video.exists() else None
        if sound is None:
            continue
        truth = np.zeros(len(sound) // SAMPLES_PER_FRAME, np.bool_)
        for line in align.read_text(encoding="utf-8").splitlines():
            begin, end, word = line.split()  # in 1/25000 s
            if word not in ("sil", "sp"):
                truth[round(int(begin) / 1000) : round(int(end) / 1000)] = True
        yield sound[: len(truth) * SAMPLES_PER_FRAME], truth


def melody(length: int) -> NDArray[np.float64]:
    """Three notes a second of four partials that die away, as of a piano."""
    time, rng = np.arange(length) / SAMPLE_RATE, np.random.default_rng(3)
    sound = np.zeros(length)
    for begin in np.arange(0, length / SAMPLE_RATE, 1 / 3):
        pitch, since = 220 * 2 ** (rng.integers(0, 24) / 12), np.maximum(time - begin, 0)
        decay = np.exp(-6 * since) * (time >= begin)
        sound += decay * sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 5))
    return sound


def clipped(sound: NDArray[np.floating[Any]]) -> Sound:
    """16-bit samples."""
    return np.clip(sound, -32768, 32767).astype(np.int16)


def beside(sound: Sound, other: NDArray[np.float64], decibels: float) -> Sound:
    """A recording with another sound, `decibels` below it."""
    power = np.sqrt(np.mean(sound.astype(np.float64) ** 2) / np.mean(other**2))
    return clipped(sound + other * power * 10 ** (-decibels / 20))


def conditions() -> dict[str, Callable[[Sound], Sound]]:
    """What is done to a sentence."""
    rng = np.random.default_rng(0)
    noise = {f"white noise, {d} dB below": d for d in (20, 10, 5)}
    return {
        "as it is": lambda s: s,
        **{
            n: partial(lambda d, s: beside(s, rng.normal(size=len(s)), d), d)
            for n, d in noise.items()
        },
        "a melody, 10 dB below": lambda s: beside(s, melody(len(s)), 10),
        "40 dB quieter": lambda s: clipped(s * 0.01),
        "18 dB louder, clipped": lambda s: clipped(s * 8.0),
    }


def without_speech() -> dict[str, Sound]:
    """Ten seconds each of sounds that hold no speech."""
    rng, n = np.random.default_rng(0), 10 * SAMPLE_RATE
    time = np.arange(n) / SAMPLE_RATE
    sounds = {
        "silence": np.zeros(n),
        "white noise": rng.normal(0, 3000, n),
        "bursts of noise": rng.normal(0, 3000, n) * (time % 1 < 0.4),
        "rumble": np.cumsum(rng.normal(0, 50, n)),
        "hum": 2000 * np.sin(2 * np.pi * 50 * time) + rng.normal(0, 50, n),
        "tone": 3000 * np.sin(2 * np.pi * 220 * time),
        "chord": sum(1500 * np.sin(2 * np.pi * f * time) for f in (261.6, 329.6, 392)),
        "clicks": np.where(np.arange(n) % 8000 < 20, 20_000, 0),
        "a melody": 3000 * melody(n),
    }
    return {name: clipped(np.asarray(sound, np.float64)) for name, sound in sounds.items()}


def main(
    data: Annotated[Path, typer.Argument(help="The shared data: clips/, clips_words/, grid_s1/.")],
    most: Annotated[int | None, typer.Option("--sentences", min=2, help="Spread evenly.")] = None,
) -> None:
    """Frames that agree with the truth, errors of the share of speech, ms a second of sound."""
    import torch

    torch.set_num_threads(1)
    detectors: dict[str, Voice] = {
        "ours": lambda sound: speech_activity(sound, len(sound) // SAMPLES_PER_FRAME),
        "silero-vad": partial(silero_voice, import_module("silero_vad").load_silero_vad()),
        "webrtcvad, mode 3": partial(webrtc_voice, 3),
    }
    print(header(["silero-vad", "webrtcvad-wheels", "torch"]))
    spoken = spread(list(sentences(data)), most)
    truth = np.concatenate([spoken_in for _, spoken_in in spoken])
    seconds = dict.fromkeys(detectors, 0.0)
    rows = []
    for condition, change in each(list(conditions().items()), "conditions"):
        changed = [change(sound) for sound, _ in spoken]
        cells = []
        for name, detect in detectors.items():
            cost, found = timed(lambda d=detect, c=changed: [d(sound) for sound in c])  # type: ignore[misc]
            seconds[name] += cost.clock
            active = np.concatenate(found)
            precision = (active & truth).sum() / max(1, active.sum())
            recall = (active & truth).sum() / truth.sum()
            errors = [abs(f.mean() - t.mean()) for f, (_, t) in zip(found, spoken, strict=True)]
            values = [np.mean(active == truth), precision, recall, np.mean(errors)]
            cells.append("; ".join(f"{value:.3f}" for value in values))
        rows.append([condition, *cells])
    for sound_name, sound in without_speech().items():
        shares = (f"{detect(sound).mean():.2f}" for detect in detectors.values())
        rows.append([f"share of speech in {sound_name}", *shares])
    length = len(truth) / FPS * len(conditions())
    rows.append(["ms a second of sound", *(f"{1e3 * s / length:.2f}" for s in seconds.values())])
    print(
        f"{len(spoken)} sentences. Of frames: accuracy; precision; recall. Of sentences: mean error"
    )
    print("of the share of speech.\n")
    print(markdown(["", *detectors], rows))


if __name__ == "__main__":
    typer.run(main)
