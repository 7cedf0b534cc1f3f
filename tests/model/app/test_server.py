"""Starting and ending dh-sample serve."""

import signal
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from model.app.limits import PageLimits
from model.app.server import serve
from model.sampling.sample_config import ModelOptions, SampleConfig
from pipeline.errors import UserError
from tests.model.app.client import join, upload
from tests.model.app.conftest import running


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_while_a_video_is_made(
    checkpoint, given, tmp_path, monkeypatch, number, code
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with running(checkpoint) as (process, url):
        data = [upload(url, given / "face.jpg"), None, upload(url, given / "long.wav"), None]
        assert join(url, [*data, 0, False])[0].is_success
        assert list(tmp_path.glob("dh-serve-*/files/*"))
        process.send_signal(number)
        assert process.wait(timeout=120) == code
    assert not list(tmp_path.glob("dh-serve-*"))


def test_a_port_in_use_is_named(checkpoint: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port}"):
            serve(
                ModelOptions(checkpoint, device="cpu"),
                SampleConfig("ddim", 2),
                "127.0.0.1",
                port,
                PageLimits(),
            )


def test_without_gradio_the_extra_is_named(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UserError, match=r"diffused-heads\[app\]"):
        serve(
            ModelOptions(checkpoint, device="cpu"),
            SampleConfig("ddim", 2),
            "127.0.0.1",
            0,
            PageLimits(),
        )
