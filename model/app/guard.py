"""Which requests reach Gradio: those of the page itself, for its own files, and no larger ones."""

import json
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse

from model.app.limits import PageLimits

# Gradio has many more routes, among them one that fetches files of other sites for whoever asks.
_ROUTES = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/(static|assets)/.+"
    r"|/gradio_api/(info|upload|upload_progress|queue/join|queue/data|heartbeat/\w+|file=/.+)"
    r"|/live(/\w+)?"
)
_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_LARGEST_JSON = _FORM_OVERHEAD = 1 << 16  # bytes; the second ones surround an upload
_MOST_IGNORED = 1 << 30  # bytes of a refused upload that are read all the same
_HEADERS = {
    # Nothing is fetched from another host, and no other page shows this one in a frame.
    "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "object-src 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def guard(app: FastAPI, folder: Path, limits: PageLimits, *, local: bool) -> None:
    """Makes an application refuse requests of other sites, to unused routes and for other files.

    `folder` is that of the uploads and videos, absolute and without links; `local` says that the
    server listens on a loopback address.
    """

    @app.middleware("http")
    async def answer(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        try:
            await _check_head(request, limits, local=local)
            if request.url.path in {"/gradio_api/queue/join", "/live"}:
                _check_files(await request.body(), folder)
            response = await call_next(request)
        except HTTPException as refusal:
            response = PlainTextResponse(refusal.detail, refusal.status_code)
        response.headers.update(_HEADERS)
        if request.url.path.startswith("/gradio_api/"):
            response.headers["cache-control"] = "no-store"
        if request.url.path == "/gradio_api/upload":
            keep_newest(folder, limits.kept)
        return response


async def _check_head(request: Request, limits: PageLimits, *, local: bool) -> None:
    """Checks who asks, for what, and how much is sent."""
    host, path = request.headers.get("host", ""), request.url.path
    # A foreign name that points to this machine shows in Host, a script of another page in Origin.
    if local and re.sub(r":\d+$", "", host) not in _LOCAL_NAMES:
        raise HTTPException(403, "this page answers to its own address only")
    if request.headers.get("origin", f"http://{host}") != f"http://{host}":
        raise HTTPException(403, "other pages may not use this one")
    if request.method not in {"GET", "HEAD", "POST"} or not _ROUTES.fullmatch(path):
        raise HTTPException(404, "not found")
    if request.method == "POST":
        length = request.headers.get("content-length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise HTTPException(411, "the request must state its length")
        if path != "/gradio_api/upload" and int(length) > _LARGEST_JSON:
            raise HTTPException(413, f"the request is larger than {_LARGEST_JSON} bytes")
        if int(length) > limits.upload + _FORM_OVERHEAD:
            if int(length) < _MOST_IGNORED:
                async for _ in request.stream():  # cut off, the sender would not see the answer
                    pass
            most = f"{limits.upload >> 20} MB"
            raise HTTPException(413, f"the file is larger than {most}, the most accepted here")


def _check_files(body: bytes, folder: Path) -> None:
    """Checks that every file in a JSON request was uploaded here.

    Gradio checks this of local paths, but downloads what has the address of another host.
    """

    def check(value: dict[str, Any]) -> None:
        path = value.get("path")
        if path and not Path(str(path)).resolve().is_relative_to(folder):
            raise HTTPException(403, "this file was not uploaded here")

    try:
        json.loads(body, object_hook=check)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "this is not JSON") from error


def keep_newest(folder: Path, count: int) -> None:
    """Deletes all but the newest entries of a folder."""
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-count]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
