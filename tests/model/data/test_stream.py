"""The stream of batches: the same for any number of workers and readers, from any place."""

import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.config.architecture import UNetConfig
from model.config.presets import Preset
from model.config.recipe import TrainConfig
from model.data import stream as stream_module
from model.data.stream import Clips, Lanes, batches
from model.data.training_frame import Batch
from pipeline.dataset.sample import Sample
from pipeline.dataset.shards import DATASET_FILE
from pipeline.errors import UserError
from pipeline.files import read_json, write_json

CPU = torch.device("cpu")
RECIPE = TrainConfig(steps=1, batch_size=1, learning_rate=1e-3, frames_per_clip=2)


@pytest.fixture
def config(small: Preset) -> UNetConfig:
    return small.unet


@pytest.fixture
def many(tmp_path: Path, drawn_sample: Callable[..., Sample], write_set: Callable) -> Path:
    """Eleven clips in four shards."""
    names = iter("abcdefghijk")
    shards = [("train", [drawn_sample(next(names), 3) for _ in range(n)]) for n in (4, 1, 3, 3)]
    return write_set(tmp_path / "many", shards)


def drawn(
    folder: Path,
    config: UNetConfig,
    count: int,
    *,
    lanes: int = 4,
    mine: range | None = None,
    readers: int = 0,
    seed: int = 0,
    skip: int = 0,
) -> list[Batch]:
    """The first batches after `skip`."""
    own = Lanes(Clips.of(folder), mine or range(lanes), lanes, config, RECIPE, seed=seed, skip=skip)
    return list(itertools.islice(batches(own, readers=readers, device=CPU), count))


def content(batch: Batch) -> list[tuple]:
    """What tells one row from another."""
    values = (batch.target, batch.identity, batch.motion)
    pixels = torch.cat([v.float().mean((1, 2, 3)).round()[:, None] for v in values], 1).tolist()
    return list(zip(batch.keys, map(tuple, pixels), batch.seed.tolist(), strict=True))


def contents(found: list[Batch]) -> list[list[tuple]]:
    return [content(batch) for batch in found]


# --- who reads does not matter --------------------------------------------------------------------


def test_the_order_is_that_of_the_seed(many: Path, config: UNetConfig):
    first = contents(drawn(many, config, 12, seed=3))
    assert contents(drawn(many, config, 12, seed=3)) == first
    assert contents(drawn(many, config, 12, seed=4)) != first


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_together_draw_what_one_would(many: Path, config: UNetConfig, workers: int):
    alone = contents(drawn(many, config, 10))
    for rank in range(workers):
        mine = range(rank, 4, workers)
        shared = contents(drawn(many, config, 10, mine=mine))
        assert shared == [[batch[lane] for lane in mine] for batch in alone]


@pytest.mark.slow
@pytest.mark.parametrize("readers", [1, 2, 3])
def test_readers_make_no_difference(many: Path, config: UNetConfig, readers: int):
    alone = drawn(many, config, 6)
    found = drawn(many, config, 6, readers=readers)
    for a, b in zip(alone, found, strict=True):
        assert a.keys == b.keys
        for name in ("target", "identity", "motion", "speech", "mouth", "lips", "level", "seed"):
            assert torch.equal(getattr(a, name), getattr(b, name)), name


@pytest.mark.parametrize("skip", [1, 5, 6, 40])
def test_a_stream_that_begins_later_is_the_rest_of_one_that_does_not(
    many: Path, config: UNetConfig, skip: int
):
    assert contents(drawn(many, config, 8, skip=skip)) == contents(
        drawn(many, config, skip + 8)[skip:]
    )


def test_skipping_reads_only_what_is_still_wanted(many: Path, config: UNetConfig, monkeypatch):
    opened: list[str] = []
    decode = stream_module.decode_sample
    monkeypatch.setattr(
        stream_module,
        "decode_sample",
        lambda sample: opened.append(sample["__key__"]) or decode(sample),
    )
    drawn(many, config, 1, skip=10_000)
    assert len(opened) <= 11


# --- what is read ---------------------------------------------------------------------------------


def test_every_clip_gives_its_frames_once_an_epoch(many: Path, config: UNetConfig):
    """Over all lanes, whatever their number; from lane to lane an epoch's length may differ."""
    for lanes in (1, 3, 4, 11, 16):
        clips = Clips.of(many)
        for epoch in (0, 1, 7):
            seen: Counter[int] = Counter()
            for lane in range(lanes):
                begin, end = clips.run(lane, lanes, epoch)
                seen.update(range(begin, end))
            assert seen == Counter(range(11))
    one = drawn(many, config, 11 * 2, lanes=1)
    keys = Counter(key for batch in one for key in batch.keys)
    assert keys == Counter(dict.fromkeys("abcdefghijk", 2))


def test_a_batch_holds_different_clips(many: Path, config: UNetConfig):
    for batch in drawn(many, config, 4, lanes=4):
        assert len(set(batch.keys)) == 4


def test_shards_come_in_another_order_every_epoch(many: Path, config: UNetConfig):
    keys = [batch.keys[0] for batch in drawn(many, config, 5 * 22, lanes=1)]
    orders = {tuple(dict.fromkeys(keys[begin : begin + 22])) for begin in range(0, 110, 22)}
    assert len(orders) == 5


def test_a_clips_frames_are_mixed_with_its_neighbours(many: Path, config: UNetConfig):
    keys = [batch.keys[0] for batch in drawn(many, config, 22, lanes=1)]
    assert sum(a == b for a, b in itertools.pairwise(keys)) < 8  # unmixed it would be eleven


@pytest.mark.slow
def test_the_identity_is_another_frame_of_the_same_clip(drawn_set: Path, config: UNetConfig):
    """Clip i is painted 20 + 50 i + 4 k, k < 6."""
    rows = [row for batch in drawn(drawn_set, config, 200, lanes=2) for row in content(batch)]
    for key, (target, identity, _), _ in rows:
        first = 20 + 50 * int(key[-1])
        assert {target, identity} <= set(range(first, first + 24, 4))
        assert target != identity
    # Every ordered pair of the 3 x 6 x 5 comes up, about as often as any other.
    seen = Counter((key, pixels[:2]) for key, pixels, _ in rows)
    assert len(seen) > 80
    assert max(seen.values()) < 20


@pytest.mark.slow
def test_a_share_of_frames_has_no_motion(drawn_set: Path, config: UNetConfig):
    def dropped(share: float) -> float:
        recipe = replace(RECIPE, drop_motion=share)
        frames = Lanes(Clips.of(drawn_set), range(1), 1, config, recipe, seed=0).frames(0)
        # Features are the frame's number; before the second there is no motion anyway.
        later = [f for f in itertools.islice(frames, 400) if int(f.speech[2, 0]) >= 2]
        alone = [torch.equal(f.motion, f.identity.repeat(2, 1, 1)) for f in later]
        return sum(alone) / len(alone)

    assert dropped(0) == 0
    assert dropped(1) == 1
    assert dropped(0.3) == pytest.approx(0.3, abs=0.1)


def test_the_test_split_is_never_trained_on(drawn_set: Path, config: UNetConfig):
    keys = {key for batch in drawn(drawn_set, config, 50) for key in batch.keys}
    assert keys == {"clip0", "clip1", "clip2"}
    with pytest.raises(UserError, match="no clip of split 'val'"):
        Clips.of(drawn_set, "val")


def test_a_clip_of_one_frame_is_its_own_identity(tmp_path, drawn_sample, write_set, config):
    folder = write_set(tmp_path / "one", [("train", [drawn_sample("a", 1)])])
    for batch in drawn(folder, config, 3, lanes=1):
        assert content(batch)[0][:2] == ("a", (20, 20, 20))


@pytest.mark.parametrize("shards", [[3], [1, 1, 1], [2, 1], [1]])
def test_more_lanes_than_clips_all_have_their_turn(
    tmp_path, drawn_sample, write_set, config, shards: list[int]
):
    """Nobody waits for ever."""
    names = iter("abc")
    given = [("train", [drawn_sample(next(names), 2) for _ in range(n)]) for n in shards]
    found = drawn(write_set(tmp_path / "set", given), config, 30, lanes=5)
    for lane in range(5):
        assert {batch.keys[lane] for batch in found} == set("abc"[: sum(shards)])


def test_a_name_with_braces_is_a_name(tmp_path, drawn_sample, write_set, config):
    """webdataset would expand it to several."""
    folder = write_set(tmp_path / "set{0..3}", [("train", [drawn_sample("a", 3)])])
    assert len(drawn(folder, config, 5)) == 5


def test_a_shard_with_fewer_clips_than_promised_is_told(many: Path, config: UNetConfig):
    told = read_json(many / DATASET_FILE)
    told["shards"][0]["samples"] += 2
    write_json(many / DATASET_FILE, told)
    with pytest.raises(UserError, match=r"shard-00000.tar holds fewer clips than .*dh-prep check"):
        drawn(many, config, 30, lanes=1)


@pytest.mark.slow
def test_readers_outlive_ctrl_c(many: Path, config: UNetConfig, monkeypatch):
    """A Ctrl-C at the terminal reaches them too."""

    begun = []
    start = stream_module._started
    monkeypatch.setattr(
        stream_module, "_started", lambda loader: begun.append(start(loader)) or begun[-1]
    )
    own = Lanes(Clips.of(many), range(4), 4, config, RECIPE, seed=0)
    stream = batches(own, readers=2, device=CPU)
    first = [next(stream) for _ in range(2)]
    for worker in begun[0]._workers:
        os.kill(worker.pid, signal.SIGINT)
        os.kill(worker.pid, signal.SIGTERM)
    found = first + [next(stream) for _ in range(14)]  # more than was read ahead
    assert all(worker.is_alive() for worker in begun[0]._workers)
    assert contents(found) == contents(drawn(many, config, 16))
