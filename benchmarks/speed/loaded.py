"""Speed of sampling beside other work, as a ratio to a fair share of the processor.

A process draws frames of one clip while others compute without a break. Its fair share of the
frames that it draws in a second of processor time, every core busy, is `cores / (others + 1)`; the
ratio is what it draws of that, 1 where nothing is lost by waiting. Threads that wait in loops take
turns with those that sleep (`OMP_WAIT_POLICY`), and with two threads whatever the size of the
network. Other work on the machine lowers all rows. Prints Markdown.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated
from unittest.mock import patch

import torch
import typer

from benchmarks.speed.harness import Cost, header, load, markdown, run_command
from benchmarks.speed.sample import build, ours
from model.config.presets import preset as preset_named
from model.sampling.sample_config import SampleConfig

_ACTIVE = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "300000"}  # OpenMP's own, about
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
_FEW = "model.sampling.autoregressive.few_threads"


@contextmanager
def other_work(processes: int) -> Iterator[None]:
    """Processes that compute without a break."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def draw(name: str, seconds: float, *, most: bool) -> tuple[int, Cost]:
    """Frames drawn in at least `seconds`, and what they cost.

    Args:
        name: of the preset.
        seconds: by the clock.
        most: use every thread, whatever the size of the network.
    """
    preset = preset_named(name)
    config = SampleConfig("ddim", 2, precision="float32")
    following, _ = ours(build(preset, torch.device("cpu")), preset, config, 1)
    with patch(_FEW, lambda _: nullcontext()) if most else nullcontext():
        following()
        count, clock, processor = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() < clock + seconds:
            following()
            count += 1
        cost = Cost(time.process_time() - processor, time.perf_counter() - clock)
    return count, cost


def main(
    preset: str = "tiny",
    seconds: Annotated[float, typer.Option(help="That each row draws.")] = 5.0,
    others: Annotated[int, typer.Option(min=1, help="Processes beside it.")] = 6,
    *,
    most: Annotated[bool, typer.Option("--most", hidden=True)] = False,
    one: Annotated[bool, typer.Option("--one", hidden=True)] = False,
) -> None:
    """Prints frames a second beside other work."""
    if one:  # in a process of its own: the policy is read when torch is imported
        drawn, cost = draw(preset, seconds, most=most)
        print(drawn, cost.processor, cost.clock)
        return
    print(header(["torch"]))
    again = [sys.executable, __file__, "--one", "--preset", preset, "--seconds", str(seconds)]

    def measure(policy: dict[str, str], *words: str) -> tuple[float, float, float]:
        _, printed = run_command([*again, *words], environment=os.environ | policy)
        count, processor, clock = map(float, printed.split())
        return count, processor, clock

    # Frames for a second of processor time without waiting, the other cores busy: they share
    # caches, and often are the second thread of the same core.
    cores = os.cpu_count() or 1
    with other_work(cores - 1):
        count, processor, _ = measure(_PASSIVE | {"OMP_NUM_THREADS": "1"})
    fair = count / processor * min(1.0, cores / (others + 1))
    rows = []
    with other_work(others):
        for label, policy, words in [
            ("threads by the size of the network, asleep (ours)", _PASSIVE, []),
            ("every thread, asleep", _PASSIVE, ["--most"]),
            ("every thread, in loops", _ACTIVE, ["--most"]),
        ]:
            count, _, clock = measure(policy, *words)
            rows.append([label, f"{count / clock:.2f}", f"{count / clock / fair:.2f}"])
    print(f"{preset}, {others} processes beside it; {load()} at the end\n")
    print(markdown(["waiting threads", "frames a second", "of a fair share"], rows))


if __name__ == "__main__":
    typer.run(main)
