"""What this machine can train and sample on."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch

from model.config.choices import Device, MemoryFormat, Precision
from pipeline.errors import UserError

if TYPE_CHECKING:
    from model.config.architecture import UNetConfig

# Work of a network's call below which another thread costs more in waiting than it saves: beside
# other work on the machine, two threads on one 64 x 64 clip were seven times slower than one.
_FLOPS_PER_THREAD = 2e9
# From here on the convolutions gain more by channels-last on a CPU than the rest loses.
_WIDE = 128


def choose_device(name: Device) -> torch.device:
    """The device of that name; `auto` takes CUDA, else MPS, else the CPU."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available[name]:
        raise UserError(f"this machine (or this build of torch) has no {name}; use --device auto")
    return torch.device(name)


def choose_precision(name: Precision, device: torch.device) -> Literal["bf16", "float32"]:
    """bf16 where the processor computes in it, unless another is named."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu":
        return "bf16" if torch.cpu._is_avx512_bf16_supported() else "float32"  # noqa: SLF001
    return "float32"


def choose_memory_format(
    name: MemoryFormat, device: torch.device, config: UNetConfig
) -> torch.memory_format:
    """How feature maps lie in memory; `auto` takes what measured faster in training.

    Channels-last is what a GPU's matrix units read; on a CPU it pays for wide networks only.
    """
    if name == "auto":
        wide = config.base_channels >= _WIDE
        name = "channels_last" if device.type == "cuda" or wide else "contiguous"
    return torch.channels_last if name == "channels_last" else torch.contiguous_format


@contextmanager
def few_threads(flops: float) -> Iterator[None]:
    """Lets torch use as many threads as a network can keep busy, and no more than it would have.

    `flops` are those of a call of the network: in sampling for all clips drawn side by side; in
    training for one frame, since there a batch of 16 of 1.7 GFLOP each gained nothing by a second
    thread either (benchmarks/speed/RESULTS.md, Training step).
    """
    most = torch.get_num_threads()
    torch.set_num_threads(min(most, max(1, int(flops / _FLOPS_PER_THREAD))))
    try:
        yield
    finally:
        torch.set_num_threads(most)


def memory_used() -> str:
    """Peak memory of the process, or of the GPU when there is one."""
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB GPU"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{peak / (2**30 if sys.platform == 'darwin' else 2**20):.1f} GiB"
