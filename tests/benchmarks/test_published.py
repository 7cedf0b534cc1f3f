"""The published numbers: complete, spelt as printed, and ranked by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.published import PUBLISHED_CSV, Published, ranks, read_published, same_name

SYSTEMS = ["SDA", "Wav2Lip", "MakeItTalk", "PC-AVS", "EAMM", "Diffused Heads"]


def value(table, dataset, method, metric):
    found = [
        entry.value
        for entry in read_published(table)
        if (entry.dataset, entry.method, entry.metric) == (dataset, method, metric)
    ]
    assert len(found) == 1
    return found[0]


def test_first_version_has_all_six_systems_in_order():
    entries = read_published("v1")
    assert list(dict.fromkeys(entry.method for entry in entries)) == SYSTEMS
    assert len(entries) == 6 * 4
    assert [entry.value for entry in entries if entry.method == "Diffused Heads"] == [
        "0.62",
        "19.11",
        "0.74",
        "23.43",
    ]
    assert value("v1", "CREMA", "SDA", "SSIM") == "0.70"  # the digits as printed
    assert value("v1", "CREMA", "EAMM", "PSNR") == ""


def test_published_version_has_nine_metrics_of_six_systems_and_the_truth():
    entries = read_published("v2")
    counts = Counter((entry.dataset, entry.method) for entry in entries)
    assert counts.pop(("LRW", "GT")) == counts.pop(("CREMA", "GT")) == 6
    assert set(counts.values()) == {9}
    assert len(counts) == 12
    assert value("v2", "CREMA", "Diffused Heads", "FVD") == "88.61"
    assert value("v2", "LRW", "SDA", "AV offset") == "1"
    assert value("v2", "CREMA", "Wav2Lip", "Blink dur. (s)") == ""


def test_no_number_is_there_twice_and_each_has_a_source_and_direction():
    lines = PUBLISHED_CSV.read_text().splitlines()
    tables = sorted({line.split(",")[0] for line in lines[1:]})
    assert tables == ["ablation", "dawn", "v1", "v2"]
    entries = [entry for table in tables for entry in read_published(table)]
    assert len(entries) == len(lines) - 1
    keys = Counter((e.table, e.dataset, e.method, e.metric) for e in entries)
    assert set(keys.values()) == {1}
    for entry in entries:
        assert entry.source
        assert entry.direction in {"higher", "lower", "closest"}
        if entry.value:
            float(entry.value)


def test_the_ten_test_actors():
    lines = PUBLISHED_CSV.with_name("crema_test_actors.csv").read_text().split()
    assert lines[0] == "actor"
    assert lines[1:] == [f"10{n}" for n in (15, 20, 21, 30, 33, 52, 62, 81, 82, 89)]


def column(direction, **values):
    return [Published("t", "D", m, "M", v, direction, "s") for m, v in values.items()]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("higher", {"c": 1, "b": 2}),
        ("lower", {"a": 1, "d": 1, "b": 2}),
    ],
)
def test_ranks_share_ties_and_pass_over_what_is_not_reported(direction, expected):
    assert ranks(column(direction, a="1", b="2", c="3", d="1.0", e="")) == expected


def test_closest_to_the_truth_is_best_and_the_truth_is_not_ranked():
    entries = column("closest", a="0.28", b="0.24", c="0.27", d="0.9", GT="0.26")
    assert ranks(entries) == {"c": 1, "a": 2, "b": 2}
    with pytest.raises(ValueError, match="no ground truth"):
        ranks(entries[:-1])


def test_names_of_data_sets():
    assert same_name("crema-d", "CREMA")
    assert same_name("Lrw", "LRW")
    assert not same_name("LRW", "LRS3")
