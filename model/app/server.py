"""Starts and ends the server of the page."""

import ipaddress
import os
import socket
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model.app.limits import PageLimits
from model.sampling.batch import LoadedModel, load
from model.sampling.sample_config import ModelOptions, SampleConfig
from pipeline.errors import UserError


def serve(
    model: ModelOptions, config: SampleConfig, host: str, port: int, limits: PageLimits
) -> None:
    """Serves the page until Ctrl-C or SIGTERM."""
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install 'diffused-heads[app]'")
    loaded = load(model, config)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port}: {error}; try --port 0") from error
    with listener, TemporaryDirectory(prefix="dh-serve-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve() / "files"
        folder.mkdir()
        # Read when Gradio is imported: where its files go, and that it reports to nobody.
        os.environ["GRADIO_TEMP_DIR"] = os.environ["GRADIO_EXAMPLES_CACHE"] = str(folder)
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        _run(loaded, folder, listener, limits)


def _run(loaded: LoadedModel, folder: Path, listener: socket.socket, limits: PageLimits) -> None:
    """Runs the web server in this thread until a signal ends it."""
    import gradio
    import uvicorn
    from fastapi import FastAPI

    from model.app.guard import guard
    from model.app.live_stream import LiveTalker, add_live_routes
    from model.app.page import CSS, THEME, build_page
    from model.app.uploads import UploadedVideoMaker

    host, port = listener.getsockname()[:2]
    local = ipaddress.ip_address(host).is_loopback
    maker = UploadedVideoMaker(loaded, folder, limits.seconds)
    talker = LiveTalker(maker, limits.seconds)
    app = FastAPI(openapi_url=None)
    guard(app, folder, limits, local=local)
    add_live_routes(app, talker)
    gradio.mount_gradio_app(
        app,
        build_page(maker, limits.waiting),
        path="/",
        max_file_size=limits.upload,
        show_error=False,  # an exception's text may name files of this machine
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        theme=THEME,
        css=CSS,
    )

    class Server(uvicorn.Server):
        """A web server that, when it is stopped, ends the video being made."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            maker.stopping.set()
            talker.stop()
            super().handle_exit(sig, frame)

    address = f"[{host}]" if ":" in host else host
    print(f"serving http://{address}:{port}/  (Ctrl-C ends it)", flush=True)
    if not local:
        print("others on the network can use it: no password is asked", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    try:
        with suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listener])
        print("ended")
    finally:
        maker.busy.acquire()  # the last video has ended
