"""The report of dh-prep doctor: what it says of a machine, and what it keeps to itself."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from pipeline.dataset.finalize import finish
from pipeline.dataset.limits import Limits
from pipeline.dataset.plan import plan_shards
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import rows_bytes
from pipeline.errors import UserError
from pipeline.files import sha256_file, write_json
from pipeline.run.doctor.bug_report import write_report
from pipeline.run.doctor.checks import Finding, examine
from pipeline.sources.manifest import ManifestRow

SECRETS = ("annas-home", "secret_project", "bobs clip", "bobs", "carol", "s3cr3t", "holiday")
# What may be said of a clip; its names are in it in every way that a message has.
REASONS = {
    "cannot read /annas-home/secret_project/bobs clip.mp4: Invalid data": "cannot read the file",
    "bobs clip: no sound in 'holiday'": "no sound in",
    "speaker 'carol' fails speaker == 'dave'": "fails speaker ==",
    "ValueError: cannot open /annas-home/other.wav (holiday carol)": "ValueError: cannot open",
    "clip_seconds 0.48 fails clip_seconds >= 0.6": "clip_seconds # fails clip_seconds >= #",
    "clip_seconds 0.52 fails clip_seconds >= 0.6": "clip_seconds # fails clip_seconds >= #: 2",
}
TRACEBACK = """Traceback (most recent call last):
  File "/annas-home/secret_project/pipeline/run/stages.py", line 12, in landmarks
ValueError: bobs clip"""


def _dataset(parent: Path) -> Path:
    """An unfinished data set, all clips of which were left out."""
    folder = parent / "annas-home" / "secret_project"
    source = "secret_project/bobs clip.mp4"
    rows = [
        {"clip_id": f"holiday{n}" if n < 5 else "holiday", "manifest_id": "holiday",
         "source": source, "speaker": "carol", "split": "train", "status": "failed",
         "stage": "decode", "reason": reason, "traceback": TRACEBACK if n == 3 else ""}
        for n, reason in enumerate(REASONS)
    ]  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "shard-00000.parquet").write_bytes(rows_bytes(rows))
    write_json(folder / "plan.json", {})
    return folder


@pytest.fixture(scope="module")
def report(landmark_task: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    data = _dataset(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(data.parent))
        patch.setenv("DH_WEIGHTS", str(landmark_task.parent))
        patch.setenv("RAY_ADDRESS", "s3cr3t.example.org:6379")
        write_report(folder / "report.md", examine(), landmark_task.parent, str(data))
    return (folder / "report.md").read_text()


def test_it_says_what_a_maintainer_asks_for(report: str, landmark_task: Path):
    for section in ("Machine", "Works", "Libraries", "Pretrained files", "Left out"):
        assert f"\n## {section}\n" in report
    for library in ("ray", "webdataset", "av", "torch"):
        assert f"- {library}: {metadata.version(library)}" in report
    assert f"python: CPython {sys.version.split()[0]}" in report
    assert f"face_landmarker.task: SHA-256 {sha256_file(landmark_task)}" in report
    assert f"- torch: {metadata.version('torch')}" in report.partition("## Works")[2]
    assert "RAY_ADDRESS" in report


def test_it_names_nothing_of_the_users(report: str, landmark_task: Path):
    for name in (*SECRETS, str(landmark_task.parent), "dave"):
        assert name not in report


def test_reasons_are_kinds_with_counts_and_our_own_lines(report: str):
    left_out = report.partition("## Left out")[2]
    for kind in REASONS.values():
        assert kind in left_out
    assert "ValueError: cannot open … (… …) > pipeline/run/stages.py:12" in left_out
    assert "## Data set\n\n- state: not finished" in report


def test_of_a_finished_data_set_options_and_counts_are_given(tmp_path: Path):
    data = _dataset(tmp_path)
    options = PrepOptions(limits=Limits(keep="speaker != 'carol' and yaw < 9"))
    rows = [ManifestRow("holiday", "bobs.mp4", "bobs.mp4", speaker="carol")]
    (shard,) = plan_shards(rows, 1)
    mark = {
        "name": "shard-00000.tar", "split": "train", "inputs": 1, "clips": 1, "samples": 0,
        "failed": 1, "frames": 0, "speakers": [], "bytes": 0, "sha256": "",
        "speech": {"count": 0, "sum": 0, "squares": 0},
    }  # fmt: skip
    write_json(data / "shard-00000.json", mark)
    finish(data, [shard.name], options.as_json())
    path = tmp_path / "report.md"
    write_report(path, [Finding("disk here", "note", "/annas-home")], None, str(data))
    text = path.read_text()
    assert "- counts: inputs 1, clips 1, samples 0, frames 0, failed 1" in text
    assert "- keep: speaker != '…' and yaw < 9" in text
    assert "- disk here: note" in text
    assert not [name for name in SECRETS if name in text]


@pytest.mark.slow
def test_only_an_earlier_report_is_overwritten(tmp_path: Path):
    mine, path = tmp_path / "notes.md", tmp_path / "report.md"
    mine.write_text("# mine")
    with pytest.raises(UserError, match=r"notes\.md"):
        write_report(mine, [], tmp_path, None)
    assert mine.read_text() == "# mine"
    for _ in range(2):
        write_report(path, [], tmp_path, None)
