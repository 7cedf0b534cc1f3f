"""Whether the faces of a fake and of its real clip lie in one place of the picture."""

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]  # width and height

# Wav2Lip, PC-AVS and Diff2Lip stay below 0.05 and 1.06 (../shared/data/methods); see the test.
_MOST_OFF = 0.25  # of the face's height
_MOST_SCALED = 1.3  # the larger face over the smaller one


def place_warnings(
    real: NDArray[np.floating], fake: NDArray[np.floating], real_size: Size, fake_size: Size
) -> list[str]:
    """What to know of a fake that is framed in another way than its real clip.

    `real` and `fake`: (T, 68, 2) landmarks in pixels; NaN in frames without a face.
    """
    count = min(len(real), len(fake))
    # As if both had the real frame's size: (T, 68, 2).
    x = np.asarray(real, np.float64)[:count]
    y = np.asarray(fake, np.float64)[:count] * np.divide(real_size, fake_size)
    both = ~(np.isnan(x).any((1, 2)) | np.isnan(y).any((1, 2)))
    if not both.any():
        return []
    heights = [float(np.median(np.ptp(p[both, :, 1], axis=1))) for p in (x, y)]
    step = np.median(y[both].mean(1) - x[both].mean(1), axis=0)
    off, scale = float(np.linalg.norm(step)) / heights[0], heights[1] / heights[0]
    if off <= _MOST_OFF and 1 / _MOST_SCALED <= scale <= _MOST_SCALED:
        return []
    where = f"{off:.1f} of its height away and {scale:.1f} times as large"
    remedy = "crop the fakes like the real clips, or SSIM, PSNR, FID and FVD measure the crop"
    return [f"the face lies elsewhere in the fake: {where}; {remedy}"]
