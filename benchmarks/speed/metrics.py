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
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.scoring.results import read_scores
from benchmarks.speed.harness import Cost, header, load, markdown, run_command
from pipeline.progress import progress

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


def ssim(real: Path, fake: Path, most: int) -> float:
    """scikit-image's SSIM with the settings of the original paper."""
    from skimage.metrics import structural_similarity

    def measure(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> Any:
        return structural_similarity(
            x, y, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip

    return frame_by_frame(measure, real, fake, most)


def psnr(real: Path, fake: Path, most: int) -> float:
    """scikit-image's PSNR."""
    from skimage.metrics import peak_signal_noise_ratio

    return frame_by_frame(
        lambda x, y: peak_signal_noise_ratio(x, y, data_range=255), real, fake, most
    )


def fid(real: Path, fake: Path, most: int) -> float:
    """Torchmetrics' FID on the same Inception, in batches of 16."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    from benchmarks.metrics.distribution.fid import fid_input
    from pipeline.weights import locate

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

    from benchmarks.metrics.distribution.fvd import fvd_input
    from benchmarks.networks.arrays import read_arrays
    from pipeline.weights import locate

    network = plain_i3d(read_arrays(locate("i3d-kinetics-400.ckpt")))
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


def smoothness(real: Path, fake: Path, most: int) -> float:
    """OFM of the fakes, with F-MSE, of both sides, by OpenCV as the authors' script does."""
    released = []
    for path in itertools.chain.from_iterable(videos(real, fake)):
        colours, squares = [], []
        frames = (cv2.resize(frame, (128, 128)) for frame in decoded(path, most))
        for before, small in itertools.pairwise(frames):
            grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (before, small)]
            flow = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 7, 5, 15, 5, 1.2, 0)  # type: ignore[call-overload,unused-ignore]
            magnitude, _ = cv2.cartToPolar(flow[..., 0], flow[..., 1])
            level = cv2.normalize(magnitude, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)  # type: ignore[call-overload,unused-ignore]
            colours.append(cv2.applyColorMap(level, cv2.COLORMAP_JET).mean())
            squares.append(((small - before) ** 2).mean())
        if path.parent == fake:
            released.append(np.mean(colours))
    return float(np.mean(released))


# Each tool, and which number of dh-bench its own is to agree with.
TOOLS: dict[str, tuple[Callable[..., float], str]] = {
    "ssim": (ssim, "ssim"),
    "psnr": (psnr, "psnr"),
    "fid": (fid, "fid"),
    "fvd": (fvd, "fvd"),
    "smoothness": (smoothness, "ofm"),
}


def padded(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """With TensorFlow's SAME padding."""
    sides: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max(k - s if size % s == 0 else k - size % s, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


def plain_i3d(arrays: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """I3D as PyTorch's ports have it: convolution, batch normalisation and ReLU one by one, NCDHW.

    `arrays` of `read_arrays`; (N, 3, T, 224, 224) RGB in −1 … 1 to (N, 400) logits of Kinetics.
    """

    @cache
    def weights(*path: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        learned, statistics = arrays["params"], arrays["batch_stats"]
        for part in path:
            learned, statistics = learned[part], statistics[part]
        kernel = torch.tensor(learned["Conv_0"]["kernel"]).permute(4, 3, 0, 1, 2).contiguous()
        mean, var = (torch.tensor(statistics["BatchNorm_0"][n]).ravel() for n in ("mean", "var"))
        return kernel, mean, var, torch.tensor(learned["BatchNorm_0"]["bias"]).ravel()

    def unit(x: Tensor, *path: str, stride: int = 1) -> Tensor:
        kernel, mean, var, bias = weights(*path)
        x = F.conv3d(padded(x, kernel.shape[2:], [stride] * 3), kernel, stride=stride)
        return F.relu(F.batch_norm(x, mean, var, bias=bias, eps=1e-3))

    def pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
        return F.max_pool3d(padded(x, kernel, stride), kernel, stride)

    def mixed(x: Tensor, name: str) -> Tensor:
        def layer(x: Tensor, branch: int, kind: str) -> Tensor:
            return unit(x, name, f"Branch_{branch}/Conv3d_{kind}")

        second = layer(layer(x, 1, "0a_1x1"), 1, "0b_3x3")
        third = layer(layer(x, 2, "0a_1x1"), 2, "0b_3x3")
        fourth = layer(pool(x, (3, 3, 3), (1, 1, 1)), 3, "0b_1x1")
        return torch.cat([layer(x, 0, "0a_1x1"), second, third, fourth], 1)

    def logits(x: Tensor) -> Tensor:
        x = pool(unit(x, "Conv3d_1a_7x7", stride=2), (1, 3, 3), (1, 2, 2))
        x = unit(unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
        for blocks, kernel, stride in (
            (["Mixed_3b", "Mixed_3c"], (1, 3, 3), (1, 2, 2)),
            ([f"Mixed_4{letter}" for letter in "bcdef"], (3, 3, 3), (2, 2, 2)),
            (["Mixed_5b", "Mixed_5c"], (2, 2, 2), (2, 2, 2)),
        ):
            x = pool(x, kernel, stride)
            for block in blocks:
                x = mixed(x, block)
        pooled = F.avg_pool3d(x, (2, 7, 7), 1).flatten(2).transpose(1, 2)
        return F.linear(pooled, *classifier).mean(1)

    last = arrays["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]
    classifier = torch.tensor(last["kernel"][0, 0, 0]).T, torch.tensor(last["bias"])

    return logits


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
        clock, processor = f"{total.clock:.1f}", f"{total.processor:.1f}"
        rows.append(["all of these", clock, "1.0", processor, "1.0", ""])
        for precision in ("float32", "bf16"):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "scores.json"
                command = [str(Path(sys.executable).with_name("dh-bench")), "score"]
                command += [f"--real={real}", f"--fake={fake}", f"--out={out}"]
                command += [f"--metrics={METRICS}", f"--max-frames={frames}", f"--cache={folder}"]
                command += [f"--workers={workers}", f"--precision={precision}"]
                first, again = (run_command(command)[0] for _ in range(2))
                found = read_scores(out)["metrics"]
            numbers = "; ".join(f"{found[TOOLS[name][1]]['mean']:.4f}" for name in TOOLS)
            for label, cost, shown in (
                (f"dh-bench, {precision}", first, numbers),
                ("the same again, from its cache", again, ""),
            ):
                faster = f"{total.clock / cost.clock:.1f}"
                less = f"{total.processor / cost.processor:.1f}"
                cells = [f"{cost.clock:.1f}", faster, f"{cost.processor:.1f}", less]
                rows.append([label, *cells, shown])
            step()
    print(
        f"{len(videos(real, fake))} clips, {frames} frames at most, {workers} workers; {load()}\n"
    )
    columns = ["what", "seconds", "times less", "processor seconds", "times less", "number"]
    print(markdown(columns, rows))


if __name__ == "__main__":
    app()
