"""What WER alone needs never costs the other numbers; a number's own reason is given."""

import pytest

from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.media import read_frames, write_video
from tests.benchmarks.score_inputs import moving


@pytest.fixture
def folders(tmp_path):
    for index, name in enumerate(("one", "two")):
        for side in ("real", "fake"):
            write_video(tmp_path / side / f"{name}.mp4", moving(index), crf=20)
    (tmp_path / "real" / "one.txt").write_text("bin blue")
    return tmp_path / "real", tmp_path / "fake"


@pytest.mark.parametrize("transcript", [b"caf\xe9 au lait", b"\x00\x01\x02", b"1 2 3 4"])
def test_a_bad_transcript_costs_wer_alone_and_is_named(folders, transcript):
    (folders[0] / "two.txt").write_bytes(transcript)
    options = ScoreOptions(metrics=("ssim", "wer"), workers=1)
    scores = score(*folders, options, lambda _: "bin blue")
    assert [row["status"] for row in scores["clips"]] == ["ok", "ok"]
    assert scores["metrics"]["ssim"]["n"] == 2
    assert (scores["metrics"]["wer"]["n"], scores["metrics"]["wer"]["mean"]) == (1, 0.0)
    assert "two.txt" in scores["clips"][1]["missing"]["wer"]


def test_lrw_with_its_metadata_beside_is_read_by_its_name(shared_data):
    cases = shared_data.parent / "cases" / "wer" / "lrw"
    if not cases.is_dir():
        pytest.skip("needs ../shared/cases")
    options = ScoreOptions(metrics=("wer",), workers=1)
    scores = score(cases / "real", cases / "fake", options, lambda _: "about")
    assert scores["metrics"]["wer"]["mean"] == 0.0


def test_a_clip_that_fails_in_any_way_ends_no_other(folders, monkeypatch, capsys):
    class StrangeError(Exception):
        pass

    def broken(path, **more):
        if path.stem == "one":
            raise StrangeError("never thought of")
        return read_frames(path, **more)

    monkeypatch.setattr("benchmarks.clips.decoded_video.read_frames", broken)
    scores = score(*folders, ScoreOptions(metrics=("ssim",), workers=1))
    assert [row["status"] for row in scores["clips"]] == ["failed", "ok"]
    assert scores["clips"][0]["reason"] == "StrangeError: never thought of"
    assert "Traceback" in capsys.readouterr().err  # a fault of ours is not hidden
