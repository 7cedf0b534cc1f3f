"""What a run says of its clips: notes before it, and short reasons while it goes on."""

import pytest

from pipeline.run.summary import Reasons, note_speakers
from pipeline.sources.manifest import ManifestRow


def clip(name: str, speaker: str, split: str) -> ManifestRow:
    return ManifestRow(name, f"{name}.mp4", f"{name}.mp4", speaker, split)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([clip("a", "ann", "train"), clip("b", "bea", "test")], ""),
        (
            [clip("a", "ann", "train"), clip("b", "ann", "test")],
            "speakers in more than one split: 1",
        ),
        (
            [clip("a", "ann", "training")],
            "dh-train reads split train, and all clips are in training",
        ),
    ],
)
def test_splits_of_which_training_or_test_would_suffer_are_noted(rows, said, capsys):
    note_speakers(rows)
    told = capsys.readouterr().out
    assert said in told
    assert bool(told) == bool(said)


def test_a_long_reason_ends_in_an_ellipsis_and_a_short_one_is_whole():
    reasons = Reasons()
    long = "cannot read clips/a.mp4: no media file, or one that is damaged or cut off"
    reasons.add([{"status": "failed", "reason": long, "source": "a.mp4"}])
    assert str(reasons) == "1 failed (1: cannot read the file: no media file, …)"
    reasons.add([{"status": "skipped", "reason": "no sound stream", "source": "b.mp4"}])
    assert str(reasons).endswith(", 1 skipped (1: no sound stream)")
