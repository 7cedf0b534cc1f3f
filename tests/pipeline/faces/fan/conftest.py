"""face-alignment's networks with random weights, in the published files' format."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from face_alignment import FaceAlignment, LandmarksType
from face_alignment.detection.sfd.net_s3fd import s3fd
from face_alignment.models import FAN
from skimage import data

from pipeline.faces.fan import FanTracker
from pipeline.faces.tracking import MediaPipeTracker
from tests.pipeline.faces.fan.weight_files import DARK, DETECTOR, LANDMARKS, LEVELS


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch on one thread, which on a busy machine is the quickest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A picture of 512 x 512 with a face in it, public domain."""
    return np.ascontiguousarray(data.astronaut()[..., :3])


@pytest.fixture(scope="module")
def frame(photograph: np.ndarray) -> np.ndarray:
    """The part of it around the face, 240 x 210."""
    return np.ascontiguousarray(photograph[20:230, 100:340])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, frame: np.ndarray) -> tuple[Path, Path]:
    """Random weights in the published files' format; S3FD finds some fifty "faces" in the frame.

    Every level's scores and offsets are scaled to a spread that a trained network has, and the
    scores shifted so that one position in fifty is a face, and none where all is black.
    """
    folder = tmp_path_factory.mktemp("hub") / "checkpoints"
    folder.mkdir()
    torch.manual_seed(0)
    net = s3fd().eval()
    bgr = torch.from_numpy(np.stack([frame, DARK])[..., ::-1].copy()).permute(0, 3, 1, 2)
    with torch.no_grad():
        outputs = net(bgr - torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1))
        for name, scores, offsets in zip(LEVELS, outputs[::2], outputs[1::2], strict=True):
            margin = scores[:, 1] - scores[:, 0]
            steep, least = 3 / margin[0].std(), torch.quantile(margin[0], 0.98)
            for parameter in getattr(net, f"{name}_mbox_conf").parameters():
                parameter.mul_(steep)
            for parameter in getattr(net, f"{name}_mbox_loc").parameters():
                parameter.div_(offsets[0].std())
            least = torch.maximum(least, margin[1].max() + 0.1 / steep)
            getattr(net, f"{name}_mbox_conf").bias[-1] -= steep * least
            print(name, (margin > least).sum((1, 2)))
    torch.save(net.state_dict(), folder / DETECTOR)
    torch.save(FAN(4).state_dict(), folder / LANDMARKS)
    return folder / DETECTOR, folder / LANDMARKS


@pytest.fixture(scope="module")
def tracker(files: tuple[Path, Path]) -> FanTracker:
    """A tracker that searches every third frame."""
    return FanTracker(*files, detect_every=3)


@pytest.fixture
def mediapipe(landmark_task: Path) -> MediaPipeTracker:
    """Another tracker, whose landmarks in every frame say where a face is."""
    return MediaPipeTracker(landmark_task)


@pytest.fixture
def package(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> FaceAlignment:
    """face-alignment on the same files, made by its own constructor, which finds them cached."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(files[1].parents[1]))
    return FaceAlignment(
        LandmarksType.TWO_D,
        device="cpu",
        flip_input=False,
        face_detector_kwargs={"path_to_detector": str(files[0])},
        compile=False,
    )
