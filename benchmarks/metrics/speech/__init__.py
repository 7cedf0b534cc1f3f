"""Lips against the real ones, against sound, and against words."""
