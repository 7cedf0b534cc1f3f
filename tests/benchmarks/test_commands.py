"""Commands of another system: no shell, one limit of time, nothing left running."""

import sys

import pytest

from benchmarks.commands import CommandError, last_line, run_commands
from tests.benchmarks.processes import ended


def python(code):
    return [sys.executable, "-c", code]


def run(tmp_path, *codes, timeout=600.0):
    run_commands([(python(code), tmp_path) for code in codes], tmp_path / "log", timeout)
    return (tmp_path / "log").read_text()


def test_steps_follow_each_other_in_their_folder_and_what_they_print_is_kept(tmp_path):
    first = "import os, sys; open('a', 'w'); print(os.getcwd()); print('printed', file=sys.stderr)"
    text = run(tmp_path, first, "import os; print(os.listdir())")
    assert str(tmp_path) in text
    assert "printed" in text
    assert "'a'" in text
    assert text.count("$ ") == 2


def test_no_shell_looks_at_the_arguments(tmp_path):
    word = "$(touch hacked); `x` * > y"
    arguments = [*python("import sys; print(sys.argv[1])"), word]
    run_commands([(arguments, tmp_path)], tmp_path / "log", 600)
    assert (tmp_path / "log").read_text().splitlines()[-1] == word
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log"]


def test_our_packages_do_not_shadow_the_system_s(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("KEPT", "yes")
    text = run(tmp_path, "import os; print(os.environ.get('PYTHONPATH'), os.environ['KEPT'])")
    assert text.splitlines()[-1] == "None yes"


def test_a_failure_is_shown_by_its_last_line_and_ends_the_steps(tmp_path):
    with pytest.raises(CommandError, match="ended with code 1: ValueError: no face"):
        run(tmp_path, "raise ValueError('no face')", "open('b', 'w')")
    assert not (tmp_path / "b").exists()
    with pytest.raises(CommandError, match="ended with code 3: it printed nothing"):
        run(tmp_path, "import sys; sys.exit(3)")
    with pytest.raises(CommandError, match="no-such-python does not start: No such file"):
        run_commands([(["no-such-python"], tmp_path)], tmp_path / "log", 600)


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    child = "import time; time.sleep(3600)"
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(3600)"
    )
    for limit in (2, 10, 50, 250):  # until it is long enough for the child to begin
        with pytest.raises(CommandError, match=f"took longer than {limit} s"):
            run(tmp_path, code, timeout=limit)
        if last_line(tmp_path / "log").isdigit():
            break
    assert ended(int(last_line(tmp_path / "log")))


def test_progress_bars_are_no_last_line(tmp_path):
    log = tmp_path / "log"
    log.write_text("$ python x.py\n 1%|\r 99%|\rdone\n\n")
    assert last_line(log) == "done"
