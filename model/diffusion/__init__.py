"""The diffusion: schedule, what the network predicts, the losses, the samplers, the noise."""
