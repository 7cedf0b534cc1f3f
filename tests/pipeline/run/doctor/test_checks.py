"""The doctor finds what is there, and says how to get what is not."""

import json
import re
import sys

import pytest
import torch

from benchmarks.metrics.distribution import fid, fvd
from benchmarks.metrics.image import csim, lpips
from benchmarks.metrics.speech import av_sync
from model.device import choose_precision
from pipeline import weights
from pipeline.errors import UserError
from pipeline.run.doctor import checks
from pipeline.run.doctor.checks import as_json, examine, show

NETS = "face_landmarker.task"
SPEECH = "pocketsphinx-5.1.1.tar.gz"


def finding(findings, name):
    return next(one for one in findings if one.name == name)


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    """A machine that has no pretrained file, and no network to get one from."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DH_WEIGHTS", raising=False)

    def offline(file, folder):
        raise weights._UnavailableError("no network here")

    monkeypatch.setattr(weights, "_from_url", offline)
    monkeypatch.setattr(weights, "_from_package", offline)
    return tmp_path


def test_what_is_installed_is_found_with_its_version():
    findings = examine()
    assert finding(findings, "numpy").value == __import__("numpy").__version__
    ffmpeg = finding(findings, "FFmpeg (PyAV)")
    assert ffmpeg.status == "ok"
    assert "vp9" in ffmpeg.value
    assert re.search(r"\d+ cores, [\d.]+ GB", finding(findings, "machine").value)
    assert "CPU with" in finding(findings, "torch").value


def test_missing_landmark_nets_are_an_error_and_missing_demo_speech_is_not(no_weights):
    findings = examine()
    nets, speech = finding(findings, NETS), finding(findings, SPEECH)
    assert (nets.status, speech.status) == ("missing", "note")
    assert nets.remedy == speech.remedy == "dh-prep doctor --fetch"
    assert str(no_weights) in nets.value
    assert not json.loads(as_json(findings))["ok"]


def test_fetch_says_why_it_could_not(no_weights):
    nets = finding(examine(fetch=True), NETS)
    assert nets.status == "missing"
    assert "no network here" in nets.remedy
    assert "--weights-dir" in nets.remedy


def test_fetch_gets_only_what_preparation_and_demo_need(no_weights, monkeypatch):
    asked = []

    def locate(name, weights_dir):
        asked.append(name)
        raise UserError("not now")

    monkeypatch.setattr(checks, "locate", locate)
    examine(fetch=True)
    assert sorted(asked) == [NETS, SPEECH]


def test_networks_of_metrics_are_fetched_by_choice_and_then_needed(no_weights, monkeypatch):
    asked = []

    def locate(name, weights_dir):
        asked.append(name)
        if name != fvd.WEIGHTS:
            return no_weights / name
        raise UserError("cannot fetch it: no network here")

    assert finding(examine(), fid.WEIGHTS).status == "note"
    remedy = finding(examine(metrics=["fid"]), fid.WEIGHTS).remedy
    assert remedy == "dh-prep doctor --fetch --metrics fid"
    monkeypatch.setattr(checks, "locate", locate)
    findings = examine(fetch=True, metrics=["fid", "fvd"])
    assert sorted(asked) == sorted([NETS, SPEECH, fid.WEIGHTS, fvd.WEIGHTS])
    assert finding(findings, fid.WEIGHTS).status == "ok"
    lost = finding(findings, fvd.WEIGHTS)
    assert (lost.status, lost.remedy) == ("missing", "cannot fetch it: no network here")
    with pytest.raises(UserError, match="no network is for 'ssim'; there are fid, lpips, fvd"):
        examine(metrics=["ssim"])


def test_every_network_of_a_metric_is_one_that_dh_bench_looks_for():
    assert set(checks.METRIC_FILES.values()) == {
        fid.WEIGHTS,
        fvd.WEIGHTS,
        lpips.WEIGHTS,
        csim.WEIGHTS,
        av_sync.WEIGHTS,
    }


def test_other_bytes_in_the_users_folder_are_named(no_weights):
    (no_weights / NETS).write_text("other")
    nets = finding(examine(no_weights), NETS)
    assert nets.status == "missing"
    assert "is not the file this version was tested with" in nets.remedy


def test_the_users_folder_counts(landmark_task, no_weights):
    folder = landmark_task.parent
    nets = finding(examine(folder), NETS)
    assert (nets.status, nets.value) == ("ok", str(landmark_task))


def test_a_library_that_does_not_load_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    lacking = finding(examine(), "webdataset")
    assert lacking.status == "missing"
    assert "pip install" in lacking.remedy


def test_a_codec_that_ffmpeg_lacks_is_missing(monkeypatch):
    monkeypatch.setattr(checks, "_ENCODERS", ("libx264", "no_such_codec"))
    ffmpeg = finding(examine(), "FFmpeg (PyAV)")
    assert ffmpeg.status == "missing"
    assert ffmpeg.value.endswith("without encoder no_such_codec")


def test_little_disk_is_a_note(monkeypatch):
    monkeypatch.setattr(checks, "_LOW_DISK", 1e18)
    assert finding(examine(), "disk here").status == "note"


def test_the_table_shows_names_and_remedies_as_they_are(capsys):
    show([checks.Finding("[bold]x[/bold]", "missing", "[red]", "do [this]")])
    said = capsys.readouterr().out
    for text in ("[bold]x[/bold]", "[red]", "→ do [this]"):
        assert text in said


@pytest.mark.parametrize(("there", "told"), [(True, "with"), (False, "without")])
def test_the_processor_computes_in_bf16_if_training_would(monkeypatch, there: bool, told: str):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: there)
    assert finding(examine(), "torch").value.endswith(f"CPU {told} bf16 instructions")
    chosen = choose_precision("auto", torch.device("cpu"))
    assert chosen == ("bf16" if there else "float32")
