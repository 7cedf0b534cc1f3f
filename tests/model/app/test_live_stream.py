"""Live video over plain HTTP: sound in, frames with their sound out."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from model.app.live_stream import SoundInbox
from pipeline.speech.streaming import speech_samples
from tests.model.app.client import talk, upload

pytestmark = pytest.mark.slow


@contextmanager
def live(url: str, face: Path, rate: int = 48_000) -> Iterator[Iterator[dict[str, Any]]]:
    """The answers of a session."""
    asked = {"face": upload(url, face), "rate": rate}
    with httpx.stream("POST", f"{url}live", json=asked, timeout=300) as answer:
        yield (json.loads(line) for line in answer.iter_lines())


def send(url: str, session: str, sound: bytes) -> int:
    return httpx.post(f"{url}live/{session}", content=sound, timeout=300).status_code


def test_every_frame_comes_with_its_sound(served: str, given: Path):
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, 19_200).astype(np.float32)
    with live(served, given / "face.jpg") as answers:
        session = next(answers)["session"]
        for part in np.split(sound, 10):
            assert send(served, session, part.tobytes()) == 204
        send(served, session, b"")
        *frames, last = answers
    assert last["end"].startswith("10 frames: ")
    assert [frame["at"] for frame in frames] == pytest.approx(np.arange(10) / 25)
    heard = [np.frombuffer(base64.b64decode(frame["sound"]), "<i2") for frame in frames]
    assert np.array_equal(
        np.concatenate(heard), np.concatenate(list(speech_samples([sound], 48_000)))
    )
    for frame in frames:
        picture = np.frombuffer(base64.b64decode(frame["frame"]), np.uint8)
        assert cv2.imdecode(picture, cv2.IMREAD_COLOR).shape == (32, 32, 3)
    assert send(served, session, bytes(4)) == 404  # it has ended


def test_one_face_is_drawn_at_a_time(served: str, given: Path):
    refused = threading.Event()
    with live(served, given / "face.jpg") as answers:
        session = next(answers)["session"]

        def speak() -> None:  # a browser that sends nothing loses its turn
            while not refused.wait(0.5):
                send(served, session, bytes(4))

        speaker = threading.Thread(target=speak)
        speaker.start()
        with live(served, given / "face.jpg") as others:
            first = next(others)
        refused.set()
        speaker.join()
        assert "try again" in first["end"]
    # The browser is gone: a video and the next session have their turn.
    assert talk(served, given / "face.jpg", given / "short.wav")[0]
    with live(served, given / "face.jpg") as answers:
        send(served, next(answers)["session"], b"")
        assert "no sound" in next(answers)["end"]


@pytest.mark.parametrize(
    ("face", "rate", "sound", "named"),
    [
        ("wall.png", 48_000, b"", "no face found in the face's file"),
        ("junk.wav", 48_000, b"", "junk.wav: this file is not accepted"),
        ("face.jpg", 5, b"", "5 Hz"),
        ("face.jpg", 16_000, np.full(99, np.nan, np.float32).tobytes(), "nan"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(served, given: Path, face, rate, sound, named):
    with live(served, given / face, rate) as answers:
        first = next(answers)
        if "session" in first:
            send(served, first["session"], sound)
            first = next(answers)
        assert named in first["end"]
        assert "/" not in first["end"]


def test_requests_that_are_refused(served: str, given: Path):
    def asked(**given: Any) -> int:
        return httpx.post(f"{served}live", json=given, timeout=300).status_code

    assert asked(face={"path": "/etc/passwd"}, rate=16_000) == 403
    assert asked(face=upload(served, given / "face.jpg")) == 400
    assert send(served, "0" * 32, bytes(4)) == 404
    assert send(served, "0" * 32, bytes(3)) == 400
    assert send(served, "0" * 32, bytes((1 << 16) + 4)) == 413


def test_sound_that_waits_too_long_is_left_out():
    inbox = SoundInbox(100, 9)
    for k in range(10):
        inbox.add(np.full(10, k, "<f4").tobytes())
    inbox.add(b"")
    assert [int(chunk[0]) for chunk in inbox.chunks()] == [4, 5, 6, 7, 8, 9]
    assert (inbox.clock(), inbox.left_out()) == pytest.approx((0.6, 0.4))


def test_sound_ends_after_so_many_seconds():
    inbox = SoundInbox(100, 2)
    taken = 0
    inbox.add(bytes(40))
    for chunk in inbox.chunks():
        taken += len(chunk)
        inbox.add(bytes(40))
    assert taken == 200
