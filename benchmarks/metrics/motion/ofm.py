"""OFM: how much a face moves from frame to frame, by Farnebäck's optical flow (paper eq. 20).

The published numbers come from the authors' script, which measures the colours of a picture of the
flow, stretched to full contrast for each pair of frames by itself. Both are here: `ofm` is the
script's, comparable with the paper's; `ofm_equation` is what eq. 20 says.
"""

import itertools
from collections.abc import Iterable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

SIZE = 128
# Blue (128, 0, 0), the bottom of OpenCV's JET: no motion at all. Between equal frames of a real
# clip rounding leaves a flow of thousandths of a pixel, so that a frozen one scores 42.7 to 44.5.
STILL = 128 / 3

_FLOW = (
    "Farneback flow (pyramid 0.5, 7 levels, window 5, 15 iterations, polynomial 5 with sigma 1.2) "
    "on grey frames of 128x128, bilinear"
)
OFM = Metric(
    "ofm",
    "OFM",
    "closer",
    f"{_FLOW}; as the authors' script: magnitude stretched to 0..255 for each pair of frames, mean "
    f"of its JET colours over pixels, channels, pairs, clips; {STILL:.2f} is no motion",
    variant="released",
    needs="two frames",
)
OFM_EQUATION = Metric(
    "ofm_equation",
    "OFM (eq. 20)",
    "closer",
    f"{_FLOW}; mean magnitude over pixels, pairs of frames, clips",
    unit="px",
    needs="two frames",
)


def ofm(frames: Iterable[NDArray[np.uint8]]) -> tuple[float, float]:
    """Optical-flow motion of a clip: as the script measures it, and as eq. 20 defines it.

    Args:
        frames: (H, W, 3) uint8 RGB, at least two.

    Returns:
        The script's number, from 42.67 (nothing moves) up; the mean magnitude in pixels of 128.

    Raises:
        ValueError: fewer than two frames.
    """
    released, magnitudes = [], []
    greys = (cv2.cvtColor(small(frame), cv2.COLOR_RGB2GRAY) for frame in frames)
    for before, after in itertools.pairwise(greys):
        magnitude = flow_magnitude(before, after)
        released.append(colour_mean(magnitude))
        magnitudes.append(float(magnitude.mean()))
    if not released:
        raise ValueError("motion needs at least two frames")
    return float(np.mean(released)), float(np.mean(magnitudes))


def small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame at 128x128, bilinear and without smoothing, whatever its shape."""
    return cast("NDArray[np.uint8]", cv2.resize(frame, (SIZE, SIZE)))


def flow_magnitude(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Length of the flow in pixels between two grey frames."""
    flow = cv2.calcOpticalFlowFarneback(
        before,
        after,
        None,  # type: ignore[call-overload,unused-ignore]
        pyr_scale=0.5,
        levels=7,
        winsize=5,
        iterations=15,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )
    magnitude, _ = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    return cast("NDArray[np.float32]", magnitude)


def colour_mean(magnitude: NDArray[np.float32]) -> float:
    """Mean byte of the JET picture of a flow whose magnitudes are stretched to 0..255."""
    stretched = cv2.normalize(magnitude, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload,unused-ignore]
    return float(cv2.applyColorMap(stretched.astype(np.uint8), cv2.COLORMAP_JET).mean())
