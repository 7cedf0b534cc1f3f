"""The page of dh-sample serve in a real browser."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model.app.server import PageServer


class PageGone(Exception):  # noqa: N818 - it is no error of ours
    """A question was asked of a page that another took the place of meanwhile."""


class Browser:
    """A page of headless Chromium, spoken to by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, **words: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": words})
        while True:
            told = await self._socket.receive_json(timeout=300)
            if told.get("id") == self._number:
                if "error" in told:
                    raise PageGone(told["error"])
                return told["result"]

    async def run(self, script: str) -> Any:
        told = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        return told["result"].get("value")

    async def wait(self, script: str) -> None:
        for _ in range(3000):
            with contextlib.suppress(PageGone):
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
    # To a file: a pipe that nobody reads to its end would one day be full, and Chromium wait.
    said = tmp_path / "chromium.log"
    with said.open("wb") as log:
        process = subprocess.Popen([program, *words], stderr=log)
    try:
        while not (found := re.search(r"DevTools listening on ws://(.+?)/", said.read_text())):
            if process.poll() is not None:
                pytest.fail(f"Chromium does not start: {said.read_text()}")
            time.sleep(0.1)
        yield found[1]
    finally:
        process.terminate()
        process.wait(timeout=300)


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
