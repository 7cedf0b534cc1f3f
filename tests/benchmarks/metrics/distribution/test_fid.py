"""FID: features against the TorchScript they come from, the distance against torchmetrics."""

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from benchmarks.metrics.distribution.fid import fid_features, fid_input
from benchmarks.metrics.distribution.frechet import Moments, distance
from benchmarks.networks.inception import load_inception


@pytest.fixture(scope="module")
def script(inception_path):
    return torch.jit.load(inception_path, map_location="cpu").eval()


@pytest.fixture(scope="module")
def network(inception_path):
    return load_inception(inception_path)


class Extractor(torch.nn.Module):
    """Inception as torchmetrics wants it: bytes in, features out.

    The first 256 of them: of all 2048, torchmetrics' general eigenvalues take most of a minute.
    """

    num_features = 256

    def __init__(self, script):
        super().__init__()
        # No submodule: its type would change too.
        self.extract = lambda x: script(x)[:, :256].double()

    def forward(self, pictures):
        large = torch.nn.functional.interpolate(pictures.float(), (299, 299), mode="bilinear")
        return self.extract(large / 128 - 1)


@pytest.mark.slow
def test_features_are_those_of_the_script(script, network, face_frames):
    with torch.inference_mode():
        expected = script(fid_input(face_frames[:3])).numpy()
    found = fid_features(network, face_frames[:3])
    assert found.shape == (3, 2048)
    assert np.abs(found - expected).max() < 1e-4
    # And they tell these frames apart far better than that.
    assert np.abs(found[0] - found[2]).max() > 0.05


def test_frames_that_are_repeated_are_computed_once(face_frames):
    class Recorder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.seen = 0

        def forward(self, x):
            self.seen += len(x)
            return x.mean((1, 2, 3))[:, None].expand(-1, 2048)

    order = [0, 0, 3, 3, 3, 1, 0]
    recorder, plain = Recorder(), Recorder()
    found = fid_features(recorder, [face_frames[k].copy() for k in order])
    assert recorder.seen == 3
    np.testing.assert_array_equal(found, fid_features(plain, face_frames[:4])[order])


def test_resizing_is_bilinear_at_half_pixel_centres(face_frames):
    frame = face_frames[0]
    expected = cv2.resize(frame.astype(np.float32), (299, 299), interpolation=cv2.INTER_LINEAR)
    found = fid_input([frame])[0].permute(1, 2, 0).numpy() * 128 + 128
    assert np.abs(found - expected).max() < 2e-2
    assert fid_input([np.zeros_like(frame)]).numpy() == pytest.approx(-1)
    assert fid_input([np.full_like(frame, 255)]).numpy() == pytest.approx(127 / 128)


@pytest.mark.slow
def test_distance_is_that_of_torchmetrics_with_the_same_inception(script, network, face_frames):
    real = face_frames[:6]
    fake = [cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in face_frames[4:10]]
    reference = FrechetInceptionDistance(feature=Extractor(script), normalize=False)
    reference.set_dtype(torch.float64)
    for pictures, is_real in ((real, True), (fake, False)):
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        reference.update(batch, real=is_real)
    found = distance(*(Moments.of(fid_features(network, side)[:, :256]) for side in (real, fake)))
    assert found == pytest.approx(float(reference.compute()), rel=2e-3)
    assert found > 1
