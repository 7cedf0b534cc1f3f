"""Voices, acting and portraits, each held against what it promises."""

import numpy as np
import pytest

from pipeline import weights
from pipeline.faces.geometry import similarity, transform, warp
from pipeline.faces.networks.face_mesh import FaceMesh
from pipeline.talkers.acting import CLOSED, VISEMES, WIDEST, perform
from pipeline.talkers.cutout import CHIN, LEFT_EYE, RIGHT_EYE, cut_out, eye_span
from pipeline.talkers.people import PEOPLE
from pipeline.talkers.portraits import make_portrait
from pipeline.talkers.talker import Talker
from pipeline.talkers.voices import SENTENCES, VOICES, Phone, Utterance, read_recordings, speak

needs_nets = pytest.mark.skipif(
    weights.find("face_landmarker.task") is None, reason="the landmark nets are not in the cache"
)
needs_speech = pytest.mark.skipif(
    weights.find("pocketsphinx-5.1.1.tar.gz") is None, reason="the recordings are not in the cache"
)
STILL = np.zeros(4)


@pytest.fixture(scope="module")
def recordings():
    return read_recordings()


@pytest.fixture(scope="module")
def net():
    return FaceMesh(weights.locate("face_landmarker.task"))


@pytest.fixture(scope="module")
def portraits(net):
    heads = {mirrored: cut_out(net, 400, mirrored=mirrored) for mirrored in (False, True)}
    rng = np.random.default_rng(0)
    return {person.name: make_portrait(person, heads[person.mirrored], rng) for person in PEOPLE}


def pitch(samples):
    """Median fundamental frequency of the voiced stretches, by autocorrelation."""
    found = []
    for begin in range(0, len(samples) - 1024, 320):
        block = samples[begin : begin + 1024] - samples[begin : begin + 1024].mean()
        if block.std() < 500:
            continue
        power = np.correlate(block, block, "full")[1023:]
        lag = 50 + power[50:250].argmax()
        if power[lag] > 0.5 * power[0]:
            found.append(16_000 / lag)
    return np.median(found)


@needs_speech
@pytest.mark.parametrize("voice", VOICES)
def test_phones_lie_where_the_sound_is(recordings, voice):
    assert set(recordings) == set(SENTENCES)
    for recorded in recordings.values():
        said = speak(recorded, voice)
        assert {phone.symbol for phone in said.phones} <= set(VISEMES)
        assert said.phones[0].start == 0
        assert abs(said.phones[-1].end - len(said.samples) / 16_000) < 0.03
        levels = {True: [], False: []}
        for phone in said.phones:
            part = said.samples[round(phone.start * 16_000) : round(phone.end * 16_000)]
            levels[phone.symbol == "SIL"].append(10 * np.log10((part.astype(float) ** 2).mean()))
        assert np.mean(levels[False]) - np.mean(levels[True]) > 10, said.sentence


@needs_speech
def test_the_voices_differ_in_pitch_and_tempo(recordings):
    low, high = (speak(recordings["0920"], voice) for voice in ("recorded", "raised"))
    assert len(low.samples) / len(high.samples) == pytest.approx(1.2, rel=1e-3)
    assert pitch(high.samples) / pitch(low.samples) == pytest.approx(1.2, abs=0.06)


def test_lips_close_for_bilabials_and_open_for_vowels():
    """Hand-made phones, so that the expected frames are known."""
    phones = tuple(
        Phone(symbol, k * 0.2, (k + 1) * 0.2)
        for k, symbol in enumerate(["SIL", "AA", "M", "AA", "UW", "IY"])
    )
    rng = np.random.default_rng(0)
    sound = (3000 * rng.standard_normal(round(1.2 * 16_000))).astype(np.int16)
    acted = perform(Utterance("x", "recorded", "", sound, phones), rng)
    assert len(acted) == 30
    middle = [round((k + 0.5) * 5 - 0.5) for k in range(6)]
    assert acted.opening[middle[0]] == acted.opening[middle[2]] == 0
    assert acted.opening[middle[1]] > 0.85 * WIDEST
    assert acted.width[middle[4]] < -0.7
    assert acted.width[middle[5]] > 0.4
    assert np.abs(np.diff(acted.opening)).max() < 0.65 * WIDEST  # no jumps


@needs_speech
def test_every_bilabial_of_the_recordings_is_shut_in_some_frame(recordings):
    for recorded in recordings.values():
        for voice in VOICES:
            said = speak(recorded, voice)
            acted = perform(said, np.random.default_rng(0))
            for phone in said.phones:
                if phone.symbol in CLOSED:
                    near = np.abs(
                        (np.arange(len(acted)) + 0.5) / 25 - (phone.start + phone.end) / 2
                    )
                    assert acted.opening[near.argmin()] < 0.003, (said.sentence, phone)


@needs_nets
def test_the_people_differ_in_shape_and_in_colour(portraits):
    size = 64
    shapes, faces = [], []
    for made in portraits.values():
        eyes = made.mesh[[RIGHT_EYE, LEFT_EYE]]
        matrix = similarity(eyes, np.array([[16.0, 24.0], [48.0, 24.0]]))
        shapes.append(transform(made.mesh, matrix) / 32)
        faces.append(warp(made.figure[..., :3], matrix, size).astype(float))
    for a in range(len(shapes)):
        for b in range(a):
            away = np.linalg.norm(shapes[a] - shapes[b], axis=1).mean()
            assert away > 0.02, (a, b)  # eye spans; the same face warped twice gives 0
            assert away < 0.2, (a, b)  # and none is grotesque
            # After each channel's own gain and offset, which a colour filter would undo.
            plain = [(f - f.mean((0, 1))) / f.std((0, 1)) for f in (faces[a], faces[b])]
            assert np.abs(plain[0] - plain[1]).mean() > 0.25, (a, b)


@needs_nets
def test_posing_the_mouth_moves_the_mouth_and_the_chin_only(portraits):
    made = portraits["ada"]
    talker = Talker(made, 320)
    shut, wide = (talker.pose(opening, 0, 0, STILL).astype(int) for opening in (0, 0.28))
    changed = np.abs(shut - wide).max(2) > 12
    offset = (made.figure.shape[0] - 320) // 2
    nose = round(float(made.mesh[1, 1])) - offset
    chin = round(float(made.mesh[CHIN, 1])) - offset
    assert not changed[: nose - 4].any()
    assert changed[nose:chin].mean() > 0.03
    assert not changed[chin + round(0.6 * eye_span(made.mesh)) :].any()


@needs_nets
def test_the_frame_at_rest_is_one_sharp_picture_without_holes(portraits):
    for name, made in portraits.items():
        frame = Talker(made, 320).pose(0, 0, 0, STILL)
        assert frame.shape == (320, 320, 3)
        assert frame.dtype == np.uint8
        # The corners are backdrop, and no pixel of the face shows it.
        corner = made.backdrop[40:44, 40:44].astype(int).mean((0, 1))
        assert np.abs(frame[:4, :4].mean((0, 1)) - corner).max() < 4, name
        oval = made.figure[..., 3][tuple(made.mesh.round().astype(int).T[::-1])]
        assert (oval > 250).mean() > 0.97, name
