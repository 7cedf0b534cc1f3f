"""Requests to the page of dh-sample serve by plain HTTP, as a script or an attacker sends them."""

import json
import secrets
from pathlib import Path
from typing import Any

import httpx


class PageError(Exception):
    """What the page says when it makes no video."""


def upload(url: str, path: Path) -> dict[str, Any]:
    """Uploads a file; returns it as requests name it."""
    with path.open("rb") as file:
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": file}, timeout=300)
    answer.raise_for_status()
    return {"path": answer.json()[0], "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def join(url: str, data: list[Any]) -> tuple[httpx.Response, str]:
    """Asks for a video; returns the answer and the session."""
    config = httpx.get(f"{url}config", timeout=300).json()
    number = next(each["id"] for each in config["dependencies"] if each["api_name"] == "talk")
    session = secrets.token_hex(6)
    body = json.dumps({"data": data, "fn_index": number, "session_hash": session})
    return httpx.post(f"{url}gradio_api/queue/join", content=body, timeout=300,
                      headers={"Content-Type": "application/json"}), session  # fmt: skip


def result(url: str, session: str) -> tuple[str, list[Any]]:
    """Waits for a video; returns its path and all progress messages.

    Raises:
        PageError: there is none.
    """
    progress = []
    address = f"{url}gradio_api/queue/data"
    with httpx.stream("GET", address, params={"session_hash": session}, timeout=300) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            message = json.loads(line[6:])
            if message["msg"] == "progress":
                progress += message["progress_data"]
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise PageError(message["output"]["error"])
                return message["output"]["data"][0]["path"], progress
    raise PageError("the connection was closed")


def talk(
    url: str, face: Path, speech: Path, seed: Any = 0, paste_back: bool = False
) -> tuple[bytes, list[Any]]:
    """Makes a video; returns it and the progress messages."""
    data = [upload(url, face), None, upload(url, speech), None, seed, paste_back]
    answer, session = join(url, data)
    answer.raise_for_status()
    path, progress = result(url, session)
    return httpx.get(f"{url}gradio_api/file={path}", timeout=300).content, progress
