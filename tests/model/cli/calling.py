"""dh-sample called in this process."""

import sys
from pathlib import Path

import numpy as np
import pytest

from model.cli import sample as sample_cli
from pipeline.media import read_frames, read_image

QUICK = ("--device", "cpu", "--precision", "float32", "--steps", "3")


def call(monkeypatch, *words: object) -> int:
    """Runs dh-sample in this process and returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["dh-sample", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        sample_cli.sample_main()
    return int(ended.value.code or 0)


def refused(monkeypatch, capsys, *words: object) -> str:
    """What dh-sample says to wrong use: one sentence."""
    assert call(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    (sentence,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    return sentence


def frames(path: Path) -> np.ndarray:
    """(T, H, W, 3) of a video, or of a folder of pictures."""
    if path.is_dir():
        return np.stack([read_image(one) for one in sorted(path.glob("*.png"))]).astype(int)
    return np.stack(list(read_frames(path))).astype(int)
