"""The diffusion: schedule, losses, samplers, noise."""
