"""The harness: processor time of all processes below a command, medians of turns, tables."""

import itertools
import sys

import pytest

from benchmarks.speed import harness
from benchmarks.speed.harness import in_turns, markdown, run_command, spread


@pytest.mark.slow
def test_processor_time_includes_that_of_grandchildren(tmp_path, monkeypatch):
    """Of one, too, that outlives its parent, as Ray's workers do."""
    seen = tmp_path / "seen"
    original = harness.below

    def noting(root):
        used = original(root)
        if max(used.values()) > 1.2:  # the grandchild by itself takes so much
            seen.touch()
        return used

    monkeypatch.setattr(harness, "below", noting)
    work = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    script = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {work!r}])\n"
        "begin = time.monotonic()\n"
        f"while not os.path.exists({str(seen)!r}) and time.monotonic() < begin + 300:\n"
        "    time.sleep(0.1)\n"
        "print(time.monotonic() - begin)"
    )
    cost, printed = run_command([sys.executable, "-c", script])
    assert seen.exists()
    assert cost.processor > 1.2
    assert cost.clock > float(printed)


def test_a_command_that_fails_ends_the_measurement():
    assert run_command(["echo", "3.5"])[1] == "3.5\n"
    with pytest.raises(RuntimeError, match="false"):
        run_command(["false"])
    run_command(["false"], accept=(0, 1))


def test_turns_alternate_and_their_medians_leave_out_the_warm_up():
    order, numbers = [], itertools.count()

    def own(name):
        order.append(name)
        return float(next(numbers))

    seconds = in_turns({"a": lambda: own("a"), "b": lambda: own("b")}, 3, warm_up=1)
    assert order == ["a", "b"] * 4
    assert seconds == {"a": 4, "b": 5}  # of 2, 4, 6 and 3, 5, 7


def test_spread_and_tables():
    assert spread(range(10), None) == spread(range(10), 99) == list(range(10))
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert markdown(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
