"""The test protocol: first frame and speech of every test clip, resumed, refused, then scored."""

import shutil
import sys
from copy import deepcopy
from dataclasses import replace

import av
import numpy as np
import pytest
import torch

from benchmarks.cli.main import main
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.systems.our_model import DrawingOptions, generate_clips
from benchmarks.systems.protocol import missing_clips
from benchmarks.systems.protocol_options import ProtocolClips
from model.checkpoints.checkpoint import CheckpointInfo, TrainingState, save
from model.config.architecture import DiffusionConfig, UNetConfig
from model.config.presets import Preset, TrainConfig
from model.network.talking_head import SpeechFormat, TalkingHead
from model.sampling.sample_config import SampleConfig
from pipeline.dataset.limits import Limits
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.shards import read_samples
from pipeline.errors import UserError
from pipeline.files import read_json, sha256_file, write_json
from pipeline.media import read_audio, read_frames
from pipeline.sources.manifest import ManifestRow
from tests.datasets import prepare_rows

CLIPS = ("lrs3_ooAIIeo4AJQ_00003", "lrs3_O0JDDyqtSVY_00002")
FRAMES = 6
SAMPLING = SampleConfig("ddim", 2)
OPTIONS = DrawingOptions(ProtocolClips(max_frames=FRAMES), device="cpu", sampling=SAMPLING)


def drawn_with(**changes):
    return replace(OPTIONS, sampling=replace(SAMPLING, **changes))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A network this small is slower on many threads, and on a busy machine far slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(shared_data, landmark_task, tmp_path_factory):
    """Two real clips, prepared at 32 x 32."""
    out = tmp_path_factory.mktemp("data") / "set"
    paths = [shared_data / "clips" / f"{name}.webm" for name in CLIPS]
    rows = [ManifestRow(p.stem, str(p), p.name, split="test", end=0.5) for p in paths]
    options = PrepOptions(image_size=32, limits=Limits(min_seconds=0.2))
    assert [row["status"] for row in prepare_rows(out, rows, options)] == ["ok", "ok"]
    return out


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    """A minuscule model that was never trained."""
    unet = UNetConfig(
        image_size=16,
        base_channels=8,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_resolutions=(),
        norm_groups=4,
    )
    preset = Preset("least", unet, DiffusionConfig(), TrainConfig(1, 1, 1e-3), speech_hidden=8)
    speech = SpeechFormat.of(read_json(data / "dataset.json")["speech"])
    torch.manual_seed(0)
    model = TalkingHead(preset, speech)
    for parameter in model.parameters():  # layers that begin at zero would hide the conditions
        torch.nn.init.normal_(parameter, std=0.2)
    path = tmp_path_factory.mktemp("run") / "checkpoint-0000003.safetensors"
    state = TrainingState(model, deepcopy(model), torch.optim.Adam(model.parameters()), step=3)
    save(path, state, CheckpointInfo(preset, speech, step=3, seed=0))
    return path


@pytest.fixture(scope="module")
def made(data, checkpoint, tmp_path_factory):
    """The videos of both clips; not to be changed."""
    out = tmp_path_factory.mktemp("made") / "videos"
    assert len(list(generate_clips(data, checkpoint, out, OPTIONS))) == 2
    return out


@pytest.fixture
def videos(made, tmp_path):
    """A copy of them."""
    return shutil.copytree(made, tmp_path / "videos")


def state(folder):
    return {p.name: (p.stat().st_mtime_ns, sha256_file(p)) for p in folder.iterdir()}


def test_every_clip_has_a_video_of_its_name_length_and_sound(data, made):
    assert {path.stem for path in made.glob("*.mp4")} == set(CLIPS)
    for sample in read_samples(data, "test"):
        path = made / f"{sample.key}.mp4"
        frames = list(read_frames(path))
        assert (len(frames), frames[0].shape) == (FRAMES, (16, 16, 3))
        sound = read_audio(path).samples[: FRAMES * 640].astype(float)
        own = sample.audio[: FRAMES * 640].astype(float)
        assert len(sound) == len(own)
        assert np.corrcoef(sound, own)[0, 1] > 0.95  # AAC is not lossless
        with av.open(str(path)) as container:
            assert container.metadata["comment"].startswith("SYNTHETIC MEDIA")
            assert container.streams.audio[0].rate == 16_000


def test_the_recipe_lies_beside_the_videos(data, checkpoint, made):
    recipe = read_json(made / "generate.json")
    assert recipe == {
        "checkpoint": str(checkpoint),
        "checkpoint_sha256": sha256_file(checkpoint),
        "preset": "least",
        "step": 3,
        "sampler": "ddim",
        "steps": 2,
        "spacing": "auto",
        "start": "previous",  # it predicts the noise
        "start_step": 600,
        "noise_correlation": 0.0,
        "reanchor": 0,
        "seed": 0,
        "precision": "float32",
        "data": str(data),
        "data_sha256": sha256_file(data / "dataset.json"),
        "split": "test",
        "max_frames": FRAMES,
        "format": "mp4",
    }


def test_the_recipe_and_the_videos_say_what_auto_was(data, checkpoint, tmp_path):
    sampling = SampleConfig(seed=5)
    options = DrawingOptions(ProtocolClips(max_frames=1, clips=1), device="cpu", sampling=sampling)
    (path,) = generate_clips(data, checkpoint, tmp_path / "out", options)
    recipe = read_json(tmp_path / "out" / "generate.json")
    drawn = [recipe[name] for name in ("sampler", "steps", "start", "start_step")]
    assert drawn == ["sde", 10, "previous", 800]  # it predicts the noise
    with av.open(str(path)) as container:
        recorded = [container.metadata[name] for name in ("sampler", "sampler_steps", "seed")]
        assert recorded == ["sde", "10", "5"]
    named = replace(
        options, sampling=replace(sampling, sampler="sde", steps=10)
    )  # the same recipe by its name
    assert list(generate_clips(data, checkpoint, tmp_path / "out", named)) == []


def test_how_frames_are_drawn_can_be_said(data, checkpoint, tmp_path, monkeypatch):
    out = tmp_path / "out"
    words = ["--data", data, "--checkpoint", checkpoint, "--out", out, "--device", "cpu"]
    words += ["--clips", 1, "--max-frames", 1, "--sampler", "ddim", "--steps", 2]
    words += ["--start", "noise", "--noise-correlation", 0.3, "--reanchor", 5]
    monkeypatch.setattr(sys, "argv", ["dh-bench", "generate", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    recipe = read_json(out / "generate.json")
    names = ("sampler", "steps", "start", "start_step", "noise_correlation", "reanchor")
    assert [recipe[name] for name in names] == ["ddim", 2, "noise", 0, 0.3, 5]


def test_a_folder_begun_before_reanchoring_could_be_said_is_carried_on(data, checkpoint, videos):
    recipe = read_json(videos / "generate.json")
    del recipe["reanchor"]
    write_json(videos / "generate.json", recipe)
    assert list(generate_clips(data, checkpoint, videos, OPTIONS)) == []
    with pytest.raises(UserError, match=r"another recipe \(reanchor 0 is now 15\)"):
        list(generate_clips(data, checkpoint, videos, drawn_with(reanchor=15)))


def difference(one, other, key):
    """The mean difference between two videos of a clip, in levels of 255.

    Rounding, which differs with the batch and the processor, moves a pixel by a level here and
    there, which the encoder may spread; other noise moves all of them, see the test of the seed.
    """
    stacks = [np.stack(list(read_frames(folder / f"{key}.mp4"))) for folder in (one, other)]
    return np.abs(stacks[0].astype(int) - stacks[1]).mean()


def test_another_seed_draws_another_video(data, checkpoint, made, tmp_path):
    for path in generate_clips(data, checkpoint, tmp_path, drawn_with(seed=1)):
        assert difference(made, tmp_path, path.stem) > 10


def test_what_is_there_is_kept_and_what_was_lost_comes_back(data, checkpoint, made, videos):
    before = state(videos)
    assert list(generate_clips(data, checkpoint, videos, OPTIONS)) == []
    assert state(videos) == before
    for lost in CLIPS:
        (videos / f"{lost}.mp4").unlink()
        assert [clip.key for _, clip in missing_clips(data, videos, OPTIONS.clips)] == [lost]
        assert list(generate_clips(data, checkpoint, videos, OPTIONS)) == [videos / f"{lost}.mp4"]
        assert difference(made, videos, lost) < 1
        after = state(videos)
        assert all(after[name] == before[name] for name in after if name != f"{lost}.mp4")
        before = after


def test_a_video_is_the_same_whatever_is_drawn_beside_it(data, checkpoint, made, tmp_path):
    for batch, clips in ((1, None), (8, 1)):
        out = tmp_path / f"{batch}-{clips}"
        options = replace(OPTIONS, batch=batch, clips=replace(OPTIONS.clips, clips=clips))
        paths = list(generate_clips(data, checkpoint, out, options))
        assert len(paths) == (clips or 2)
        assert all(difference(made, out, path.stem) < 1 for path in paths)


def test_an_interrupted_run_leaves_whole_videos_and_carries_on(data, checkpoint, tmp_path):
    options = replace(OPTIONS, batch=1, sampling=SampleConfig(steps=1))
    run = generate_clips(data, checkpoint, tmp_path, options)
    first = next(run)
    run.close()
    before = state(tmp_path)
    assert set(before) == {"generate.json", first.name}
    assert len(list(generate_clips(data, checkpoint, tmp_path, options))) == 1
    assert state(tmp_path)[first.name] == before[first.name]


def test_another_recipe_and_other_files_are_refused(data, checkpoint, videos, tmp_path):
    before = state(videos)
    other = drawn_with(steps=3)
    with pytest.raises(UserError, match=r"another recipe \(steps 2 is now 3\); use another --out"):
        list(generate_clips(data, checkpoint, videos, other))
    moved = shutil.copytree(checkpoint.parent, tmp_path / "moved") / checkpoint.name
    assert list(generate_clips(data, moved, videos, OPTIONS)) == []  # the same, elsewhere
    assert state(videos) == before
    (videos / "generate.json").unlink()
    with pytest.raises(UserError, match="holds other files"):
        list(generate_clips(data, checkpoint, videos, OPTIONS))
    with pytest.raises(UserError, match="is a file"):
        list(generate_clips(data, checkpoint, checkpoint, OPTIONS))


def test_what_cannot_be_used_is_one_sentence_and_writes_nothing(data, checkpoint, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match="no clip of split 'val'"):
        list(generate_clips(data, checkpoint, out, DrawingOptions(ProtocolClips("val"))))
    copy = shutil.copytree(data, tmp_path / "copy")
    described = read_json(copy / "dataset.json")
    described["speech"]["steps"] = 20
    write_json(copy / "dataset.json", described)
    with pytest.raises(UserError, match=r"features mfcc of 18 x 13, .* has mfcc of 20 x 13;"):
        list(generate_clips(copy, checkpoint, out, OPTIONS))
    described["speech"]["name"] = "released"
    write_json(copy / "dataset.json", described)
    with pytest.raises(UserError, match=r"features mfcc of 18 x 13, .* has released of"):
        list(generate_clips(copy, checkpoint, out, OPTIONS))
    assert not out.exists()
    shard = next(data.glob("*.tar"))
    (tmp_path / "copy" / shard.name).write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(UserError, match="dh-prep check"):
        list(missing_clips(copy, out, OPTIONS.clips))


def test_the_command_then_score(data, checkpoint, tmp_path, monkeypatch, capsys):
    out = tmp_path / "videos"
    arguments = ("--data", data, "--checkpoint", checkpoint, "--out", out, "--steps", 1)
    command = ["dh-bench", "generate", *arguments, "--max-frames", 4, "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    with pytest.raises(SystemExit) as exit_:
        main()
    assert not exit_.value.code
    assert f"wrote 2 videos to {out}" in capsys.readouterr().out
    scores = score(data, out, ScoreOptions(metrics=("ssim", "psnr"), workers=1))
    assert [row["status"] for row in scores["clips"]] == ["ok", "ok"]
    assert {row["frames_fake"] for row in scores["clips"]} == {4}
    assert {row["size_compared"] for row in scores["clips"]} == {"32x32"}
    assert scores["metrics"]["ssim"]["n"] == 2
