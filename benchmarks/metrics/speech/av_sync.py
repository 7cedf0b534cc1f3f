"""AV offset, AV confidence, LSE-C and LSE-D: SyncNet's distances of picture and sound over shifts.

Offset and confidence are SyncNet's own numbers (Chung & Zisserman, 2016); LSE-D and LSE-C (Wav2Lip,
2020) are its least distance and its confidence, averaged over clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "syncnet_v2.model"
MAX_SHIFT = 15
_RULE = (
    "SyncNet v2 on 5 frames (224x224 face crops from MediaPipe's landmarks, any length of clip) "
    "and 20 MFCC vectors, L2 distance of the 1024-d embeddings over shifts of -15..15 frames, mean "
    "over a clip's windows, a fake without sound against the real clip's"
)
_NEEDS = "syncnet_v2.model, which its authors give, six frames, a face in half of them and sound"
AV_OFFSET = Metric(
    "av_offset",
    "AV offset",
    "closer",
    f"{_RULE}; 15 - argmin, negative where the sound is late; median over clips",
    unit="frames",
    needs=_NEEDS,
)
AV_CONFIDENCE = Metric(
    "av_confidence",
    "AV confidence",
    "higher",
    f"{_RULE}; median over shifts less the minimum; mean over clips",
    needs=_NEEDS,
)
LSE_C = Metric(
    "lse_c",
    "LSE-C",
    "higher",
    f"{_RULE}; the confidence of each clip, mean over clips",
    needs=_NEEDS,
)
LSE_D = Metric(
    "lse_d",
    "LSE-D",
    "lower",
    f"{_RULE}; the least distance of each clip, mean over clips",
    needs=_NEEDS,
)


@dataclass(frozen=True)
class Synchrony:
    """SyncNet's numbers of a clip."""

    offset: int  # frames at 25 fps; negative where the sound is later than the picture
    confidence: float  # median distance over shifts less the least one; LSE-C
    distance: float  # the least one; LSE-D


def shifted_distances(picture: Tensor, sound: Tensor) -> Tensor:
    """Mean L2 distance of picture and sound for every shift of the sound.

    Sound beyond the clip's ends counts as zeros, and 1e-6 is added to each difference, both as the
    released tool does.

    `picture`: (W, D) embeddings; `sound`: (W, D). Returns (31,): of picture window i with sound
    window i + s, for s = −15 … 15.
    """
    import torch
    from torch.nn import functional as F

    count = len(picture)
    padded = F.pad(sound, (0, 0, MAX_SHIFT, MAX_SHIFT))
    shifts = [
        F.pairwise_distance(picture, padded[first : first + count]).mean()
        for first in range(2 * MAX_SHIFT + 1)
    ]
    return torch.stack(shifts)


def synchrony(picture: Tensor, sound: Tensor) -> Synchrony:
    """Offset, confidence and least distance of a clip's embeddings, (W, D) each."""
    distances = shifted_distances(picture, sound)
    least, index = distances.min(0)
    confidence = distances.median() - least
    return Synchrony(MAX_SHIFT - int(index), float(confidence), float(least))
