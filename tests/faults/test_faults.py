"""The fault corpus through dh-prep: every input ends as samples or as a row that says why."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.rows import read_rows
from pipeline.dataset.sample import Sample, from_members, problems
from pipeline.dataset.shards import read_dataset, read_samples, read_shard
from pipeline.files import printable
from pipeline.sources.manifest import ManifestRow, read_manifest, write_manifest
from tests.datasets import content
from tests.faults.inputs.case import Case
from tests.faults.inputs.cases_of_files import FILES, FORBIDDEN
from tests.faults.inputs.corpus import CASES, make_corpus, state
from tests.faults.inputs.films import voice
from tests.faults.permissions import needs_permissions, run_with_permissions

_EDGE = 6  # frames at the ends of a sample whose alignment is a mean of fewer
_CLIPS_PER_SHARD = 12
_GOOD = [case for case in CASES if case.status == "ok"]

# A run and its corpus take half a minute.
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Prepared:
    """The corpus after a run: what lay in it before, what was printed, and what was made."""

    corpus: Path
    before: dict[str, tuple[object, ...]]
    out: Path
    ended: subprocess.CompletedProcess[str]
    rows: pd.DataFrame
    samples: dict[str, Sample]

    def row(self, case: Case) -> pd.Series[Any]:
        """The row of a case; the first where several have the same name as far as UTF-8 goes."""
        return self.rows[self.rows["source"] == printable(case.name)].iloc[0]

    def sample(self, case: Case) -> Sample:
        """The sample of a case."""
        return self.samples[self.row(case)["clip_id"]]


@pytest.fixture(scope="module")
def prepared(landmark_task: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The corpus, made and prepared by two workers."""
    base = tmp_path_factory.mktemp("faults")
    make_corpus(base / "corpus")
    before = state(base / "corpus")
    out = base / "out"
    ended = run_with_permissions("run", base / "corpus", "--out", out, "--workers", 2,
                       "--clips-per-shard", _CLIPS_PER_SHARD)  # fmt: skip
    samples = {
        key: from_members(key, members)
        for tar in sorted(out.glob("shard-*.tar"))
        for key, members in read_shard(tar)
    }
    return Prepared(base / "corpus", before, out, ended, read_rows(out), samples)


def _name(case: Case) -> str:
    return ascii(printable(case.name))[1:-1][:60]


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in CASES if case.status], ids=_name)
def test_what_becomes_of_it(prepared: Prepared, case: Case):
    if case.name == FORBIDDEN:
        needs_permissions()
    row = prepared.row(case)
    assert (row["status"], row["stage"]) == (case.status, case.stage), row["reason"]
    assert case.reason in row["reason"]
    assert not row["traceback"]
    assert row["speaker"] == case.speaker
    for column, (least, greatest) in case.measures.items():
        assert least <= row[column] <= greatest, column
    if case.status == "ok":
        wanted = case.frames if isinstance(case.frames, range) else [case.frames]
        assert row["frames"] in wanted
        assert problems(prepared.sample(case)) == []
    else:
        assert row["clip_id"] not in prepared.samples


def test_every_video_has_one_row_and_nothing_else_has_one(prepared: Prepared):
    wanted = sorted(printable(case.name) for case in CASES if case.status)
    assert sorted(prepared.rows["source"]) == wanted
    assert prepared.rows["clip_id"].is_unique


def test_the_run_ends_with_1_and_no_traceback(prepared: Prepared):
    assert prepared.ended.returncode == 1
    for printed in (prepared.ended.stdout, prepared.ended.stderr):
        assert "Traceback" not in printed
    assert set(prepared.rows["traceback"]) == {""}


def test_names_do_not_steer_the_terminal(prepared: Prepared):
    for printed in (prepared.ended.stdout, prepared.ended.stderr):
        assert not {"\x1b", "\a"} & set(printed)


@pytest.mark.parametrize("case", [c for c in CASES if c.status not in ("", "ok")], ids=_name)
def test_the_reason_is_a_sentence_for_people(prepared: Prepared, case: Case):
    if case.name == FORBIDDEN:
        needs_permissions()
    row = prepared.row(case)
    for word in ("Exception", "Error", "Errno", "errno", "Traceback", "None", "<", "0x"):
        assert word not in row["reason"]
    assert " " in row["reason"].strip()
    if row["status"] == "failed":
        assert printable(case.name) in row["reason"]


def test_something_is_missing_only_of_films_that_were_cut_off(prepared: Prepared):
    rows = prepared.rows[prepared.rows["status"] == "ok"].set_index("source")["missing_seconds"]
    assert rows.notna().all()
    cut_off = ["cut, index at the front.mp4", "cut.flv", "cut.mkv", "cut.webm"]
    assert sorted(rows[rows > 0].index) == cut_off
    assert rows[cut_off].between(0.5, 1.2).all()  # of two seconds
    assert "samples of files that were cut off: 4, " in prepared.ended.stdout
    assert "Samples of files that were cut off: 4, " in (prepared.out / "README.md").read_text()


def test_counts_add_up(prepared: Prepared):
    rows, dataset = prepared.rows, read_dataset(prepared.out)
    counts, by_status = dataset["counts"], rows["status"].value_counts()
    assert counts["inputs"] == counts["clips"] == len(rows)
    assert counts["samples"] == by_status["ok"] == len(prepared.samples)
    assert counts["skipped"] == by_status["skipped"]
    assert counts["failed"] == by_status["failed"]
    assert counts["frames"] == rows.loc[rows["status"] == "ok", "frames"].sum()
    assert sum(shard["samples"] for shard in dataset["shards"]) == counts["samples"]
    assert set(prepared.samples) == set(rows.loc[rows["status"] == "ok", "clip_id"])
    report = pd.read_csv(prepared.out / "report.csv", keep_default_na=False)
    assert len(report) == counts["skipped"] + counts["failed"]
    left_out = rows[rows["status"] != "ok"].set_index("clip_id")
    assert left_out["reason"].to_dict() == report.set_index("clip_id")["reason"].to_dict()
    for number in ("samples", "clips", "skipped", "failed"):
        assert str(counts[number]) in prepared.ended.stdout


# --- the data set ---------------------------------------------------------------------------------


def test_it_passes_check(prepared: Prepared):
    checked = run_with_permissions("check", prepared.out)
    assert checked.returncode == 0, checked.stdout


def test_it_can_be_looked_at(prepared: Prepared, tmp_path: Path):
    looked = run_with_permissions(
        "inspect", prepared.out, "--out", tmp_path / "page.html", "--clips", 1000
    )
    assert looked.returncode == 0, looked.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("cut off: the file says it is") == 4
    assert page.count("<img") >= len(_GOOD)
    assert "<red>" not in page


def test_the_sources_are_untouched(prepared: Prepared):
    assert state(prepared.corpus) == prepared.before


def test_one_process_without_ray_makes_the_same_of_every_fourth_backwards(
    prepared: Prepared, tmp_path: Path
):
    """Nothing that an input leaves behind in a process changes what comes after it."""
    chosen = prepared.rows[::-4].set_index("clip_id")
    paths = {printable(case.name): str(prepared.corpus / case.name) for case in CASES}
    listed = [ManifestRow(clip, paths[name], name) for clip, name in chosen["source"].items()]
    write_manifest(tmp_path / "m.csv", listed)
    ended = run_with_permissions("run", tmp_path / "m.csv", "--out", tmp_path / "out",
                       "--workers", 0)  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    rows = read_rows(tmp_path / "out").set_index("clip_id")
    assert rows["status"].to_dict() == chosen["status"].to_dict()
    samples = list(read_samples(tmp_path / "out"))
    assert len(samples) > 10
    for found in samples:
        wanted = prepared.samples[found.key]
        assert bytes(found.frames.data) == bytes(wanted.frames.data)
        for name in ("audio", "speech", "landmarks", "mouth"):
            assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert state(prepared.corpus) == prepared.before


def test_trying_the_failed_ones_again_changes_nothing(prepared: Prepared, tmp_path: Path):
    out = shutil.copytree(prepared.out, tmp_path / "out")
    ended = run_with_permissions("run", prepared.corpus,
                       "--out", out, "--workers", 0, "--retry", "failed",
                       "--clips-per-shard", _CLIPS_PER_SHARD)  # fmt: skip
    assert ended.returncode == 1
    assert content(out) == content(prepared.out)


def test_a_plan_can_be_had_of_it(prepared: Prepared, tmp_path: Path):
    planned = run_with_permissions("run", prepared.corpus, "--out", tmp_path / "out", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert f"clips      {len(prepared.rows)}" in planned.stdout
    assert not (tmp_path / "out").exists()


def test_a_manifest_names_the_same_files(prepared: Prepared, tmp_path: Path):
    path = tmp_path / "manifest.csv"
    listed = run_with_permissions("manifest", prepared.corpus, "--layout", "folder", "--out", path)
    assert listed.returncode == 0, listed.stderr
    rows = read_manifest(path)
    assert {row.clip_id for row in rows} == set(prepared.rows["clip_id"])
    wanted = [(str(prepared.corpus / case.name), case.speaker) for case in CASES if case.status]
    assert sorted((row.path, row.speaker) for row in rows) == sorted(wanted)


# --- picture and sound ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in _GOOD if case.psnr], ids=_name)
def test_the_face_looks_as_in_the_plain_film(prepared: Prepared, case: Case):
    # The face is upright, of the same size and in the same place at the same time.
    plain = np.stack(list(prepared.samples["plain"].frames))[round(case.first * 25) :]
    crops = np.stack(list(prepared.sample(case).frames))[: len(plain)]
    edge = min(_EDGE, (len(crops) - 1) // 2)
    errors = (crops.astype(float) - plain[: len(crops)]) ** 2
    psnr = 10 * np.log10(255**2 / (errors[edge : len(crops) - edge].mean((1, 2, 3)) + 1e-9))
    assert psnr.mean() >= case.psnr


@pytest.mark.parametrize("case", [case for case in _GOOD if case.sound], ids=_name)
def test_the_voice_is_at_its_time(prepared: Prepared, case: Case):
    audio = prepared.sample(case).audio.astype(float)
    speech = voice(np.arange(len(audio)) / 16_000 + case.first)
    furthest = 160  # samples, a quarter of a frame
    inner = audio[furthest:-furthest]
    found = [
        np.corrcoef(speech[furthest + lag :][: len(inner)], inner)[0, 1]
        for lag in range(-furthest, furthest + 1)
    ]
    assert max(found) >= case.sound


def test_sound_that_begins_late_or_ends_early_is_silence_there(prepared: Prepared):
    rows = prepared.rows.set_index("source")
    # AAC blurs where sound begins and ends, by a block of 1024 samples.
    for name, silent, spoken in (
        ("sound late.mp4", slice(0, 5_300), slice(6_400, 16_000)),
        ("sound short.mp4", slice(9_300, 16_000), slice(0, 8_000)),
    ):
        audio = prepared.samples[rows.loc[name, "clip_id"]].audio.astype(float)
        speech = voice(np.arange(len(audio)) / 16_000)
        assert np.abs(audio[silent]).max() < 30
        assert np.corrcoef(audio[spoken], speech[spoken])[0, 1] > 0.97


def test_a_name_changes_nothing_in_the_sample(prepared: Prepared):
    named = [case for case in FILES if case.status == "ok" and case.frames == 10]
    assert len(named) > 30
    first, *others = (prepared.sample(case) for case in named)
    for other in others:
        assert bytes(other.frames.data) == bytes(first.frames.data)
        assert np.array_equal(other.speech, first.speech)
    assert len({sample.meta["source"] for sample in [first, *others]}) == len(named) - 1  # latin ?
