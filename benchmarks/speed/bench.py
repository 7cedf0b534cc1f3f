"""All metrics in one dh-bench run against the single-purpose tools one after another.

Run it on two folders of clips of one name; it prints a Markdown table. Every tool is a process of
its own with the machine to itself: both sides pay for starting Python, for loading networks and
for decoding. dlib is timed only if it is installed and its landmark predictor is named. Processor
time is read from /proc, so that this needs Linux; on a busy machine trust it rather than the clock,
with OMP_NUM_THREADS=1 and --workers 1, since threads that wait for each other use it too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.scoring.results import read_scores
from benchmarks.speed.report import header, markdown
from benchmarks.speed.scale import below

METRICS = "ssim,psnr,fid,fvd,blinks_per_second,blink_duration,ofm,f_mse"
# Which number of dh-bench a tool's is to be compared with.
SAME = {"ssim": "ssim", "psnr": "psnr", "fid": "fid", "fvd": "fvd",
        "blinks": "blinks_per_second", "smoothness": "ofm"}  # fmt: skip


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds by the clock, seconds of processor time, and what a command printed.

    Ray's workers are nobody's children when they end: while the command runs, the processor time of
    all below it is read from /proc twice a second.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        run = subprocess.Popen(command, stdout=out, stderr=err)
        seen: dict[int, float] = {}
        done, next_look = 0, begin
        while not done:
            time.sleep(0.01)
            if time.perf_counter() >= next_look:
                for process in below(run.pid):
                    used = _processor_seconds(process)
                    seen[process] = max(used, seen.get(process, 0.0))
                next_look = time.perf_counter() + 0.5
            done, status, usage = os.wait4(run.pid, os.WNOHANG)
        seconds = time.perf_counter() - begin
        run.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if run.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{err.read().decode()}")
        waited = usage.ru_utime + usage.ru_stime
        return seconds, max(waited, sum(seen.values())), out.read().decode()


def _processor_seconds(process: int) -> float:
    """Of a process without its children; 0 if it has ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main(
    real: Annotated[Path, typer.Argument(help="Folder of real clips.")],
    fake: Annotated[Path, typer.Argument(help="Folder of fakes, of the same names.")],
    *,
    frames: Annotated[int, typer.Option(min=16, help="Of each clip.")] = 50,
    workers: Annotated[int, typer.Option(min=1, help="Of dh-bench.")] = 2,
    predictor: Annotated[
        Path | None, typer.Option(help="dlib's shape_predictor_68_face_landmarks.dat.")
    ] = None,
) -> None:
    """Prints what each takes, and the ratios."""
    command_line = f"python benchmarks/speed/bench.py {real} {fake} --frames {frames}"
    command_line += f" --workers {workers}"
    print(header(command_line, ["torch", "scikit-image", "torchmetrics", "opencv-python"]))
    tools = [name for name in SAME if name != "blinks" or predictor]
    script = str(Path(__file__).with_name("tools.py"))
    rows, numbers, total, processor = [], {}, 0.0, 0.0
    for name in tools:
        more = [str(predictor)] if name == "blinks" else []
        command = [sys.executable, script, name, str(real), str(fake), str(frames), *more]
        print(f"{name} …", file=sys.stderr)
        seconds, used, printed = timed(command)
        numbers[name] = float(json.loads(printed.splitlines()[-1]))
        shown = f"{numbers[name]:.4f}"
        rows.append([f"{name}, alone", f"{seconds:.1f}", "", f"{used:.1f}", "", shown])
        total, processor = total + seconds, processor + used
    rows.append(["all of these", f"{total:.1f}", "1.0", f"{processor:.1f}", "1.0", ""])
    for precision in ("float32", "bf16"):
        print(f"dh-bench, {precision} …", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "scores.json"
            command = [
                sys.executable,
                "-c",
                "from benchmarks.cli.main import main; main()",
                "score",
            ]
            command += ["--real", str(real), "--fake", str(fake), "--out", str(out)]
            command += ["--metrics", METRICS, "--max-frames", str(frames), "--cache", folder]
            command += ["--workers", str(workers), "--precision", precision]
            seconds, used, _ = timed(command)
            found = read_scores(out)["metrics"]
            again, used_again, _ = timed(command)
        said = "; ".join(f"{found[SAME[name]]['mean']:.4f}" for name in tools)
        for what, taken, cost, number in (
            (f"dh-bench, {precision}", seconds, used, said),
            ("the same again, from its cache", again, used_again, ""),
        ):
            ratios = f"{total / taken:.1f}", f"{processor / cost:.1f}"
            rows.append([what, f"{taken:.1f}", ratios[0], f"{cost:.1f}", ratios[1], number])
    clips = len(list(real.glob("*.mp4")))
    print(f"{clips} clips, {frames} frames at most, {workers} workers\n")
    columns = ["what", "seconds", "times less", "processor seconds", "times less", "number"]
    print(markdown(columns, rows))


if __name__ == "__main__":
    typer.run(main)
