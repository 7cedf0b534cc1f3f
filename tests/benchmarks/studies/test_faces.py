"""Studies of faces: the chance to rank above, jitter, and a run over real clips."""

import numpy as np
import pytest

from benchmarks.studies.faces import jitter, landmarks, ranked_above, sharpness


def test_the_chance_to_rank_above():
    assert ranked_above([3, 4], [1, 2]) == 1
    assert ranked_above([1, 4], [2, 3]) == 0.5


def test_jitter_is_the_distance_from_the_middle_of_the_neighbours():
    points = np.zeros((6, 68, 2), np.float32)
    points[:, :, 0] = np.arange(6)[:, None]  # steady motion is no jitter
    assert jitter(points).tolist() == [0] * 4 * 68
    points[2, 7] += (0, 3)
    points[5] = np.nan
    assert sorted(jitter(points))[-3:] == [1.5, 1.5, 3]
    assert len(jitter(points)) == 3 * 68


@pytest.mark.slow
def test_real_clips_rank_above_softened_ones(shared_data, landmark_task, capsys):
    sharpness(shared_data / "clips", 40)
    landmarks(shared_data / "clips", 3, 5)
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    rows = {first: rest for first, *rest in lines}
    assert min(map(float, rows["frequency of edges (ours)"])) > 0.95
    assert rows["all"][:2] == ["3", "15"]
