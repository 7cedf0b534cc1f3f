"""The paper's tables: every published digit, ours beside them, four formats that parse."""

from __future__ import annotations

import csv
import html.parser
import io
import re

import pytest
from rich.console import Console

from benchmarks.published import read_published
from benchmarks.render import RENDERERS, to_csv, to_html, to_latex, to_markdown, write_table
from benchmarks.results import SCHEMA_VERSION, read_scores
from benchmarks.table import build_table
from benchmarks.terminal import to_rich
from pipeline.errors import UserError
from pipeline.files import write_json


def measured(dataset="CREMA", method="tiny", **changes):
    """The content of a scores.json of twelve clips."""
    metric = {"direction": "higher", "n": 12, "std": 0.1}
    scores = {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "dataset": dataset,
        "protocol": "compared at 128x128",
        "metrics": {
            "ssim": metric
            | {"label": "SSIM", "protocol": "window 11x11", "mean": 0.6789, "ci95": [0.61, 0.74]},
            "psnr": metric
            | {"label": "PSNR", "protocol": "peak 255", "mean": 20.5, "ci95": [19.0, 22.0]},
        },
        "unmatched": {"real": [], "fake": []},
        "clips": [{"clip_id": "a", "status": "ok"}],
    }
    return scores | changes


def rows_of_csv(table):
    return list(csv.DictReader(io.StringIO(to_csv(table))))


class Page(html.parser.HTMLParser):
    """Cells of each table row, the addresses a page refers to, and whether its tags close."""

    def __init__(self):
        super().__init__()
        self.rows, self.links, self.open, self.cell = [], [], [], False

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        self.cell = self.cell or tag in {"td", "th"}
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.cell = self.cell and tag not in {"td", "th"}

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


def test_without_scores_the_published_rows_stand_alone():
    rows = rows_of_csv(build_table("v1", []))
    assert [row["method"] for row in rows] == [
        "SDA", "Wav2Lip", "MakeItTalk", "PC-AVS", "EAMM", "Diffused Heads",
    ]  # fmt: skip
    for entry in read_published("v1"):
        row = next(row for row in rows if row["method"] == entry.method)
        assert row[f"{entry.dataset} {entry.metric}"] == (entry.value or "-")
        assert row["origin"] == "published"


def test_published_version_prints_every_digit_too():
    rows = rows_of_csv(build_table("v2", []))
    assert len(rows) == 14
    for entry in read_published("v2"):
        row = next(r for r in rows if (r["data"], r["method"]) == (entry.dataset, entry.method))
        assert row[entry.metric] == (entry.value or "-")


def test_ours_is_a_row_in_the_paper_s_columns_with_its_protocol():
    rows = rows_of_csv(build_table("v1", [measured("crema-d")]))
    ours = rows[-1]
    assert ours["method"] == "tiny (measured here)"
    assert (ours["CREMA SSIM"], ours["CREMA PSNR"]) == ("0.68", "20.50")
    assert (ours["LRW SSIM"], ours["LRW PSNR"]) == ("-", "-")
    assert (ours["origin"], ours["clips"]) == ("measured", "12")
    for part in (
        "n = 12 clips",
        "compared at 128x128",
        "SSIM 0.679 (95% CI 0.610 to 0.740): window 11x11",
        "-: scored on CREMA only",
    ):
        assert part in ours["source"]


def test_a_data_set_that_no_paper_has_gets_columns_of_its_own():
    rows = rows_of_csv(build_table("v1", [measured("GRID"), measured("LRW", "other")]))
    assert rows[-2]["GRID SSIM"] == "0.68"
    assert rows[-2]["CREMA SSIM"] == rows[-1]["GRID SSIM"] == rows[0]["GRID SSIM"] == "-"
    assert rows[-1]["LRW PSNR"] == "20.50"


def test_gaps_of_ours_have_their_reason():
    scores = measured()
    for metric in scores["metrics"].values():
        metric.update(mean=None, ci95=None, n=0)
    scores["clips"] = [{"clip_id": "a", "status": "failed", "reason": "no frame decodes"}]
    scores["unmatched"] = {"real": ["b"], "fake": ["c", "d"]}
    ours = rows_of_csv(build_table("v1", [scores]))[-1]
    assert ours["CREMA SSIM"] == "-"
    assert "1 clips failed, the first for: no frame decodes" in ours["source"]
    assert "3 clips had no counterpart" in ours["source"]
    assert "-: no clip could be measured" in ours["source"]
    other = rows_of_csv(build_table("v2", [measured()]))[-1]
    assert (other["data"], other["FVD"]) == ("CREMA", "-")
    assert "not in these scores (FVD, FID, Blinks/s" in other["source"]


def test_best_and_second_best_are_marked_among_the_published_only():
    markdown = to_markdown(build_table("v1", [measured(method="better")]))
    lines = {line.split("|")[1].strip(): line for line in markdown.splitlines() if "|" in line}
    assert "**0.74**" in lines["Diffused Heads"]
    assert "<ins>23.43</ins>" in lines["Diffused Heads"]
    assert "**30.92**" in lines["EAMM"]
    assert "<ins>0.74</ins>" in lines["EAMM"]
    assert markdown.count("**") == 2 * 4
    ours = next(line for name, line in lines.items() if name.startswith("better"))
    assert "**" not in ours
    assert "<ins>" not in ours


def test_markdown_is_one_table_of_equal_columns():
    markdown = to_markdown(build_table("v1", [measured(method="a|b <i>")]))
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}
    assert set(lines[1]) == set("|-: ")
    assert "a\\|b &lt;i&gt; (measured here) <sup>1</sup>" in markdown


def test_latex_escapes_and_balances():
    latex = to_latex(build_table("v1", [measured(method=r"my_model & 5% \x{}^~#$")]))
    assert r"my\_model \& 5\% \textbackslash{}x\{\}\textasciicircum{}" in latex
    assert r"\textbf{30.92}" in latex
    assert r"\underline{30.63}" in latex
    for begin in ("table", "tabular"):
        assert latex.count(rf"\begin{{{begin}}}") == latex.count(rf"\end{{{begin}}}") == 1
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")]
    for line in body.splitlines():
        if line.endswith(r"\\"):
            assert len(re.findall(r"(?<!\\)&", line)) == 4
    assert latex.isascii()
    minus = to_latex(build_table("v2", []))
    assert r"\underline{$-$3}" in minus
    assert "$\\to$GT" in minus


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_html_is_well_formed_self_contained_and_escaped(name):
    page = Page()
    page.feed(to_html(build_table(name, [measured(method="<script>x</script>")])))
    assert page.open in (["!doctype"], [])
    assert page.links == []
    widths = {len(row) for row in page.rows[-7:]}
    assert widths == {5 if name == "v1" else 11}
    assert "<script>x</script> (measured here) 1" in page.rows[-1]
    assert 'name="viewport"' in to_html(build_table(name, []))


def test_html_has_the_same_numbers_as_csv():
    table = build_table("v1", [measured()])
    page = Page()
    page.feed(to_html(table))
    for row, expected in zip(page.rows[2:], rows_of_csv(table), strict=True):
        assert row[1:] == list(expected.values())[1:5]


def test_terminal_shows_a_name_in_brackets_as_it_is():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(to_rich(build_table("v1", [measured(method="[bold]x")])))
    text = console.export_text()
    assert "[bold]x (measured here) [1]" in text
    assert "30.92" in text


@pytest.mark.parametrize("suffix", RENDERERS)
def test_written_by_suffix(tmp_path, suffix):
    path = tmp_path / "deep" / f"table{suffix.upper()}"
    table = build_table("v1", [])
    write_table(path, table)
    assert path.read_text() == RENDERERS[suffix](table)
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_wrong_files_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"\.md, \.csv, \.tex, \.html"):
        write_table(tmp_path / "table.docx", build_table("v1", []))
    with pytest.raises(UserError, match="no such file"):
        read_scores(tmp_path / "absent.json")
    path = tmp_path / "scores.json"
    path.write_text("{")
    with pytest.raises(UserError, match="does not read as JSON"):
        read_scores(path)
    write_json(path, {"some": "thing"})
    with pytest.raises(UserError, match="not written by dh-bench score"):
        read_scores(path)
    write_json(path, measured(schema_version=99))
    with pytest.raises(UserError, match="schema version 99"):
        read_scores(path)
    write_json(path, measured())
    assert read_scores(path)["method"] == "tiny"
