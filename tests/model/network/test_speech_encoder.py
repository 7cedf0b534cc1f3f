"""The speech encoder: each window by itself, standardised, its time steps where they were."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from model.network.speech_encoder import SpeechEncoder

STEPS, COEFFICIENTS, WIDTH = 18, 13, 10


def encoder(**options: object) -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(STEPS, COEFFICIENTS, WIDTH, hidden=6, **options).double()


def features(*shape: int) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.normal(3, 5, (*shape, STEPS * COEFFICIENTS)))


@pytest.mark.parametrize("shape", [(4,), (2, 5), (1, 2, 3)])
def test_every_window_becomes_an_embedding(shape: tuple[int, ...]):
    assert encoder()(features(*shape)).shape == (*shape, WIDTH)


def test_windows_do_not_see_each_other():
    given = features(2, 5)
    model = encoder()
    together, alone = model(given), model(given[1, 3])
    torch.testing.assert_close(together[1, 3], alone)


def test_features_are_standardised_by_coefficient():
    mean, deviation = np.linspace(-5, 20, COEFFICIENTS), np.linspace(0.5, 9, COEFFICIENTS)
    scaled = encoder(mean=mean.tolist(), std=deviation.tolist())
    plain = encoder()
    given = features(4)
    standard = given.reshape(4, STEPS, COEFFICIENTS) - torch.from_numpy(mean)
    standard = standard / torch.from_numpy(deviation)
    torch.testing.assert_close(scaled(given), plain(standard.flatten(1)), rtol=1e-5, atol=1e-5)
    assert {"mean", "std"} <= scaled.state_dict().keys()


def test_a_coefficient_that_never_changed_does_not_blow_up():
    model = encoder(mean=[1.0] * COEFFICIENTS, std=[0.0] * COEFFICIENTS)
    assert torch.isfinite(model(features(3))).all()


def test_it_is_the_network_of_its_description():
    """Features lie step by step: 18 x 13, as `pipeline.speech.features` writes them."""
    model = encoder()
    w = model.state_dict()
    given = features(3)
    h = given.reshape(3, STEPS, COEFFICIENTS).transpose(1, 2)
    for index, stride in ((0, 1), (2, 2), (4, 1)):
        columns = F.pad(h, (1, 1)).unfold(2, 3, stride)  # (B, C, T', 3)
        weight, bias = w[f"layers.{index}.weight"], w[f"layers.{index}.bias"]
        h = torch.einsum("bctk,ock->bot", columns, weight) + bias[:, None]
        h = h * torch.sigmoid(h)
    expected = h.reshape(3, -1) @ w["layers.7.weight"].T + w["layers.7.bias"]
    torch.testing.assert_close(model(given), expected)


@pytest.mark.parametrize("steps", [1, 2, 7, 18, 19])
def test_windows_of_any_length(steps: int):
    model = SpeechEncoder(steps, 4, WIDTH, hidden=3)
    assert model(torch.randn(5, steps * 4)).shape == (5, WIDTH)


def test_the_place_of_a_sound_in_the_window_counts():
    model = encoder()
    given = torch.zeros(2, STEPS, COEFFICIENTS, dtype=torch.float64)
    given[0, 4] = given[1, 12] = 3.0
    early, late = model(given.flatten(1))
    assert (early - late).abs().max() > 0.01
