"""Checkpoints to videos: denoiser, autoregressive generation, lists of jobs, Python API."""
