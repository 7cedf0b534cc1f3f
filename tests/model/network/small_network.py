"""A small configuration of the network, and random weights and inputs for it."""

import math

import torch
from torch import Tensor, nn

from model.config.architecture import UNetConfig
from model.network.unet import UNet
from tests.released_network import Shape

SMALL = UNetConfig(
    image_size=16,
    base_channels=8,
    channel_mult=(1, 2, 3),
    res_blocks=2,
    attention_resolutions=(8,),
    head_channels=8,
    norm_groups=4,
    dropout=0.1,
)
SHAPE = Shape(base=8, attention=(1,), head=8, groups=4)  # the same for the reference


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """All parameters drawn at random, the zero ones too; float64, no dropout."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    if isinstance(module, UNet):  # the time features are float32
        module.time_embed.fc.register_forward_pre_hook(lambda _, given: (given[0].double(),))
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 1 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.5
            parameter.copy_(
                scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            )
    return module


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
