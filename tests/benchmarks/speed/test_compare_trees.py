"""Two trees compared: whose code runs, and the ratios of small stand-ins for the toolkit."""

import pytest

from benchmarks.speed import compare_trees
from benchmarks.speed.compare_trees import Tree, main

# What the four commands leave that others need; the first argument of each names what it is.
COMMANDS = """
import json, pathlib, sys, time

def run():
    out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
    time.sleep({seconds})
    if "clips.csv" in " ".join(sys.argv):
        assert len(open(sys.argv[2]).readlines()) == 3
    if sys.argv[0] in ("dh-prep", "dh-train"):
        out.mkdir(parents=True)
        (out / "report.json").write_text(json.dumps({{"images_per_second": {rate}}}))
"""


def make_tree(folder, seconds, rate):
    names = ("dh-prep", "dh-train", "dh-sample", "dh-bench")
    scripts = "".join(f'{name} = "{folder.name}_code:run"\n' for name in names)
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f"[project.scripts]\n{scripts}")
    text = COMMANDS.format(seconds=seconds, rate=rate)
    (folder / f"{folder.name}_code.py").write_text(text)
    return folder


@pytest.mark.slow
def test_both_trees_do_the_work_in_turns(clips, tmp_path, monkeypatch, capsys):
    slow, fast = make_tree(tmp_path / "slow", 0.6, 10), make_tree(tmp_path / "fast", 0.1, 20)
    monkeypatch.setattr(compare_trees, "HERE", fast)
    main(slow, clips, count=2, frames=25, rounds=1)
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    rows = {first: rest for first, *rest in lines}
    assert rows["dh-train, an image as it reports"][:3] == ["0.100", "0.050", "2.00"]
    for name in ("dh-prep run", "dh-sample", "dh-bench score"):
        assert float(rows[name][0]) > 0.6
        assert float(rows[name][2]) > 1


def test_code_from_elsewhere_is_refused(tmp_path, monkeypatch):
    there = make_tree(tmp_path / "there", 0, 1)
    (there / "there_code.py").rename(tmp_path / "there_code.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="there_code"):
        Tree("base", there).run("dh-prep", "--out", tmp_path / "out")
