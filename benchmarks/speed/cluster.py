"""How long preparation and training of the field's data sets take on 1, 8 and 64 GPUs: arithmetic.

From what was measured in parts (RESULTS.md) and what is assumed, each an option with its source in
its help. Prints Markdown; docs/clusters.md holds it with the defaults. Put in your own figures:

    python benchmarks/speed/cluster.py --gpu-tflops 100 --cores 24
"""

from dataclasses import dataclass

import typer

from benchmarks.speed.harness import markdown
from pipeline.command_options import dataclass_options

SIZES = (1, 8, 64)  # GPUs


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set."""

    clips: int  # videos
    frames: float  # at 25 a second, of all of them
    steps: float  # of batches of 80 frames, that it is trained for


# CREMA-D: 65 frames a clip, preset crema. LRW: 29 frames a clip; the authors' 20 days at 2.8 s a
# step, as their 8 days for CREMA-D. VoxCeleb2: 2,442 h (Chung et al., 2018), LRW's steps.
DATA_SETS = {
    "CREMA-D": DataSet(7_442, 7_442 * 65, 250_000),
    "LRW": DataSet(538_766, 538_766 * 29, 620_000),
    "VoxCeleb2": DataSet(1_128_246, 2_442 * 3600 * 25, 620_000),
}


@dataclass(frozen=True)
class Parts:
    """Speeds of the parts.

    Attributes:
        prep_rate: frames a second that a core prepares; measured: 185 of an EPYC, 109 of a Xeon.
        cores: for each GPU, assumed.
        clips_per_shard: what a process takes at a time.
        start_s: seconds until the processes work; measured on two cores.
        row_ms: at the end of a preparation for each clip, in one process; measured.
        stored_kb: of a frame in the shards; measured.
        source_kb: of a frame of the source, assumed.
        disk_gbs: GB a second that all machines together read and write, assumed.
        frame_tflop: of a training frame of preset crema; measured.
        gpu_tflops: TFLOP a second of a GPU while it trains; the authors' A100 made 11, by their 8
            days for CREMA-D. Ours was not measured on a GPU: benchmarks/speed/training.py step.
        rows: frames of a step on a GPU; the authors'.
        reader_rate: samples a second of a reading process; measured.
        gradient_gb: of float32 gradients of preset crema, 215.7 M parameters.
        link_gbs: GB a second between the GPUs of a machine of eight, assumed.
        network_gbs: GB a second between machines, assumed.
    """

    prep_rate: float = 185
    cores: int = 16
    clips_per_shard: int = 32
    start_s: float = 13
    row_ms: float = 0.03
    stored_kb: float = 10.7
    source_kb: float = 2
    disk_gbs: float = 2
    frame_tflop: float = 3.09
    gpu_tflops: float = 11
    rows: int = 10
    reader_rate: float = 951
    gradient_gb: float = 0.863
    link_gbs: float = 200
    network_gbs: float = 25


def preparation(data: DataSet, gpus: int, parts: Parts) -> dict[str, float]:
    """Seconds of each part of a preparation; processors and disk work side by side."""
    busy = min(parts.cores * gpus, data.clips / parts.clips_per_shard)
    return {
        "start": parts.start_s,
        "processors": data.frames / (parts.prep_rate * busy),
        "disk": data.frames * (parts.stored_kb + parts.source_kb) * 1e-6 / parts.disk_gbs,
        "rows": data.clips * parts.row_ms * 1e-3,
    }


def training(data: DataSet, gpus: int, parts: Parts) -> dict[str, float]:
    """Seconds of each part of a training on as many frames, `rows` a step on each GPU.

    Gradients are exchanged in a ring after each step; readers work side by side with the GPUs.
    """
    frames = data.steps * 80
    bandwidth = parts.link_gbs if gpus <= 8 else parts.network_gbs
    exchange = 2 * (gpus - 1) / gpus * parts.gradient_gb / bandwidth
    return {
        "GPUs": frames * parts.frame_tflop / (parts.gpu_tflops * gpus),
        "gradients": frames / (parts.rows * gpus) * exchange,
        "readers": frames / (parts.reader_rate * gpus),
    }


def estimates(parts: Parts) -> list[list[str]]:
    """A row for each data set and number of GPUs: times, and what most of each goes to."""
    rows = []
    for name, data in DATA_SETS.items():
        for gpus in SIZES:
            prep, train = preparation(data, gpus, parts), training(data, gpus, parts)
            prepared = max(prep["processors"], prep["disk"]) + prep["start"] + prep["rows"]
            trained = max(train["GPUs"] + train["gradients"], train["readers"])
            rows.append([name, str(gpus), *_cells(prepared, prep), *_cells(trained, train)])
    return rows


def _cells(total: float, costs: dict[str, float]) -> tuple[str, str]:
    most = max(costs, key=costs.__getitem__)
    return _text(total), f"{most} {costs[most] / total:.0%}"


def _text(seconds: float) -> str:
    """A time in its unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


HEADINGS = ["data set", "GPUs", "preparation", "its bottleneck", "training", "its bottleneck"]


@dataclass_options
def main(*, parts: Parts) -> None:
    """Prints the table."""
    print(markdown(HEADINGS, estimates(parts)))


if __name__ == "__main__":
    typer.run(main)
