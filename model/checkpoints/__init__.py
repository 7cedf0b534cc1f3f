"""Checkpoints: ours, those of the authors, weights carried over."""
