"""dh-sample serve: a page on this machine where one drops a face and a recording.

Built on the standard library: the newest Gradio that our pins allow is 3.18 of 2023, whose known
holes (files of the host served by their path, among others) are what this page is not to have.

Nothing of a request names a file. Uploads are numbered by the server, lie in a folder of its own
that goes when it ends, and are opened only if their first bytes say that they are media that hold
everything themselves: FFmpeg follows play lists to other files.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import socket
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from model.app.page import PAGE
from model.app.upload_jobs import Desk, Limits, Refusal
from model.sampling.batch import load

if TYPE_CHECKING:
    from model.sampling.batch import SampleRun

_LARGEST_JSON = 4096
_TIMEOUT = 60  # seconds without a byte, until a connection is given up
_OVERHEARD = 1 << 30  # bytes of a refused upload that are read, so that its sender hears why


class PageServer(ThreadingHTTPServer):
    """An HTTP server with a desk that takes jobs.

    Args:
        address: host and port.
        desk: does the work.
        limits: what may be asked.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], desk: Desk, limits: Limits) -> None:
        self.desk, self.limits = desk, limits
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.local = address[0] == "localhost" or ipaddress.ip_address(address[0]).is_loopback
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def serve(run: SampleRun, host: str, port: int, limits: Limits) -> None:
    """Serves the page until Ctrl-C.

    Raises:
        UserError: the checkpoint cannot be used, or nothing can listen there.
    """
    from pipeline.errors import UserError

    loaded = load(run)
    with tempfile.TemporaryDirectory(prefix="dh-serve-") as folder:
        desk = Desk(loaded, Path(folder), limits)
        try:
            server = PageServer((host, port), desk, limits)
        except (OSError, ValueError) as error:
            raise UserError(f"cannot listen on {host}:{port}: {error}; try --port 0") from error
        with server:
            print(f"serving {server.url}  (Ctrl-C ends it)", flush=True)
            if not server.local:
                print("others on the network can use it: no password is asked", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print("ended")


class _Handler(BaseHTTPRequestHandler):
    """GET /, GET /jobs/ID, GET /jobs/ID/video, POST /upload, POST /jobs."""

    server_version = "dh-sample"
    sys_version = ""
    timeout = _TIMEOUT

    @property
    def _server(self) -> PageServer:
        return cast("PageServer", self.server)

    def log_message(self, *_: Any) -> None:
        """Nothing is kept of who asked for what."""

    def do_GET(self) -> None:
        """The page, how a job stands, or its video."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A file, or a job."""
        self._answer(self._post)

    def _answer(self, work: Any) -> None:
        """Does the work; what cannot be done is told as JSON."""
        try:
            try:
                self._refuse_strangers()
                work()
            except Refusal as refusal:
                self._refuse(refusal)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _refuse(self, refusal: Refusal) -> None:
        """Says why, and hears the sender out: one cut off in mid-file would never read it."""
        # What was not read of the body would be taken for the next request.
        self.close_connection = True
        self._send_json({"error": str(refusal)}, refusal.status)
        self.connection.shutdown(socket.SHUT_WR)
        left = _OVERHEARD
        while left > 0 and (part := self.rfile.read1(1 << 16)):
            left -= len(part)

    def _refuse_strangers(self) -> None:
        """Other sites' pages in the user's browser must not use a page on loopback.

        A name of theirs that points here tells itself by the header Host, a script by Origin.
        """
        host = self.headers.get("Host", "")
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        if self._server.local and name not in {"localhost", "127.0.0.1", "[::1]"}:
            raise Refusal(403, "this page answers to its own address only")
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise Refusal(403, "other pages may not use this one")

    def _get(self) -> None:
        desk = self._server.desk
        if self.path == "/":
            self._send_page()
        elif found := re.fullmatch(r"/jobs/([0-9a-f]{32})", self.path):
            self._send_json(desk.status(found[1]))
        elif found := re.fullmatch(r"/jobs/([0-9a-f]{32})/video", self.path):
            self._send(200, desk.video(found[1]), {"Content-Type": "video/mp4"})
        else:
            raise Refusal(404, "there is no such page")

    def _post(self) -> None:
        desk, limits = self._server.desk, self._server.limits
        if self.path == "/upload":
            length = self._length(limits.upload)
            self._send_json({"id": desk.take(self.rfile, length)})
        elif self.path == "/jobs":
            try:
                wanted = json.loads(self.rfile.read(self._length(_LARGEST_JSON)))
            except (ValueError, RecursionError) as error:
                raise Refusal(400, "this is no JSON") from error
            self._send_json({"id": desk.begin(wanted)})
        else:
            raise Refusal(404, "there is no such page")

    def _length(self, most: int) -> int:
        """Bytes of the body.

        Raises:
            Refusal: it is too large, or its length is not told.
        """
        told = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", told):
            raise Refusal(411, "the length of the file must be told")
        if int(told) > most:
            raise Refusal(413, f"the file is larger than {most >> 20} MB, the most taken here")
        return int(told)

    def _send_page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "img-src blob:; media-src blob:; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
        self._send(200, PAGE.replace("NONCE", nonce).encode(), headers)

    def _send_json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        always = {
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in {**headers, **always}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
