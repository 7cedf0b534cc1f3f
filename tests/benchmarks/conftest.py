"""A small data set for tests of the test protocol with other systems."""

from __future__ import annotations

import pytest

from pipeline.limits import Limits
from pipeline.manifest import ManifestRow
from pipeline.options import PrepOptions
from pipeline.plan import claim, plan_shards
from pipeline.run import finish, pending, run_tasks
from pipeline.shards import read_samples
from tests.datasets import write_talker

CLIPS = ("ada", "bob", "cy", "dee")


@pytest.fixture(scope="session")
def stand_in_data(landmark_task, tmp_path_factory):
    """Four clips of a face from a public-domain photograph, two speakers, 12 frames of 64 x 64."""
    folder = tmp_path_factory.mktemp("raw")
    out = folder / "set"
    rows = []
    for index, clip in enumerate(CLIPS):
        path = folder / f"{clip}-take.mp4"
        write_talker(path, 12, shift=index)
        rows.append(ManifestRow(clip, str(path), path.name, speaker="AB"[index % 2], split="test"))
    options = PrepOptions(image_size=64, limits=Limits(min_seconds=0.2), clips_per_shard=2)
    shards = plan_shards(rows, options.clips_per_shard)
    claim(out, shards, options)
    for _ in run_tasks(out, pending(out, shards, retry_failed=False), options, workers=0):
        pass
    finish(out, shards, options)
    assert [sample.key for sample in read_samples(out, "test")] == list(CLIPS)
    return out
