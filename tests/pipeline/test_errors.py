"""Exit codes and sentences of a command, seen from outside it."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.errors import expand_home

_COMMAND = """
import os, signal, sys, tempfile, time
import typer
from pipeline.errors import UserError, run_command

# A shell starts what runs in the background with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
app = typer.Typer()

@app.command()
def go(how: str) -> None:
    if how == "user":
        raise UserError("no such file: [bold]a[/bold] [x].mp4; " + "give another " * 20)
    if how == "fault":
        raise ValueError("a fault of ours")
    if how == "terminate":
        with tempfile.TemporaryDirectory(prefix="dh-terminated-", dir=".") as folder:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)
    if how == "terminate in Ray":
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)
        except SystemExit as stop:  # as ray.wait does
            raise SystemExit("SystemExit is raised (sys.exit is called).") from stop
    if how == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)
    if how == "print":
        for _ in range(3000):
            print("说话的人" * 10)
            print("说话的人", file=sys.stderr)
        open("done", "w").close()
        return
    raise typer.Exit(1)

run_command(app)
"""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_user_error_is_one_sentence_and_exit_code_2():
    done = _run("user")
    assert done.returncode == 2
    # One line, whatever the width of the terminal, and names are not read as markup.
    wanted = "error: no such file: [bold]a[/bold] [x].mp4; " + "give another " * 20
    assert done.stderr.rstrip("\n") == wanted
    assert done.stdout == ""


def test_our_own_fault_keeps_its_traceback():
    done = _run("fault")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: a fault of ours" in done.stderr


def test_interrupt_says_how_to_carry_on():
    done = _run("interrupt")
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted; the same command carries on where it stopped"


def test_sigterm_is_143_even_where_ray_raises_an_exit_of_its_own():
    ended = _run("terminate in Ray")
    assert ended.returncode == 143
    assert ended.stderr == "interrupted; the same command carries on where it stopped\n"


def test_sigterm_leaves_no_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = _run("terminate")
    assert done.returncode == 143
    assert done.stderr.strip() == "interrupted; the same command carries on where it stopped"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("arguments", "code"), [(["exit"], 1), ([], 2), (["--help"], 0)])
def test_other_exits_pass_through(arguments: list[str], code: int):
    done = _run(*arguments)
    assert done.returncode == code
    assert "interrupted" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "told", "name", "said"),
    [
        ("EROFS", "Read-only file system", "there/a.json", "cannot write there/a.json"),
        (
            "EROFS",
            "Read-only file system",
            "there/.a.0a1b2c3d.tmp.json",
            "cannot write there/a.json",
        ),
        ("EACCES", "Permission denied", "there/a.json", "cannot open there/a.json"),
        ("ENOTDIR", "Not a directory", "there/a.json", "cannot open there/a.json"),
        ("EISDIR", "Is a directory", "there/a.json", "cannot open there/a.json"),
    ],
)
def test_a_place_that_cannot_be_used_is_a_sentence(
    tmp_path, kind: str, told: str, name: str, said: str
):
    program = (
        "import errno, typer\n"
        "from pipeline.errors import run_command\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def main():\n"
        f"    raise OSError(errno.{kind}, '{told}', {name!r})\n"
        "run_command(app)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    remedy = "choose another place"
    if kind == "ENOSPC":
        remedy = "make room and give the same command again"
    assert done.stderr.strip() == f"error: {said}: {told}; {remedy}"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("~/data", "{home}/data"),
        ("--out=~/data", "--out={home}/data"),
        ("~", "{home}"),
        ("./~/data", "./~/data"),
        ("a~/b", "a~/b"),
        ("~other/data", "~other/data"),
        ("--set=train.x=~/a", "--set=train.x=~/a"),
    ],
)
def test_the_home_folder_is_meant_where_the_shell_left_it(word, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home(word) == expected.format(home=tmp_path)


def test_every_command_says_its_version():
    done = _run("--version")
    assert done.returncode == 0
    assert done.stdout == f"diffused-heads {version('diffused-heads')}\n"


@pytest.mark.parametrize("where", ["closed pipe", "/dev/full", "ascii", "closed"])
def test_printing_never_decides_the_exit_code(where: str, tmp_path):
    command = [sys.executable, "-c", _COMMAND, "print"]
    encoding = "ascii" if where == "ascii" else "utf-8"
    log = (tmp_path / "log").open("w")
    if where == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
        out = os.fdopen(writing, "w")
    elif where == "closed":
        command, out = ["sh", "-c", 'exec "$@" >&-', "sh", *command], log
    else:
        out = log if where == "ascii" else Path(where).open("w")  # noqa: SIM115
    with log, out:
        done = subprocess.run(
            command,
            stdout=out,
            stderr=log,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            check=False,
            cwd=tmp_path,
        )
    said = (tmp_path / "log").read_text()
    assert done.returncode == 0, said[-2000:]
    assert (tmp_path / "done").exists()
    assert "Traceback" not in said
    assert "Exception" not in said
    assert said.count("No space left on device") == (where == "/dev/full")
    assert ("????" in said) == (where == "ascii")
