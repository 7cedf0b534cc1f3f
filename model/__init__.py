"""From shards to a checkpoint to a video (dh-train, dh-sample)."""
