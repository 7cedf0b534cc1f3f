"""All metrics in one dh-bench run, against single-purpose tools one after another.

`compare` runs each side as processes of its own with the machine to itself: both pay for starting
Python, for loading networks and for decoding. `tool` is one of these tools: it decodes the clips
with OpenCV and prints its number. On a busy machine trust processor time rather than the clock,
with OMP_NUM_THREADS=1 and --workers 1, since threads that wait for each other use it too. Prints
Markdown; needs Linux.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.metrics.distribution.fid import fid_input
from benchmarks.metrics.distribution.fvd import fvd_input
from benchmarks.metrics.motion.f_mse import f_mse
from benchmarks.metrics.motion.ofm import ofm
from benchmarks.networks.i3d import I3D, Pool, Unit, load_i3d, same_pads
from benchmarks.scoring.results import read_scores
from benchmarks.speed.harness import Cost, header, load, markdown, run_command
from pipeline.progress import progress
from pipeline.weights import locate

METRICS = "ssim,psnr,fid,fvd,ofm,f_mse"  # the numbers that the tools give

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Real = Annotated[Path, typer.Argument(help="Folder of real clips, mp4.")]
Fake = Annotated[Path, typer.Argument(help="Folder of fakes, of the same names.")]


# The tools.


def decoded(path: Path, most: int) -> Iterator[NDArray[np.uint8]]:
    """RGB frames by OpenCV, as most scripts read them."""
    capture = cv2.VideoCapture(str(path))
    for _ in range(most):
        ok, frame = capture.read()
        if not ok:
            break
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    capture.release()


def videos(real: Path, fake: Path) -> list[tuple[Path, Path]]:
    """Pairs of clips, by name."""
    return [(path, fake / path.name) for path in sorted(real.glob("*.mp4"))]


def frame_by_frame(measure: Callable[..., float], real: Path, fake: Path, most: int) -> float:
    """The mean over clips of the mean over their frames."""
    means = []
    for a, b in videos(real, fake):
        frames = zip(decoded(a, most), decoded(b, most), strict=False)
        means.append(np.mean([measure(*pair) for pair in frames]))
    return float(np.mean(means))


def fid(real: Path, fake: Path, most: int) -> float:
    """Torchmetrics' FID on the same Inception, in batches of 16."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    script: Any = torch.jit.load(locate("inception-2015.pt"), map_location="cpu")  # type: ignore[no-untyped-call]

    class Extractor(nn.Module):
        num_features = 2048

        def forward(self, batch: Tensor) -> Any:
            return script(fid_input(list(batch.permute(0, 2, 3, 1).numpy())))

    metric = FrechetInceptionDistance(feature=Extractor())
    for index in (0, 1):
        paths = (pair[index] for pair in videos(real, fake))
        frames = itertools.chain.from_iterable(decoded(path, most) for path in paths)
        while batch := list(itertools.islice(frames, 16)):
            with torch.inference_mode():
                stacked = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
                metric.update(stacked, real=index == 0)
    return float(metric.compute())


def fvd(real: Path, fake: Path, most: int) -> float:
    """I3D as its ports have it, window by window, then the distance with SciPy's root."""
    from scipy.linalg import sqrtm

    network = plain_i3d(locate("i3d-kinetics-400.ckpt"))
    moments = []
    for index in (0, 1):
        features = []
        for pair in videos(real, fake):
            frames = list(decoded(pair[index], most))
            windows = [frames[k : k + 16] for k in range(0, len(frames) - 15, 16)]
            with torch.inference_mode():
                features += [network(fvd_input(window)[None])[0].numpy() for window in windows]
        stacked = np.stack(features).astype(np.float64)
        moments.append((stacked.mean(0), np.cov(stacked.T)))
    (mean1, covariance1), (mean2, covariance2) = moments
    root = sqrtm(covariance1 @ covariance2)
    trace = np.trace(covariance1 + covariance2 - 2 * np.real(root))
    return float(((mean1 - mean2) ** 2).sum() + trace)


def plain_i3d(path: Path) -> I3D:
    """I3D as PyTorch's ports have it: convolution, normalisation and ReLU one by one, NCDHW."""

    def padded(layer: Unit | Pool, x: Tensor) -> Tensor:
        pads = same_pads(x.shape[2:], layer.kernel, layer.stride)
        return F.pad(x.contiguous(), [side for pair in reversed(pads) for side in pair])

    def unit(layer: Unit, x: Tensor) -> Tensor:
        y = F.conv3d(padded(layer, x), layer.weight.contiguous(), stride=layer.stride)
        zeros = torch.zeros(len(layer.bias))  # the statistics are in weight and bias
        return F.relu(F.batch_norm(y, zeros, zeros + 1, bias=layer.bias, eps=1e-12))

    def pool(layer: Pool, x: Tensor) -> Tensor:
        return F.max_pool3d(padded(layer, x), layer.kernel, layer.stride)

    network = load_i3d(path)
    for layer in network.modules():
        if isinstance(layer, Unit):
            layer.forward = partial(unit, layer)  # type: ignore[method-assign]
        elif isinstance(layer, Pool):
            layer.forward = partial(pool, layer)  # type: ignore[method-assign]
    return network


def ssim(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """scikit-image's, with the window of the original article."""
    return float(
        structural_similarity(
            real, fake, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=255, channel_axis=2,
        )
    )  # fmt: skip


def smoothness(real: Path, fake: Path, most: int) -> float:
    """OFM of the fakes, with F-MSE, of both sides: our own, by themselves."""
    found = []
    for path in itertools.chain.from_iterable(videos(real, fake)):
        frames = list(decoded(path, most))
        found.append((ofm(frames)[0], f_mse(frames)))
    return float(np.mean([released for released, _ in found[1::2]]))


# Each tool, and which number of dh-bench its own is to agree with.
TOOLS: dict[str, tuple[Callable[..., float], str]] = {
    "ssim": (partial(frame_by_frame, ssim), "ssim"),
    "psnr": (partial(frame_by_frame, partial(peak_signal_noise_ratio, data_range=255)), "psnr"),
    "fid": (fid, "fid"),
    "fvd": (fvd, "fvd"),
    "smoothness": (smoothness, "ofm"),
}


@app.command()
def tool(name: str, real: Real, fake: Fake, frames: int) -> None:
    """Runs one tool and prints its number as JSON."""
    print(json.dumps(TOOLS[name][0](real, fake, frames)))


@app.command()
def compare(
    real: Real,
    fake: Fake,
    *,
    frames: Annotated[int, typer.Option(min=16, help="Of each clip.")] = 50,
    workers: Annotated[int, typer.Option(min=1, help="Of dh-bench.")] = 2,
) -> None:
    """Prints the seconds of the tools and of dh-bench, and the ratios."""
    print(header(["torch", "scikit-image", "torchmetrics", "opencv-python"]))
    rows, total = [], Cost()
    with progress("runs", len(TOOLS) + 2) as step:
        for name in TOOLS:
            command = [sys.executable, __file__, "tool", name, str(real), str(fake), str(frames)]
            cost, printed = run_command(command)
            number = f"{float(printed.splitlines()[-1]):.4f}"
            rows.append([name, f"{cost.clock:.1f}", "", f"{cost.processor:.1f}", "", number])
            total += cost
            step()
        rows.append(_row("all of these", total, total))
        for precision in ("float32", "bf16"):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "scores.json"
                command = ["dh-bench", "score"]
                command += [f"--real={real}", f"--fake={fake}", f"--out={out}"]
                command += [f"--metrics={METRICS}", f"--max-frames={frames}", f"--cache={folder}"]
                command += [f"--workers={workers}", f"--precision={precision}"]
                first, again = (run_command(command)[0] for _ in range(2))
                found = read_scores(out)["metrics"]
            numbers = "; ".join(f"{found[TOOLS[name][1]]['mean']:.4f}" for name in TOOLS)
            rows.append(_row(f"dh-bench, {precision}", first, total, numbers))
            rows.append(_row("the same again, from its cache", again, total))
            step()
    print(
        f"{len(videos(real, fake))} clips, {frames} frames at most, {workers} workers; {load()}\n"
    )
    columns = ["what", "seconds", "times less", "processor seconds", "times less", "number"]
    print(markdown(columns, rows))


def _row(label: str, cost: Cost, total: Cost, shown: str = "") -> list[str]:
    pairs = ((cost.clock, total.clock), (cost.processor, total.processor))
    cells = [cell for own, all_ in pairs for cell in (f"{own:.1f}", f"{all_ / own:.1f}")]
    return [label, *cells, shown]


if __name__ == "__main__":
    app()
