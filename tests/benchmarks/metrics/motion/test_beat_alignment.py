"""Beat alignment on a head that stops, and sound that begins, at frames we choose."""

import numpy as np
import pytest

from benchmarks.metrics.motion.beat_alignment import beat_alignment, head_beats, sound_onsets

FRAMES, PERIOD = 150, 25
STOPS = np.arange(PERIOD, FRAMES - PERIOD, PERIOD)


def nodding() -> np.ndarray:
    """(T, 68, 2) landmarks of a head that is slowest at every `PERIOD`th frame."""
    speed = 1 - np.cos(2 * np.pi * np.arange(FRAMES) / PERIOD)
    way = np.cumsum(speed)
    face = np.random.default_rng(0).uniform(50, 200, (68, 2))
    return face + np.stack([way, 0.3 * way], axis=1)[:, None]


def bursts(frames: np.ndarray) -> np.ndarray:
    """Noise of three frames that begins at each of the given, over a faint hum."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 3, FRAMES * 640)
    for frame in frames:
        sound[frame * 640 : (frame + 3) * 640] += rng.normal(0, 3000, 3 * 640)
    return sound.astype(np.int16)


def test_beats_and_onsets_are_where_they_were_put():
    assert np.abs(head_beats(nodding())[:, None] - STOPS).min(0).max() <= 1
    assert sound_onsets(bursts(STOPS), FRAMES).tolist() == STOPS.tolist()


@pytest.mark.parametrize("late", [0, 3, 6, 12])
def test_the_closed_form_of_a_shift(late: int):
    beats = head_beats(nodding())
    onsets = STOPS + late
    nearest = np.array([min(abs(int(a) - int(m)) for m in beats) for a in onsets])
    expected = np.exp(-(nearest**2) / 18).mean()
    assert beat_alignment(nodding(), bursts(onsets)) == pytest.approx(expected, rel=1e-12)


def test_it_falls_with_the_shift_and_speech_and_blinks_do_not_count():
    scores = [beat_alignment(nodding(), bursts(STOPS + late)) for late in (0, 3, 6, 12)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.9
    assert scores[-1] < 0.01
    talking = nodding()
    rng = np.random.default_rng(2)
    talking[:, 48:] += rng.normal(0, 5, talking[:, 48:].shape)  # lips
    talking[:, [37, 38, 40, 41]] += rng.normal(0, 2, (FRAMES, 4, 2))  # lids
    assert beat_alignment(talking, bursts(STOPS)) == scores[0]


def test_a_head_that_never_moves_counts_0_and_silence_has_no_number():
    still = np.repeat(nodding()[:1], FRAMES, axis=0)
    assert beat_alignment(still, bursts(STOPS)) == 0
    with pytest.raises(ValueError, match="no onset"):
        beat_alignment(nodding(), np.zeros(FRAMES * 640, np.int16))
