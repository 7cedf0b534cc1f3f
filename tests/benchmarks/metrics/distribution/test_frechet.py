"""The Fréchet distance against SciPy's matrix root, closed forms and the nuclear norm."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from benchmarks.metrics.distribution.frechet import Moments, distance, frechet_distance


def by_scipy(mean1, covariance1, mean2, covariance2):
    root = sqrtm(covariance1 @ covariance2)
    step = mean1 - mean2
    return step @ step + np.trace(covariance1 + covariance2 - 2 * np.real(root))


def gaussian(rng, size):
    factor = rng.normal(size=(size, size))
    return rng.normal(size=size), factor @ factor.T / size


@pytest.mark.parametrize("size", [1, 2, 17, 60])
def test_equals_the_definition_with_scipys_root(size):
    rng = np.random.default_rng(size)
    one, other = gaussian(rng, size), gaussian(rng, size)
    assert frechet_distance(*one, *other) == pytest.approx(by_scipy(*one, *other), rel=1e-9)


def test_is_the_closed_form_of_gaussians_that_commute():
    # With diagonal covariances: the distance of means plus that of standard deviations.
    rng = np.random.default_rng(0)
    mean1, mean2 = rng.normal(size=(2, 30))
    deviation1, deviation2 = rng.uniform(0, 3, (2, 30))
    rotation, _ = np.linalg.qr(rng.normal(size=(30, 30)))
    expected = ((mean1 - mean2) ** 2).sum() + ((deviation1 - deviation2) ** 2).sum()
    turned = [rotation @ np.diag(d**2) @ rotation.T for d in (deviation1, deviation2)]
    found = frechet_distance(mean1, turned[0], mean2, turned[1])
    assert found == pytest.approx(expected, rel=1e-10)


def test_is_symmetric_and_zero_for_the_same():
    rng = np.random.default_rng(1)
    one, other = gaussian(rng, 25), gaussian(rng, 25)
    assert frechet_distance(*one, *other) == pytest.approx(frechet_distance(*other, *one))
    assert frechet_distance(*one, *one) == pytest.approx(0, abs=1e-9)


def test_ill_conditioned_covariances_lose_nothing():
    # Standard deviations over seven orders of magnitude, where SciPy's root is off or complex.
    rng = np.random.default_rng(2)
    deviation1, deviation2 = np.geomspace(1e-6, 10, 40), np.geomspace(20, 1e-7, 40)
    rotation, _ = np.linalg.qr(rng.normal(size=(40, 40)))
    turned = [rotation @ np.diag(d**2) @ rotation.T for d in (deviation1, deviation2)]
    mean = np.zeros(40)
    found = frechet_distance(mean, turned[0], mean, turned[1])
    assert found == pytest.approx(((deviation1 - deviation2) ** 2).sum(), rel=1e-6)


def test_fewer_samples_than_features_give_the_nuclear_norm():
    # Tr (Σ1 Σ2)^½ of sample covariances is the nuclear norm of the cross product of the centred
    # samples, which needs no root and no covariance.
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 300)) + 0.3, rng.normal(size=(55, 300)) * 1.4
    centred_x = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    centred_y = (y - y.mean(0)) / np.sqrt(len(y) - 1)
    expected = (
        ((x.mean(0) - y.mean(0)) ** 2).sum()
        + (centred_x**2).sum()
        + (centred_y**2).sum()
        - 2 * np.linalg.norm(centred_x @ centred_y.T, "nuc")
    )
    assert distance(Moments.of(x), Moments.of(y)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("offset", [3, 3000])
def test_moments_taken_up_in_parts_are_those_of_all(offset):
    rng = np.random.default_rng(4)
    features = rng.normal(offset, 2, (500, 20)).astype(np.float32)
    moments = Moments.empty(20)
    for part in np.array_split(features, 7):
        moments.add(part)
    assert moments.count == 500
    assert moments.mean == pytest.approx(features.astype(np.float64).mean(0), rel=1e-13)
    # A mean far from 0 costs digits, as sums of squares do: 1e-16 of its square over the variance.
    expected = np.cov(features.astype(np.float64).T)
    assert np.abs(moments.covariance - expected).max() < 1e-13 * max(1, offset**2)


def test_weights_repeat_vectors():
    rng = np.random.default_rng(5)
    features, weights = rng.normal(size=(50, 6)), rng.integers(0, 4, 50)
    moments = Moments.empty(6)
    moments.add(features[:20], weights[:20])
    moments.add(features[20:], weights[20:])
    repeated = np.repeat(features, weights, axis=0)
    assert moments.count == len(repeated)
    assert moments.mean == pytest.approx(repeated.mean(0))
    assert moments.covariance == pytest.approx(np.cov(repeated.T))


def test_one_vector_has_no_covariance():
    with pytest.raises(ValueError, match="at least two feature vectors"):
        distance(Moments.of(np.ones((1, 4))), Moments.of(np.ones((5, 4))))
