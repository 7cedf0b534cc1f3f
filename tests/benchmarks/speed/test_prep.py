"""The speed of preparation: what is subtracted and divided, and a whole run."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.speed.prep import (
    FLOOR,
    STEADY,
    USUAL,
    WHOLE,
    Timings,
    prep,
    rate_rows,
    stage_rows,
)


@pytest.fixture
def timings():
    """10 s of 1000 frames on 1 worker, 6 s on 2, 2 s of each start-up; the floor takes 4 s."""
    timings = Timings(frames=1000)
    for jitter in (-1, 0, 1):
        for workers, seconds in ((1, 10), (2, 6)):
            timings.rates[prep(workers, WHOLE)].append(1000 / (seconds + jitter))
            timings.rates[prep(workers, STEADY)].append(1000 / (seconds - 2 + jitter))
            rows = {
                "frames": [600, 400],
                "seconds_decode": [1.5, 1.5],
                "seconds_align": [1.0, np.nan],
            }
            timings.rows[workers].append(pd.DataFrame(rows))
        timings.rates[FLOOR].append(1000 / (4 + jitter))
        timings.rates[USUAL].append(1)
    return timings


def test_rates_are_medians_and_ratios_theirs(timings):
    rows = {name: cells for name, *cells in rate_rows(timings)}
    assert rows["dh-prep, 1 worker, whole command"] == ["100.0", "0.40", "100.0"]
    assert rows["dh-prep, 2 workers, without start-up"] == ["250.0", "1.00", "250.0"]
    assert rows[FLOOR] == ["250.0", "1.00", "250.0"]
    assert rows[USUAL] == ["1.0", "0.00", "1.0"]


def test_stages_and_the_rest_add_up_to_the_time_of_the_workers(timings):
    rows = {name: [float(cell) for cell in cells] for name, *cells in stage_rows(timings)}
    assert rows["decode"] == [3, 3]
    assert rows["align"] == [1, 1]
    assert rows["all without start-up"] == [8, 8]
    assert rows["hashing, packing, tar, rows, Ray, waiting at the end"] == [4, 4]
    assert rows["start-up"] == [2, 4]


@pytest.mark.slow
def test_the_script_times_everything_on_two_clips(script, clips, landmark_task):
    printed, rows = script("prep.py", clips, "--repeat", 1, "--frames-for-slow", 1)
    assert "2 clips, 50 frames, 1 for the usual script" in printed
    assert (rows[FLOOR][1], rows[USUAL][2]) == ("1.00", "1.0")
    assert all(float(cell) > 0 for name in ("decode", "landmarks") for cell in rows[name])
