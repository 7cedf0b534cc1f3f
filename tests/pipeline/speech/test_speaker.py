"""Which lips follow a sound: on movements of known origin, and on real clips in pairs."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.mouth_box import mouth_opening
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_audio, read_frames
from pipeline.speech.speaker import (
    DECISIVE,
    find_speaker,
    lip_movement,
    predicted_movement,
    speaking_score,
)

FRAMES = 100
PREDICTED = lip_movement(np.random.default_rng(0).normal(size=FRAMES))


def _lips(amplitude: float, seed: int | None = None, lag: int = 0) -> np.ndarray:
    """Lips that follow the prediction, or (with a seed) something else."""
    moves = PREDICTED if seed is None else np.random.default_rng(seed).normal(size=FRAMES)
    return 0.1 + amplitude * np.roll(moves, lag)


@pytest.mark.parametrize("lag", [-3, 0, 3])
def test_lips_that_follow_the_sound_are_found_some_frames_off(lag: int):
    best, lead = find_speaker([_lips(0.2, seed=1), _lips(0.2, lag=lag)], PREDICTED)
    assert best == 1
    assert lead > 0.5


def test_lips_that_do_not_move_score_nothing_however_well_they_follow():
    assert speaking_score(np.full(FRAMES, 0.1), PREDICTED) == 0
    assert speaking_score(_lips(1e-4), PREDICTED) < 0.01
    assert speaking_score(_lips(0.2), PREDICTED) > 0.9


def test_a_face_that_is_away_for_a_while_is_measured_where_it_is_seen():
    lips = _lips(0.2)
    lips[:40] = np.nan
    assert speaking_score(lips, PREDICTED) > 0.8
    assert speaking_score(np.full(FRAMES, np.nan), PREDICTED) == 0


def test_nobody_speaks_where_no_lips_follow():
    _, lead = find_speaker([_lips(0.002, seed=1), _lips(0.002, seed=2)], PREDICTED)
    assert lead < DECISIVE


@pytest.mark.slow
def test_real_lips_are_found_by_their_sound(tracker: MediaPipeTracker, shared_data: Path):
    # None of the regression's own clips: it was fitted on GRID and CREMA-D.
    names = [
        "people/vcdub_lrs3_VxESitIllxE_00004.mp4",
        "people/vcdub_lrs3_WFCvkkDSfIU_00003.mp4",
        "people/vcdub_lrs3_xukDIWFMU9Y_00003.mp4",
        "clips/av2av_1.webm",
        "people/avtrans_En_Es_1.mp4",
    ]
    openings, predictions = [], []
    for name in names:
        points = tracker.track(read_frames(shared_data / name)).points
        openings.append(mouth_opening(points))
        predictions.append(predicted_movement(read_audio(shared_data / name).samples, len(points)))
    right = 0
    for own, predicted in enumerate(predictions):
        for other in set(range(len(names))) - {own}:
            length = min(len(openings[own]), len(openings[other]))
            pair = [openings[own][:length], openings[other][:length]]
            right += find_speaker(pair, predicted[:length])[0] == 0
    assert right >= 16  # of 20 pairs, both of whom talk


def test_a_photograph_is_not_the_speaker_though_nobody_follows_the_sound():
    rng = np.random.default_rng(2)
    predicted = rng.normal(size=75)
    still, moving = rng.normal(0, 4e-4, 75), 0.05 * np.sin(np.arange(75) / 2)
    best, lead = find_speaker([still, moving], predicted)
    assert best == 1
    assert lead >= DECISIVE
