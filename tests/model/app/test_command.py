"""dh-sample serve on the command line: what it is asked for reaches what draws."""

import sys
from pathlib import Path

import pytest

from model.app import server as serve
from model.app.limits import PageLimits
from model.cli import sample as sample_cli
from model.sampling.sample_config import ModelOptions, SampleConfig
from tests.models import write_untrained


def test_options_reach_the_server(small, speech_format, tmp_path: Path, monkeypatch):
    write_untrained(tmp_path / "run.safetensors", small, speech_format)
    asked: list[tuple[ModelOptions, SampleConfig, str, int, PageLimits]] = []
    monkeypatch.setattr(serve, "serve", lambda *given: asked.append(given))
    words = ["--checkpoint", str(tmp_path / "run.safetensors"), "--sampler", "ddim", "--steps", "7"]
    words += ["--start", "noise", "--noise-correlation", "0.3", "--reanchor", "15", "--compile"]
    words += ["--port", "0", "--max-megabytes", "3", "--max-seconds", "9", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["dh-sample", "serve", *words])
    with pytest.raises(SystemExit) as ended:
        sample_cli.sample_main()
    assert not ended.value.code
    ((model, config, host, port, limits),) = asked
    assert model.checkpoint == tmp_path / "run.safetensors"
    assert config == SampleConfig(
        "ddim", 7, start="noise", noise_correlation=0.3, reanchor=15, compiled=True
    )
    assert (model.device, host, port, limits) == ("cpu", "127.0.0.1", 0, PageLimits(3 << 20, 9))
