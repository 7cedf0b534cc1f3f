"""The authors' speech encoder as speech features: what their checkpoints were trained with.

It is a TorchScript file (`audio_encoder.pt`, beside the demo checkpoint of Diffused Heads), used as
a black box: windows of sound go in one after the other, an embedding of 256 numbers comes out of
each, and a hidden state is carried from window to window.
"""

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.jit import optimized_execution  # type: ignore[attr-defined]

from pipeline.errors import UserError
from pipeline.media import SAMPLES_PER_FRAME, fit_audio
from pipeline.runtimes.torchscript import load_script

WIDTH = 256  # numbers in an embedding
_WINDOW, _MARGIN = 3200, 1280  # samples of a window, and of silence on both sides
_HIDDEN = (2, 1, WIDTH)  # shape of the state


class ReleasedSpeech:
    """Sound to the embeddings of the authors' encoder, one a video frame.

    A TorchScript file is a program, though one that knows nothing but tensors; take it from the
    authors and from nobody else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = load_script(path, "the authors' speech encoder")
        # The authors pass the state by this name; a script with another name takes it third.
        schema = self._encoder.forward.schema
        self._takes_init_state = "init_state" in [argument.name for argument in schema.arguments]

    def __call__(self, samples: NDArray[np.int16], frames: int) -> NDArray[np.float32]:
        """(N,) int16 samples, mono 16 kHz, of `frames` video frames to (frames, 256) float32."""
        sound = np.pad(fit_audio(samples, frames), _MARGIN).astype(np.float32) / 32768
        windows = torch.from_numpy(sound).unfold(0, _WINDOW, SAMPLES_PER_FRAME)
        hidden, length = torch.zeros(_HIDDEN), torch.tensor([_WINDOW])
        embeddings = np.empty((frames, WIDTH), np.float32)
        # Numbers that do not depend on the machine's threads and on earlier calls.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.no_grad(), optimized_execution(should_optimize=False):
                for index, window in enumerate(windows):
                    embedding, hidden = self._step(window[None, None], length, hidden)
                    embeddings[index] = embedding.numpy().reshape(WIDTH)
        finally:
            torch.set_num_threads(threads)
        return embeddings

    def _step(
        self, window: torch.Tensor, length: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One window (1, 1, 3200) to its embedding and the state after it."""
        try:
            if self._takes_init_state:
                output = self._encoder(window, length, init_state=hidden)
            else:
                output = self._encoder(window, length, hidden)
            embedding, after = output[0], output[-1]
            fits = (embedding.numel(), tuple(after.shape)) == (math.prod(_HIDDEN[1:]), _HIDDEN)
        except (RuntimeError, TypeError, IndexError, AttributeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"{self._path} is not the authors' speech encoder: it does not take (window, "
                f"length, state) ({reason})"
            ) from error
        if not fits or not torch.isfinite(embedding).all():
            raise UserError(
                f"{self._path} is not the authors' speech encoder: its output is not an "
                f"embedding of {WIDTH} finite numbers and a state of {_HIDDEN}"
            )
        return embedding, after
