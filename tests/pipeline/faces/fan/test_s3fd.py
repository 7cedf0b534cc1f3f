"""S3FD against face-alignment's own on the same random weights, and its files."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from face_alignment import FaceAlignment
from face_alignment.detection.sfd import FaceDetector
from face_alignment.detection.sfd.detect import get_predictions
from face_alignment.detection.sfd.net_s3fd import s3fd
from face_alignment.models import FAN

from pipeline.errors import UserError
from pipeline.faces.fan import FanTracker
from pipeline.faces.networks.s3fd import S3FDDetector, decode, load_weights


@pytest.mark.slow
def test_faces_are_those_that_the_package_finds(
    files: tuple[Path, Path], package: FaceAlignment, frame: np.ndarray, photograph: np.ndarray
):
    finder = S3FDDetector(files[0])
    for picture in (frame, photograph):
        wanted = np.array(package.face_detector.detect_from_image(picture))
        assert len(wanted) > 20
        assert len({round(float(size)) // 16 for size in np.ptp(wanted[:, :4:2], axis=1)}) > 3
        np.testing.assert_allclose(finder.detect(picture), wanted, atol=1e-3)


def test_output_of_every_level_is_decoded_as_in_the_package():
    rng = np.random.default_rng(3)
    outputs = []
    for size in ((30, 36), (15, 18), (8, 9), (6, 7), (3, 4), (2, 2)):
        scores, offsets = rng.normal(size=(1, 2, *size)), rng.normal(size=(1, 4, *size))
        scores[0, 1] -= 4.5
        scores[0, 1, -1, -1] = 5
        outputs += [torch.from_numpy(values.astype(np.float32)) for values in (scores, offsets)]
    raw = [torch.softmax(o, 1) if i % 2 == 0 else o for i, o in enumerate(outputs)]
    candidates = get_predictions([o.numpy() for o in raw], 1)[0]
    wanted = FaceDetector._filter_bboxes(_Threshold(), candidates)
    found = decode(outputs)
    assert len(found) >= 6
    np.testing.assert_allclose(found, np.array(wanted), atol=1e-4)


class _Threshold:
    """All that the package's filter asks of a detector."""

    filter_threshold = 0.5


@pytest.mark.slow
def test_no_face_is_an_empty_array(files: tuple[Path, Path]):
    finder = S3FDDetector(files[0])
    for size in ((210, 240), (32, 33), (31, 500), (1, 1), (60, 4000)):
        assert finder.detect(np.zeros((*size, 3), np.uint8)).shape == (0, 5)


@pytest.mark.slow
def test_boxes_of_a_shrunk_frame_lie_in_pixels_of_the_frame(
    files: tuple[Path, Path], photograph: np.ndarray
):
    # Doubled by repetition, 1024 x 1024 is averaged down to 640 x 640, as the picture is if it is
    # enlarged to 640: the same faces, the boxes twice as large as there.
    finder = S3FDDetector(files[0])
    large = photograph[:320, :320].repeat(4, 0).repeat(4, 1)
    small = photograph[:320, :320].repeat(2, 0).repeat(2, 1)
    wanted = finder.detect(small)
    assert len(wanted) > 20
    np.testing.assert_allclose(finder.detect(large)[:, :4], wanted[:, :4] * 2, atol=1e-3)


@pytest.mark.slow
def test_files_that_hold_no_such_weights_are_named(tmp_path: Path, files: tuple[Path, Path]):
    whole = files[0].read_bytes()
    bad = {
        "empty": b"",
        "text": b"<html>404 Not Found</html>",
        "noise": bytes(range(256)) * 99,
        "cut": whole[: len(whole) // 2],
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    torch.save([1, 2], tmp_path / "list")
    torch.save({"conv1_1.weight": 3}, tmp_path / "dict")
    torch.save(s3fd(), tmp_path / "pickled network")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("readme.txt", "no weights")
    for path in (*sorted(tmp_path.iterdir()), files[1], tmp_path / "absent", tmp_path):
        with pytest.raises(UserError, match="does not hold the weights of s3fd") as caught:
            S3FDDetector(path)
        assert str(path) in str(caught.value)
    with pytest.raises(UserError, match="does not hold the weights of FAN"):
        FanTracker(files[0], files[0])


def test_weights_are_loaded_into_a_network_that_cannot_learn(files: tuple[Path, Path]):
    net = load_weights(FAN(4), files[1], "cpu")
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert net.conv1.weight.is_contiguous(memory_format=torch.channels_last)
