"""Choices that options name and other rooms act on; nothing here takes time to import."""

from typing import Literal

Smoothing = Literal["authors", "gaussian", "clip", "none"]
Speech = Literal["mfcc", "released"]
