"""The report: what stands on the page, that it needs nothing else, and how a browser shows it."""

import base64
import html.parser
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report.report import write_report
from benchmarks.report.report_options import ReportOptions
from pipeline.errors import UserError
from pipeline.media import read_frames
from tests.benchmarks.made_up import NO_WEIGHTS, made_up_scores, without
from tests.datasets import write_talker

CLOSED = {"meta", "line", "path", "circle", "polyline", "br", "img"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(html.parser.HTMLParser):
    """Texts, ids, addresses and videos of a page, and whether its tags close."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.videos, self.text = [], [], [], [], ""

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "poster") if name in found]
        self.videos += [found["src"]] if tag == "video" else []
        assert tag not in {"script", "link", "iframe"}
        if tag not in CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in CLOSED:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def with_videos(folder, scores, shift=1):
    for index, row in enumerate(scores["clips"]):
        if row["status"] != "ok":
            continue
        real = folder / "real" / f"{row['clip_id']}.mp4"
        fake = folder / scores["method"] / real.name
        for path, moved in ((real, index), (fake, index + shift)):
            if not path.exists():
                write_talker(path, 10, shift=moved)
        scores["sources"][row["clip_id"]] = {"real": str(real), "fake": str(fake)}
    return scores


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two systems on the same four clips, with videos; one metric is missing, one clip failed."""
    folder = tmp_path_factory.mktemp("videos")
    ours = without(made_up_scores(clips=4), "av_confidence")
    ours["clips"].append({"clip_id": "torn", "status": "failed", "reason": "no frame <decodes>"})
    ours["unmatched"]["fake"] = ["stray"]
    for row in ours["clips"][:4]:
        row["curves"]["drift_sharpness"] = np.linspace(1, 0.5, 25).tolist()
        row["warnings"] = ["the fake is short"]
    other = without(made_up_scores(method="other", clips=4, shift=0.3), "av_confidence")
    return [with_videos(folder, ours), with_videos(folder, other, shift=2)]


@pytest.fixture(scope="module")
def page(two, tmp_path_factory):
    """The page of both, and its parts."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    large = two[0]["sources"]["clip00"]["fake"]
    assert write_report(out, two, ReportOptions(clips=1, video=Path(large))) == []
    parsed = Page()
    parsed.feed(out.read_text())
    return out, parsed


def test_the_page_is_well_formed_and_needs_nothing_else(page):
    out, parsed = page
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    for link in parsed.links:
        assert link.startswith(("#", "data:")), link[:80]
        assert not link.startswith("#") or link[1:] in parsed.ids
    text = out.read_text()
    assert "default-src 'none'" in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    # Fragments of the page itself, and names of namespaces, are not fetched.
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", text)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_everything_that_a_reader_asks_for_is_there(page, two):
    out, parsed = page
    for wanted in (
        "Synthetic media.",
        "tiny, other on CREMA",
        "Diffused Heads, first version", "Diffused Heads, published version", "ablation",
        "tiny against other",
        "Drift", "Sharpness of the face over the real clip's",
        "Not measured: 1", NO_WEIGHTS,
        "torn failed: no frame <decodes>",
        "fake stray has no real counterpart",
        "the fake is short",
        "face_landmarker.task", "64184e22" * 8,
        "2.13.0", "max_frames", "compared at 128x128",
    ):  # fmt: skip
        assert wanted in parsed.text, wanted
    assert "<decodes>" not in out.read_text()
    for name, row in two[0]["metrics"].items():
        assert row["protocol"] in parsed.text, name
    assert f"worst {worst(two)}" in parsed.text
    assert f"best {best(two)}" in parsed.text
    assert "#clip-0-0" in parsed.links


def by_ssim(two):
    values = {
        row["clip_id"]: row["values"]["ssim"] + other["values"]["ssim"]
        for row, other in zip(two[0]["clips"][:4], two[1]["clips"], strict=True)
    }
    return sorted(values, key=values.get)


def worst(two):
    return by_ssim(two)[0]


def best(two):
    return by_ssim(two)[-1]


def test_the_videos_on_the_page_play_real_beside_generated(page, tmp_path):
    _, parsed = page
    assert len(parsed.videos) == 3  # the large one first
    for index, source in enumerate(parsed.videos[1:]):
        path = tmp_path / f"{index}.mp4"
        path.write_bytes(base64.b64decode(source.removeprefix("data:video/mp4;base64,")))
        frames = list(read_frames(path))
        assert len(frames) == 10
        assert frames[0].shape[1] > 2.5 * frames[0].shape[0]  # three panels


def test_one_system_has_its_headline_numbers_and_no_comparison(two, tmp_path):
    out = tmp_path / "one.html"
    write_report(out, two[:1], ReportOptions(clips=0))
    text = out.read_text()
    assert "Beyond noise" not in text
    assert "<video" not in text
    assert f"<b>{190.3:.0f}</b><span>FVD</span>" in text


@pytest.mark.slow
def test_data_sets_are_parts_of_their_own(two, tmp_path):
    other = made_up_scores("LRW", method="third", clips=3)
    told = write_report(tmp_path / "r.html", [*two, other], ReportOptions(clips=1))
    assert len(told) == 2  # the third's videos are nowhere
    assert all("No video" in line for line in told)
    parsed = Page()
    parsed.feed((tmp_path / "r.html").read_text())
    assert "Metrics · LRW" in parsed.text
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.text.count("Beyond noise?") == 1


def test_names_in_any_script_and_hostile_ones_are_shown_as_they_are(two, tmp_path):
    nasty = json.loads(json.dumps(two[0]))
    nasty["method"] = "<img src=x onerror=alert(1)> 日本"
    nasty["dataset"] = '"><script>'
    write_report(tmp_path / "r.html", [nasty], ReportOptions(clips=1))
    parsed = Page()
    parsed.feed((tmp_path / "r.html").read_text())
    assert parsed.open == []
    assert "<img src=x onerror=alert(1)> 日本" in parsed.text


def test_the_metric_that_chooses_clips_can_be_named(two, tmp_path):
    write_report(tmp_path / "r.html", two, ReportOptions(clips=1, by="psnr"))
    assert "Worst and best by PSNR" in (tmp_path / "r.html").read_text()
    with pytest.raises(UserError, match="no clip has a value of 'fvd'; metrics of clips here: ss"):
        write_report(tmp_path / "r.html", two, ReportOptions(by="fvd"))
    with pytest.raises(UserError, match="at least one file"):
        write_report(tmp_path / "r.html", [])


def test_scores_without_any_clip_still_make_a_page(tmp_path):
    empty = made_up_scores(clips=2)
    for name in list(empty["metrics"]):
        without(empty, name)
    empty |= {"clips": [{"clip_id": "a", "status": "failed", "reason": "torn"}], "sources": {}}
    assert write_report(tmp_path / "r.html", [empty]) == []
    assert "a</code> failed: torn" in (tmp_path / "r.html").read_text()


PROBE = """<script>
const send = () => parent.postMessage(JSON.stringify({
  width: document.documentElement.scrollWidth, inner: innerWidth,
  text: document.body.innerText.length,
  videos: [...document.querySelectorAll('video')].map(v =>
    [v.videoWidth, v.duration, v.error ? v.error.message : '']),
}), '*');
const videos = [...document.querySelectorAll('video')];
Promise.all(videos.map(v => v.readyState > 0 || new Promise(done => {
  v.onloadedmetadata = done; v.onerror = done; setTimeout(done, 8000); }))).then(send);
</script></body>"""
FRAME = """<!doctype html><body style="margin:0">
<iframe src="probed.html" width="WIDTH" height="900" style="border:0"></iframe>
<pre id="said"></pre><script>
addEventListener('message', e => { document.getElementById('said').textContent = e.data; });
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which this machine does not have")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_sideways_scrolling_and_plays_the_videos(page, tmp_path, width):
    """In headless Chromium without a network; but for a probe the page is as it is."""
    text = page[0].read_text()
    policy = re.search(r"<meta http-equiv=[^>]*>", text)[0]  # it would refuse the probe
    probed = text.replace(policy, "").replace("</body>", PROBE)
    (tmp_path / "probed.html").write_text(probed)
    (tmp_path / "frame.html").write_text(FRAME.replace("WIDTH", str(width)))
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--timeout=20000",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=15000", "--window-size=1300,1000", "--dump-dom",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = re.search(r'<pre id="said">(.+?)</pre>', done.stdout)
    assert said, done.stderr[-2000:]
    shown = json.loads(said[1])
    assert shown["inner"] == width
    assert shown["width"] <= width
    assert shown["text"] > 3000
    assert len(shown["videos"]) == 3
    for video_width, seconds, error in shown["videos"]:
        assert error == ""
        assert video_width > 150
        assert seconds == pytest.approx(0.4, abs=0.1)
