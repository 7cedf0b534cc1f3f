"""The lip loss: means inside the mouth boxes."""

import torch

from model.diffusion.lip_loss import box_mask, lip_loss

BOXES = torch.tensor([[1, 2, 4, 5], [0, 0, 6, 6], [5, 0, 6, 1], [0, 4, 2, 6]])


def test_masks():
    masks = box_mask(BOXES, 6)
    for mask, (x0, y0, x1, y1) in zip(masks, BOXES.tolist(), strict=True):
        expected = torch.zeros(1, 6, 6)
        expected[:, y0:y1, x0:x1] = 1
        assert torch.equal(mask, expected)


def test_the_mean_error_inside_each_box():
    error = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    found = lip_loss(error, BOXES)
    for row, (x0, y0, x1, y1) in enumerate(BOXES.tolist()):
        torch.testing.assert_close(found[row], error[row, :, y0:y1, x0:x1].mean())
