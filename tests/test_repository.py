"""What stands around the code: documentation, packaging and the forms of the repository."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import benchmarks
import model
import pipeline

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FORMS = sorted(ROOT.glob(".github/**/*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HISTORY = {"CHANGELOG.md"}  # names paths of the past


def _hooks() -> Any:
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _command(name: str) -> Any:
    module, _, attribute = _hooks().COMMANDS[name].partition(":")
    return typer.main.get_command(getattr(importlib.import_module(module), attribute))


def _options(words: list[str]) -> set[str]:
    """The options that a command line such as `dh-prep run …` can have."""
    name = " ".join(words[:2]) if " ".join(words[:2]) in _hooks().COMMANDS else words[0]
    command = _command(name)
    if hasattr(command, "commands") and words[1] in command.commands:
        command = command.commands[words[1]]
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


def _command_lines() -> Iterator[tuple[str, list[str]]]:
    """Page and words of every command line in a fence or between backticks."""
    for page in [*PAGES, *FORMS]:
        for line in re.findall(
            r"(?:^ *|`)(dh-[a-z]+ [^`\n]*)", page.read_text("utf-8"), re.MULTILINE
        ):
            words = shlex.split(line.replace("…", " ").partition(" | ")[0], comments=True)
            yield page.name, words


@pytest.mark.slow
def test_every_option_in_the_documentation_exists() -> None:
    lines = [(page, words) for page, words in _command_lines() if page not in HISTORY]
    assert len(lines) > 50
    unknown = [
        (page, " ".join(words), word)
        for page, words in lines
        for word in (word.partition("=")[0] for word in words)
        if word.startswith("--") and word not in {*_options(words), "--version", "--help"}
    ]
    assert not unknown


def test_every_path_and_link_in_the_documentation_exists() -> None:
    missing = []
    for page in PAGES:
        text = page.read_text("utf-8")
        links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
        missing += [(page.name, link) for link in links if not (page.parent / link).exists()]
        named = re.findall(r"`((?:pipeline|model|benchmarks|manifests|tests|docs)/[\w./-]+)", text)
        if page.name not in HISTORY:
            missing += [(page.name, path) for path in named if not (ROOT / path).exists()]
    assert not missing


def test_the_reference_names_all_that_the_packages_export() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    exported = {f"{p.__name__}.{name}" for p in (pipeline, model, benchmarks) for name in p.__all__}
    assert set(re.findall(r"^::: (\S+)", page, re.MULTILINE)) == exported - {"benchmarks.METRICS"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200


def test_forms_and_workflows_parse_and_name_what_exists() -> None:
    for path in FORMS:
        assert yaml.safe_load(path.read_text("utf-8")), path
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for job in yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values():
        for line in (line for step in job["steps"] for line in step.get("run", "").splitlines()):
            word, *rest = line.split()
            assert word != "make" or re.search(rf"^{rest[0]}:", makefile, re.MULTILINE), line
            assert not word.startswith(".ci/") or os.access(ROOT / word, os.X_OK), line
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name


def test_issue_forms_ask_for_the_report_of_the_machine() -> None:
    for path in (path for path in FORMS if path.parent.name == "ISSUE_TEMPLATE"):
        if path.name != "config.yml":
            assert "`dh-prep doctor --report" in path.read_text("utf-8"), path


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert f"FROM python:{oldest}-slim" in (ROOT / "Dockerfile").read_text("utf-8")
    assert f'python-version: "{oldest}"' in (ROOT / ".github/workflows/ci.yml").read_text("utf-8")


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="make docs installs it")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        check=True,
    )
    commands = (tmp_path / "reference" / "commands" / "index.html").read_text("utf-8")
    assert "--clip-minutes" in commands
    assert "--noise-correlation" in commands
    assert 'id="pipeline.prepare"' in (tmp_path / "reference/python/index.html").read_text("utf-8")
    assert "generate_clips" in (tmp_path / "tutorial" / "index.html").read_text("utf-8")


@pytest.mark.slow
def test_the_wheel_runs_from_another_folder(tmp_path: Path) -> None:
    # Built from a copy: setuptools writes into the tree that it builds.
    tree = tmp_path / "tree"
    tracked = subprocess.check_output(["git", "-C", ROOT, "ls-files"], text=True).splitlines()
    for name in tracked:
        if not name.startswith(("tests/", "docs/")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, tree]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    data = [name for name in tracked if name.endswith(".j2") or name.startswith("manifests/")]
    assert not set(data) - set(zipfile.ZipFile(wheel).namelist())

    # Its own environment, which finds the libraries of this one but no checkout of the toolkit.
    venv.create(tmp_path / "env")
    programs = tmp_path / "env" / "bin"
    subprocess.run(
        [*pip, "--python", programs / "python", "install", "--no-deps", wheel], check=True
    )
    (site,) = (tmp_path / "env" / "lib").glob("*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries) + "\n", "utf-8")

    def run(name: str, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [programs / name, *words],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    for name in PROJECT["scripts"]:
        assert PROJECT["version"] in run(name, "--version")
    # What lies beside the code: published numbers, templates, methods, test actors.
    run("dh-bench", "table", "--out", "table.html", "--out", "table.md")
    assert "Diffused Heads" in (tmp_path / "table.html").read_text("utf-8")
    assert str(site) in run("dh-bench", "methods")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "1015_DFA_ANG_XX.flv").write_bytes(b"")
    run("dh-prep", "manifest", "videos", "--layout", "crema", "--out", "crema.csv")
    assert "1015,test" in (tmp_path / "crema.csv").read_text("utf-8")
    assert "no dataset.json" in run("dh-train", "--data", "videos", "--out", "run", code=2)
    assert "no.safetensors" in run(
        "dh-sample", "--checkpoint", "no.safetensors", "--out", "a.mp4", "--face", "a.png",
        "--speech", "a.wav", code=2,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("landmark_task")
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text("utf-8"))
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]  # pictures of people and paths of a machine stay out of git
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    table = names["table"]
    assert list(table.index) == ["SSIM", "PSNR", "Lip correlation", "LMD"]
    assert table["mean"].notna().all()
