"""What to score, and how."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from benchmarks.metrics.distribution.fvd import WINDOW
from benchmarks.metrics.image.region import Region
from model.config.choices import Device
from pipeline.command_options import NO_OPTION
from pipeline.weights import cache_folder


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """Which real clips, and how their frames are measured.

    Attributes:
        dataset: what tables call the data; CREMA and LRW are the paper's columns.
        split: split of the data set.
        max_frames: look at at most this many frames of a clip, the paper's 100; 0 takes all.
        image_size: compare at this many pixels on the shorter side; the paper's is 128.
        device: of the networks of FID, FVD and SyncNet; auto takes CUDA, else MPS, else the CPU.
        precision: of the networks of FID, KID and FVD; bf16 takes half the time and moves FID and
            FVD by up to 1 %.
        fvd_frames: frames of a window of FVD; papers state 16, 32 or 128. Longer ones than
            --max-frames hold none.
        weights_dir: your own folder of pretrained files.
        cache: folder in which measurements are kept by content, about 1 MB a video: the same run
            carries on where it stopped, and the real clips are measured once for all methods. May
            be deleted at any time. From Python None keeps them for this run only.
    """

    dataset: Annotated[str, typer.Option(show_default="the name of --real")] = ""
    split: Annotated[str | None, typer.Option(show_default="test if there is one, else all")] = None
    max_frames: Annotated[int, typer.Option(min=0)] = 100
    image_size: Annotated[int | None, typer.Option(min=16, show_default="the real clip's size")] = (
        None
    )
    device: Device = "auto"
    precision: Literal["bf16", "float32"] = "float32"
    fvd_frames: Annotated[int, typer.Option(min=9)] = WINDOW
    weights_dir: Path | None = None
    cache: Annotated[Path | None, typer.Option(show_default="in the user's cache")] = None


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(FeatureOptions):
    """What to compare, and how.

    Attributes:
        method: what tables call the system that made the fakes.
        metrics: names of the metrics; none takes all.
        region: where SSIM, PSNR and MSE look: the whole frame, or the box of the real clip's face
            or mouth.
        reference: statistics of real clips by dh-bench reference, or the .npz of pytorch-fid: FID
            and FVD are measured against them and not against --real.
        workers: processes.
        lip_reader: command that prints what it reads off the lips in a video, whose path is put
            after it: for WER. Spoken words are read from NAME.txt or NAME.align beside the real
            clip.
        lip_reader_timeout: seconds for a video, after which the lip reader is ended.
    """

    method: Annotated[str, typer.Option("--name", show_default="the name of --fake")] = ""
    metrics: Annotated[tuple[str, ...], NO_OPTION] = ()
    region: Region = "frame"
    reference: Path | None = None
    workers: Annotated[
        int | None, typer.Option(min=1, show_default="one a processor, if clips are many")
    ] = None
    lip_reader: Annotated[str, typer.Option(show_default="no WER")] = ""
    lip_reader_timeout: Annotated[float, typer.Option(min=1)] = 600.0

    def as_json(self) -> dict[str, Any]:
        """For scores.json."""
        options = asdict(self) | {"metrics": list(self.metrics)}
        return {k: str(v) if isinstance(v, Path) else v for k, v in options.items()}


Options = TypeVar("Options", bound=FeatureOptions)


def with_cache(options: Options) -> Options:
    """The options of a command, which keeps measurements in the user's cache."""
    return replace(options, cache=options.cache or cache_folder() / "measurements")
