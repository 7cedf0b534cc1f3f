"""The content of scores.json: what `dh-bench score` writes and `dh-bench table` reads."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NotRequired, cast

from typing_extensions import TypedDict  # in Python 3.11 pydantic takes no other

from benchmarks.clips.paired_frames import FrameComparison
from benchmarks.user_files import first_problem
from pipeline.errors import UserError
from pipeline.files import atomic_path, json_bytes, read_json

SCHEMA_VERSION = 2

# Other names of the same data set.
_ALIASES = {"cremad": "crema"}


class ClipRow(FrameComparison, total=False):
    """One clip: its measurements, or the reason why it has none.

    `values` are the fake's, by metric; `real_values` the real clip's, of metrics that have a value
    for a clip by itself. `curves`: `lips_real`, `lips_fake` (opening of the inner lips as a share
    of the distance between the outer eye corners, a number a frame) and `energy` (of the sound, in
    dB), as far as they are known; of clips of two seconds and more `drift_ssim`, `drift_psnr` (of
    frame k) and `drift_sharpness` (the fake's over the real clip's, frame k), and `drift_csim`
    (mean cosine of CSIM in second k, up to the first without a face).
    `missing` names the metrics that the clip has no value of, with the reason.
    """

    clip_id: str
    status: str
    reason: str
    warnings: list[str]
    values: dict[str, float]
    real_values: dict[str, float]
    curves: dict[str, list[float]]
    missing: dict[str, str]


class SetRow(TypedDict):
    """One metric over all clips."""

    label: str  # heading in tables
    # `higher` or `lower` is better, or `closer` to `real` is.
    direction: Literal["higher", "lower", "closer"]
    unit: str  # of `mean`; empty for a pure number
    protocol: str  # how it was measured, beginning with the number's full name: `fvd_16f_n820: …`
    n: int  # clips that it was measured on
    mean: float | None  # over clips, or the set's one number; None when it could not be measured
    std: float | None  # over clips; None for numbers that only a set has
    ci95: list[float] | None  # bootstrap over clips; None where there are too few
    real: float | None  # the same number of the real clips, where `direction` is `closer`
    reason: str  # why `mean` is None, and the remedy; else empty
    chance: NotRequired[float]  # of correlations, what sets of clips with swapped sounds stay below
    n_real: NotRequired[int]  # clips that `real` was measured on; absent in older files


class Source(TypedDict):
    """Where a clip was read: the real one's file or shard, and the fake's file."""

    real: str
    fake: str


class Scores(TypedDict):
    """The content of scores.json; `weights` are the SHA-256 of the pretrained files used.

    The first files of this version lack `weights` and `sources`.
    """

    schema_version: int
    method: str
    dataset: str
    real: str
    fake: str
    split: str | None
    protocol: str
    options: dict[str, Any]
    software: dict[str, str]
    weights: NotRequired[dict[str, str]]
    metrics: dict[str, SetRow]
    unmatched: dict[str, list[str]]
    sources: NotRequired[dict[str, Source]]
    clips: list[ClipRow]


def write_scores(path: Path, scores: Scores, rows: Path) -> None:
    """Writes scores.json: `scores` without clips, then those of `rows`, a file of JSON lines."""
    head, end = json_bytes({**scores, "clips": []}).decode().rsplit("[]", 1)
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8") as out,
        rows.open(encoding="utf-8", newline="\n") as lines,
    ):
        out.write(f"{head}[")
        for k, line in enumerate(lines):
            out.write(f"{',' if k else ''}\n    {line.rstrip()}")
        out.write(f"\n  ]{end}")


def read_scores(path: Path) -> Scores:
    """Reads what `dh-bench score` wrote.

    Raises:
        UserError: the file is absent or was not written by it.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        scores = read_json(path)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}; make it with: dh-bench score") from error
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} does not read as JSON; is it from dh-bench score?") from error
    if not isinstance(scores, dict) or "schema_version" not in scores:
        raise UserError(f"{path} was not written by dh-bench score")
    if scores["schema_version"] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {scores['schema_version']}, this program reads "
            f"{SCHEMA_VERSION}; score the videos again"
        )
    try:
        TypeAdapter(Scores).validate_python(scores)
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error)}; score the videos again") from error
    return cast("Scores", scores)


def values_of(
    scores: Scores, metric: str, side: Literal["values", "real_values"] = "values"
) -> dict[str, float]:
    """A metric of the fakes, or of the real clips by themselves, by clip."""
    return {
        row["clip_id"]: row[side][metric]
        for row in scores["clips"]
        if row["status"] == "ok" and metric in row.get(side, {})
    }


def by_text(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """`a, b: text` of the (name, text) that have the same text."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in pairs:
        found[text].append(name)
    return [f"{', '.join(names)}: {text}" for text, names in found.items()]


def plain_protocol(row: SetRow) -> str:
    """The protocol without the numbers of clips and of frames, which may differ."""
    return re.sub(r"_(fit\d+\w*_)?n\d+|; of \w+ real and \d+ generated", "", row["protocol"])


def pairing(scores: Scores) -> str:
    """How frames were paired, whatever sizes they were resized from."""
    parts = scores["protocol"].split("; ")
    return "; ".join(part for part in parts if not re.search(r"resized from|cv2\.", part))


def same_name(one: str, other: str) -> bool:
    """Whether two names mean the same data set or system: PC-AVS is pcavs, CREMA-D is CREMA."""
    plain = (re.sub(r"[\W_]", "", name.casefold()) for name in (one, other))
    return len({_ALIASES.get(letters, letters) for letters in plain}) == 1
