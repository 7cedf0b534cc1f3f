"""The whole model: which condition goes where."""

from dataclasses import replace

import pytest
import torch

from model.config.presets import Preset
from model.network.talking_head import Conditions, SpeechFormat, TalkingHead
from tests.models import untrained


@pytest.fixture
def model(small: Preset, speech_format: SpeechFormat) -> TalkingHead:
    return untrained(small, speech_format, scale=0.1)


def conditions() -> Conditions:
    return Conditions(
        torch.randn(2, 3, 32, 32), torch.randn(2, 6, 32, 32), torch.randn(2, 5, 18 * 13)
    )


def test_format_of_a_data_set():
    written = {"dim": 234, "steps": 18, "coefficients": 13, "mean": [0.5] * 13, "std": [2.0] * 13}
    assert SpeechFormat.of(written) == SpeechFormat(18, 13, [0.5] * 13, [2.0] * 13)


def test_formats_name_their_features_and_the_oldest_are_mfcc():
    written = {"steps": 1, "coefficients": 2, "mean": [0.0] * 2, "std": [1.0] * 2}
    old = SpeechFormat.of(written)
    assert (old.name, old.encoder) == ("mfcc", "")
    new = SpeechFormat.of(written | {"name": "released", "encoder": "ab"})
    assert (new.name, new.encoder) == ("released", "ab")


def test_features_fit_where_they_mean_the_same():
    ours = SpeechFormat(1, 256, [0.0] * 256, [1.0] * 256, "released", "ab")
    for other, fits in (
        (replace(ours, mean=[3.0] * 256), True),
        (replace(ours, encoder=""), True),  # an old checkpoint of the authors: nobody knows
        (replace(ours, encoder="cd"), False),
        (replace(ours, name="mfcc"), False),
        (replace(ours, coefficients=128), False),
        (replace(ours, steps=2), False),
    ):
        assert ours.fits(other) is other.fits(ours) is fits


def test_released_embeddings_reach_the_network_as_they_are(small: Preset):
    width = small.unet.base_channels
    speech = SpeechFormat(1, width, [3.0] * width, [2.0] * width, "released")
    model = untrained(small, speech, scale=0.1)
    given = Conditions(
        torch.randn(2, 3, 32, 32), torch.randn(2, 6, 32, 32), torch.randn(2, 5, width)
    )
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([10, 500])
    expected = model.unet(x, t, given.identity, given.motion, given.speech)
    assert torch.equal(model(x, t, given), expected)


def test_released_embeddings_for_a_network_of_another_width(small: Preset):
    speech = SpeechFormat(1, 24, [3.0] * 24, [2.0] * 24, "released")
    encoder = TalkingHead(small, speech).speech_encoder
    given = torch.randn(2, 5, 24)
    weight, bias = encoder.map.weight, encoder.map.bias
    torch.testing.assert_close(encoder(given), (given - 3) / 2 @ weight.T + bias)
    assert encoder(given).shape == (2, 5, small.unet.base_channels)


def test_every_condition_changes_the_output(model: TalkingHead):
    given = conditions()
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([10, 500])
    output = model(x, t, given)
    assert output.shape == (2, 6, 32, 32)
    for name in ("identity", "motion", "speech"):
        changed = replace(given, **{name: getattr(given, name) + 1})
        assert (model(x, t, changed) - output).abs().max() > 1e-4, name
    assert (model(x, t + 100, given) - output).abs().max() > 1e-4


def test_it_is_the_encoder_and_the_network_one_after_the_other(model: TalkingHead):
    given = conditions()
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([10, 500])
    embeddings = torch.stack([model.speech_encoder(given.speech[:, k]) for k in range(5)], 1)
    expected = model.unet(x, t, given.identity, given.motion, embeddings)
    torch.testing.assert_close(model(x, t, given), expected)


def test_the_format_reaches_the_encoder(model: TalkingHead, speech_format: SpeechFormat):
    assert model.speech_encoder.mean.tolist() == pytest.approx(speech_format.mean)
    assert model.speech_encoder.std.tolist() == pytest.approx(speech_format.std)


def test_the_encoder_is_trained_with_the_network(model: TalkingHead):
    model(torch.randn(2, 3, 32, 32), torch.tensor([1, 2]), conditions()).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.speech_encoder.parameters())
