"""The page of dh-sample serve in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.slow
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking", "--disable-component-update"),
    # A camera that gives a test picture, and a microphone.
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
RESULT = "document.querySelector('#result video')"


@pytest.fixture(scope="module")
def page(served: str, given: Path) -> Iterator[Page]:
    """The page in a headless Chromium with noise for a voice; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium, which this machine does not have")
    voice = f"--use-file-for-fake-audio-capture={given / 'long.wav'}"
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=program, args=[*FLAGS, voice])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        yield page
        browser.close()


@pytest.fixture
def fresh(page: Page, served: str) -> Page:
    page.goto(served)
    button(page).wait_for()
    return page


def button(page: Page):
    return page.get_by_role("button", name="Make it talk")


def choose(page: Page, kind: str, path: Path) -> None:
    page.locator(f"input[type=file][accept*={kind}]").first.set_input_files(path)


def wait_for_error(page: Page, text: str) -> None:
    page.get_by_test_id("toast-body").filter(has_text=text).first.wait_for()


def wait_for_video(page: Page) -> dict[str, float]:
    """Plays the result; returns its size, duration and whether sound was decoded."""
    page.wait_for_selector("#result video", state="attached")
    page.wait_for_function(f"{RESULT}.readyState >= 2")
    page.evaluate(f"{RESULT}.play()")
    page.wait_for_function(f"{RESULT}.webkitAudioDecodedByteCount > 0")
    return page.evaluate(
        f"(v => ({{width: v.videoWidth, height: v.videoHeight, seconds: v.duration}}))({RESULT})"
    )


def test_a_picture_and_a_recording_become_a_video(fresh: Page, served: str, given: Path, tmp_path):
    hosts: set[str] = set()
    fresh.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    fresh.reload()
    button(fresh).wait_for()
    choose(fresh, "image", given / "face.jpg")
    choose(fresh, "audio", given / "short.wav")
    fresh.wait_for_selector("img[alt]")
    fresh.get_by_text("0:00").first.wait_for()
    button(fresh).click()
    video = wait_for_video(fresh)
    assert (video["width"], video["height"]) == (32, 32)
    assert video["seconds"] == pytest.approx(0.4, abs=0.1)
    with fresh.expect_download() as download:
        fresh.locator("#result a[download]").click()
    assert download.value.suggested_filename == "talking.mp4"
    assert b"SYNTHETIC MEDIA" in download.value.path().read_bytes()
    assert hosts - {""} == {urlsplit(served).netloc}  # without a host: data: and blob:


def test_a_film_and_the_microphone_become_a_video(fresh: Page, given: Path):
    fresh.get_by_role("tab", name="Video").first.click()
    choose(fresh, "video", given / "film.mp4")
    fresh.get_by_role("button", name="Record audio").click()
    fresh.get_by_role("button", name="Record", exact=True).click()
    fresh.wait_for_timeout(700)
    fresh.get_by_role("button", name="Stop", exact=True).click()
    fresh.get_by_text("0:00").first.wait_for()
    button(fresh).click()
    assert wait_for_video(fresh)["width"] == 32


def test_a_face_talks_while_the_microphone_is_on(fresh: Page, given: Path):
    fresh.get_by_role("tab", name="Live").click()
    start, status = fresh.get_by_role("button", name="Start"), fresh.get_by_role("status")
    start.click()
    status.filter(has_text="Give a face first.").wait_for()
    fresh.locator("#live-face input[type=file]").set_input_files(given / "face.jpg")
    fresh.locator("#live-face img").wait_for()
    start.click()
    canvas = "document.querySelector('#live canvas')"
    fresh.wait_for_function(f"{canvas}.width == 32")
    fresh.get_by_role("button", name="Stop").click()
    status.filter(has_text=re.compile(r"\d+ frames: ")).wait_for()
    seen = fresh.evaluate(f"[...{canvas}.getContext('2d').getImageData(0, 0, 32, 32).data]")
    assert len(set(seen)) > 2


def test_what_goes_wrong_is_one_sentence(fresh: Page, given: Path):
    button(fresh).click()
    wait_for_error(fresh, "give a face first")
    # Refused by the browser already.
    choose(fresh, "image", given / "short.wav")
    wait_for_error(fresh, "short.wav")
    choose(fresh, "audio", given / "huge.wav")
    wait_for_error(fresh, "huge.wav")
    # Refused by the server.
    choose(fresh, "image", given / "wall.png")
    choose(fresh, "audio", given / "junk.wav")
    fresh.wait_for_selector("img[alt]")
    button(fresh).click()
    wait_for_error(fresh, "junk.wav: this file is not accepted")
    assert not re.search(r"Traceback|/tmp/", fresh.inner_text("body"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_the_window_and_follows_the_theme(page: Page, served: str, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(served)
    button(page).wait_for()
    for tab in ("Recording", "Live"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(value) for value in re.findall(r"\d+", colours)[:3])
    assert (brightness > 380) == (scheme == "light")
