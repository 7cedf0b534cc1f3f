"""Live video: frames of the offline call, sound in step, and what gives way on a slow machine."""

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from skimage import data

from model import SampleConfig, generate, load_model
from model.config.presets import Preset
from model.sampling.batch import LoadedModel
from model.sampling.inputs import crop_size, read_face
from model.sampling.live import Pacer, denoisers_for_live, open_stream, raw, talk_live, warm_up
from pipeline.media import write_image
from pipeline.media.audio import wav_bytes
from tests.models import write_untrained

FACE = np.ascontiguousarray(data.astronaut()[:260, 80:360])
SOUND = np.random.default_rng(0).integers(-9000, 9000, 5000, dtype=np.int16)  # 7.8 frames


def pieces(size: int = 700):
    return (SOUND[k : k + size] for k in range(0, len(SOUND), size))


@pytest.fixture
def checkpoint(small: Preset, speech_format, tmp_path: Path, landmark_task: Path, monkeypatch):
    """A network that has learned nothing."""
    monkeypatch.setenv("DH_WEIGHTS", str(landmark_task.parent))
    path = tmp_path / "run" / "checkpoint-0000001.safetensors"
    write_untrained(path, small, speech_format)
    return path


@pytest.fixture
def loaded(checkpoint: Path) -> LoadedModel:
    return load_model(checkpoint, SampleConfig("ddim", 4))


@pytest.mark.slow
def test_sound_in_pieces_gives_the_frames_of_the_recording(loaded: LoadedModel):
    whole = list(generate(FACE, SOUND, loaded, seed=3))
    assert len(whole) == 8
    assert np.array_equal(np.stack(list(generate(FACE, pieces(), loaded, seed=3))), whole)


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_late_machine_saves_calls_then_frames(loaded: LoadedModel):
    clock = Clock()
    best, quick = denoisers_for_live(loaded)
    assert (len(best.schedule), len(quick.schedule)) == (4, 2)
    pacer = Pacer([best, quick], clock)
    next(pacer.timed(pieces(640)))  # is there at 100 s, so that the sound began 40 ms before
    clock.now += 0.16  # frame 0 needs 0.2 s of it
    # Seconds from one frame to the next, and what draws it.
    for k, (passed, chosen) in enumerate(
        [
            (0, best),
            (0.04, best),
            (0.12, quick),
            (0.15, None),
            (0, quick),
            (0, quick),
            (0, quick),
            (0, best),
        ]
    ):
        clock.now += passed
        assert pacer(k) is chosen, k
    assert pacer.drawn == {4: 3, 2: 4, 0: 1}
    assert pacer.summary().startswith("8 frames: 3 in 4 calls, 4 in 2 calls, 1 shown again; ")


def test_a_frame_that_is_not_drawn_is_the_one_before_and_the_sound_goes_on(loaded: LoadedModel):
    warm_up(loaded, denoisers_for_live(loaded))

    def choose(k: int):
        return None if k in {0, 3, 4} else loaded.denoiser

    crop = read_face(FACE, loaded.tracker, crop_size(loaded.info.preset)).crop
    frames, sounds = zip(*talk_live(loaded, crop, pieces(), choose, seed=3), strict=True)
    assert np.array_equal(np.concatenate(sounds)[: len(SOUND)], SOUND)
    assert not np.concatenate(sounds)[len(SOUND) :].any()
    same = [np.array_equal(*pair) for pair in itertools.pairwise(frames)]
    assert same == [False, False, True, True, False, False, False]


def test_raw_sound_of_a_pipe_without_what_waited_in_it():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(b"\x01\x00\x02\x00\x03")  # cut in the middle of a sample

        def write_on() -> None:
            pipe.write(b"\x01\x04\x00")
            pipe.close()

        later = threading.Timer(0.2, write_on)
        later.start()
        assert np.concatenate(list(raw(stream))).tolist() == [0x0103, 4]
        later.join()


@pytest.mark.parametrize(("samples", "kind"), [("s16", "<i2"), ("f32", "<f4")])
def test_raw_sound_may_be_cut_anywhere(samples, kind):
    data = np.array([1, 2, 3], kind).tobytes()
    script = (
        "import os, time\n"
        "time.sleep(0.3)\n"
        f"for part in {(data[:1], data[1:3], data[3:])}:\n"
        "    os.write(1, part); time.sleep(0.05)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as source:
        found = np.concatenate(list(raw(source.stdout, samples)))
    assert found.tolist() == [1, 2, 3]


def test_the_stream_holds_every_frame_with_its_sound(tmp_path: Path):
    frames = [np.full((64, 64, 3), 20 * k, np.uint8) for k in range(8)]
    with open_stream(tmp_path / "live.mkv", 64) as send:
        for k, frame in enumerate(frames):
            send(frame, np.full(640, k, np.int16))
    with av.open(str(tmp_path / "live.mkv")) as container:
        sound = [part.to_ndarray()[0] for part in container.decode(audio=0)]
    assert np.array_equal(np.concatenate(sound), np.repeat(np.arange(8), 640))
    with av.open(str(tmp_path / "live.mkv")) as container:
        seen = [
            (frame.time, frame.to_ndarray(format="rgb24").mean())
            for frame in container.decode(video=0)
        ]
    assert [time for time, _ in seen] == pytest.approx([0.04 * k for k in range(8)], abs=0.002)
    assert [level for _, level in seen] == pytest.approx([20 * k for k in range(8)], abs=4)


@pytest.mark.slow
def test_the_command_plays_a_recording_through(checkpoint: Path, tmp_path: Path):
    write_image(tmp_path / "face.png", FACE)
    (tmp_path / "speech.wav").write_bytes(wav_bytes(SOUND))
    words = ["live", "--checkpoint", checkpoint, "--face", tmp_path / "face.png"]
    words += ["--speech", tmp_path / "speech.wav", "--out", "-", "--device", "cpu"]
    code = "from model.cli.sample import sample_main; sample_main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.startswith(b"8 frames: ")
    (tmp_path / "out.mkv").write_bytes(done.stdout)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 8
