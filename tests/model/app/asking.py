"""Requests to the server of dh-sample serve, as a browser sends them."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from model.app.upload_jobs import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from model.app.server import PageServer


LIMITS = Limits(upload=200_000, seconds=2, waiting=2, kept=4)


def ask(
    server: PageServer,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """The status and what was answered, read as JSON if it is that."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=300)
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
    for _ in range(6000):  # five minutes, on a machine with much else to do
        status, job = ask(server, "GET", f"/jobs/{told['id']}")
        assert status == 200
        if job["done"] or job["error"]:
            return told["id"], job
        time.sleep(0.05)
    raise AssertionError("the job does not end")
