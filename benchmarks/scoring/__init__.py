"""Clips measured, cached, aggregated and compared."""
