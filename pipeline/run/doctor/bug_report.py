"""dh-prep doctor --report: what a maintainer asks for in a bug report, without the user's names.

Of the user's files and folders nothing is written but counts, digests and measures; of what failed,
the kinds of reason and the lines of this toolkit that raised.
"""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.dataset.rows import kind_of, read_rows
from pipeline.dataset.shards import read_dataset
from pipeline.errors import UserError
from pipeline.files import sha256_file, write_text
from pipeline.run.doctor.checks import Finding
from pipeline.units import size_text
from pipeline.weights import FILES, find

_TITLE = "# Diffused Heads: report of dh-prep doctor"
_ROOT = Path(__file__).parents[3]
# Variables that matter; of those that may hold a path, only the name is written.
_VALUES = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LANG", "LC_ALL", "PYTHONIOENCODING")
_NAMES = re.compile(
    r"(DH_|RAY_|XDG_CACHE_HOME|TMPDIR|PYTHONPATH|LD_|CUDA_|NCCL_|AWS_|HTTPS?_PROXY)"
)
_FLAGS = re.compile(r"sse4_2|avx\w*|fma|f16c|amx\w*|asimd\w*|sve\w*|bf16|i8mm")

_WITHOUT_PATHS = ("torch", "FFmpeg (PyAV)")  # findings whose values name no file

Facts = list[tuple[str, object]]


def write_report(
    path: Path, findings: Sequence[Finding], weights_dir: Path | None, data: str | None
) -> None:
    """Writes a Markdown file about this machine, and about a data set if one is named."""
    if path.is_dir() or (path.exists() and not path.read_bytes().startswith(_TITLE.encode())):
        raise UserError(f"{path} is there already and no earlier report; name another file")
    sections: dict[str, Facts] = {
        "Toolkit": _toolkit(),
        "Machine": _machine(),
        "Works": [(one.name, one.value) for one in findings if one.name in _WITHOUT_PATHS],
        "Libraries": _libraries(),
        "Pretrained files": _weights(weights_dir),
        "Environment": _environment(),
        "Not ok": [(one.name, one.status) for one in findings if one.status != "ok"],
    }
    if data:
        sections["Data set"] = _dataset(data)
        # Kinds of reason with their counts, most frequent first.
        columns = ("clip_id", "manifest_id", "source", "speaker", "status", "stage", "reason",
                   "traceback")  # fmt: skip
        rows = read_rows(data, columns)
        dropped = rows[rows["status"] != "ok"].to_dict("records")
        sections["Left out"] = [*Counter(map(_anonymous, dropped)).most_common()]
    lines = [_TITLE]
    for title, facts in sections.items():
        lines += ["", f"## {title}", "", *(f"- {name}: {value}" for name, value in facts)]
    write_text(path, "\n".join(lines) + "\n")


def _toolkit() -> Facts:
    commit = "not a checkout"
    if (_ROOT / ".git").exists() and shutil.which("git"):
        describe = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        found = subprocess.run(describe, capture_output=True, text=True, check=False)
        commit = found.stdout.strip()
    return [("version", metadata.version("diffused-heads")), ("commit", commit)]


def _machine() -> Facts:
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (page * os.sysconf(name) for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    processor, flags = _processor()
    facts: Facts = [
        ("system", platform.platform()),
        ("python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("processor", processor),
        ("instructions", " ".join(flags) or "not known"),
        ("cores", f"{os.cpu_count()}, of which {len(os.sched_getaffinity(0))} for this process"
         if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        ("memory", f"{size_text(total)}, {size_text(free)} unused"),
        ("open files", resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    ]  # fmt: skip
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists():
        facts.append(("memory limit of the container", limit.read_text().strip()))
    shared = Path("/dev") / "shm"  # where Ray keeps its objects
    if shared.exists():
        facts.append(("shared memory", f"{size_text(shutil.disk_usage(shared).free)} free"))
    return facts


def _processor() -> tuple[str, list[str]]:
    """Name of the processor and its vector instructions, where the system lists them."""
    listed = Path("/proc/cpuinfo")
    text = listed.read_text(errors="replace") if listed.exists() else ""
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.+)$", text, re.MULTILINE))
    words = (fields.get("flags") or fields.get("Features") or "").split()
    name = fields.get("model name") or platform.processor() or platform.machine()
    return name, [word for word in words if _FLAGS.match(word)]


def _libraries() -> Facts:
    """Versions of all that the toolkit requires or can use, Ray and webdataset among them."""
    required = metadata.requires("diffused-heads") or []
    names = {re.split(r"[^\w.-]", line)[0] for line in required if "dev" not in line}
    there = {name: [*metadata.distributions(name=name)] for name in sorted(names)}
    return [(name, one[0].version if one else "not installed") for name, one in there.items()]


def _weights(weights_dir: Path | None) -> Facts:
    facts: Facts = []
    for name in FILES:
        try:
            path = find(name, weights_dir)
        except UserError:
            facts.append((name, "other bytes than those this version was tested with"))
            continue
        facts.append((name, f"SHA-256 {sha256_file(path)}" if path else "not here"))
    return facts


def _environment() -> Facts:
    values: Facts = [(name, os.environ[name]) for name in _VALUES if name in os.environ]
    names = sorted(name for name in os.environ if _NAMES.match(name) and name not in _VALUES)
    return [
        ("encodings", f"{sys.stdout.encoding}, file names {sys.getfilesystemencoding()}"),
        *values,
        ("also set", " ".join(names) or "nothing that matters"),
    ]


def _dataset(data: str) -> Facts:
    try:
        dataset = read_dataset(data)
    except UserError:
        return [("state", "not finished")]
    counts = ", ".join(f"{name} {count}" for name, count in dataset["counts"].items())
    options = dict(dataset["options"])
    options |= options.pop("limits", {})
    if "keep" in options:
        options["keep"] = _without_quotes(options["keep"])
    return [("schema version", dataset["schema_version"]), ("counts", counts), *options.items()]


def _anonymous(row: dict[Any, str]) -> str:
    """What happened to a clip, without any name of it."""
    reason = kind_of(row["reason"], row["source"])
    file = PurePosixPath(row["source"])
    names = {row["clip_id"], row["manifest_id"], row["speaker"], file.name, file.stem, *file.parts}
    for name in sorted(names - {""}, key=len, reverse=True):
        reason = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", reason)
    reason = re.sub(r"\S*[/\\]\S*", "…", _without_quotes(reason))
    ours = re.findall(r'File ".*?((?:pipeline|model)/[\w/]+\.py)", line (\d+)', row["traceback"])
    where = "".join(f" > {path}:{line}" for path, line in ours)
    return f"{row['status']} in {row['stage']}: {reason}{where}"


def _without_quotes(text: str) -> str:
    """A text without what stands in quotes, which may be a name."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", text)
