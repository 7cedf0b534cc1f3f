"""A run of dh-prep: stages, shard writer, workers, estimate, summary."""
