"""The estimate for clusters: its page holds what it prints, and its parts add up."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.speed.cluster import DATA_SETS, HEADINGS, Parts, estimates, preparation, training
from benchmarks.speed.harness import markdown

PAGE = Path(__file__).parents[3] / "docs" / "clusters.md"


@pytest.mark.parametrize("parts", [Parts(), Parts(gpu_tflops=100)], ids=["authors", "faster"])
def test_the_page_holds_what_the_script_prints(parts: Parts):
    assert markdown(HEADINGS, estimates(parts)) in PAGE.read_text(encoding="utf-8")


def test_eight_gpus_of_the_authors_take_what_they_took():
    for name, days in (("CREMA-D", 8), ("LRW", 20)):
        assert sum(training(DATA_SETS[name], 8, Parts()).values()) / 86400 == pytest.approx(
            days, rel=0.05
        )


def test_more_machines_halve_the_work_until_something_else_is_the_bound():
    data, parts = DATA_SETS["VoxCeleb2"], Parts()
    one, two = (preparation(data, gpus, parts) for gpus in (1, 2))
    assert two["processors"] == one["processors"] / 2
    assert two["disk"] == one["disk"]
    few = preparation(DATA_SETS["CREMA-D"], 64, parts)["processors"]
    assert few == preparation(DATA_SETS["CREMA-D"], 1000, parts)["processors"]  # 233 shards
    slow = replace(parts, network_gbs=parts.network_gbs / 2)
    assert training(data, 64, slow)["gradients"] == 2 * training(data, 64, parts)["gradients"]
    assert training(data, 1, parts)["gradients"] == 0
