"""The inspection page: what it shows, and that odd names stay text."""

import base64
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.dataset.limits import Limits
from pipeline.dataset.pages.clip_card import boxed, curve_over_area
from pipeline.dataset.pages.contact_sheet import choose, find_samples, histogram, write_page
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import read_rows
from pipeline.dataset.shards import read_dataset, read_samples
from pipeline.errors import UserError
from pipeline.sources.manifest import ManifestRow
from pipeline.units import number_text
from tests.datasets import prepare_rows

ODD = "<script>alert('x')</script>&.webm"


class Page(HTMLParser):
    """Tags with their attributes, and the text; fails on tags that do not nest."""

    VOID = frozenset(["meta", "img"])

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text = " ".join([*self.text.split(), *data.split()])

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def prepared(shared_data, landmark_task, tmp_path_factory) -> Path:
    """Two clips prepared, one failed whose name is markup, one skipped."""
    folder = tmp_path_factory.mktemp("inspection")
    (folder / "junk.mp4").write_text("no video")
    clips = shared_data / "clips"
    rows = [
        ManifestRow("crema", str(clips / "crema_1001_DFA_ANG_XX.mkv"), ODD, speaker="<1001>"),
        ManifestRow("lrs3", str(clips / "lrs3_ooAIIeo4AJQ_00003.webm"), "b.webm"),
        ManifestRow("junk", str(folder / "junk.mp4"), "<b>junk.mp4", split="test"),
        ManifestRow("short", str(clips / "lrs3_UZmXwOgNq7c_00002.webm"), "c.webm"),
    ]
    out = folder / "set & co"
    prepare_rows(out, rows, PrepOptions(limits=Limits(min_seconds=0.6), clips_per_shard=2))
    return out


@pytest.fixture(scope="module")
def page(prepared, tmp_path_factory) -> Page:
    out = tmp_path_factory.mktemp("page") / "page.html"
    assert write_page(prepared, out) == 2
    return Page(out.read_text(encoding="utf-8"))


def test_the_page_needs_no_other_file_and_runs_nothing(page):
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
    assert len(page.all("img")) == 4
    for image in page.all("img"):
        assert image["src"].startswith("data:image/webp;base64,")
    links = [link["href"] for link in page.all("a")]
    assert links
    assert all(link.startswith("#") for link in links)


def test_the_page_shows_the_numbers_of_the_data_set(page, prepared):
    counts = read_dataset(prepared)["counts"]
    assert f"{counts['frames']} frames" in page.text
    assert re.search(r"\b2\s+clips", page.text)
    assert re.search(r"\b1\s+skipped", page.text)
    assert re.search(r"\b1\s+failed", page.text)
    assert "train 2" in page.text
    rows = read_rows(prepared).set_index("clip_id")
    assert f"face {rows.eye_distance['crema']:.0f} px" in page.text
    assert number_text(rows.clip_seconds["lrs3"]) + " s" in page.text
    assert "image size 128" in page.text
    assert "min seconds 0.6" in page.text


def test_the_page_tells_why_clips_are_left_out(page):
    left_out = page.text.split("Left out")[1].split("Distributions")[0]
    assert "clip_seconds 0.48 fails clip_seconds >= 0.6" in left_out
    assert "cannot read" in left_out
    assert "junk" in left_out


def test_odd_names_stay_text(page):
    assert "speaker unknown" in page.text
    assert "<1001>" in page.text
    assert ODD in [heading.get("title") for heading in page.all("h3")]
    assert "set & co" in page.text


def test_every_distribution_links_to_clips_that_are_shown(page):
    drawn = [svg["aria-label"] for svg in page.all("svg") if "histogram" in svg["aria-label"]]
    assert "histogram: Scene cuts in the video" in drawn
    assert len(drawn) == len(page.all("figure"))
    assert not any("Missing" in label for label in drawn)  # nothing is
    shown = {article["id"] for article in page.all("article")}
    assert {link["href"][1:] for link in page.all("a")} == shown == {"crema", "lrs3"}


def test_pictures_are_the_clip_s_frames(page, prepared):
    sample = next(read_samples(prepared))
    source = page.all("img")[0]["src"]
    data = np.frombuffer(base64.b64decode(source.split(",")[1]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB).astype(float)
    assert np.abs(picture - sample.frames[0]).mean() < 5


def test_the_box_is_drawn_on_the_mouth(prepared):
    sample = next(read_samples(prepared))
    for side in (128, 64):
        frame = boxed(sample, 3, side).astype(int)
        green = (frame == (0, 255, 110)).all(-1)
        rows, columns = np.nonzero(green)
        x0, y0, x1, y1 = sample.mouth[3] * (side / 128)
        ends = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.subtract(ends, (x0, y0, x1, y1))).max() <= 2
        assert not green[round((y0 + y1) / 2), round((x0 + x1) / 2)]


def test_clips_are_chosen_with_the_extremes_and_evenly(prepared):
    rows = read_rows(prepared)
    row = rows[rows.status == "ok"].iloc[:1]
    names = [f"clip{index:03d}" for index in range(300)]
    good = row.loc[row.index.repeat(300)].assign(clip_id=names).set_index("clip_id")
    good["yaw"] = np.cos(np.arange(300) * 0.1)
    good.loc["clip123", "loudness"] = -90.0
    chosen = choose(good, 40)
    assert len(chosen) == 40
    assert {"clip123", good["yaw"].idxmin(), good["yaw"].idxmax(), "clip299"} <= chosen
    positions = sorted(names.index(key) for key in chosen)
    assert max(np.diff(positions)) <= 10
    assert choose(good, 0) == set()
    assert len(choose(good, 5)) == 5
    assert choose(good, 1000) == set(names)


def test_only_the_wanted_samples_are_read(prepared):
    shards = read_dataset(prepared)["shards"]
    assert [sample.key for sample in find_samples(prepared, shards, {"lrs3"})] == ["lrs3"]


def test_a_damaged_shard_points_to_check(prepared, tmp_path):
    data = shutil.copytree(prepared, tmp_path / "set")
    tar = next(path for path in sorted(data.glob("*.tar")) if path.stat().st_size > 20_000)
    tar.write_bytes(tar.read_bytes()[:9000])
    with pytest.raises(UserError, match=r"is damaged .*dh-prep check"):
        write_page(data, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_histogram_holds_every_value_and_marks_the_median():
    axes = histogram(np.array([0.0, 1.0, 1.0, 2.0, 12.0])).axes[0]
    counts = [bar.get_height() for bar in axes.patches]
    assert (sum(counts), max(counts)) == (5, 2)
    assert axes.lines[-1].get_xdata() == [1.0, 1.0]
    assert [label.get_text() for label in axes.texts] == ["0", "12"]
    alike = histogram(np.full(7, 3.0)).axes[0]
    assert sum(bar.get_height() for bar in alike.patches) == 7
    assert [label.get_text() for label in alike.texts] == ["3"]  # no range where there is none


def test_a_curve_spans_the_drawing_in_its_own_range():
    figure = curve_over_area(np.linspace(0, 0.9, 1000), np.full(1000, -30.0))
    (line,), (area,) = figure.axes[0].lines, figure.axes[0].collections
    x, y = line.get_data()
    assert (x[0], x[-1]) == figure.axes[0].get_xlim()
    assert len(x) <= 240
    assert np.interp(250, x, y) == pytest.approx(0.5, abs=0.01)
    assert y[-1] == 1  # clipped
    assert area.get_datalim(figure.axes[0].transData).height == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [(181.4, "181"), (24.25, "24.2"), (-3.5, "−3.5"), (3.0, "3"), (0.0526, "0.053"), (-1e-5, "0")],
)
def test_numbers_are_as_short_as_their_size_allows(value, text):
    assert number_text(value) == text
