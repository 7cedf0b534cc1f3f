"""Speech features to one embedding a video frame; trained together with the network.

`SpeechEncoder` learns from MFCC; `PrecomputedEmbeddings` takes features that an encoder trained
elsewhere has computed, such as the authors'.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SpeechEncoder(nn.Module):
    """Windows of MFCC (`steps` vectors of `coefficients`) to embeddings, each window by itself.

    Convolutions over the time steps of a window find sounds wherever they lie in it; the linear
    layer over all steps keeps when they were. Features are standardised with the mean and
    deviation, (coefficients,), of the training data.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        steps: int,
        coefficients: int,
        width: int,
        *,
        hidden: int = 128,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self._shape = (steps, coefficients)
        self.register_buffer("mean", torch.tensor(mean or [0.0] * coefficients))
        self.register_buffer("std", torch.tensor(std or [1.0] * coefficients).clamp_min(1e-3))
        halved = (steps + 1) // 2
        self.layers = nn.Sequential(
            nn.Conv1d(coefficients, hidden, 3, padding=1),
            nn.SiLU(),
            nn.Conv1d(hidden, hidden, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv1d(hidden, hidden, 3, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(halved * hidden, width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(…, steps x coefficients) features to (…, width) embeddings."""
        windows = features.reshape(-1, *self._shape)  # (N, steps, coefficients)
        windows = (windows - self.mean) / self.std
        embeddings: Tensor = self.layers(windows.transpose(1, 2))
        return embeddings.reshape(*features.shape[:-1], -1)


class PrecomputedEmbeddings(nn.Module):
    """Embeddings of another encoder, as they are, for a network of their width.

    A network of another width is given a linear map of them, standardised with the mean and
    deviation, (given,), of the training data.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, given: int, width: int, *, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std).clamp_min(1e-3))
        self.map = nn.Linear(given, width) if given != width else None

    def forward(self, features: Tensor) -> Tensor:
        """(…, given) features to (…, width) embeddings."""
        if self.map is None:
            return features
        embeddings: Tensor = self.map((features - self.mean) / self.std)
        return embeddings
