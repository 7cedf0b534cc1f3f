"""Seconds a training step: ours against a plain eager float32 step in the usual memory layout.

Both take the same network, batch and loss in turns, on the CPU or on a GPU. It prints Markdown with
the share of the matrix peak that is reached, counted by torch's FLOP counter.
"""

from __future__ import annotations

import shlex
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.report import header, markdown
from model.config.presets import preset as named
from model.data.training_frame import Batch
from model.device import choose_device, choose_memory_format, choose_precision
from model.network.talking_head import SpeechFormat, TalkingHead
from model.training.objective import Objective

if TYPE_CHECKING:
    from model.config.presets import Preset

# Dense bf16 peaks, TFLOP/s, from NVIDIA's data sheets (SXM modules).
_PEAKS = {"H200": 989.0, "H100": 989.0, "A100": 312.0}
_SPEECH = SpeechFormat(18, 13, [0.0] * 13, [1.0] * 13)


@dataclass(frozen=True)
class Way:
    """How a step is computed.

    Attributes:
        name: in the table.
        precision: arithmetic of the network.
        memory_format: of weights and feature maps.
        compile: by torch.compile.
        fused: whether Adam is one kernel.
    """

    name: str
    precision: Literal["bf16", "float32"]
    memory_format: torch.memory_format
    compile: bool = False
    fused: bool = True


def draw_batch(chosen: Preset, rows: int, device: torch.device) -> Batch:
    """Random frames; what they show does not change what they cost."""
    unet, size = chosen.unet, chosen.unet.image_size
    torch.manual_seed(0)

    def frames(channels: int) -> torch.Tensor:
        return torch.randint(256, (rows, channels, size, size), dtype=torch.uint8)

    box = torch.tensor([size // 3, size // 2, 2 * size // 3, 3 * size // 4])
    return Batch(
        target=frames(3),
        identity=frames(3),
        motion=frames(unet.motion_frames * unet.motion_channels),
        speech=torch.randn(rows, unet.speech_window, _SPEECH.steps * _SPEECH.coefficients),
        mouth=box.repeat(rows, 1),
        lips=torch.randn(rows, 40),
        level=torch.rand(rows),
        seed=torch.arange(rows),
        keys=["random"] * rows,
    ).to(device)


class Step:
    """A training step, ready to be taken again and again."""

    def __init__(self, way: Way, chosen: Preset, device: torch.device) -> None:
        torch.manual_seed(0)
        self._model = TalkingHead(chosen, _SPEECH).to(device)
        self._model.to(memory_format=way.memory_format)  # type: ignore[call-overload]
        self._objective = Objective(self._model, chosen, way.precision)
        parameters = [p for p in self._model.parameters() if p.requires_grad]
        self._adam = torch.optim.Adam(parameters, 1e-4, fused=way.fused, foreach=not way.fused)
        if way.compile:
            self._model.unet.compile()

    def __call__(self, batch: Batch) -> None:
        """Forward, backward, Adam."""
        self._adam.zero_grad(set_to_none=True)
        self._objective(batch).total.backward()
        self._adam.step()

    def flops(self, batch: Batch) -> int:
        """Of forward and backward, a multiply-add counting two."""
        with FlopCounterMode(display=False) as counter:
            self._objective(batch).total.backward()
        return counter.get_total_flops()


def seconds(step: Step, batch: Batch) -> float:
    """Of one step, to its end."""
    begin = time.perf_counter()
    step(batch)
    if batch.target.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def ways(chosen: Preset, device: torch.device, *, with_compile: bool) -> list[Way]:
    """The plain way first, then ours."""
    fast = choose_precision("auto", device)
    layout = choose_memory_format("auto", device, chosen.unet)
    found = [
        Way("plain: eager, float32, NCHW", "float32", torch.contiguous_format, fused=False),
        Way(f"dh-train: {fast}, {str(layout).rpartition('.')[2]}", fast, layout),
    ]
    other = torch.channels_last if layout == torch.contiguous_format else torch.contiguous_format
    found.append(Way(f"{fast}, {str(other).rpartition('.')[2]}", fast, other))
    if with_compile:
        found.append(replace(found[1], name=f"{found[1].name}, --compile", compile=True))
    return found


def measure(chosen: Preset, rows: int, repeat: int, *, with_compile: bool) -> list[list[str]]:
    """A row for each way: seconds a step, ratio to the plain way, TFLOP/s and share of the peak."""
    device = choose_device("auto")
    batch = draw_batch(chosen, rows, device)
    chosen_ways = ways(chosen, device, with_compile=with_compile)
    taken: dict[str, list[float]] = {way.name: [] for way in chosen_ways}
    steps = {way.name: Step(way, chosen, device) for way in chosen_ways}
    flops = steps[chosen_ways[0].name].flops(batch)
    for step in steps.values():
        for _ in range(2):
            seconds(step, batch)
    for _ in range(repeat):  # in turns, so that a busy moment meets all of them
        for name, step in steps.items():
            taken[name].append(seconds(step, batch))
    plain = statistics.median(taken[chosen_ways[0].name])
    peak = next(
        (
            value
            for gpu, value in _PEAKS.items()
            if device.type == "cuda" and gpu in torch.cuda.get_device_name()
        ),
        None,
    )
    table = []
    for name, times in taken.items():
        middle = statistics.median(times)
        speed = flops / middle / 1e12
        share = f"{100 * speed / peak:.0f} %" if peak else "-"
        table.append([name, f"{middle:.3f}", f"{plain / middle:.2f} x", f"{speed:.2f}", share])
    return table


def main(
    *,
    preset: Annotated[list[str], typer.Option(help="Which networks.")] = ["crema"],  # noqa: B006
    rows: Annotated[int, typer.Option(min=1, help="Frames of a batch.")] = 2,
    repeat: Annotated[int, typer.Option(min=1, help="Steps of each way, in turns.")] = 5,
    with_compile: Annotated[
        bool, typer.Option("--compile", help="Measure torch.compile too.")
    ] = False,
) -> None:
    """Prints seconds a training step, side by side."""
    print(header(f"python {shlex.join(sys.argv)}", ["torch"]))
    device = choose_device("auto")
    where = torch.cuda.get_device_name() if device.type == "cuda" else "the CPU"
    for name in preset:
        print(f"{name}, batches of {rows}, on {where}, {torch.get_num_threads()} threads\n")
        columns = [name, "s a step", "ratio", "TFLOP/s", "of the bf16 peak"]
        print(markdown(columns, measure(named(name), rows, repeat, with_compile=with_compile)))
        print()


if __name__ == "__main__":
    typer.run(main)
