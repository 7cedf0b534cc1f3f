"""WER: the edit distance by recursion, transcripts beside clips, commands as lip readers."""

import sys
from functools import cache

import numpy as np
import pytest

from benchmarks.metrics.speech.wer import (
    command_reader,
    error_rate,
    errors,
    transcript,
    words,
)
from pipeline.errors import UserError
from tests.benchmarks.processes import ended


def by_recursion(spoken, read):
    @cache
    def rest(i, j):
        if i == len(spoken) or j == len(read):
            return len(spoken) - i + len(read) - j
        return min(
            rest(i + 1, j + 1) + (spoken[i] != read[j]), rest(i + 1, j) + 1, rest(i, j + 1) + 1
        )

    return rest(0, 0)


def test_errors_are_the_edit_distance():
    rng = np.random.default_rng(0)
    for _ in range(60):
        spoken, read = (list(rng.choice(["a", "b", "c"], rng.integers(0, 9))) for _ in range(2))
        assert errors(spoken, read) == by_recursion(tuple(spoken), tuple(read))
    assert errors(["bin", "blue"], ["bin", "blue"]) == 0
    assert errors(["bin", "blue"], []) == 2


def test_a_set_counts_words_and_not_clips():
    assert error_rate([1, 3], [10, 2]) == pytest.approx(4 / 12)
    assert np.isnan(error_rate([], []))


def test_case_and_punctuation_do_not_count():
    assert words("It's  ELEVEN o'clock — Übung, no. 5!") == [
        "it's", "eleven", "o'clock", "übung", "no", "5"
    ]  # fmt: skip


def test_transcripts_lie_beside_the_clip(tmp_path):
    clip = tmp_path / "bbaf2n.mpg"
    assert transcript(clip) is None
    clip.with_suffix(".align").write_text(
        "0 23750 sil\n23750 29500 bin\n29500 34000 blue\n34000 74500 sil\n"
    )
    assert transcript(clip) == ["bin", "blue"]
    clip.with_suffix(".txt").write_text("Bin blue at F two now.")
    assert transcript(clip) == ["bin", "blue", "at", "f", "two", "now"]


def test_lrw_names_its_clips_by_their_word(tmp_path):
    assert transcript(tmp_path / "ABOUT" / "test" / "ABOUT_00001.mp4") == ["about"]
    assert transcript(tmp_path / "ABOUT_1.mp4") is None
    assert transcript(tmp_path / "about_00001.mp4") is None


def test_a_command_reads_lips(tmp_path):
    script = tmp_path / "read.py"
    script.write_text("import sys; print('bin', sys.argv[-1])")
    read = command_reader(f"{sys.executable} {script} --model x", 600)
    assert read(tmp_path / "a b.mp4").split()[0] == "bin"
    assert read(tmp_path / "a b.mp4").strip().endswith("a b.mp4")
    script.write_text("raise SystemExit('no weights')")
    with pytest.raises(UserError, match=r"fails on .*clip.mp4: no weights"):
        read(tmp_path / "clip.mp4")
    with pytest.raises(UserError, match="the lip reader 'no-such-program'"):
        command_reader("no-such-program", 600)(tmp_path / "clip.mp4")
    with pytest.raises(UserError, match="it ended with code 3"):
        command_reader("sh -c 'echo >&2; exit 3'", 600)(tmp_path / "clip.mp4")


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    script, pid_file = tmp_path / "read.py", tmp_path / "pid"
    child = "import time; time.sleep(3600)"
    script.write_text(
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(3600)"
    )
    for limit in (2, 10, 50, 250):  # until it is long enough for the child to begin
        expected = f"fails on .*clip.mp4: it took longer than {limit} s; --lip-reader-timeout gives"
        with pytest.raises(UserError, match=expected):
            command_reader(f"{sys.executable} {script}", limit)(tmp_path / "clip.mp4")
        if pid_file.exists() and pid_file.read_text():
            break
    assert ended(int(pid_file.read_text()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Text:  BIN BLUE\nConf:  4\n\nWORD START END SCORE\nBIN 0.1 0.3 5\n", "bin blue"),
        ("WORD START END\nBIN 0.10 0.32\nBLUE 0.32 0.61\n", "bin blue"),
        ("0 18750 sil\n18750 24500 bin\n24500 30500 blue\n", "bin blue"),
        ("\ufeffWord: yes", "word yes"),
        ("BIN: blue at F two", "bin blue at f two"),
    ],
)  # fmt: skip
def test_the_text_files_of_data_sets_are_known_by_their_form(tmp_path, text, expected):
    clip = tmp_path / "clip.mp4"
    clip.with_suffix(".txt").write_text(text, encoding="utf-8")
    assert " ".join(transcript(clip)) == expected


def test_lrw_s_metadata_are_no_words_and_the_name_says_the_word(tmp_path):
    clip = tmp_path / "ABOUT_00001.mp4"
    clip.with_suffix(".txt").write_text(
        "Disk reference: 6142186424826054414\nChannel: BBC One HD\n"
        "Program start: 2015-02-02 18:30:00 +0000 (Greenwich Mean Time)\n"
        "Clip start: 1075.28 seconds\nDuration: 0.47 seconds\n"
    )
    assert transcript(clip) == ["about"]
    other = clip.with_name("clip.mp4")
    clip.with_suffix(".txt").rename(other.with_suffix(".txt"))
    assert transcript(other) is None


@pytest.mark.parametrize(
    "data", ["café au lait".encode("latin-1"), b'{"id": 17, "frames": [1, 2, 3]}', b"0.1 0.2\n3 4"]
)
def test_a_file_that_is_no_text_of_words_is_named(tmp_path, data):
    clip = tmp_path / "clip.mp4"
    clip.with_suffix(".txt").write_bytes(data)
    with pytest.raises(UserError, match=r"clip\.txt"):
        transcript(clip)
