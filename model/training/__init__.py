"""Training: objective, loop, run folder, status, Ray Train."""
