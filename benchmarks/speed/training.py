"""Speed of training: its loader against video files, its step against a plain one.

`loader` reads a data set of dh-prep as dh-train does, beside a map-style data set over one mp4 a
clip: for each sample OpenCV opens the file and seeks to the target, the identity and two motion
frames, and the speech features come from an array in memory. The files are written here from the
same crops (H.264, a key frame every 12). `step` takes the same network, batch and loss as dh-train
does and as plain eager float32 code does, on the CPU or on a GPU, with the share of the matrix peak
that is reached. Both print Markdown.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.harness import header, in_turns, load, markdown
from model.config.presets import Preset
from model.config.presets import preset as preset_named
from model.data.stream import Clips, Lanes, batches
from model.data.training_frame import Batch, as_tensor
from model.device import choose_device, choose_memory_format, choose_precision
from model.network.talking_head import SpeechFormat, TalkingHead
from model.training.objective import Objective
from pipeline.dataset.shards import read_samples
from pipeline.media import write_video

Video = tuple[str, NDArray[np.float32]]  # a file and its (T, F) speech features

READ_AHEAD = 12  # batches that are read before the clock starts
# Dense bf16 peaks, TFLOP/s, from NVIDIA's data sheets (SXM modules).
_PEAKS = {"H200": 989.0, "H100": 989.0, "A100": 312.0}
_SPEECH = SpeechFormat(18, 13, [0.0] * 13, [1.0] * 13)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


# The loader.


class VideoFiles(Dataset[dict[str, Any]]):
    """The usual way: every sample opens a video and seeks in it; `length` samples an epoch."""

    def __init__(self, videos: list[Video], size: int, length: int) -> None:
        self._videos, self._size, self._length = videos, size, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        path, speech = self._videos[int(rng.integers(len(self._videos)))]
        target, identity = rng.integers(2, len(speech)), rng.integers(len(speech))
        video = cv2.VideoCapture(path)
        frames = [self._read(video, int(k)) for k in (target - 2, target - 1, target, identity)]
        video.release()
        window = np.clip(np.arange(target - 2, target + 3), 0, len(speech) - 1)
        return {"frames": torch.stack(frames), "speech": speech[window]}

    def _read(self, video: cv2.VideoCapture, index: int) -> torch.Tensor:
        video.set(cv2.CAP_PROP_POS_FRAMES, index)
        ok, frame = video.read()
        if not ok:
            raise RuntimeError(f"frame {index} cannot be read")
        return as_tensor(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8), self._size)


def write_videos(data: Path, folder: Path) -> list[Video]:
    """The crops of the training split as mp4 files, and the features of each."""
    videos = []
    for sample in read_samples(data, "train"):
        path = folder / f"{sample.key}.mp4"
        write_video(path, list(sample.frames))
        videos.append((str(path), sample.speech))
    return videos


def from_videos(videos: list[Video], chosen: Preset, readers: int) -> Iterator[Any]:
    """Batches of the usual way."""
    return iter(
        DataLoader(
            VideoFiles(videos, chosen.unet.image_size, 10**9),
            batch_size=chosen.train.batch_size,
            num_workers=readers,
            prefetch_factor=4 if readers else None,
            multiprocessing_context="spawn" if readers else None,
        )
    )


def from_shards(data: Path, chosen: Preset, readers: int) -> Iterator[Any]:
    """Batches of dh-train."""
    rows = chosen.train.batch_size
    lanes = Lanes(Clips.of(data), range(rows), rows, chosen.unet, chosen.train, seed=0)
    return batches(lanes, readers=readers, device=torch.device("cpu"))


def seconds_a_sample(make: Callable[[], Iterator[Any]], count: int, rows: int) -> float:
    """Of `count` batches of `rows` samples, after those that are read ahead."""
    loader = make()
    for _ in itertools.islice(loader, READ_AHEAD):
        pass
    begin = time.perf_counter()
    for _ in itertools.islice(loader, count):
        pass
    return (time.perf_counter() - begin) / (count * rows)


@app.command()
def loader(
    data: Annotated[Path, typer.Argument(help="A data set of dh-prep.")],
    *,
    preset: Annotated[str, typer.Option(help="Whose frames and batches.")] = "grid",
    seconds: Annotated[float, typer.Option(help="About, of each measurement.")] = 10.0,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds.")] = 3,
) -> None:
    """Samples a second of shards and of video files, and the memory of reading shards."""
    cv2.setNumThreads(1)
    chosen = preset_named(preset)
    rows = chosen.train.batch_size
    print(header(["torch", "opencv-python", "av"]))
    table = []
    with tempfile.TemporaryDirectory() as folder:
        videos = write_videos(data, Path(folder))
        for readers in (0, 1):
            ways = {}
            for make, guess in (
                (partial(from_videos, videos, chosen, readers), 60),
                (partial(from_shards, data, chosen, readers), 3000),
            ):
                count = max(3, round(seconds * guess / rows))
                ways[make.func.__name__] = partial(seconds_a_sample, make, count, rows)
            usual, ours = in_turns(ways, repeat, warm_up=0).values()
            rates = [f"{1 / usual:.0f}", f"{1 / ours:.0f}", f"{usual / ours:.1f} x"]
            table.append([str(readers), *rates])
    size = chosen.unet.image_size
    print(f"{len(videos)} clips, {size} x {size}, batches of {rows}, median of {repeat} rounds\n")
    print(markdown(["readers", "video files, samples/s", "shards, samples/s", "ratio"], table))
    batches_read, memory = from_shards(data, chosen, 0), []
    for _ in range(4):
        for _ in itertools.islice(batches_read, 500):
            pass
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        memory.append(f"{pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.0f}")
    headings = ["batches read in this process", "500", "1000", "1500", "2000"]
    print("\n" + markdown(headings, [["resident, MB", *memory]]))


# The step.


@dataclass(frozen=True)
class Way:
    """How a step is computed; `name` in the table, `fused`: whether Adam is one kernel."""

    name: str
    precision: Literal["bf16", "float32"]
    memory_format: torch.memory_format
    compile: bool = False
    fused: bool = True


def ways_of(chosen: Preset, device: torch.device, *, with_compile: bool) -> list[Way]:
    """The plain way first, then that of dh-train, then others."""
    fast = choose_precision("auto", device)
    layout = choose_memory_format("auto", device, chosen.unet)
    other = torch.channels_last if layout == torch.contiguous_format else torch.contiguous_format
    found = [
        Way("plain: eager, float32, NCHW", "float32", torch.contiguous_format, fused=False),
        Way(f"dh-train: {fast}, {str(layout).rpartition('.')[2]}", fast, layout),
        Way(f"{fast}, {str(other).rpartition('.')[2]}", fast, other),
    ]
    if with_compile:
        found.append(replace(found[1], name=f"{found[1].name}, --compile", compile=True))
    return found


def random_batch(chosen: Preset, rows: int, device: torch.device) -> Batch:
    """Random frames: the speed does not depend on what they show."""
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
    """A training step that can be taken again and again on one batch."""

    def __init__(self, way: Way, chosen: Preset, batch: Batch) -> None:
        torch.manual_seed(0)
        self.model = TalkingHead(chosen, _SPEECH).to(batch.target.device)
        self.model.to(memory_format=way.memory_format)  # type: ignore[call-overload]
        self._batch = batch
        self._objective = Objective(self.model, chosen, way.precision)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._adam = torch.optim.Adam(parameters, 1e-4, fused=way.fused, foreach=not way.fused)
        if way.compile:
            self.model.unet.compile()

    def __call__(self) -> None:
        """Forward, backward and Adam, to their end."""
        self._adam.zero_grad(set_to_none=True)
        self._objective(self._batch).total.backward()
        self._adam.step()
        if self._batch.target.is_cuda:
            torch.cuda.synchronize()

    def flops(self) -> int:
        """Of forward and backward, a multiply-add counting two."""
        with FlopCounterMode(display=False) as counter:
            self._objective(self._batch).total.backward()
        return counter.get_total_flops()


@app.command()
def step(
    *,
    preset: Annotated[list[str], typer.Option(help="Which networks.")] = ["crema"],  # noqa: B006
    rows: Annotated[int, typer.Option(min=1, help="Frames of a batch.")] = 2,
    repeat: Annotated[int, typer.Option(min=1, help="Steps of each way, in turns.")] = 5,
    with_compile: Annotated[bool, typer.Option("--compile", help="torch.compile too.")] = False,
) -> None:
    """Seconds a training step of dh-train and of plain code."""
    print(header(["torch"]))
    device = choose_device("auto")
    gpu = torch.cuda.get_device_name() if device.type == "cuda" else ""
    peak = next((value for name, value in _PEAKS.items() if name in gpu), None)
    for name in preset:
        chosen = preset_named(name)
        batch = random_batch(chosen, rows, device)
        ways = ways_of(chosen, device, with_compile=with_compile)
        steps = {way.name: Step(way, chosen, batch) for way in ways}
        flops = steps[ways[0].name].flops()
        seconds = in_turns(steps, repeat, warm_up=2)
        table = []
        for way, middle in seconds.items():
            speed = flops / middle / 1e12
            share = f"{100 * speed / peak:.0f} %" if peak else "-"
            ratio = f"{seconds[ways[0].name] / middle:.2f} x"
            table.append([way, f"{middle:.3f}", ratio, f"{speed:.2f}", share])
        where = gpu or f"the CPU, {torch.get_num_threads()} threads"
        print(f"{name}, batches of {rows}, on {where}; {load()} at the end\n")
        print(markdown([name, "s a step", "ratio", "TFLOP/s", "of the bf16 peak"], table) + "\n")


if __name__ == "__main__":
    app()
