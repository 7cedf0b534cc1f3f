"""A device against the CPU: no error where they are the same, exit 1 where one is too large."""

import pytest
import torch
import typer

from benchmarks.speed import parity


@pytest.mark.slow
def test_the_cpu_agrees_with_itself(capsys):
    with pytest.raises(typer.Exit) as ended:
        parity.main("tiny", rows=1, device="cpu")
    assert ended.value.exit_code == 0
    rows = {
        line.split(" | ")[1]: line.split(" | ")[2:4]
        for line in capsys.readouterr().out.splitlines()
        if "| tiny" in line
    }
    assert rows["float32"] == ["0", "0"]
    assert all(0 < float(error) < 0.05 for error in rows["bfloat16"])


def test_an_error_above_the_limit_is_exit_code_1(monkeypatch):
    monkeypatch.setattr(parity, "LIMITS", {torch.bfloat16: 1e-5})
    with pytest.raises(typer.Exit) as ended:
        parity.main("tiny", rows=1, device="cpu")
    assert ended.value.exit_code == 1
