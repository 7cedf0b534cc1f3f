"""A Ray cluster of several nodes, one of which dies in mid-run; fractions of GPUs."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from pipeline.cluster import Share
from tests.datasets import DH_PREP, content, run_prep, write_talker

if TYPE_CHECKING:
    from pathlib import Path

_WORDS = ("--clips-per-shard", "2", "--image-size", "64")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips: six shards."""
    folder = tmp_path_factory.mktemp("cluster") / "videos"
    for index in range(12):
        write_talker(folder / f"clip{index:02d}.mp4", 60, index)
    return folder


@pytest.mark.slow
def test_a_node_that_dies_in_mid_run_changes_no_byte(
    landmark_task: Path, videos: Path, tmp_path: Path
):
    from ray.cluster_utils import Cluster

    assert run_prep(videos, "--out", tmp_path / "whole", *_WORDS, "--workers", 0).returncode == 0
    out = tmp_path / "out"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        run = subprocess.Popen(
            [DH_PREP, "run", videos, "--out", out, *_WORDS, "--workers", "3", "--address",
             cluster.address],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        while len(list(out.glob(".shard-*.tar"))) < 3:  # all three nodes are at work
            time.sleep(0.02)
            assert run.poll() is None, run.communicate()[0]
        cluster.remove_node(nodes[0], allow_graceful=False)
        said, _ = run.communicate(timeout=180)
        assert run.returncode == 0, said
    finally:
        cluster.shutdown()
    assert content(out) == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("resources", "workers", "gpu", "share"),
    [
        ({"CPU": 2.0}, 2, False, Share(0.5, 0.0, 1)),
        ({"CPU": 2.0}, 1, False, Share(0.5, 0.0, 2)),
        ({"CPU": 2.0}, 8, False, Share(0.125, 0.0, 1)),  # more workers than cores start too
        ({"CPU": 64.0, "GPU": 4.0}, 64, False, Share(0.5, 0.0, 1)),
        ({"CPU": 64.0, "GPU": 4.0}, 16, True, Share(0.5, 0.25, 4)),
        ({"CPU": 64.0, "GPU": 4.0}, 2, True, Share(0.5, 1.0, 32)),
        ({"CPU": 8.0}, 4, True, Share(0.5, 0.0, 2)),  # no GPU: the backend runs on processors
    ],
)
def test_each_worker_asks_for_its_share(
    resources: dict[str, float], workers: int, gpu: bool, share: Share
):
    assert Share.of(resources, workers, gpu=gpu) == share
    # All of them find a place, even when half of the processors are gone.
    assert share.cpus * workers <= resources["CPU"] / 2
    assert share.gpus * workers <= resources.get("GPU", 0)
