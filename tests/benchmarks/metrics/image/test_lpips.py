"""LPIPS: the network written out in NumPy, its heads against those that torchmetrics carries."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.metrics.image.lpips import lpips
from benchmarks.networks.arrays import read_arrays
from benchmarks.networks.lpips import load_lpips
from pipeline.errors import UserError
from pipeline.weights import find


@pytest.fixture(scope="module")
def weights():
    path = find("lpips-alexnet.ckpt")
    if path is None:
        pytest.skip("needs lpips-alexnet.ckpt; dh-prep doctor --fetch --metrics lpips fetches it")
    return path


def features(arrays, frame):
    """AlexNet's five layers of a frame, (H, W, C) each, unit length along C."""
    x = (frame / 127.5 - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
    for k, (stride, pad, pool) in enumerate(
        [(4, 2, 0), (1, 2, 1), (1, 1, 1), (1, 1, 0), (1, 1, 0)]
    ):
        if pool:
            x = sliding_window_view(x, (3, 3), (0, 1))[::2, ::2].max((-2, -1))
        layer = arrays["AlexNet_0"][f"Conv_{k}"]
        size = layer["kernel"].shape[0]
        x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
        windows = sliding_window_view(x, (size, size), (0, 1))[::stride, ::stride]
        x = np.maximum(np.einsum("hwcij,ijcd->hwd", windows, layer["kernel"]) + layer["bias"], 0)
        yield x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10)


def test_it_is_the_definition(weights, face_frames):
    arrays = read_arrays(weights)
    real = [frame[40:103, 30:93] for frame in face_frames[:2]]
    fake = [np.ascontiguousarray(real[0][:, ::-1]), np.clip(real[1] + 20, 0, 255).astype(np.uint8)]
    expected = [
        sum(
            ((a - b) ** 2 @ arrays[f"NetLinLayer_{k}"]["Conv_0"]["kernel"][0, 0, :, 0]).mean()
            for k, (a, b) in enumerate(zip(features(arrays, x), features(arrays, y), strict=True))
        )
        for x, y in zip(real, fake, strict=True)
    ]
    found = lpips(load_lpips(weights), real, fake)
    assert found == pytest.approx(expected, rel=1e-4)
    assert found.min() > 0.01
    assert lpips(load_lpips(weights), real, real) == pytest.approx([0, 0], abs=1e-7)


def test_the_heads_are_those_that_torchmetrics_carries(weights):
    package = Path(find_spec("torchmetrics").origin).parent  # not imported, which takes long
    path = package / "functional" / "image" / "lpips_models" / "alex.pth"
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    assert len(theirs) == 5
    network = load_lpips(weights)
    for name, head in theirs.items():  # lin0.model.1.weight …
        assert torch.equal(head.flatten(), network.heads[int(name[3])])


def test_small_frames_and_other_weights_are_refused(weights, i3d_path):
    small = [np.zeros((30, 64, 3), np.uint8)]
    with pytest.raises(ValueError, match="31 pixels"):
        lpips(load_lpips(weights), small, small)
    with pytest.raises(UserError, match="holds no LPIPS weights"):
        load_lpips(i3d_path)
