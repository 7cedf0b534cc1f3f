"""Sharpness of a face: the frequency of its edges, along the axis along which it is softer.

The root mean square frequency of the picture's gradient, that is, the gradient's mobility (B.
Hjorth, 'EEG analysis based on time domain properties', 1970): power of the second difference over
power of the first. Being a ratio, it does not depend on contrast or exposure; the smaller of the
two axes counts, so that motion along either shows.

Beside the blur effect of Crete et al. (2007) and the variance of the Laplacian:
`benchmarks/studies/faces.py sharpness`; benchmarks/speed/RESULTS.md.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Brows to chin in an aligned crop: hair and background are left out.
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.26, 0.76, 0.34, 0.80


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Frequency of the edges in the face of an aligned crop, in cycles per pixel of the crop.

    From 0 to 0.5: of real clips at 128 pixels 0.165 in the median, 0.120 and 0.192 at the 5th and
    95th percentile. Made half as large and enlarged again 0.11, a third 0.09, moving by 5 pixels
    0.08 to 0.09. Half the contrast or exposure, or JPEG at quality 95, changes it by 0.009 at most.
    Grain counts as sharpness. NaN where the face is one flat colour.
    """
    height, width = crop.shape[:2]
    face = crop[
        round(_TOP * height) : round(_BOTTOM * height), round(_LEFT * width) : round(_RIGHT * width)
    ]
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.min([_frequency(grey), _frequency(grey.T)]))


def _frequency(grey: NDArray[np.float32]) -> float:
    """Root mean square frequency of the gradient along rows, in cycles per pixel."""
    gradient = np.diff(grey)
    power = float(np.mean(gradient**2))
    if not power:
        return float("nan")
    # Of a wave of w radians a pixel, a difference leaves 2 sin(w / 2) times the amplitude.
    factor = float(np.sqrt(np.mean(np.diff(gradient) ** 2) / power))
    return float(np.arcsin(min(factor / 2, 1.0)) / np.pi)


def mouth_contrast(crop: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> float:
    """Edges around the mouth over those around the eyes: low where a mask or hand covers the mouth.

    Ratio of the root mean square gradients of a (S, S, 3) crop; NaN where either is not in it.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = cv2.Sobel(grey, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2
    means = []
    for points in (landmarks[48:60], landmarks[36:48]):
        low, high = np.maximum(points.min(0), 0).astype(int), np.maximum(points.max(0) + 1, 0)
        part = edges[low[1] : int(high[1]), low[0] : int(high[0])]
        means.append(float(part.mean()) if part.size else float("nan"))
    return float(np.sqrt(means[0] / means[1])) if means[1] else float("nan")
