"""Files that hold the released network, as the authors' training wrote them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HYPER = {
    "image_size": 128,
    "in_channels": 3,
    "model_channels": 256,
    "out_channels": 6,
    "num_res_blocks": 2,
    "attention_resolutions": [32],
    "dropout": 0.1,
    "channel_mult": [1, 2, 3],
    "num_heads": 4,
    "num_head_channels": 64,
    "n_timesteps": 1000,
    "n_motion_frames": 2,
    "grayscale_motion": False,
    "n_audio_motion_embs": 2,
    "lip_weight": 0.2,
}


def write_lightning(path: Path, tensors: dict[str, Tensor], hyper: Any = None, **more: Any) -> Path:
    """A checkpoint as Lightning writes it: the network under both names, and what goes along."""
    state = {f"unet.{name}": value for name, value in tensors.items()}
    state |= {f"diffusion.nn_backbone.{name}": value for name, value in tensors.items()}
    moments = {0: {"step": torch.tensor(7.0), "exp_avg": torch.zeros(3)}}
    content = {
        "epoch": 2999,
        "global_step": 247_500,
        "pytorch-lightning_version": "1.9.0",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.1)}},
        "optimizer_states": [{"state": moments, "param_groups": [{"lr": 5e-5, "params": [0]}]}],
        "lr_schedulers": [{"step_size": 166, "gamma": 0.8}],
        "hparams_name": "kwargs",
        "hyper_parameters": HYPER if hyper is None else hyper,
    }
    torch.save(content | more, path)
    return path
