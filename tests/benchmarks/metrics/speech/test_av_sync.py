"""AV offset and confidence on made-up embeddings: shifts, sign, and the definition written out."""

import numpy as np
import pytest
import torch

from benchmarks.metrics.speech.av_sync import shifted_distances, synchrony


def embeddings(late, count=60, seed=0):
    """Picture, and the same as sound that is `late` windows behind it."""
    generator = torch.Generator().manual_seed(seed)
    both = torch.randn(count + 40, 64, generator=generator)
    return both[20 : 20 + count], both[20 - late : 20 - late + count]


@pytest.mark.parametrize("late", [-15, -3, -1, 0, 1, 6, 15])
def test_sound_that_is_late_by_k_frames_has_offset_minus_k(late):
    found = synchrony(*embeddings(late))
    assert found.offset == -late
    assert found.confidence > 3
    assert found.distance < 11.4  # of unrelated vectors of 64 numbers


def test_distances_are_the_definition_written_out():
    picture, sound = embeddings(2, count=25)
    expected = []
    for shift in range(-15, 16):
        distances = []
        for index, vector in enumerate(picture.numpy().astype(np.float64)):
            other = index + shift
            inside = 0 <= other < len(sound)
            partner = sound[other].numpy() if inside else np.zeros(64)
            distances.append(np.sqrt(((vector - partner + 1e-6) ** 2).sum()))
        expected.append(np.mean(distances))
    assert shifted_distances(picture, sound).numpy() == pytest.approx(expected, rel=1e-5)
    found = synchrony(picture, sound)
    assert found.confidence == pytest.approx(np.median(expected) - min(expected), rel=1e-4)
    assert found.distance == pytest.approx(min(expected), rel=1e-5)
    assert found.offset == 15 - int(np.argmin(expected)) == -2


def test_unrelated_sound_has_little_confidence():
    picture, _ = embeddings(0, seed=1)
    _, sound = embeddings(0, seed=2)
    assert synchrony(picture, sound).confidence < 1
