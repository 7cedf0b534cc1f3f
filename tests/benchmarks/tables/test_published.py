"""The published numbers: complete, spelt as printed, and ranked by hand."""

import re
from collections import Counter

import pytest

from benchmarks.scoring.results import same_name
from benchmarks.tables.published import PUBLISHED_CSV, ranks, read_published

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
    assert set(counts.values()) == {9}
    assert len(counts) == 14
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
        assert entry.direction in {"higher", "lower", "closer"}
        if entry.value:
            float(entry.value)
            assert not entry.note
        else:
            assert entry.note, entry  # an empty cell says why


def test_the_ten_test_actors():
    lines = PUBLISHED_CSV.with_name("crema_test_actors.csv").read_text().split()
    assert lines[0] == "actor"
    assert lines[1:] == [f"10{n}" for n in (15, 20, 21, 30, 33, 52, 62, 81, 82, 89)]


def tables_of(text):
    """The rows of every Markdown table in a text, as lists of cells."""
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def test_both_tables_hold_every_number_that_the_paper_prints(shared_data):
    """Against a transcript of the paper that was made by others; skips where it is absent."""
    paper = shared_data.parent / "paper.md"
    if not paper.is_file():
        pytest.skip(f"needs the transcript of the paper's tables in {paper}")
    heads = {
        "v1": [("LRW", "SSIM"), ("LRW", "PSNR"), ("CREMA", "SSIM"), ("CREMA", "PSNR")],
        "v2": ["FVD", "FID", "Blinks/s", "Blink dur. (s)", "OFM", "F-MSE", "AV offset",
               "AV confidence", "WER"],
    }  # fmt: skip
    seen = Counter()
    for row in tables_of(paper.read_text()):
        if row[0] in SYSTEMS and len(row) == 5:
            for (dataset, metric), printed in zip(heads["v1"], row[1:], strict=True):
                assert value("v1", dataset, row[0], metric) == printed.replace("-", "")
                seen["v1"] += 1
        elif row[0] in {"LRW", "CREMA"}:
            cells = (row[2:] + [""] * 9)[:9]
            for metric, printed in zip(heads["v2"], cells, strict=True):
                wanted = "" if printed == "-" else printed
                assert value("v2", row[0], row[1], metric) == wanted, (row, metric)
                seen["v2"] += 1
    assert seen == {"v1": 24, "v2": 14 * 9}


def test_the_ablation_holds_every_number_that_the_paper_prints(shared_data):
    paper = shared_data.parent / "paper.md"
    if not paper.is_file():
        pytest.skip(f"needs the transcript of the paper's tables in {paper}")
    line = next(line for line in paper.read_text().splitlines() if line.startswith("Ablation"))
    number = r"(\d*\.?\d+)"
    found = re.findall(rf"([0-3]) ([✗✓]) {number} {' '.join([number] * 5)}", line)
    assert len(found) == 8
    for m_y, mark, *printed in found:
        method = f"m_y={m_y}, {'grey' if mark == '✓' else 'no'} motion frames"
        for metric, digits in zip(
            ("CPBD", "MSE", "SSIM", "PSNR", "LMD", "WER"), printed, strict=True
        ):
            assert float(value("ablation", "LRW", method, metric)) == float(digits)
    assert len(read_published("ablation")) == 8 * 6


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("higher", {"c": 1, "b": 2}),
        ("lower", {"a": 1, "d": 1, "b": 2}),
    ],
)
def test_ranks_share_ties(direction, expected):
    assert ranks({"a": 1, "b": 2, "c": 3, "d": 1.0}, direction, {}) == expected


def test_closer_to_the_truth_is_better():
    values = {"a": 0.28, "b": 0.24, "c": 0.27, "d": 0.9}
    assert ranks(values, "closer", dict.fromkeys(values, 0.26)) == {"c": 1, "a": 2, "b": 2}
    own = {"a": 0.28, "b": 0.10, "c": 0.20, "d": 0.85}  # each scored against its own real clips
    assert ranks(values, "closer", own) == {"a": 1, "d": 2}
    with pytest.raises(ValueError, match="no ground truth"):
        ranks(values, "closer", {})


def test_names_of_data_sets_and_systems():
    assert same_name("crema-d", "CREMA")
    assert same_name("Lrw", "LRW")
    assert same_name("pc_avs", "PC-AVS")
    assert same_name("diffused heads", "Diffused Heads")
    assert not same_name("LRW", "LRS3")
