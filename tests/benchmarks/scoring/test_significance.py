"""Differences beyond noise: against closed forms, by their error rates, and in what is refused."""

import json

import numpy as np
import pytest
from scipy import stats

from benchmarks.scoring.significance import compare_scores
from benchmarks.tables.comparison import WRITERS, comparison_table
from benchmarks.tables.render import to_html, to_markdown, write_each
from pipeline.errors import UserError
from tests.benchmarks.made_up import NO_WEIGHTS, made_up_scores, without


def only(scores, values, real=None, direction="higher", name="ssim"):
    """The same scores with one metric, its values a clip given."""
    row = scores["metrics"][name] | {"direction": direction}
    clips = [
        {
            "clip_id": f"c{index}",
            "status": "ok",
            "values": {name: float(value)},
            "real_values": {} if real is None else {name: float(real[index])},
        }
        for index, value in enumerate(values)
    ]
    return scores | {"metrics": {name: row}, "clips": clips}


def by_metric(comparison):
    return {one.metric: one for one in comparison.differences}


def test_gain_and_interval_agree_with_student_s_paired_t():
    rng = np.random.default_rng(3)
    base = rng.normal(0.7, 0.05, 200)  # clips differ far more than systems do
    a, b = base + rng.normal(0.004, 0.01, 200), base + rng.normal(0, 0.01, 200)
    one = compare_scores(only(made_up_scores(), a), only(made_up_scores(), b)).differences[0]
    student = stats.ttest_rel(a, b)
    low, high = student.confidence_interval()
    assert one.gain == pytest.approx(np.mean(a - b), abs=1e-12)
    assert one.ci95 == pytest.approx((low, high), abs=2e-4)
    assert one.p == pytest.approx(student.pvalue, abs=2e-3)
    assert one.verdict == "better"
    # Unpaired, the same numbers would tell nothing.
    assert stats.ttest_ind(a, b).pvalue > 0.2


def test_a_lower_value_wins_where_lower_is_better():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 0.1, 50), rng.normal(2, 0.1, 50)
    pair = [only(made_up_scores(), values, direction="lower") for values in (a, b)]
    assert compare_scores(*pair).differences[0].verdict == "worse"
    assert compare_scores(*pair[::-1]).differences[0].verdict == "better"


def test_closer_is_judged_by_the_distance_of_the_means_to_the_real_mean():
    rng = np.random.default_rng(1)
    real = rng.normal(70, 4, 80)
    # A scatters about the real values, B is steady and 3 too low: the set of A is the nearer one.
    a, b = real + rng.normal(0, 4, 80), real - 3
    pair = [only(made_up_scores(), v, real, "closer", "ofm") for v in (a, b)]
    one = compare_scores(*pair).differences[0]
    expected = abs(b.mean() - real.mean()) - abs(a.mean() - real.mean())
    assert one.gain == pytest.approx(expected)
    assert one.real == pytest.approx(real.mean())
    assert one.verdict == "better"


def test_the_same_system_is_never_better_than_itself():
    for one in compare_scores(made_up_scores(), made_up_scores()).differences:
        assert one.verdict == "within noise"
        assert one.p in {None, 1.0}


@pytest.mark.slow
def test_false_alarms_stay_below_five_in_a_hundred_over_all_metrics_together():
    alarms = 0
    for seed in range(60):
        clips = 60 if seed % 2 else 10
        pair = [made_up_scores(method=name, clips=clips, seed=seed) for name in ("one", "two")]
        found = compare_scores(*pair, resamples=1000).differences
        alarms += any(one.verdict in {"better", "worse"} for one in found if one.p is not None)
    # Of 60 at 5 %: more than 8 has a chance of 0.4 %.
    assert alarms <= 8


@pytest.mark.parametrize(
    ("clips", "verdict"), [(2, "unknown"), (5, "unknown"), (6, "better"), (9, "better")]
)
def test_few_clips_show_no_more_than_a_sign_test_of_them_could(clips: int, verdict: str):
    values = np.linspace(0.6, 0.7, clips)  # A is better in every one of them
    pair = [only(made_up_scores(), values + gain) for gain in (0.1, 0.0)]
    (one,) = compare_scores(*pair).differences
    assert one.p == pytest.approx(stats.binomtest(0, clips).pvalue)
    assert one.verdict == verdict
    assert one.note.startswith("too few clips: 6 or more can tell") == (clips < 6)


def test_a_true_difference_is_found_in_every_metric_of_a_clip():
    better = made_up_scores(method="one", clips=40, shift=0.5)
    found = by_metric(compare_scores(better, made_up_scores(method="two", clips=40)))
    for name in ("ssim", "psnr", "av_confidence"):
        assert found[name].verdict == "better"
    assert found["ofm"].verdict == "worse"  # it moved away from the real clips


def test_holm_asks_more_of_many_metrics():
    """One p between 5 % / 2 and 5 %: enough alone, not beside another metric without effect."""
    rng = np.random.default_rng(5)
    base = np.zeros(100)
    a = rng.normal(0, 1, 100)
    a += 2.1 / 10 * a.std(ddof=1) - a.mean()  # t = 2.1: p = 0.038
    alone = compare_scores(only(made_up_scores(), a), only(made_up_scores(), base))
    assert 0.025 < alone.differences[0].p < 0.05
    assert alone.differences[0].verdict == "better"
    first, second = only(made_up_scores(), a), only(made_up_scores(), base)
    for scores in (first, second):
        scores["metrics"]["psnr"] = scores["metrics"]["ssim"] | {"label": "PSNR"}
        noise = np.random.default_rng(7).normal(size=100)
        for index, clip in enumerate(scores["clips"]):
            wobble = (-1) ** index * (scores is first)
            clip["values"]["psnr"] = float(noise[index] + wobble)
    both = by_metric(compare_scores(first, second))
    assert both["psnr"].p > 0.5
    assert both["ssim"].verdict == "within noise"


def test_numbers_of_a_whole_set_are_kept_apart_by_their_intervals_or_not_at_all():
    a, b = made_up_scores(method="one"), made_up_scores(method="two")
    a["metrics"]["fvd"] |= {"mean": 100.0, "ci95": [90.0, 110.0]}
    b["metrics"]["fvd"] |= {"mean": 150.0, "ci95": [140.0, 160.0]}
    b["metrics"]["fid"] |= {"mean": 30.0, "ci95": None}
    found = by_metric(compare_scores(a, b))
    assert (found["fvd"].verdict, found["fvd"].gain) == ("better", 50.0)
    assert found["fvd"].p is None
    assert found["fid"].verdict == "unknown"
    assert "cannot be tested" in found["fid"].note
    b["metrics"]["fvd"]["ci95"] = [105.0, 160.0]
    assert by_metric(compare_scores(a, b))["fvd"].verdict == "within noise"


def test_what_cannot_be_compared_says_why():
    a, b = made_up_scores(), without(made_up_scores(method="two"), "av_confidence")
    found = by_metric(compare_scores(a, b))
    assert found["av_confidence"].verdict == "unknown"
    assert found["av_confidence"].note == NO_WEIGHTS
    for clip in b["clips"]:
        clip["clip_id"] += "-other"
    with pytest.raises(UserError, match="tiny and two have no scored clip in common"):
        compare_scores(a, b)


def test_only_common_clips_count_and_unlike_protocols_are_shown():
    a, b = made_up_scores(clips=12), made_up_scores(method="two", clips=9)
    b["metrics"]["ssim"]["protocol"] = "another"
    b["protocol"] = "compared at 256x256"
    b["dataset"] = "LRW"
    comparison = compare_scores(a, b)
    found = by_metric(comparison)
    assert comparison.clips == found["ssim"].clips == 9
    assert found["ssim"].note == (
        "measured by different protocols; only 9 clips: the interval is too narrow"
    )
    notes = " ".join(comparison.notes)
    assert "compared at 128x128 | compared at 256x256" in notes
    assert "CREMA and LRW" in notes
    assert "Holm" in notes


def test_protocols_that_differ_by_numbers_of_clips_and_frames_are_alike():
    pair = made_up_scores(clips=12), made_up_scores(method="two", clips=12)
    pair[0]["metrics"]["ssim"]["protocol"] = "fid_all_n12: how; of 5 real and 6 generated frames"
    pair[1]["metrics"]["ssim"]["protocol"] = "fid_all_n9: how; of 50 real and 60 generated frames"
    assert by_metric(compare_scores(*pair))["ssim"].note == ""


def test_a_set_s_own_number_that_is_no_mean_over_clips_is_shown():
    a, b = made_up_scores(clips=20), made_up_scores(method="two", clips=20)
    a["metrics"]["blinks_per_second"]["mean"] = 0.5  # a median, say
    found = by_metric(compare_scores(a, b))
    own = b["metrics"]["blinks_per_second"]["mean"]
    assert found["blinks_per_second"].note == (
        f"tested on means over clips; the sets' own numbers are 0.500 and {own:.3f}"
    )
    assert found["ssim"].note == ""


def test_many_clips_take_fewer_draws_and_say_so(monkeypatch):
    monkeypatch.setattr("benchmarks.scoring.significance._MOST_DRAWS", 10**6)
    pair = [only(made_up_scores(), np.arange(500) % k) for k in (7, 9)]
    comparison = compare_scores(*pair)
    assert comparison.differences[0].verdict == "worse"
    assert "2,000 of them, seed 0" in comparison.notes[0]


def test_written_as_json_and_markdown_and_nothing_else(tmp_path):
    pair = made_up_scores(method="a|<b>"), made_up_scores(method="two", shift=1.0)
    comparison = compare_scores(*pair)
    write_each([tmp_path / "c.json"], WRITERS, comparison)
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["clips"] == 12
    assert {d["metric"] for d in content["differences"]} == set(pair[0]["metrics"])
    write_each([tmp_path / "c.md"], WRITERS, comparison)
    markdown = (tmp_path / "c.md").read_text()
    assert markdown == to_markdown(comparison_table(comparison))
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(comparison.differences)
    assert {row.count("|") for row in rows} == {10}
    assert "<b>" not in markdown
    page = to_html(comparison_table(comparison))
    assert "worse" in page
    assert f"<td>−{abs(content['differences'][0]['gain']):.3f}</td>" in page
    with pytest.raises(UserError, match=r"ends in \.json, \.md"):
        write_each([tmp_path / "c.txt"], WRITERS, comparison)
