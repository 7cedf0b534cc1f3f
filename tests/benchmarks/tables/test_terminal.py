"""What is printed: names as they are, whatever rich would make of them, and what is missing."""

import pytest

from benchmarks.scoring.significance import compare_scores
from benchmarks.tables.comparison import comparison_table
from benchmarks.tables.paper_tables import build_table
from benchmarks.tables.render import print_table
from benchmarks.tables.scores_text import print_scores
from tests.benchmarks.made_up import made_up_scores

REMEDY = "cannot fetch syncnet_v2.model: put it into a folder, [name] it with --weights-dir"
NAMES = ("ours [64px]", "ours [/bold]", "[red]ours")


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_printed_under_their_own_name(name: str, capsys: pytest.CaptureFixture[str]):
    print_scores(made_up_scores(dataset=f"set {name}", method=name))
    assert f"{name} on set {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_compared_systems_keep_their_names(name: str, capsys: pytest.CaptureFixture[str]):
    pair = made_up_scores(method=name), made_up_scores(method="b")
    print_table(comparison_table(compare_scores(*pair)))
    assert f"A: {name}, B: b, over 12 common clips" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_of_ones_own_heads_its_columns(name: str, capsys: pytest.CaptureFixture[str]):
    print_table(build_table("v1", [made_up_scores(dataset=name)]))
    assert name in capsys.readouterr().out


def test_what_was_not_measured_says_why_and_once_for_each_reason(capsys):
    scores = made_up_scores()
    for name, reason in (("ofm", REMEDY), ("av_confidence", REMEDY), ("fvd", "too short")):
        lost = {"mean": None, "ci95": None, "n": 0, "reason": reason, "protocol": "as ever"}
        scores["metrics"][name] |= lost
    print_scores(scores)
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("not measured (2):") + 1
    assert lines[first : first + 2] == [
        "  FVD: too short",
        f"  OFM, AV confidence: {REMEDY}",
    ]
    assert not any("as ever" in line for line in lines)
    ssim = scores["metrics"]["ssim"]
    assert any(f"{ssim['mean']:.4f}" in line for line in lines)
    assert any(line.startswith(f"SSIM: {ssim['protocol'][:30]}") for line in lines)
