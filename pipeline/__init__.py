"""From raw clips to WebDataset shards (dh-prep).

    from pipeline import PrepOptions, prepare, read_rows, read_samples

    rows = prepare("videos/", "data/", PrepOptions(image_size=128))
    for sample in read_samples("data/", split="train"):
        sample.frames[3]  # (128, 128, 3) uint8

Names are imported when they are first used.
"""

import os
from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from pipeline.dataset.prep_options import PrepOptions as PrepOptions
    from pipeline.dataset.rows import read_rows as read_rows
    from pipeline.dataset.sample import Sample as Sample
    from pipeline.dataset.shards import read_samples as read_samples
    from pipeline.errors import UserError as UserError
    from pipeline.run.prepare import prepare as prepare

# Threads of torch that wait for each other sleep: in loops they would take the processor from other
# work, and from each other. OpenMP reads this once, when torch is imported; every command and every
# Python call comes through here before. Ray's workers too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("KMP_BLOCKTIME", "0")

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset.prep_options": ["PrepOptions"],
        "dataset.rows": ["read_rows"],
        "dataset.sample": ["Sample"],
        "dataset.shards": ["read_samples"],
        "errors": ["UserError"],
        "run.prepare": ["prepare"],
    },
)
