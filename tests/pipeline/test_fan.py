"""S3FD and FAN against face-alignment itself on the same random weights, and following a face."""

from __future__ import annotations

import socket
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from face_alignment import FaceAlignment, LandmarksType
from face_alignment.detection.sfd import FaceDetector
from face_alignment.detection.sfd.detect import get_predictions
from face_alignment.detection.sfd.net_s3fd import s3fd
from face_alignment.models import FAN
from face_alignment.utils import get_preds_fromhm
from skimage import data

from pipeline.errors import UserError
from pipeline.fan import FanTracker, follow, heat_points, view
from pipeline.landmarks import MediaPipeTracker
from pipeline.manifest import ManifestRow
from pipeline.media import Audio, read_frames, write_video
from pipeline.options import PrepOptions
from pipeline.prepare import prepare
from pipeline.s3fd import FaceFinder, decode, with_weights
from pipeline.sample import problems
from pipeline.stages import default_stages
from pipeline.weights import FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

DETECTOR, LANDMARKS = "s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"
LEVELS = ("conv3_3_norm", "conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2")
DARK = np.zeros((210, 240, 3), np.uint8)


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


def _largest(boxes: Sequence[np.ndarray]) -> np.ndarray:
    return max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))


# --- the same as face-alignment -------------------------------------------------------------------


def test_faces_are_those_that_the_package_finds(
    files: tuple[Path, Path], package: FaceAlignment, frame: np.ndarray, photograph: np.ndarray
):
    finder = FaceFinder(files[0])
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


def test_no_face_is_an_empty_array(files: tuple[Path, Path]):
    finder = FaceFinder(files[0])
    for size in ((210, 240), (32, 33), (31, 500), (1, 1), (60, 4000)):
        assert finder.detect(np.zeros((*size, 3), np.uint8)).shape == (0, 5)


def test_boxes_of_a_shrunk_frame_lie_in_pixels_of_the_frame(
    files: tuple[Path, Path], photograph: np.ndarray
):
    # Doubled by repetition, 1024 x 1024 is averaged down to 640 x 640, as the picture is if it is
    # enlarged to 640: the same faces, the boxes twice as large as there.
    finder = FaceFinder(files[0])
    large = photograph[:320, :320].repeat(4, 0).repeat(4, 1)
    small = photograph[:320, :320].repeat(2, 0).repeat(2, 1)
    wanted = finder.detect(small)
    assert len(wanted) > 20
    np.testing.assert_allclose(finder.detect(large)[:, :4], wanted[:, :4] * 2, atol=1e-3)


@pytest.mark.parametrize("flip_input", [False, True])
def test_landmarks_are_those_of_the_package_with_their_fraction(
    files: tuple[Path, Path], package: FaceAlignment, frame: np.ndarray, flip_input: bool
):
    # Inside, over two rims, over all.
    boxes = np.array(
        [
            [60.3, 50.1, 170.7, 180.2],
            [-30.4, -20.9, 70.2, 60.6],
            [-60.5, -70.7, 290.9, 270.1],
        ]
    )
    package.flip_input = flip_input
    wanted = np.stack(package.get_landmarks_from_image(frame, detected_faces=list(boxes)))
    tracker = FanTracker(*files, flip_input=flip_input)
    found = tracker.points([view(frame, box) for box in boxes])
    assert found.shape == (3, 68, 2)
    assert np.ptp(found[0]) > 100
    np.testing.assert_array_equal(np.trunc(found.astype(np.float64) + 0.5), wanted)


def test_peaks_are_read_as_in_the_package_on_the_rim_too():
    rng = np.random.default_rng(5)
    heat = rng.normal(size=(3, 68, 64, 64)).astype(np.float32)
    for index, (row, column) in enumerate([(0, 0), (0, 30), (63, 63), (30, 63), (1, 1), (62, 62)]):
        heat[:, index, row, column] = 9
    heat[0, 7, 20:23, 30:33] = 9  # a plateau
    wanted, _, _ = get_preds_fromhm(heat.copy())
    found = heat_points(torch.from_numpy(heat)).numpy() * 64
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_clip_gives_what_the_packages_own_loop_gives(
    files: tuple[Path, Path], package: FaceAlignment, frame: np.ndarray
):
    frames = [frame, DARK, np.ascontiguousarray(frame[:, ::-1])]
    track = FanTracker(*files, detect_every=1, batch=2).track(frames)
    assert track.found.tolist() == [True, False, True]
    assert np.isnan(track.points[1]).all()
    found = [package.face_detector.detect_from_image(picture) for picture in frames]
    assert track.faces == max(map(len, found))
    for index in (0, 2):
        # The other frame's face is lost before this one is searched, so that the largest is taken.
        face = _largest(found[index])
        wanted = package.get_landmarks_from_image(frames[index], detected_faces=[face])[0]
        assert np.abs(track.points[index] - wanted).max() <= 0.5 + 1e-4


# --- streams --------------------------------------------------------------------------------------


def _panned(photograph: np.ndarray, count: int) -> list[np.ndarray]:
    """Frames of a camera that moves over the picture."""
    return [
        np.ascontiguousarray(photograph[20 + k : 230 + k, 100 + k : 340 + k]) for k in range(count)
    ]


def test_batches_make_no_difference(
    files: tuple[Path, Path], tracker: FanTracker, photograph: np.ndarray
):
    frames = _panned(photograph, 6)
    frames[3] = DARK
    by_four = tracker.track(frames)
    by_two = FanTracker(*files, detect_every=3, batch=2).track(iter(frames))
    np.testing.assert_allclose(by_two.points, by_four.points, atol=1e-3)
    assert by_four.found.tolist() == [True, True, True, False, True, True]
    assert by_four.faces == by_two.faces > 1
    # What came before leaves no trace.
    np.testing.assert_array_equal(tracker.track(frames).points, by_four.points)


def test_a_repeated_frame_is_computed_once(
    tracker: FanTracker, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    frames = _panned(photograph, 4)
    once = tracker.track(frames).points
    counts = [1, 3, 1, 2]
    located: list[int] = []
    points = tracker.points
    monkeypatch.setattr(
        tracker, "points", lambda views: located.append(len(views)) or points(views)
    )
    repeated = [
        picture for picture, count in zip(frames, counts, strict=True) for _ in range(count)
    ]
    np.testing.assert_array_equal(tracker.track(repeated).points, np.repeat(once, counts, axis=0))
    assert sum(located) == 4


def test_no_frame_gives_an_empty_track(tracker: FanTracker):
    track = tracker.track([])
    assert track.points.shape == (0, 68, 2)
    assert track.points.dtype == np.float32
    assert track.faces == 0


def test_bfloat16_is_near_and_not_the_same(files: tuple[Path, Path], frame: np.ndarray):
    # Peaks of random maps jump; their heights do not.
    views = [view(frame, np.array([60.0, 50.0, 170.0, 180.0]))]
    exact, rough = FanTracker(*files), FanTracker(*files, precision="bfloat16")
    maps: list[torch.Tensor] = []
    for tracker in (exact, rough):
        tracker._net.register_forward_hook(lambda _, __, out: maps.append(out[-1].float()))
        assert np.isfinite(tracker.points(views)).all()
    error = (maps[0] - maps[1]).std() / maps[0].std()
    assert 1e-5 < error < 0.1


# --- following, on made-up detections -------------------------------------------------------------


def _followed(
    count: int, faces: Callable[[int], Sequence[Sequence[float]]], every: int
) -> tuple[list[np.ndarray | None], list[int], list[int]]:
    """Boxes, the frames that were searched, and the faces counted, where frame k holds faces(k)."""
    searched: list[int] = []

    def detect(frame: np.ndarray) -> np.ndarray:
        searched.append(int(frame[0, 0, 0]))
        rows = [[*box, 0.9] for box in faces(searched[-1])]
        return np.array(rows, np.float64).reshape(-1, 5)

    frames = [np.full((1, 1, 3), k) for k in range(count)]
    sightings = list(follow(iter(frames), detect, every))
    assert [int(s.frame[0, 0, 0]) for s in sightings] == list(range(count))
    return [s.box for s in sightings], sorted(searched), [s.faces for s in sightings]


@pytest.mark.parametrize("count", [1, 2, 10, 11, 12, 25])
def test_every_tenth_frame_and_the_last_are_searched(count: int):
    boxes, searched, faces = _followed(count, lambda k: [(k, k / 2, k + 100, k / 2 + 100)], 10)
    assert searched == sorted({*range(0, count, 10), count - 1})
    assert [k for k, number in enumerate(faces) if number] == searched
    wanted = [[k, k / 2, k + 100, k / 2 + 100] for k in range(count)]
    np.testing.assert_allclose(np.array(boxes), wanted, atol=1e-9)


def test_a_curved_way_is_searched_more_often():
    def swinging(k: int) -> list[list[float]]:
        x = 60 * np.sin(k / 12)
        return [[x, 0, x + 100, 100]]

    boxes, searched, _ = _followed(41, swinging, 10)
    assert 10 < len(searched) < 35
    off = [abs(box[0] - swinging(k)[0][0]) for k, box in enumerate(boxes) if box is not None]
    assert len(off) == 41
    assert max(off) < 6


def test_the_frames_without_a_face_are_found_to_the_frame():
    there = [0 <= k < 14 or k >= 33 for k in range(60)]
    boxes, searched, _ = _followed(60, lambda k: [(0, 0, 50, 50)] * there[k], 10)
    assert [box is not None for box in boxes] == there
    assert len(searched) < 20


def test_the_largest_face_is_followed_even_when_another_outgrows_it():
    def faces(k: int) -> list[tuple[float, ...]]:
        side = 40 + 2 * k
        return [(200, 0, 280, 80), (0, 0, side, side)]

    boxes, _, counts = _followed(41, faces, 10)
    assert all(box is not None and box[0] == 200 for box in boxes)
    assert max(counts) == 2


def test_after_a_cut_the_largest_face_is_taken_from_the_first_frame_on():
    def faces(k: int) -> list[tuple[float, ...]]:
        return [(0, 0, 80, 80)] if k < 17 else [(150, 0, 180, 30), (300, 0, 400, 100)]

    boxes, _, _ = _followed(30, faces, 10)
    assert [box[0] for box in boxes if box is not None] == [0] * 17 + [300] * 13


def test_on_real_clips_the_box_is_near_where_a_search_would_find_it(
    mediapipe: MediaPipeTracker, shared_data: Path
):
    for name in ("crema_1001_DFA_ANG_XX.mkv", "grid_s1_bbir6n.mpg", "lrs3_7OMLSs8t1ng_00017.webm"):
        points = mediapipe.track(read_frames(shared_data / "clips" / name)).points
        wanted = np.concatenate([points.min(1), points.max(1)], axis=1)
        boxes, searched, _ = _followed(len(points), lambda k, wanted=wanted: [wanted[k]], 10)
        size = (wanted[:, 2:] - wanted[:, :2]).mean(1)
        off = np.abs(np.array(boxes) - wanted)
        off = (off[:, :2] + off[:, 2:]).max(1) / 2 / size
        assert off.max() < 0.1
        assert len(searched) < 0.15 * len(points)


def test_only_as_many_frames_are_held_as_lie_between_two_searches():
    alive: list[int] = []
    most = 0

    class Frame(np.ndarray):
        def __del__(self) -> None:
            alive.remove(id(self))

    def frames():
        nonlocal most
        for _ in range(300):
            made = np.zeros((4, 4, 3), np.uint8).view(Frame)
            alive.append(id(made))
            most = max(most, len(alive))
            yield made
            del made

    def detect(_: np.ndarray) -> np.ndarray:
        return np.array([[0, 0, 50, 50, 0.9]])

    for _ in follow(frames(), detect, 10):
        pass
    assert 10 < most < 30


# --- files ----------------------------------------------------------------------------------------


def test_a_sample_made_with_it_meets_the_contract(
    files: tuple[Path, Path], frame: np.ndarray, tmp_path: Path
):
    sound = Audio(np.random.default_rng(0).normal(0, 2000, 12 * 640).astype(np.int16))
    write_video(tmp_path / "a.mp4", [frame] * 12, audio=sound)
    options = PrepOptions(landmarks="fan", image_size=64)
    stages = default_stages(options, {path.name: path for path in files})
    row = ManifestRow("a", str(tmp_path / "a.mp4"), "a.mp4")
    (sample,) = prepare(row, options, stages).samples
    assert problems(sample) == []
    assert sample.meta["landmark_backend"] == FanTracker.name
    assert sample.meta["frames"] == 12
    assert sample.meta["options"]["landmarks"] == "fan"


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
            FaceFinder(path)
        assert str(path) in str(caught.value)
    with pytest.raises(UserError, match="does not hold the weights of FAN"):
        FanTracker(files[0], files[0])


def test_weights_are_loaded_into_a_network_that_cannot_learn(files: tuple[Path, Path]):
    net = with_weights(FAN(4), files[1], "cpu")
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert net.conv1.weight.is_contiguous(memory_format=torch.channels_last)


def test_nothing_is_fetched(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(torch.hub, "_hub_dir", "/nowhere")
    FanTracker(*files)


def test_the_table_of_weights_names_what_the_package_would_download():
    from face_alignment.api import models_urls
    from face_alignment.detection.sfd.sfd_detector import models_urls as detector_urls

    assert FILES[LANDMARKS].url == models_urls["2DFAN-4"]
    assert FILES[DETECTOR].url == detector_urls["s3fd"]
    for name in (LANDMARKS, DETECTOR):
        # The file's name ends in the first ten digits of its hash, by which torch.hub checks it.
        assert FILES[name].sha256[:10] in name
