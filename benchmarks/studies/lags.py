"""How often `dh-prep run --align-sound` finds a known lag in some clips of a data set.

Clips of a collection are drawn, their sound is shifted by −3 … 4 frames, and the lag is decided as
the command does. Right is the lag of the whole collection and the shift together. Swapped sounds,
each clip with another's, must be left alone. Prints Markdown.

    dh-prep run people.csv --out DATASET && python -m benchmarks.studies.lags DATASET
"""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.speed.harness import header, markdown
from pipeline.dataset.align_sound import SHORTEST, Lips, lips_of
from pipeline.dataset.rows import read_rows
from pipeline.dataset.shards import read_samples
from pipeline.speech.shifts import lip_lag_of_set

SHIFTS = (-3, -1, 0, 1, 2, 4)
DRAWS = 4  # of each shift
COUNTS = (8, 20, 40)  # clips of a draw


def shifted(clip: Lips, shift: int) -> Lips:
    """The clip with its sound `shift` frames later, as long as both overlap."""
    opening, energy = clip
    length = len(opening) - abs(shift)
    return opening[max(0, shift) :][:length], energy[max(0, -shift) :][:length]


def outcomes(clips: list[Lips], count: int, rng: np.random.Generator) -> tuple[Counter[str], int]:
    """What is decided on draws of some clips, and how often a lag of swapped sounds is."""
    found: Counter[str] = Counter()
    alarms, of_all = 0, lip_lag_of_set(clips).lag
    for shift in np.repeat(SHIFTS, DRAWS).tolist():
        drawn = [clips[k] for k in rng.permutation(len(clips))[:count]]
        lag = lip_lag_of_set([shifted(clip, shift) for clip in drawn])
        off = abs(lag.lag - of_all - shift)
        decided = "right" if off == 0 else "a frame off" if off == 1 else "wrong"
        found[decided if lag.is_sure else "left alone"] += 1
        swapped = zip(drawn, drawn[1:] + drawn[:1], strict=True)
        pairs = ((one[0], other[1], min(len(one[0]), len(other[1]))) for one, other in swapped)
        alarms += lip_lag_of_set([(lips[:n], sound[:n]) for lips, sound, n in pairs]).is_sure
    return found, alarms


def main(data: Annotated[Path, typer.Argument(help="A data set, its sound not aligned.")]) -> None:
    """Prints how often a known lag is found, by collection and number of clips."""
    collections = read_rows(data).set_index("clip_id")["collection"]
    clips: dict[str, list[Lips]] = defaultdict(list)
    for sample in read_samples(data):
        if len(sample.frames) >= SHORTEST:
            clips[collections[sample.key]].append(lips_of(sample))
    print(header(["scipy"]))
    rows = []
    for name, those in sorted(clips.items()):
        lag = lip_lag_of_set(those)
        text = f"{lag.lag:+.0f}{'' if lag.is_sure else ' (not sure)'}"
        whole = [name or "all", str(len(those)), text, f"{lag.peak:.2f}", f"{lag.chance:.2f}"]
        for count in (n for n in COUNTS if n <= len(those) / 1.4):
            found, alarms = outcomes(those, count, np.random.default_rng(0))
            kinds = ("right", "a frame off", "wrong", "left alone")
            rows.append([*whole, str(count), *(str(found[kind]) for kind in kinds), str(alarms)])
            whole = [""] * 5
        if whole[0]:
            rows.append([*whole, *[""] * 6])
    headings = ["collection", "clips", "lag", "r", "chance", "of", "right", "a frame off", "wrong",
                "left alone", "swapped, decided"]  # fmt: skip
    print(markdown(headings, rows))


if __name__ == "__main__":
    typer.run(main)
