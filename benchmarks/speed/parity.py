"""Whether a device computes what the CPU computes: output and gradients of a preset's network.

The same random weights and inputs, in float32 on the CPU and in float32 and bf16 on the device.
Prints Markdown; ends with 1 if a relative error is above the limit of its arithmetic.
"""

import copy
from typing import Annotated

import torch
import typer
from torch import Tensor

from benchmarks.speed.harness import header, markdown
from benchmarks.speed.sample import build
from model.config.presets import Preset
from model.config.presets import preset as preset_named
from model.device import choose_device
from model.network.talking_head import Conditions, TalkingHead

# Rounding of 2^-24 and 2^-8, gathered over some fifty layers. On GPUs float32 convolutions may
# round to TF32 (2^-11).
LIMITS = {torch.float32: 5e-3, torch.bfloat16: 5e-2}


def inputs(preset: Preset, rows: int, device: torch.device) -> tuple[Tensor, Tensor, Conditions]:
    """Noisy frames, steps and conditions, random but the same on every device."""
    generator = torch.Generator().manual_seed(1)
    unet, size = preset.unet, preset.unet.image_size

    def random(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=generator).to(device)

    conditions = Conditions(
        random(3, size, size),
        random(unet.motion_frames * unet.motion_channels, size, size),
        random(unet.speech_window, 18 * 13),
    )
    return random(3, size, size), torch.linspace(0, 900, rows, device=device).long(), conditions


def forward_backward(
    model: TalkingHead, preset: Preset, rows: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Output of the network and gradient of its mean square by all weights, flat, on the CPU."""
    model = copy.deepcopy(model).to(device).requires_grad_()
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        output = model(*inputs(preset, rows, device)).float()
    output.square().mean().backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return output.detach().cpu(), torch.cat(gradients).cpu()


def main(
    presets: Annotated[str, typer.Option(help="Names, with commas.")] = "tiny,grid,crema",
    rows: Annotated[int, typer.Option(min=1, help="Frames of a batch.")] = 2,
    device: str = "auto",
) -> None:
    """Prints relative errors of the device against float32 on the CPU."""
    chosen = choose_device(device)  # type: ignore[arg-type]
    print(header(["torch"]))
    table, failed = [], False
    for name in presets.split(","):
        preset = preset_named(name)
        model = build(preset, torch.device("cpu"))
        reference = forward_backward(model, preset, rows, torch.device("cpu"), torch.float32)
        for dtype, limit in LIMITS.items():
            found = forward_backward(model, preset, rows, chosen, dtype)
            errors = [
                float((a - b).norm() / b.norm()) for a, b in zip(found, reference, strict=True)
            ]
            failed |= not max(errors) < limit
            arithmetic = str(dtype).removeprefix("torch.")
            table.append([name, arithmetic, *(f"{error:.2g}" for error in errors), f"{limit:g}"])
    print(f"{chosen.type}, batches of {rows}\n")
    print(markdown(["preset", "arithmetic", "output", "gradient", "limit"], table))
    raise typer.Exit(int(failed))


if __name__ == "__main__":
    typer.run(main)
