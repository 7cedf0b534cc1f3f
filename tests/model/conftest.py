"""What tests of the model share: a network that trains in seconds, and data sets for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.config.architecture import DiffusionConfig, UNetConfig
from model.config.presets import Preset, TrainConfig
from model.network.talking_head import SpeechFormat, TalkingHead
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import PackedFrames, Sample, pack_frames, to_members
from pipeline.dataset.shards import DATASET_FILE, open_shard
from pipeline.faces.mouth_box import mouth_boxes
from pipeline.files import sha256_file, write_json
from pipeline.sources.manifest import ManifestRow
from tests.datasets import prepare_rows
from tests.models import untrained

STEPS, COEFFICIENTS = 18, 13


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> Iterator[None]:
    """Networks as small as these are slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def speech_format() -> SpeechFormat:
    """MFCC windows whose coefficients differ in mean and deviation."""
    mean = np.linspace(-2, 15, COEFFICIENTS).tolist()
    return SpeechFormat(STEPS, COEFFICIENTS, mean, np.linspace(1, 5, COEFFICIENTS).tolist())


@pytest.fixture(scope="session")
def small() -> Preset:
    """32 x 32, 16 channels, two levels."""
    unet = UNetConfig(
        image_size=32,
        base_channels=16,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_resolutions=(),
        head_channels=16,
        norm_groups=4,
        dropout=0.0,
    )
    recipe = TrainConfig(steps=6, batch_size=4, learning_rate=2e-3, ema_half_life=5)
    return Preset("small", unet, DiffusionConfig(prediction="v"), recipe, speech_hidden=8)


@pytest.fixture(scope="session")
def real_set(shared_data: Path, landmark_task: Path, made_once: Callable[..., Path]) -> Path:
    """A data set of real clips, 32 x 32: two to train on, in a shard each, and one to test on."""
    options = PrepOptions(image_size=32, clips_per_shard=1)
    clips = (
        ("crema_1001_DFA_ANG_XX.mkv", "train", 1.6),
        ("lrs3_UZmXwOgNq7c_00002.webm", "train", None),
        ("grid_s1_bbir6n.mpg", "test", 1.0),
    )
    rows = [
        ManifestRow(
            name.partition(".")[0], str(shared_data / "clips" / name), name, name[:4], split, 0, end
        )
        for name, split, end in clips
    ]

    def write(folder: Path) -> None:
        made = prepare_rows(folder / "set", rows, options)
        assert [row["status"] for row in made] == ["ok"] * len(rows)

    return made_once("real-clips", write) / "set"


@pytest.fixture(scope="session")
def drawn_sample() -> Callable[..., Sample]:
    """Makes a sample whose content tells where it is from.

    Picture k is evenly grey of brightness `first` + 4 k; every feature of frame k is k; the mouth
    walks to the right, a pixel a frame.
    """

    def make(key: str, length: int, *, first: int = 20, size: int = 32) -> Sample:
        frames = [np.full((size, size, 3), first + 4 * k, np.uint8) for k in range(length)]
        speech = np.arange(length, dtype=np.float32)[:, None] * np.ones(
            (1, STEPS * COEFFICIENTS), np.float32
        )
        landmarks = np.full((length, 68, 2), size / 2, np.float32)
        landmarks[:, 48:, 0] += np.arange(length)[:, None] + np.linspace(-5, 0, 20)
        landmarks[:, 48:, 1] += np.linspace(2, 6, 20)
        return Sample(
            key=key,
            frames=PackedFrames(*pack_frames(frames, 100)),
            audio=np.zeros(length * 640, np.int16),
            speech=speech,
            landmarks=landmarks,
            mouth=mouth_boxes(landmarks, size),
            meta={"image_size": size, "frames": length, "clip_id": key},  # what the model reads
        )

    return make


@pytest.fixture(scope="session")
def write_set() -> Callable[..., Path]:
    """Writes samples as a data set: `shards` is a list of (split, samples)."""

    def write(folder: Path, shards: list[tuple[str, list[Sample]]]) -> Path:
        folder.mkdir(parents=True)
        marks = []
        for index, (split, samples) in enumerate(shards):
            name = f"shard-{index:05d}.tar"
            with open_shard(folder / name) as add:
                for sample in samples:
                    add(sample.key, to_members(sample))
            marks.append(
                {
                    "name": name,
                    "split": split,
                    "samples": len(samples),
                    "sha256": sha256_file(folder / name),
                }
            )
        speech = {
            "steps": STEPS,
            "coefficients": COEFFICIENTS,
            "mean": [0.0] * COEFFICIENTS,
            "std": [1.0] * COEFFICIENTS,
        }
        options = {"image_size": shards[0][1][0].meta["image_size"]}
        described = {"options": options, "speech": speech, "shards": marks}
        write_json(folder / DATASET_FILE, described)
        return folder

    return write


@pytest.fixture
def drawn_set(tmp_path: Path, drawn_sample: Callable[..., Sample], write_set: Callable) -> Path:
    """A small data set of drawn clips: three to train on, one to test on."""
    clips = [drawn_sample(f"clip{i}", 6, first=20 + 50 * i) for i in range(3)]
    test = drawn_sample("test0", 5, first=200)
    return write_set(
        tmp_path / "drawn", [("train", clips[:2]), ("test", [test]), ("train", clips[2:])]
    )


@pytest.fixture
def recipe(small: Preset) -> Callable[..., Preset]:
    """The small preset with another recipe."""

    def make(**changes: float) -> Preset:
        return replace(small, train=replace(small.train, **changes))

    return make


@pytest.fixture
def model(small: Preset, speech_format: SpeechFormat) -> TalkingHead:
    """A small model with random weights, none of them zero."""
    return untrained(small, speech_format, seed=2)
