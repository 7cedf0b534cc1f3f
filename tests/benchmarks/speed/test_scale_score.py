"""Memory of a long run of dh-bench: the links, and a whole run that is looked on at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.speed.scale_score import link_pairs
from pipeline.media import write_video

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")


@pytest.fixture
def folders(face_frames, tmp_path):
    for name, first in (("a", 0), ("b", 3)):
        frames = face_frames[first : first + 16]
        write_video(tmp_path / "real" / f"{name}.mkv", frames, crf=12)
        write_video(tmp_path / "fake" / f"{name}.mp4", frames, crf=38)
    return tmp_path / "real", tmp_path / "fake"


def test_links_go_to_the_pairs_in_turn(folders, tmp_path):
    real, fake = folders
    pairs = [(real / f"{name}.mkv", fake / f"{name}.mp4") for name in "ab"]
    link_pairs(pairs, tmp_path / "links", 5)
    for side, folder, suffix in (("real", real, ".mkv"), ("fake", fake, ".mp4")):
        made = sorted((tmp_path / "links" / side).iterdir())
        assert [path.name for path in made] == [f"clip-{k:07d}{suffix}" for k in range(5)]
        assert [path.resolve() for path in made] == [folder / f"{n}{suffix}" for n in "ababa"]


@pytest.mark.slow
def test_the_script_watches_a_run(folders):
    command = ["benchmarks/speed/scale_score.py", *folders, "--clips", "40", "--metrics", "ssim"]
    done = subprocess.run(
        [sys.executable, *command, "--every", "0.2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "40 links to 2 pairs" in done.stdout
    assert "measured: ssim\n" in done.stdout
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
