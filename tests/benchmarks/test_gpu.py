"""The script for a GPU machine, at its smallest on a CPU, so that it works on the day."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets import run_prep, write_talker

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_whole_script_on_a_cpu(landmark_task, tmp_path):
    write_talker(tmp_path / "clips" / "one.mp4", 25, 0)
    run_prep(tmp_path / "clips", "--out", tmp_path / "data", "--workers", 0)
    small = {"PRESETS": "tiny", "TRAIN": "tiny", "MINUTES": "0.02", "ROUNDS": "1", "ROWS": "1"}
    environment = os.environ | small | {
        "DATA": str(tmp_path / "data"), "OUT": str(tmp_path / "out"), "COMPILE": "",
        "PYTHON": sys.executable, "OMP_WAIT_POLICY": "passive",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", ROOT / "benchmarks" / "gpu.sh"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = (tmp_path / "out" / "log.md").read_text()
    assert done.returncode == 0, log
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:]
            for line in log.splitlines() if line.startswith("| ")}  # fmt: skip
    assert rows["plain: eager, float32, NCHW"][1] == "1.00 x"
    assert len([name for name in rows if name.startswith("dh-train:")]) == 1
    assert "| tiny | bfloat16 |" in log
    sampling = [line.split("|") for line in log.splitlines() if line.startswith("| tiny | ")]
    released, clip, frame, many = sampling[-7:-3]  # then the same in one call
    assert released[2].strip() == "released: 100 ancestral steps, float32"
    assert float(released[5]) == 1.0
    for row, name in ((clip, "ours, one clip: "), (frame, "ours, first frame of a clip")):
        assert row[2].strip().startswith(name)
        assert float(row[3]) > 0
    assert "clips side by side" in many[2]
    assert list((tmp_path / "out" / "run").glob("checkpoint-*.safetensors"))
