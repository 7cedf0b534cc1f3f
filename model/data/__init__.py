"""Shards to training batches."""
