"""dh-bench table, compare and report as their users meet them."""

import csv
import json
import sys
from dataclasses import replace

import pytest

from benchmarks.cli.main import main
from benchmarks.scoring.score import score_to
from pipeline.files import write_json
from tests.benchmarks.made_up import made_up_scores
from tests.datasets import write_talker


@pytest.fixture
def folder(tmp_path):
    """Two scores of the same clips; the videos of the first lie beside them."""
    for method, shift in (("one", 0.0), ("two", 0.8)):
        scores = made_up_scores(method=method, clips=12, shift=shift)
        for clip in ("clip00", "clip01"):
            scores["sources"][clip] = {"real": f"{clip}.mp4", "fake": f"{clip}.mp4"}
        write_json(tmp_path / f"{method}.json", scores)
    write_talker(tmp_path / "clip00.mp4", 5)
    write_talker(tmp_path / "clip01.mp4", 5)
    return tmp_path


def bench(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["dh-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code or 0


def test_the_table_in_every_format_at_once(folder, monkeypatch, capsys):
    outs = [folder / f"t{suffix}" for suffix in (".md", ".csv", ".tex", ".html", ".json")]
    files = ("--scores", folder / "one.json", "--scores", folder / "two.json")
    words = [word for out in outs for word in ("--out", out)]
    assert bench(monkeypatch, "table", "--table", "v2", *files, *words) == 0
    assert capsys.readouterr().out.splitlines() == [f"wrote {out}" for out in outs]
    for out in outs:
        mark = r"\textsuperscript{" if out.suffix == ".tex" else " (measured here)"
        assert all(f"{name}{mark}" in out.read_text() for name in ("one", "two", "GT"))
    with outs[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["origin"] == "published" for row in rows) == 14


def test_the_ablation_on_a_terminal(monkeypatch, capsys):
    assert bench(monkeypatch, "table", "--table", "ablation") == 0
    text = capsys.readouterr().out
    assert "m_y=2, grey motion frames" in text
    assert "0.0925" in text


def test_compare_tells_on_the_terminal_and_writes(folder, monkeypatch, capsys):
    files = (folder / "one.json", folder / "two.json")
    outs = ("--out", folder / "c.json", "--out", folder / "c.md")
    monkeypatch.setenv("COLUMNS", "40")
    assert bench(monkeypatch, "compare", *files, *outs) == 0
    text = capsys.readouterr().out
    assert "A: one, B: two, over 12 common clips" in text
    assert "…" not in text
    assert "Holm" in text
    content = json.loads((folder / "c.json").read_text())
    verdicts = {one["metric"]: one["verdict"] for one in content["differences"]}
    assert verdicts["ssim"] == "worse"
    assert "worse" in (folder / "c.md").read_text()


def test_the_report_names_clips_whose_videos_are_gone(folder, monkeypatch, capsys):
    out = folder / "page.html"
    files = (folder / "one.json", folder / "two.json")
    assert bench(monkeypatch, "report", *files, "--out", out, "--clips", 1) == 0
    text = capsys.readouterr().out
    assert f"wrote {out} (" in text
    page = out.read_text()
    assert page.count("<video") + text.count("No video") == 2
    assert "Beyond noise?" in page


@pytest.mark.slow
def test_from_folders_of_videos_to_the_page_in_one_command(folder, monkeypatch, capsys):
    for clip in ("clip00", "clip01"):
        write_talker(folder / "real" / f"{clip}.mp4", 20)
        write_talker(folder / "ours" / f"{clip}.mp4", 20, shift=1)
    asked = []

    def scored(path, real, fake, options):
        asked.append((real, fake, options.method, options.dataset))
        few = replace(options, metrics=("ssim",), workers=1, cache=folder / "cache")
        return score_to(path, real, fake, few)

    monkeypatch.setattr(
        "benchmarks.scoring.score.score_to", scored
    )  # all metrics would take a minute
    out = folder / "page.html"
    folders = ("--real", folder / "real", "--fake", folder / "ours")
    assert bench(monkeypatch, "report", *folders, "--dataset", "CREMA", "--out", out) == 0
    assert asked == [(folder / "real", folder / "ours", "ours", "CREMA")]
    assert json.loads((folder / "page-ours.json").read_text())["method"] == "ours"
    page = out.read_text()
    assert page.count("<video") == 2
    assert "ours (measured here)" in page
    assert bench(monkeypatch, "report", *folders[:2], "--out", out) == 2
    assert "--real and --fake go together" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("report", "one.json", "--out", "page.pdf"), "use a name that ends in .html"),
        (("report", "one.json", "--out", "p.html", "--by", "beauty"), "no clip has a value of"),
        (("report", "no.json", "--out", "p.html"), "no such file: no.json"),
        (("compare", "one.json", "two.json", "--out", "c.csv"), "ends in .json, .md"),
        (("compare", "one.json", "other.json"), "no scored clip in common"),
        (("table", "--out", "t.md", "--out", "t.xlsx"), "ends in .md, .csv, .tex, .html, .json"),
    ],
)
def test_wrong_use_is_a_sentence_and_two_and_writes_nothing(
    folder, monkeypatch, capsys, words, message
):
    scores = made_up_scores(method="other", clips=1)
    scores["clips"][0]["clip_id"] = "elsewhere"
    write_json(folder / "other.json", scores)
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.chdir(folder)
    assert bench(monkeypatch, *words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert [line for line in told.splitlines() if line.startswith("error: ")] != []
    assert sorted(path.name for path in folder.iterdir()) == before
