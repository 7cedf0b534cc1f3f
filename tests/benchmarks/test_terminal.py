"""Scores as they are read on a terminal."""

from __future__ import annotations

from benchmarks.terminal import print_scores
from tests.benchmarks.made_up import made_up_scores

REMEDY = "cannot fetch syncnet_v2.model: put it into a folder, [name] it with --weights-dir"


def test_what_was_not_measured_says_why_and_once_for_each_reason(capsys):
    scores = made_up_scores()
    for name, reason in (("ofm", REMEDY), ("av_confidence", REMEDY), ("fvd", "too short")):
        lost = {"mean": None, "ci95": None, "n": 0, "reason": reason, "protocol": "as ever"}
        scores["metrics"][name] |= lost
    print_scores(scores)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("not measured: ")] == [
        "not measured: FVD: too short",
        f"not measured: OFM, AV confidence: {REMEDY}",
    ]
    assert sum("n/a" in line for line in lines) == 3
    assert not any("as ever" in line for line in lines)
    ssim = scores["metrics"]["ssim"]
    assert any(f"{ssim['mean']:.4f}" in line for line in lines)
    assert any(line.startswith(f"SSIM: {ssim['protocol'][:30]}") for line in lines)
