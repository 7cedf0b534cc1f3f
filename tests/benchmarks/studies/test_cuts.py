"""The comparison of cut detectors: what is joined and changed, and what counts as found."""

import numpy as np
import pandas as pd
import pytest
from skimage.data import astronaut, chelsea

from benchmarks.studies.cuts import cells, changes, judged, our_cuts, scenedetect_cuts


@pytest.fixture(scope="module")
def shots():
    """Two shots of 30 frames of 256 x 256 that move by a pixel a frame."""
    pictures = astronaut()[:256], chelsea()[:256]
    return [
        [np.ascontiguousarray(picture[:256, k : k + 256]) for k in range(30)]
        for picture in pictures
    ]


def test_all_detectors_find_a_hard_cut_to_the_frame(shots):
    joined = [*shots[0], *shots[1]]
    assert our_cuts(joined) == [30]
    for kind, threshold in (("Adaptive", 3.0), ("Content", 27.0)):
        pytest.importorskip("scenedetect")
        assert scenedetect_cuts(kind, threshold, joined) == [30]


@pytest.mark.parametrize("name", changes())
def test_a_changed_shot_has_no_cut_and_other_pictures(shots, name):
    changed = changes()[name](shots[0])
    assert our_cuts(changed) == []
    assert all(frame.shape == (256, 256, 3) and frame.dtype == np.uint8 for frame in changed)
    same = len(changed) == 30 and all(map(np.array_equal, changed, shots[0]))
    assert same == (name == "as it is")


def test_hits_misses_and_false_cuts_are_counted(shots):
    rows = [
        judged("ours", "found: joins", lambda _, f=found: f, shots[0], {3})
        for found in ([3], [4], [3, 9])
    ]
    rows.append(judged("ours", "false cuts: single", lambda _: [5, 7], shots[0], set()))
    found = dict(cells(pd.DataFrame(rows)))
    assert (found["precision"], found["recall"], found["F1"]) == ("0.500", "0.667", "0.571")
    assert (found["found: joins"], found["false cuts: single"]) == ("66.7 %", "2")
