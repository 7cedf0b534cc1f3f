"""Pairs of real and generated clips, each decoded once."""
