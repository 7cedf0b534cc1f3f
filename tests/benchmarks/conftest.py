"""What tests of the benchmark share: the networks of FID and FVD, and moving pictures of a face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage.data import astronaut

from pipeline.weights import find

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _found(name: str) -> Path:
    path = find(name)
    if path is None:
        pytest.skip(f"needs {name}; dh-bench score fetches it when FID or FVD is first asked for")
    return path


@pytest.fixture(scope="session")
def inception_path() -> Path:
    """The TorchScript of FID's network; skips where it was not fetched."""
    return _found("inception-2015.pt")


@pytest.fixture(scope="session")
def i3d_path() -> Path:
    """The weights of FVD's network; skip where they were not fetched."""
    return _found("i3d-kinetics-400.ckpt")


@pytest.fixture(scope="session")
def face_frames() -> list[NDArray[np.uint8]]:
    """Twenty pictures of 160x160 of a face that moves by a pixel a frame, free of rights."""
    picture = astronaut()[10:200, 130:330]
    return [np.ascontiguousarray(picture[k : k + 160, k : k + 160]) for k in range(20)]
