"""Which of two faces speaks: fits the regression of `pipeline.speech.speaker`, and measures it.

Both read a prepared data set. `fit` prints the weights of clips whose names match; `measure`
takes the sound of each clip with its own face beside those of other people: people who talk as well
(to another sound), and a still picture. They print Markdown.
"""

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.speed.harness import header, markdown
from pipeline.dataset.sample import Sample
from pipeline.dataset.shards import read_samples
from pipeline.faces.mouth_box import mouth_opening
from pipeline.speech.lip_sync import lag_and_correlation, log_energy
from pipeline.speech.speaker import (
    DECISIVE,
    find_speaker,
    lip_movement,
    lip_predictors,
    predicted_movement,
)

_RIDGE = 0.2  # of the variance of a predictor
_OTHERS = 6  # people beside whom each clip is put
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
DataSet = Annotated[Path, typer.Argument(help="A folder that dh-prep run has written.")]
Pattern = Annotated[str, typer.Argument(help="Regular expression for clip_id.")]


@app.command()
def fit(folder: DataSet, pattern: Pattern) -> None:
    """Fits lip movement on MFCC by ridge regression; every clip's movement is standardised."""
    products, target, frames = np.zeros((78, 78)), np.zeros(78), 0
    clips = [one for one in read_samples(folder) if re.search(pattern, one.key)]
    for sample in clips:
        predictors = lip_predictors(sample.audio, len(sample.frames))
        moves = lip_movement(mouth_opening(sample.landmarks))
        products += predictors.T @ predictors
        target += predictors.T @ (moves / moves.std())
        frames += len(moves)
    weights = np.linalg.solve(products + _RIDGE * frames * np.eye(78), target)
    print(f"{len(clips)} clips, {frames} frames")
    print((1000 * weights).round().astype(int).reshape(-1, 13).tolist())


@app.command()
def measure(folder: DataSet, pattern: Pattern = ".", but: str = "$^") -> None:
    """How often the face whose sound it is is found among two, by length of the clips."""
    clips = [one for one in read_samples(folder) if re.search(pattern, one.key)]
    clips = [one for one in clips if not re.search(but, one.key)]
    openings = [mouth_opening(one.landmarks) for one in clips]
    rng = np.random.default_rng(0)
    print(header([]))
    rows = []
    for frames in (50, 75, 125, 250):
        long = [k for k, opening in enumerate(openings) if len(opening) >= frames]
        talking, still, loud = [], [], []
        for k in long:
            own, predicted = openings[k][:frames], predicted_movement(clips[k].audio, frames)
            other = [j for j in long if clips[j].meta["speaker"] != clips[k].meta["speaker"]]
            for j in rng.choice(other, min(_OTHERS, len(other)), replace=False):
                second = openings[j][:frames]
                talking.append(find_speaker([own, second], predicted))
                loud.append(_louder(clips[k], own, second))
                # The landmarks of a still picture tremble a little.
                poster = second.mean() + 0.05 * (second - second.mean())
                still.append(find_speaker([own, poster], predicted))
        if not talking:
            continue
        cells = [_right(talking), _right(still), f"{np.mean(loud):.2f}"]
        rows.append([f"{frames / 25:g} s", str(len(long)), *cells])
    columns = ["clip", "clips", "both talk", "one is still", "both talk, by loudness alone"]
    print(f"right choices / those that are sure (lead of {DECISIVE}) / right among these\n")
    print(markdown(columns, rows))


def _right(found: list[tuple[int, float]]) -> str:
    right, sure = np.array([(best == 0, lead >= DECISIVE) for best, lead in found]).T
    return f"{right.mean():.2f} / {sure.mean():.2f} / {right[sure].mean():.2f}"


def _louder(clip: Sample, own: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether the clip's own lips follow its loudness better than the others do."""
    energy = log_energy(clip.audio[: 640 * len(own)], len(own))
    scores = [lag_and_correlation(lips, energy, 3)[1] for lips in (own, second)]
    return bool(np.argmax(scores) == 0)


if __name__ == "__main__":
    app()
