"""One table in five formats: each parses, and all hold the same numbers."""

import csv
import html.parser
import io
import json
import re

import pytest

from benchmarks.tables.paper_tables import LAYOUTS, build_table
from benchmarks.tables.render import (
    RENDERERS,
    to_csv,
    to_html,
    to_json,
    to_markdown,
    write_each,
)
from pipeline.errors import UserError
from tests.benchmarks.made_up import NO_WEIGHTS, made_up_scores, without

NASTY = r"a|b <i> my_model & 5% \x{}^~#$"


def full_table(name="v1", method="tiny"):
    return build_table(name, [without(made_up_scores(method=method), "av_confidence")])


class Page(html.parser.HTMLParser):
    """Cells of each table row, the addresses a page refers to, and whether its tags close."""

    def __init__(self):
        super().__init__()
        self.rows, self.links, self.open, self.cell, self.small = [], [], [], False, False

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        self.cell = self.cell or tag in {"td", "th"}
        self.small = tag in {"small", "sup"}
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.cell = self.cell and tag not in {"td", "th"}
        self.small = False

    def handle_data(self, data):
        if self.cell and not self.small:
            self.rows[-1][-1] += data


def rows_of_csv(table):
    return list(csv.DictReader(io.StringIO(to_csv(table))))


def test_csv_holds_numbers_bounds_counts_and_reasons():
    table = full_table("v2")
    ours = next(row for row in rows_of_csv(table) if row["method"] == "tiny (measured here)")
    cell = next(c for h, c in zip(table.columns, table.measured[0].cells, strict=True)
                if h.metric == "OFM")  # fmt: skip
    assert (ours["OFM"], ours["OFM 95% low"], ours["OFM 95% high"]) == (cell.text, *cell.ci95)
    assert ours["OFM n"] == "12"
    assert f"AV confidence: {NO_WEIGHTS}" in ours["missing"]
    assert (ours["origin"], ours["clips"]) == ("measured", "12")
    published = rows_of_csv(build_table("v2", []))
    assert "OFM 95% low" not in published[0]
    assert "Blink dur. (s): no blink, so no duration" in published[9]["missing"]


def test_html_markdown_and_json_have_the_same_numbers_as_csv():
    for name in LAYOUTS:
        table = full_table(name)
        first = len(table.leads)
        wanted = [
            list(row.values())[first : first + len(table.columns)] for row in rows_of_csv(table)
        ]
        page = Page()
        page.feed(to_html(table))
        shown = [row[first:] for row in page.rows[-len(wanted) :]]
        assert [[c.strip().replace("−", "-") for c in row] for row in shown] == wanted
        lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")][2:]
        plain = [re.sub(r"<su[bp]>.*?</su[bp]>|\*\*|</?ins>", "", line) for line in lines]
        cells = [[c.strip() for c in line.strip("|").split("|")] for line in plain]
        assert [row[first:] for row in cells] == wanted
        content = json.loads(to_json(table))
        texts = [[c["text"] or "-" for c in row["cells"]] for row in content["rows"]]
        assert texts == wanted


def test_json_says_of_every_cell_where_it_is_from_and_why_it_is_empty():
    content = json.loads(to_json(full_table("v2")))
    ours = next(row for row in content["rows"] if row["method"] == "tiny (measured here)")
    cells = {cell["metric"]: cell for cell in ours["cells"]}
    assert ours["origin"] == "measured"
    assert cells["FVD"]["protocol"].startswith("fvd_n12")
    assert cells["FVD"]["value"] == 190.3
    assert cells["AV confidence"]["value"] is None
    assert cells["AV confidence"]["note"] == NO_WEIGHTS
    for row in content["rows"]:
        assert all((cell["value"] is None) == bool(cell["note"]) for cell in row["cells"])


def test_markdown_is_one_table_of_equal_columns_with_its_footnotes():
    table = full_table(method=NASTY)
    markdown = to_markdown(table)
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}
    assert set(lines[1]) == set("|-: ")
    assert "a\\|b &lt;i&gt;" in markdown
    for mark, _ in table.footnotes:
        assert f"\n<sup>{mark}</sup> " in markdown


@pytest.mark.parametrize("name", LAYOUTS)
def test_html_is_well_formed_self_contained_and_escaped(name):
    text = to_html(full_table(name, "<script>x</script>"))
    page = Page()
    page.feed(text)
    assert page.open in (["!doctype"], [])
    assert page.links == []
    assert "&lt;script&gt;x&lt;/script&gt; (measured here)" in text
    assert "<script>" not in text
    assert 'name="viewport"' in text


@pytest.mark.parametrize("suffix", RENDERERS)
def test_written_by_suffix(tmp_path, suffix):
    path = tmp_path / "deep" / f"table{suffix.upper()}"
    table = build_table("v1", [])
    write_each([path], RENDERERS, table)
    assert path.read_text() == RENDERERS[suffix](table)
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_another_suffix_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"\.md, \.csv, \.tex, \.html, \.json"):
        write_each([tmp_path / "table.docx"], RENDERERS, build_table("v1", []))
