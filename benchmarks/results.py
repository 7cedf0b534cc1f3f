"""The content of scores.json: what `dh-bench score` writes and `dh-bench table` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict, cast

from pipeline.errors import UserError
from pipeline.files import read_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1


class ClipRow(TypedDict, total=False):
    """One clip: its measurements, or the reason why it has none."""

    clip_id: str
    status: str
    reason: str
    warnings: list[str]
    frames: int
    frames_real: int
    frames_fake: int
    identical_frames: int
    size_real: str
    size_fake: str
    size_compared: str
    values: dict[str, float]


class SetRow(TypedDict):
    """One metric over all clips; `mean` is None when no clip could be measured."""

    label: str
    direction: str
    protocol: str
    n: int
    mean: float | None
    std: float | None
    ci95: list[float] | None


class Scores(TypedDict):
    """The content of scores.json."""

    schema_version: int
    method: str
    dataset: str
    real: str
    fake: str
    split: str | None
    protocol: str
    options: dict[str, Any]
    software: dict[str, str]
    metrics: dict[str, SetRow]
    unmatched: dict[str, list[str]]
    clips: list[ClipRow]


def read_scores(path: Path) -> Scores:
    """Reads what `dh-bench score` wrote.

    Raises:
        UserError: the file is absent or was not written by it.
    """
    try:
        scores = read_json(path)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}; make it with: dh-bench score") from error
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} does not read as JSON; is it from dh-bench score?") from error
    if not isinstance(scores, dict) or not {"schema_version", "metrics", "clips"} <= scores.keys():
        raise UserError(f"{path} was not written by dh-bench score")
    if scores["schema_version"] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {scores['schema_version']}, this program reads "
            f"{SCHEMA_VERSION}; score the videos again"
        )
    return cast("Scores", scores)
