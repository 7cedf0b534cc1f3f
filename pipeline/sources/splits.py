"""Splits that share no speaker, and who is in which."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.errors import UserError
from pipeline.files import short_digest
from pipeline.sources.manifest import ManifestRow


def split_by_speaker(
    rows: Sequence[ManifestRow], *, test: float, val: float = 0.0, unknown: str = ""
) -> list[ManifestRow]:
    """The rows with splits that share no speaker.

    Speakers are assigned in the order of a hash of their names, to test until it has its share of
    the clips, then to val; the others to train. So the same speakers fall into the same split on
    every machine, and a new one moves few others. `test` and `val` are least shares of the clips,
    0..1; `unknown` is the split of clips without a speaker, and empty refuses them.
    """
    unnamed = next((row for row in rows if not row.speaker), None)
    if unnamed is not None and not unknown:
        raise UserError(
            f"{unnamed.source} has no speaker, so that splits cannot be kept apart by speaker; "
            "name the speakers in the manifest, or lay the videos out in a folder for each"
        )
    clips = Counter(row.speaker for row in rows if row.speaker)
    order = sorted(clips, key=lambda speaker: (short_digest(speaker), speaker))
    chosen: dict[str, str] = {}
    for split, share in (("test", test), ("val", val)):
        count = 0
        while order and count < share * clips.total():
            speaker = order.pop(0)
            chosen[speaker] = split
            count += clips[speaker]
    if not order:
        raise UserError(
            f"{len(clips)} speakers are too few for test {test:g} and val {val:g}: "
            "no speaker is left to train with"
        )
    known = dict.fromkeys(clips, "train") | chosen
    return [replace(row, split=known.get(row.speaker, unknown)) for row in rows]


def speakers_by_split(rows: Iterable[ManifestRow]) -> dict[str, set[str]]:
    """The known speakers of each split."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.split, set()).update({row.speaker} - {""})
    return found


def in_several(splits: Mapping[str, Collection[str]]) -> list[str]:
    """Speakers who are in more than one split, sorted; the unknown one does not count."""
    known = Counter(name for speakers in splits.values() for name in set(speakers) - {""})
    return sorted(name for name, count in known.items() if count > 1)
