"""Pretrained networks of the metrics: Inception, I3D, SyncNet."""
