"""Limits on what is measured of a clip: which samples a curator keeps, and why not the others."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Annotated, Any, Self

import typer
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pipeline.dataset.conditions import failing, join_conditions, parse_conditions

# The condition that each shorthand stands for.
_CONDITIONS = {
    "min_seconds": "clip_seconds >= {:.12g}",
    "max_missing": "missing_seconds <= {:.12g}",
    "min_face": "eye_distance >= {:.12g}",
    "max_faces": "faces <= {:.12g}",
    "max_yaw": "abs(yaw) <= {:.12g}",
    "min_speech": "speech_share >= {:.12g}",
    "max_cuts": "cuts <= {:.12g}",
}
# Of data sets made before there was `keep`.
_FORMER_CONDITIONS = {
    "max_seconds": "clip_seconds <= {:.12g}",
    "max_pitch": "abs(pitch) <= {:.12g}",
    "min_sharpness": "sharpness >= {:.12g}",
    "min_mouth": "mouth_opening_std >= {:.12g}",
    "min_loudness": "loudness >= {:.12g}",
    "max_lag": "abs(av_lag) <= {:.12g}",
    "min_sync": "av_correlation >= {:.12g}",
}
_PANEL = "Which samples to keep"
_NUMBER: Any = typer.Option(metavar="NUMBER", rich_help_panel=_PANEL)
_AtLeast0 = Annotated[float | None, Field(ge=0), _NUMBER]
_Count = Annotated[int | None, Field(ge=0), _NUMBER]


@dataclass(frozen=True, config=ConfigDict(allow_inf_nan=False, extra="forbid"))
class Limits:
    """Conditions on the measures of a sample; None sets none.

    Attributes:
        keep: keep the samples of which this holds: columns of the rows
            (pipeline/dataset/columns.py) compared with numbers or texts, joined by and, or, not;
            abs() where either sign is meant. "yaw < 25 and speech_share > 0.5".
        min_seconds: least length of the sample, s; short for clip_seconds >= NUMBER.
        max_missing: most seconds that the file says it has and that do not decode, 0 to leave out
            all that was cut off; .mpg and .ts do not say how long they are. Short for
            missing_seconds <= NUMBER.
        min_face: least size of the face: pixels of the source between the outer eye corners. Short
            for eye_distance >= NUMBER.
        max_faces: most faces in view at once; short for faces <= NUMBER.
        max_yaw: most degrees that the head turns to either side, on average; short for abs(yaw)
            <= NUMBER.
        min_speech: least share of the time with speech, 0 to 1; short for speech_share >= NUMBER.
        max_cuts: most scene cuts in the whole clip; short for cuts <= NUMBER.
    """

    min_seconds: _AtLeast0 = 0.4
    max_missing: _AtLeast0 = None
    min_face: _AtLeast0 = None
    max_faces: _Count = None
    max_yaw: _AtLeast0 = None
    min_speech: Annotated[float | None, Field(ge=0, le=1), _NUMBER] = None
    max_cuts: _Count = None
    keep: Annotated[str, typer.Option(metavar="CONDITIONS", rich_help_panel=_PANEL)] = ""

    def __post_init__(self) -> None:
        """Gives `keep` a uniform spelling, so that equal conditions are equal options."""
        object.__setattr__(self, "keep", join_conditions(self.keep))

    @classmethod
    def from_json(cls, limits: Mapping[str, Any]) -> Self:
        """The limits of a data set, also of one made with limits that are part of `keep` now."""
        former = [
            condition.format(limits[name])
            for name, condition in _FORMER_CONDITIONS.items()
            if name in limits
        ]
        known = {name: limits[name] for name in limits if name not in _FORMER_CONDITIONS}
        keep = join_conditions(limits.get("keep", ""), *former)
        return cls(**{"min_seconds": None} | known | {"keep": keep})  # what is not set is left out

    def as_json(self) -> dict[str, Any]:
        """The limits that are set."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    def and_also(self, other: Limits) -> Limits:
        """The limits that keep what both keep."""
        merged: dict[str, Any] = {"keep": join_conditions(self.keep, other.keep)}
        for name in _CONDITIONS:
            values = [v for v in (getattr(self, name), getattr(other, name)) if v is not None]
            tighter = max if name.startswith("min") else min
            merged[name] = tighter(values) if values else None
        return Limits(**merged)

    def broken(self, row: Mapping[str, Any]) -> str | None:
        """The first condition that a row fails, as a reason; see `failing`."""
        return failing(self._conditions, row)

    @cached_property
    def _conditions(self) -> list[ast.expr]:
        """The conditions of the shorthands that are set, and of `keep`."""
        short = [
            text.format(getattr(self, name))
            for name, text in _CONDITIONS.items()
            if getattr(self, name) is not None
        ]
        return [part for text in (*short, self.keep) for part in parse_conditions(text)]
