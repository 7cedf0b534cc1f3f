"""The lip loss L_ls: the error of the prediction inside the mouth box (eq. 18)."""

import torch
from torch import Tensor


def lip_loss(error: Tensor, mouth: Tensor) -> Tensor:
    """Mean squared error inside the mouth box of each frame, (B,).

    (B, 3, S, S) squared error and (B, 4) half-open x0 y0 x1 y1 of the mouth in the TARGET frames.
    (The released loader takes the identity frame's box by mistake.)
    """
    mask = box_mask(mouth, error.shape[-1])
    return (error * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))


def box_mask(boxes: Tensor, size: int) -> Tensor:
    """(B, 4) half-open boxes x0 y0 x1 y1 to (B, 1, S, S) masks of ones and zeros."""
    pixel = torch.arange(size, device=boxes.device)
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)  # (B, 1) each
    columns = (pixel >= x0) & (pixel < x1)  # (B, S)
    rows = (pixel >= y0) & (pixel < y1)
    return (rows[:, :, None] & columns[:, None, :])[:, None].float()
