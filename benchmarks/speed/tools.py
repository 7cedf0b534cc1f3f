"""The single-purpose tools that dh-bench is timed against, as one would run them one by one.

`python benchmarks/speed/tools.py NAME REAL FAKE FRAMES [PREDICTOR]` runs one in a process of its
own and prints its number: each decodes the clips for itself.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


def decoded(path: Path, most: int) -> Iterator[NDArray[np.uint8]]:
    """RGB frames by OpenCV, as most scripts read them."""
    capture = cv2.VideoCapture(str(path))
    for _ in range(most):
        there, frame = capture.read()
        if not there:
            break
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    capture.release()


def pairs(real: Path, fake: Path) -> list[tuple[Path, Path]]:
    """Clips by name."""
    return [(path, fake / path.name) for path in sorted(real.glob("*.mp4"))]


def ssim(real: Path, fake: Path, most: int) -> float:
    """scikit-image's SSIM, frame by frame."""
    from skimage.metrics import structural_similarity

    means = [
        np.mean(
            [
                structural_similarity(
                    x,
                    y,
                    channel_axis=2,
                    data_range=255,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
                for x, y in zip(decoded(a, most), decoded(b, most), strict=False)
            ]
        )
        for a, b in pairs(real, fake)
    ]
    return float(np.mean(means))


def psnr(real: Path, fake: Path, most: int) -> float:
    """scikit-image's PSNR, frame by frame."""
    from skimage.metrics import peak_signal_noise_ratio

    means = [
        np.mean(
            [
                peak_signal_noise_ratio(x, y, data_range=255)
                for x, y in zip(decoded(a, most), decoded(b, most), strict=False)
            ]
        )
        for a, b in pairs(real, fake)
    ]
    return float(np.mean(means))


def fid(real: Path, fake: Path, most: int) -> float:
    """Torchmetrics' FID on the same Inception, in batches of 16."""
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    from benchmarks.metrics.fid import fid_input
    from pipeline.weights import locate

    script: Any = torch.jit.load(locate("inception-2015.pt"), map_location="cpu")  # type: ignore[no-untyped-call]

    class Extractor(torch.nn.Module):
        num_features = 2048

        def forward(self, batch: torch.Tensor) -> Any:
            return script(fid_input(list(batch.permute(0, 2, 3, 1).numpy())))

    metric = FrechetInceptionDistance(feature=Extractor())
    for index, side in enumerate((real, fake)):
        frames = itertools.chain.from_iterable(decoded(p[index], most) for p in pairs(real, fake))
        with torch.inference_mode():
            for batch in _batches(frames):
                stacked = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
                metric.update(stacked, real=side is real)
    return float(metric.compute())


def _batches(frames: Iterator[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    while batch := list(itertools.islice(frames, 16)):
        yield batch


def fvd(real: Path, fake: Path, most: int) -> float:
    """I3D as its ports have it, window by window, then the distance with SciPy's root."""
    import torch
    from scipy.linalg import sqrtm

    from benchmarks.metrics.fvd import fvd_input
    from benchmarks.networks.i3d import read_arrays
    from benchmarks.speed.plain_i3d import PlainI3D
    from pipeline.weights import locate

    network = PlainI3D(read_arrays(locate("i3d-kinetics-400.ckpt"))).eval()
    moments = []
    for index in (0, 1):
        features = []
        with torch.inference_mode():
            for pair in pairs(real, fake):
                frames = list(decoded(pair[index], most))
                windows = [frames[k : k + 16] for k in range(0, len(frames) - 15, 16)]
                features += [network(fvd_input(window)[None])[0].numpy() for window in windows]
        stacked = np.stack(features).astype(np.float64)
        moments.append((stacked.mean(0), np.cov(stacked.T)))
    (mean1, covariance1), (mean2, covariance2) = moments
    root = sqrtm(covariance1 @ covariance2)
    trace = np.trace(covariance1 + covariance2 - 2 * np.real(root))
    return float(((mean1 - mean2) ** 2).sum() + trace)


def blinks(real: Path, fake: Path, most: int, predictor: str) -> float:
    """Dlib's detector and landmarks on every frame, then the released rule."""
    import dlib

    from benchmarks.metrics.blinks import blinks as rule
    from benchmarks.metrics.blinks import eye_aspect_ratio, held

    detect, shape = dlib.get_frontal_face_detector(), dlib.shape_predictor(predictor)
    count, seconds = 0, 0.0
    for path in [path for pair in pairs(real, fake) for path in pair]:
        rows, box = [], None
        for frame in decoded(path, most):
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            found = detect(grey, 1)
            box = found[0] if len(found) else box
            if box is None:
                rows.append(np.full((68, 2), np.nan))
                continue
            points = shape(grey, box).parts()
            rows.append(np.array([(point.x, point.y) for point in points], float))
        landmarks = held(np.stack(rows))
        if path.parent == fake and landmarks is not None:
            count += len(rule(eye_aspect_ratio(landmarks)))
            seconds += len(landmarks) / 25
    return count / seconds


def smoothness(real: Path, fake: Path, most: int) -> float:
    """OFM and F-MSE of both sides with OpenCV and NumPy, as the authors' script does."""
    released = []
    for path in [path for pair in pairs(real, fake) for path in pair]:
        before, colours, squares = None, [], []
        for frame in decoded(path, most):
            small = cv2.resize(frame, (128, 128))
            if before is not None:
                grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (before, small)]
                flow = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 7, 5, 15, 5, 1.2, 0)  # type: ignore[call-overload,unused-ignore]
                magnitude, _ = cv2.cartToPolar(flow[..., 0], flow[..., 1])
                level = cv2.normalize(magnitude, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)  # type: ignore[call-overload,unused-ignore]
                colours.append(cv2.applyColorMap(level, cv2.COLORMAP_JET).mean())
                squares.append(((small - before) ** 2).mean())
            before = small
        if path.parent == fake:
            released.append(np.mean(colours))
    return float(np.mean(released))


TOOLS: dict[str, Callable[..., float]] = {
    "ssim": ssim,
    "psnr": psnr,
    "fid": fid,
    "fvd": fvd,
    "blinks": blinks,
    "smoothness": smoothness,
}

if __name__ == "__main__":
    name, real_folder, fake_folder, frames, *predictor = sys.argv[1:]
    number = TOOLS[name](Path(real_folder), Path(fake_folder), int(frames), *predictor)
    print(json.dumps(number))
