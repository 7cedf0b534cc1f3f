"""A Ray cluster of several nodes, one of which dies in mid-run; fractions of GPUs."""

from pathlib import Path

import pytest

from pipeline.parallel.tasks import share_of
from tests.datasets import content, run_prep, write_talker
from tests.faults.runs import LONG, WORDS, log_of, start, wait_for


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

    assert run_prep(videos, "--out", tmp_path / "whole", *WORDS, 0).returncode == 0
    out, traces = tmp_path / "out", tmp_path / "traces"
    traces.mkdir()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        fault = ("wait", "writing", 3, traces)
        run = start(videos, out, 3, "--address", cluster.address, fault=fault)
        # All three nodes are in mid-shard, and stay there until one of them is gone.
        wait_for(run, out, *(traces / str(turn) for turn in range(3)))
        cluster.remove_node(nodes[0], allow_graceful=False)
        (traces / "go").touch()
        assert run.wait(LONG) == 0, log_of(out)
    finally:
        cluster.shutdown()
    assert content(out) == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("resources", "workers", "gpu", "share"),
    [
        ({"CPU": 2.0}, 2, False, (0.5, 0.0, 1)),
        ({"CPU": 2.0}, 1, False, (0.5, 0.0, 2)),
        ({"CPU": 2.0}, 8, False, (0.125, 0.0, 1)),  # more workers than cores start too
        ({"CPU": 64.0, "GPU": 4.0}, 64, False, (0.5, 0.0, 1)),
        ({"CPU": 64.0, "GPU": 4.0}, 16, True, (0.5, 0.25, 4)),
        ({"CPU": 64.0, "GPU": 4.0}, 2, True, (0.5, 1.0, 32)),
        ({"CPU": 8.0}, 4, True, (0.5, 0.0, 2)),  # no GPU: the backend runs on processors
    ],
)
def test_each_worker_asks_for_its_share(
    resources: dict[str, float], workers: int, gpu: bool, share: tuple[float, float, int]
):
    assert share_of(resources, workers, gpu=gpu) == share
    # All of them find a place, even when half of the processors are gone.
    assert share[0] * workers <= resources["CPU"] / 2
    assert share[1] * workers <= resources.get("GPU", 0)
