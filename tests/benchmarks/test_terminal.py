"""What is printed: names are shown as they are, whatever rich would make of them."""

from __future__ import annotations

import pytest

from benchmarks.comparison import print_comparison
from benchmarks.significance import compare_scores
from benchmarks.table import build_table
from benchmarks.terminal import print_scores, print_table
from tests.benchmarks.made_up import made_up_scores

NAMES = ("ours [64px]", "ours [/bold]", "[red]ours")


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_printed_under_their_own_name(name: str, capsys: pytest.CaptureFixture[str]):
    print_scores(made_up_scores(dataset=f"set {name}", method=name))
    assert f"{name} on set {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_compared_systems_keep_their_names(name: str, capsys: pytest.CaptureFixture[str]):
    print_comparison(compare_scores(made_up_scores(method=name), made_up_scores(method="b")))
    assert f"A: {name}, B: b, over 12 common clips" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_of_ones_own_heads_its_columns(name: str, capsys: pytest.CaptureFixture[str]):
    print_table(build_table("v1", [made_up_scores(dataset=name)]))
    assert name in capsys.readouterr().out
