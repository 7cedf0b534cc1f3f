"""The cards of metrics on the report."""

from __future__ import annotations

from benchmarks.report.metric_cards import metric_cards
from tests.benchmarks.made_up import made_up_scores


def test_a_number_of_the_set_is_drawn_beside_a_real_one_of_zero():
    """A lag of the real clips is most often 0: a value like any other."""
    scores = made_up_scores()
    row = scores["metrics"]["fid"]
    scores["metrics"] = {"lip_lag": {**row, "label": "Lip lag", "direction": "closer"}}
    assert "<svg" not in metric_cards([scores], {})  # one dot on an axis of its own
    scores["metrics"]["lip_lag"]["real"] = 0.0
    drawn = metric_cards([scores], {})
    assert "<title>real 0</title>" in drawn
