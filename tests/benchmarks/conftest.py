"""What tests of the benchmark share: networks, a moving face, and a small data set."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from pipeline.dataset.limits import Limits
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.shards import read_samples
from pipeline.sources.manifest import ManifestRow
from pipeline.weights import find
from tests.datasets import prepare_rows, write_talker

CLIPS = ("ada", "bob", "cy", "dee")  # of the data set


def _found(name: str) -> Path:
    path = find(name)
    if path is None:
        pytest.skip(f"needs {name}; fetch it with: dh-prep doctor --fetch --metrics fid,fvd")
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


@pytest.fixture(scope="session")
def stand_in_data(landmark_task, made_once):
    """Four clips of a face from a public-domain photograph, two speakers, 12 frames of 64 x 64."""

    def write(folder):
        rows = []
        for index, clip in enumerate(CLIPS):
            path = folder / f"{clip}-take.mp4"
            write_talker(path, 12, shift=index)
            speaker = "AB"[index % 2]
            rows.append(ManifestRow(clip, str(path), path.name, speaker=speaker, split="test"))
        options = PrepOptions(image_size=64, limits=Limits(min_seconds=0.2), clips_per_shard=2)
        prepare_rows(folder / "set", rows, options)
        assert [sample.key for sample in read_samples(folder / "set", "test")] == list(CLIPS)

    return made_once("stand-in", write) / "set"
