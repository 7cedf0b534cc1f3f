"""Memory over a long run: what is read from /proc, what is made of it, a whole run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from benchmarks.speed.scale import Look, below, look, memory, memory_rows, time_rows
from pipeline.media import Audio, write_video

ROOT = Path(__file__).parents[3]
MB = 1_000_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")


def numbers(rows):
    return {name: [float(cell.rstrip(" %")) for cell in cells] for name, *cells in rows}


def test_what_a_process_takes_is_what_it_touched():
    code = (
        "import sys; held = bytearray(b'x') * int(sys.argv[1]); print(flush=True); "
        "sys.stdin.readline()"
    )
    sizes = []
    for held in (0, 200 * MB):
        command = [sys.executable, "-c", code, str(held)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
            child.stdout.readline()
            assert child.pid in below(os.getpid())
            sizes.append(memory(child.pid))
            seen = look(child.pid, 7)
            assert seen.clips == 7
            # Between the picture_psnr it has begun to read, which touches some pages more.
            assert seen.driver == pytest.approx([sizes[-1]["VmRSS"], sizes[-1]["RssAnon"]], abs=MB)
            assert seen.worker == (0, 0)
            child.stdin.close()
    for name in ("VmRSS", "RssAnon", "Pss"):
        # Of Python's own code, a few MB, counts what others have read and do not share.
        assert sizes[1][name] - sizes[0][name] == pytest.approx(200 * MB, abs=10 * MB)


def test_of_a_process_that_has_ended_nothing_is_left():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # its number stays taken
        assert set(memory(child.pid).values()) == {0}
    nobody = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert set(memory(nobody).values()) == {0}


def test_drift_is_of_the_last_clips_against_the_settled_ones():
    """A driver that grows by 1 MB every 100 clips; a worker that jumps early and then stays."""
    picture_psnr = [
        Look(
            k, ((100 + k // 100) * MB, 50 * MB), ((80 if k < 450 else 300) * MB, 40 * MB), 900 * MB
        )
        for k in range(0, 10_000, 10)
    ]
    picture_psnr.append(Look(10_000, (250 * MB, 50 * MB), (0, 0), 0))  # the command's end
    rows = numbers(memory_rows(picture_psnr, 10_000))
    assert rows["clip 500"][0] == pytest.approx(107, abs=1)
    assert rows["clip 5,000"][0] == pytest.approx(152, abs=1)
    assert rows["clip 10,000"][0] == pytest.approx(197, abs=1)
    assert rows["most, the end of the command included"][0] == 250
    assert rows["clip 10,000 against 500"][0] == pytest.approx(100 * (197 / 107 - 1), abs=1.5)
    assert rows["clip 10,000 against 500"][2] == 0


def test_time_per_clip_is_that_of_each_fifth():
    """Shards of 10: 100 ms a clip in the first half of 1,000 clips, 150 ms in the second."""
    done = [10 * k for k in range(1, 101)]
    moments = np.cumsum([0.1 * 10 if k <= 500 else 0.15 * 10 for k in done]).tolist()
    rows = numbers(time_rows(list(zip(done, moments, strict=True)), 1000))
    assert rows["first fifth"] == [100]
    assert rows["middle fifth"] == [125]
    assert rows["last fifth"] == [150]


@pytest.mark.slow
def test_the_script_watches_a_run_and_plans(tmp_path, landmark_task):
    photograph = data.astronaut()[..., :3]
    pictures = [np.ascontiguousarray(photograph[:240, 80 + t : 340 + t]) for t in range(25)]
    noise = np.random.default_rng(0).normal(0, 2000, 16000).astype(np.int16)
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}.mp4", pictures, audio=Audio(noise))
    command = ["benchmarks/speed/scale.py", tmp_path, "--clips", "40", "--rows", "1000"]
    done = subprocess.run(
        [sys.executable, *command, "--every", "0.1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "|" in line]
    rows = {first: rest for first, *rest in cells}
    assert all(float(cell) >= 0 for cell in rows["clip 20"])
    # Any clip may have passed between two picture_psnr; the most of them all has seen everybody.
    driver, anonymous, worker, of_worker, everything = map(
        float, rows["most, the end of the command included"]
    )
    assert 50 < anonymous < driver < 2000
    assert 50 < of_worker < worker < 2000
    assert everything > driver
    assert float(rows["middle fifth"][0]) > 0
    assert float(rows["plan_shards"][1]) > 50
    assert float(rows["dh-prep run --dry-run"][0]) > 0
