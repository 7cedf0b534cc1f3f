"""Presets and their parts as dataclasses: architecture, diffusion, recipe."""
