"""Memory over a long run: what is read from /proc, what is computed from it, small runs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.harness import below
from benchmarks.speed.scale import look, memory, memory_rows, time_rows
from pipeline.media import write_video

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
            seen = look(child.pid)
            # Between the looks it has begun to read, which touches some pages more.
            assert seen[:2] == pytest.approx(sizes[-1][:2], abs=MB)
            assert seen[2:4] == [0, 0]
            child.stdin.close()
    # Of Python's own code, a few MB, counts what others have read and do not share.
    assert np.subtract(sizes[1], sizes[0]) == pytest.approx(200 * MB, abs=10 * MB)


def test_of_a_process_that_has_ended_nothing_is_left():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # its number stays taken
        assert memory(child.pid) == (0, 0, 0)
    nobody = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert memory(nobody) == (0, 0, 0)


def test_drift_is_of_the_last_looks_against_the_settled_ones():
    """A driver that grows by 1 MB a second for 100 s; a worker that jumps early and then stays."""
    looks = [
        (float(t), [(100 + t) * MB, 50 * MB, (80 if t < 2 else 300) * MB, 40 * MB, 900 * MB])
        for t in range(100)
    ]
    looks.append((100.0, [250 * MB, 50 * MB, 0, 0, 0]))  # the command's end
    rows = numbers(memory_rows(looks))
    assert rows["5% of the run"][:3] == [105, 50, 300]
    assert rows["95% of the run"][0] == 195
    assert rows["most, the end of the command included"][0] == 250
    assert rows["95% against 5%"][0] == pytest.approx(100 * (195 / 105 - 1), abs=0.1)
    assert rows["95% against 5%"][2] == 0


def test_time_per_clip_is_that_of_each_fifth():
    """Shards of 10: 100 ms a clip in the first half of 1,000 clips, 150 ms in the second."""
    done = [10 * k for k in range(1, 101)]
    moments = np.cumsum([0.1 * 10 if k <= 500 else 0.15 * 10 for k in done]).tolist()
    rows = numbers(time_rows(list(zip(done, moments, strict=True)), 1000))
    assert rows["first fifth"] == [100]
    assert rows["middle fifth"] == [125]
    assert rows["last fifth"] == [150]


def assert_everybody_was_seen(cells):
    driver, anonymous, worker, of_worker, everything = map(float, cells)
    assert 50 < anonymous < driver < 2000
    assert 50 < of_worker < worker < 2000
    assert everything > driver


@pytest.mark.slow
def test_a_run_of_dh_prep(script, clips, landmark_task):
    words = ["--clips", 20, "--seconds-each", 0.4, "--every", 0.1]
    _, rows = script("scale.py", "prep", clips, *words)
    assert_everybody_was_seen(rows["most, the end of the command included"])
    assert float(rows["middle fifth"][0]) > 0


@pytest.mark.slow
def test_planning(script, clips):
    _, rows = script("scale.py", "plan", clips, "--rows", 1000)
    assert float(rows["1,000"][1]) > 50


@pytest.mark.slow
def test_a_run_of_dh_bench(script, face_frames, tmp_path):
    for name, first in (("a", 0), ("b", 3)):
        frames = face_frames[first : first + 16]
        write_video(tmp_path / "real" / f"{name}.mkv", frames, crf=12)
        write_video(tmp_path / "fake" / f"{name}.mp4", frames, crf=38)
    folders = tmp_path / "real", tmp_path / "fake"
    words = ["--clips", 40, "--metrics", "ssim", "--every", 0.2]
    printed, rows = script("scale.py", "score", *folders, *words)
    assert "40 links to 2 pairs" in printed
    assert "measured: ssim\n" in printed
    assert_everybody_was_seen(rows["most, the end of the command included"])
