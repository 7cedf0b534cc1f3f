"""Limits on what is measured of a clip: which samples a curator keeps, and why not the others."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of each limit: the measure (a column of the rows) and how a person reads it.
_MEASURES = {
    "seconds": ("clip_seconds", "a face for {value:.2f} s", "{limit:g} s"),
    "missing": ("missing_seconds", "{value:.1f} s of the file missing", "{limit:g} s"),
    "face": ("eye_distance", "a face of {value:.0f} px between the eyes", "{limit:g} px"),
    "faces": ("faces", "{value:.0f} faces", "{limit:g}"),
    "cuts": ("cuts", "{value:.0f} scene cuts", "{limit:g}"),
    "yaw": ("yaw", "a face turned by {value:.0f}°", "{limit:g}°"),
    "pitch": ("pitch", "a face tilted by {value:.0f}°", "{limit:g}°"),
    "sharpness": ("sharpness", "sharpness {value:.3g}", "{limit:g}"),
    "mouth": ("mouth_opening_std", "mouth movement {value:.3f}", "{limit:g}"),
    "loudness": ("loudness", "loudness {value:.0f} dBFS", "{limit:g} dBFS"),
    "speech": ("speech_share", "speech for {value:.0%} of the time", "{limit:.0%}"),
    "lag": ("av_lag", "sound off by {value:.0f} frames", "{limit:g}"),
    "sync": ("av_correlation", "lips and sound correlate by {value:.2f}", "{limit:g}"),
}
# What a limit can be, where it is not any number from 0 on.
_RANGES = {"loudness": (-math.inf, 0.0), "speech": (0.0, 1.0), "sync": (-1.0, 1.0)}
_EITHER_SIGN = frozenset({"yaw", "pitch", "lag"})


@dataclass(frozen=True)
class Limits:
    """Bounds on the measures of a sample; None sets none.

    Attributes:
        min_seconds: least seconds with a face in view.
        max_seconds: most seconds with a face in view.
        max_missing: most seconds that the file says it has and that do not decode, 0 to leave out
            all that was cut off; .mpg and .ts do not say how long they are.
        min_face: least size of the face: pixels of the source between the outer eye corners.
        max_faces: most faces in view at once.
        max_cuts: most scene cuts in the whole clip.
        max_yaw: most degrees that the head turns to either side, on average.
        max_pitch: most degrees that the head looks up or down, on average.
        min_sharpness: least sharpness of the face, see pipeline/faces/sharpness.py.
        min_mouth: least deviation of the mouth's opening, in eye distances; still mouths do not
            talk.
        min_loudness: least loudness, dB full scale, on average.
        min_speech: least share of the time with speech, 0 to 1.
        max_lag: most frames between lips and sound to either side; one clip tells it roughly.
        min_sync: least correlation of lip opening with loudness at its best lag, -1 to 1.
    """

    min_seconds: float | None = 0.4
    max_seconds: float | None = None
    max_missing: float | None = None
    min_face: float | None = None
    max_faces: int | None = None
    max_cuts: int | None = None
    max_yaw: float | None = None
    max_pitch: float | None = None
    min_sharpness: float | None = None
    min_mouth: float | None = None
    min_loudness: float | None = None
    min_speech: float | None = None
    max_lag: int | None = None
    min_sync: float | None = None

    def __post_init__(self) -> None:
        """Refuses limits that every clip keeps, or none.

        Raises:
            UserError: a limit is outside what its measure can be, or the least is over the most.
        """
        for name, limit in self.as_json().items():
            low, high = _RANGES.get(name.partition("_")[2], (0.0, math.inf))
            if not low <= limit <= high or math.isinf(limit):
                kind = f"from {low:g} to {high:g}"
                kind = f"{high:g} or less" if math.isinf(low) else kind
                kind = f"{low:g} or more" if math.isinf(high) else kind
                raise UserError(f"--{name.replace('_', '-')} must be {kind}, not {limit:g}")
        if (self.min_seconds or 0) > (math.inf if self.max_seconds is None else self.max_seconds):
            raise UserError(
                f"--min-seconds {self.min_seconds:g} is more than --max-seconds "
                f"{self.max_seconds:g}; no clip keeps both"
            )

    def as_json(self) -> dict[str, float]:
        """The limits that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def broken(self, measures: Mapping[str, float]) -> str | None:
        """The first limit that is broken, as a reason; None when all that is measured keeps them.

        A measure that could not be taken (NaN) breaks every limit on it.

        Args:
            measures: what is known so far, by column of the rows.
        """
        for field in fields(self):
            limit = getattr(self, field.name)
            side, _, name = field.name.partition("_")
            column, value_text, limit_text = _MEASURES[name]
            if limit is None or column not in measures:
                continue
            value = measures[column]
            amount = abs(value) if name in _EITHER_SIGN else value
            if math.isnan(amount):
                return f"{column} could not be measured, and {field.name} {limit:g} is asked"
            if amount < limit if side == "min" else amount > limit:
                relation = "less" if side == "min" else "more"
                shown = value_text.format(value=value), limit_text.format(limit=limit)
                return f"{shown[0]}, {relation} than {shown[1]}"
        return None
