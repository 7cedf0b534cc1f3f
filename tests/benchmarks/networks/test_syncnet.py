"""SyncNet: the released names and shapes, what goes into it, and its crops."""

import numpy as np
import pytest
import torch
from python_speech_features import mfcc

from benchmarks.networks.syncnet import (
    SyncNet,
    crop_face,
    embeddings,
    face_boxes,
    load_syncnet,
    sound_windows,
)
from pipeline.errors import UserError

# Weights of the released file, from the public definition of the network.
RELEASED = {
    "netcnnaud.0.weight": (64, 1, 3, 3),
    "netcnnaud.4.weight": (192, 64, 3, 3),
    "netcnnaud.8.weight": (384, 192, 3, 3),
    "netcnnaud.11.weight": (256, 384, 3, 3),
    "netcnnaud.14.weight": (256, 256, 3, 3),
    "netcnnaud.18.weight": (512, 256, 5, 4),
    "netcnnaud.19.running_mean": (512,),
    "netfcaud.0.weight": (512, 512),
    "netfcaud.1.running_var": (512,),
    "netfcaud.3.weight": (1024, 512),
    "netcnnlip.0.weight": (96, 3, 5, 7, 7),
    "netcnnlip.4.weight": (256, 96, 1, 5, 5),
    "netcnnlip.8.weight": (256, 256, 1, 3, 3),
    "netcnnlip.11.weight": (256, 256, 1, 3, 3),
    "netcnnlip.14.weight": (256, 256, 1, 3, 3),
    "netcnnlip.18.weight": (512, 256, 1, 6, 6),
    "netfclip.0.weight": (512, 512),
    "netfclip.3.bias": (1024,),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as the released one, its numbers random."""
    torch.manual_seed(0)
    state = SyncNet().state_dict()
    state["netfcspk.0.weight"] = torch.zeros(3)  # whatever else a file may hold
    path = tmp_path_factory.mktemp("syncnet") / "syncnet_v2.model"
    torch.save(state, path)
    return path


def test_names_and_shapes_are_the_released_ones():
    state = SyncNet().state_dict()
    assert {name.split(".")[0] for name in state} == {
        "netcnnaud", "netfcaud", "netcnnlip", "netfclip"
    }  # fmt: skip
    assert {name: tuple(state[name].shape) for name in RELEASED} == RELEASED


def test_windows_become_embeddings_of_1024(weights):
    network = load_syncnet(weights)
    with torch.inference_mode():
        assert network.sound(torch.randn(2, 1, 13, 20)).shape == (2, 1024)
        assert network.picture(torch.rand(1, 3, 5, 224, 224) * 255).shape == (1, 1024)


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "syncnet_v2.model"
    torch.save({"netcnnaud.0.weight": torch.zeros(64, 1, 3, 3)}, path)
    with pytest.raises(UserError, match="holds no weights of SyncNet v2"):
        load_syncnet(path)
    path.write_bytes(b"text")
    with pytest.raises(UserError, match="holds no weights of SyncNet v2"):
        load_syncnet(path)


def test_sound_windows_are_twenty_vectors_every_four():
    samples = (np.random.default_rng(0).normal(size=16000) * 3000).astype(np.int16)
    windows = sound_windows(samples, 19)
    assert windows.shape == (19, 1, 13, 20)
    cepstra = mfcc(samples, 16000)
    for index in (0, 7, 18):
        expected = cepstra[4 * index : 4 * index + 20].T
        assert windows[index, 0].numpy() == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_the_crop_lies_around_the_face_and_is_grey_beyond_the_picture():
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[80:120, 80:120] = 255
    crop = crop_face(frame, np.array([100.0, 100.0, 50.0]))  # rows 50..190, columns 30..170
    assert crop.shape == (224, 224, 3)
    rows, columns = np.nonzero(crop[..., 0] > 128)
    assert rows.mean() == pytest.approx((100 - 50) / 140 * 224, abs=2)
    assert columns.mean() == pytest.approx((100 - 30) / 140 * 224, abs=2)
    edge = crop_face(frame, np.array([10.0, 100.0, 50.0]))
    assert (edge[100, :60] == 110).all()


def test_boxes_are_smoothed_over_thirteen_frames():
    rng = np.random.default_rng(0)
    face = rng.uniform(50, 150, (68, 2))
    landmarks = np.tile(face, (40, 1, 1))
    landmarks[20] += 80  # one frame astray
    boxes = face_boxes(landmarks)
    assert boxes.shape == (40, 3)
    assert np.ptp(boxes, axis=0) == pytest.approx([0, 0, 0])
    low, high = face.min(0), face.max(0)
    low = low - [0, 0.25 * (high - low)[1]]
    assert boxes[0] == pytest.approx([*(low + high) / 2, (high - low).max() / 2])


@pytest.mark.slow
def test_a_clip_gives_an_embedding_from_each_frame_on(weights):
    rng = np.random.default_rng(1)
    frames = list(rng.integers(0, 256, (9, 64, 64, 3)).astype(np.uint8))
    landmarks = np.tile(rng.uniform(20, 44, (68, 2)), (9, 1, 1))
    samples = (rng.normal(size=9 * 640) * 2000).astype(np.int16)
    picture, sound = embeddings(load_syncnet(weights), frames, landmarks, samples)
    assert picture.shape == sound.shape == (4, 1024)
    # Less sound than picture: as far as both go.
    picture, sound = embeddings(load_syncnet(weights), frames, landmarks, samples[: 7 * 640])
    assert picture.shape == sound.shape == (2, 1024)
    with pytest.raises(ValueError, match="six frames"):
        embeddings(load_syncnet(weights), frames[:5], landmarks[:5], samples)
