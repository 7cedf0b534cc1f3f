"""dh-sample serve: the requests it takes and refuses, and the page in a real browser."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest
from skimage import data

from model.generate import SampleConfig
from model.output import Look
from model.sample_run import SampleRun, load
from model.serve import Limits, PageServer
from model.serve_jobs import Desk
from pipeline.media import read_frames, write_image
from tests.models import write_noise, write_untrained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model.presets import Preset

LIMITS = Limits(upload=200_000, seconds=2, waiting=2, kept=4)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a face, a wall, and recordings of 0.4 and 3 seconds."""
    folder = tmp_path_factory.mktemp("given")
    write_image(folder / "face.jpg", np.ascontiguousarray(data.astronaut()[:260, 80:360]))
    write_image(folder / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    rng = np.random.default_rng(0)
    for name, samples in (("short", 6400), ("long", 48_000)):
        write_noise(folder / f"{name}.wav", samples, rng)
    return folder


@pytest.fixture(scope="module")
def server(
    small: Preset, speech_format, landmark_task: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("served")
    write_untrained(folder / "run.safetensors", small, speech_format)
    run = SampleRun(folder / "run.safetensors", SampleConfig("ddim", 2), Look(), device="cpu")
    (folder / "kept").mkdir()
    desk = Desk(load(run), folder / "kept", LIMITS)
    with PageServer(("127.0.0.1", 0), desk, LIMITS) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def ask(
    server: PageServer,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """The status and what was answered, read as JSON if it is that."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    is_json = answer.getheader("Content-Type") == "application/json"
    return answer.status, json.loads(told) if is_json else told


def upload(server: PageServer, path: Path) -> str:
    status, told = ask(server, "POST", "/upload", path.read_bytes())
    assert status == 200, told
    return told["id"]


def make(server: PageServer, face: Path, speech: Path, **words: Any) -> tuple[str, dict[str, Any]]:
    """A job's number, and how it stood at its end."""
    wanted = {"face": upload(server, face), "speech": upload(server, speech), **words}
    status, told = ask(server, "POST", "/jobs", json.dumps(wanted).encode())
    assert status == 200, told
    for _ in range(600):
        status, job = ask(server, "GET", f"/jobs/{told['id']}")
        assert status == 200
        if job["done"] or job["error"]:
            return told["id"], job
        time.sleep(0.05)
    raise AssertionError("the job does not end")


# --- requests -------------------------------------------------------------------------------------


def test_a_video_is_made_of_what_was_sent(server: PageServer, given: Path, tmp_path: Path):
    number, job = make(server, given / "face.jpg", given / "short.wav", seed=3)
    assert (job["done"], job["error"], job["frames"], job["total"]) == (True, "", 10, 10)
    status, video = ask(server, "GET", f"/jobs/{number}/video")
    assert status == 200
    (tmp_path / "a.mp4").write_bytes(video)
    assert [frame.shape for frame in read_frames(tmp_path / "a.mp4")] == [(32, 32, 3)] * 10
    assert b"SYNTHETIC MEDIA" in video
    number, _ = make(server, given / "face.jpg", given / "short.wav", paste_back=True)
    (tmp_path / "b.mp4").write_bytes(ask(server, "GET", f"/jobs/{number}/video")[1])
    assert next(read_frames(tmp_path / "b.mp4")).shape == (260, 280, 3)


@pytest.mark.parametrize(
    ("face", "speech", "said"),
    [
        ("wall.png", "short.wav", "no face found in the face's file"),
        ("short.wav", "short.wav", "holds no video stream"),
        ("face.jpg", "face.jpg", "holds no sound"),
        ("face.jpg", "long.wav", "the recording is longer than 2 seconds"),
    ],
)
def test_what_goes_wrong_is_told(server, given: Path, face: str, speech: str, said: str):
    number, job = make(server, given / face, given / speech)
    assert said in job["error"]
    assert "/" not in job["error"]  # no path of the server's
    assert ask(server, "GET", f"/jobs/{number}/video")[0] == 409


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\r\nm=audio 1 RTP/AVP 0\r\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
        b"plain words",
        b"",
    ],
)
def test_files_that_name_other_files_are_not_taken(server: PageServer, content: bytes):
    status, told = ask(server, "POST", "/upload", content)
    assert status == 415
    assert "this file is not taken" in told["error"]


def test_a_file_too_large_is_refused_before_it_is_read(server: PageServer):
    claimed = {"Content-Length": str(10**11)}
    status, told = ask(server, "POST", "/upload", b"\x89PNG\r\n\x1a\n", claimed)
    assert status == 413
    assert "larger than 0 MB" in told["error"] or "MB" in told["error"]
    for header in ({"Content-Length": "-1"}, {"Content-Length": "many"}):
        assert ask(server, "POST", "/upload", b"x", header)[0] in {400, 411}


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "/jobs/../../etc/passwd",
        "/jobs/%2e%2e%2fetc%2fpasswd/video",
        "/file=/etc/passwd",
        "/jobs/" + "0" * 32,
        "/jobs/" + "0" * 32 + "/video",
    ],
)
def test_no_path_of_a_request_is_opened(server: PageServer, path: str):
    assert ask(server, "GET", path)[0] == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"face": "/etc/passwd", "speech": "../../etc/passwd"},
        {"face": None},
        [],
        7,
        "face",
    ],
)
def test_jobs_of_nothing_that_was_sent(server: PageServer, wanted: Any):
    status, told = ask(server, "POST", "/jobs", json.dumps(wanted).encode())
    assert status == 400
    assert "send a face and a recording first" in told["error"]
    assert ask(server, "POST", "/jobs", b"{no json")[0] == 400


def test_other_sites_are_refused(server: PageServer):
    port = server.server_address[1]
    for headers in (
        {"Host": f"evil.example:{port}"},
        {"Host": f"127.0.0.1.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        assert ask(server, "GET", "/", headers=headers)[0] == 403
        assert ask(server, "POST", "/upload", b"\x89PNG\r\n\x1a\n", headers=headers)[0] == 403
    for host in ("localhost", "127.0.0.1", "[::1]"):
        headers = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        assert ask(server, "GET", "/", headers=headers)[0] == 200


def test_the_page_fetches_nothing_from_elsewhere(server: PageServer):
    status, page = ask(server, "GET", "/")
    assert status == 200
    assert b"http://" not in page
    assert b"https://" not in page


def test_only_so_many_files_are_kept(server: PageServer, given: Path):
    first = upload(server, given / "wall.png")
    for _ in range(LIMITS.kept):
        upload(server, given / "wall.png")
    wanted = json.dumps({"face": first, "speech": first}).encode()
    assert ask(server, "POST", "/jobs", wanted)[0] == 400


# --- the page -------------------------------------------------------------------------------------


class Browser:
    """A page of headless Chromium, spoken to by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, **words: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": words})
        while True:
            told = await self._socket.receive_json(timeout=60)
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]

    async def run(self, script: str) -> Any:
        told = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        return told["result"].get("value")

    async def wait(self, script: str) -> None:
        for _ in range(600):
            if await self.run(script):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"never came true: {script}\n{await self.run('document.body.innerText')}"
        )

    async def choose(self, selector: str, path: Path) -> None:
        root = (await self.call("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.call("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[str]:
    """The address of a running headless Chromium; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium, which this machine does not have")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--no-first-run", "about:blank"]
    process = subprocess.Popen([program, *words], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if line.startswith("DevTools listening on ws://"):
                yield line.split("ws://")[1].partition("/")[0]
                break
        else:
            pytest.fail("Chromium does not start")
    finally:
        process.terminate()
        process.wait(timeout=20)


async def use_the_page(chromium: str, url: str, given: Path, shots: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.put(f"http://{chromium}/json/new?{url}") as answer:
            target = await answer.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Browser(socket)
            await page.wait("document.readyState === 'complete' && !!document.getElementById('go')")
            assert await page.run("document.getElementById('go').disabled")
            # What goes wrong is shown, and the page is of use afterwards.
            await page.choose("#face", given / "wall.png")
            await page.choose("#speech", given / "short.wav")
            await page.wait("!document.getElementById('go').disabled")
            await page.run("document.getElementById('go').click()")
            await page.wait("!document.getElementById('error').hidden")
            assert "no face found" in await page.run("document.getElementById('error').textContent")
            (shots / "junk.wav").write_text("no sound")
            await page.choose("#face", given / "face.jpg")
            await page.choose("#speech", shots / "junk.wav")
            await page.run("document.getElementById('go').click()")
            wanted = "junk.wav: this file is not taken"
            await page.wait(f"document.getElementById('error').textContent.startsWith('{wanted}')")
            await page.choose("#speech", given / "short.wav")
            await page.run("document.getElementById('go').click()")
            await page.wait("!document.getElementById('result').hidden")
            assert await page.run("document.getElementById('error').hidden")
            # The browser itself plays the result.
            await page.wait("document.getElementById('video').readyState >= 2")
            size = await page.run("[video.videoWidth, video.videoHeight, video.duration]")
            assert size[:2] == [32, 32]
            assert size[2] == pytest.approx(0.4, abs=0.1)
            assert await page.run("document.getElementById('video').error === null")
            shot = await page.call("Page.captureScreenshot", format="png")
            (shots / "page.b64").write_text(shot["data"])


@pytest.mark.slow
def test_a_person_uses_the_page(server: PageServer, chromium: str, given: Path, tmp_path: Path):
    asyncio.run(use_the_page(chromium, server.url, given, tmp_path))
    assert (tmp_path / "page.b64").stat().st_size > 5000
