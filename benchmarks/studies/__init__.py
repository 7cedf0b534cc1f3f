"""Studies that design decisions rest on: detectors, measures, storage, samplers on real clips."""
