"""Small videos and the comparison of data sets, for tests of whole runs."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from skimage import data

from pipeline.cli.main import main
from pipeline.dataset.columns import SECONDS
from pipeline.dataset.finalize import finish
from pipeline.dataset.plan import claim, plan_shards
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import read_rows
from pipeline.files import sha256_file
from pipeline.media import Audio, write_video
from pipeline.run.prepare import pending, run_tasks
from pipeline.run.work_options import WorkOptions
from pipeline.sources.manifest import ManifestRow

DH_PREP = Path(sys.executable).with_name("dh-prep")


def write_talker(path: Path, frames: int = 12, shift: int = 0) -> None:
    """A short video of a face, cut from a public-domain photograph, with noise for sound."""
    photograph = data.astronaut()[..., :3]
    pictures = [
        np.ascontiguousarray(photograph[: 240 - 2 * (shift % 8), 80 + t % 30 : 340 + t % 30])
        for t in range(frames)
    ]
    rng = np.random.default_rng(shift)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, pictures, audio=Audio(rng.normal(0, 2000, frames * 640).astype(np.int16)))


def prepare_rows(out: Path, rows: list[ManifestRow], options: PrepOptions) -> list[dict[str, Any]]:
    """A data set of the clips of a manifest, made in this process; its rows."""
    shards = plan_shards(rows, options.clips_per_shard)
    claim(out, shards, options)
    tasks = pending(out, shards, retry_failed=False)
    made = [row for part in run_tasks(out, tasks, options, WorkOptions(workers=0)) for row in part]
    finish(out, [shard.name for shard in shards], options.as_json())
    return made


def run_prep(*words: object) -> subprocess.CompletedProcess[str]:
    """dh-prep run in this process, which spares the imports of one of its own."""
    command, code = ["dh-prep", "run", *map(str, words)], 0
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", command), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def start_prep(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """dh-prep run as a user starts it, in a process of its own."""
    return subprocess.run(
        [DH_PREP, "run", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | environment,
        check=False,
    )


def content(folder: Path | str) -> dict[str, str]:
    """What must be the same whenever the same data set is made: all but the time that it took."""
    files = {
        path.name: sha256_file(path)
        for path in sorted(Path(folder).iterdir())
        if path.suffix != ".parquet"
    }
    rows = read_rows(folder).drop(columns=list(SECONDS))
    return files | {"rows": rows.to_json(orient="records")}


def workers_of(driver: int) -> list[int]:
    """Processes of Ray's actors that write shards and descend from a process."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                names[int(entry.name)] = (entry / "cmdline").read_bytes()
                after_name = (entry / "stat").read_text().rpartition(")")[2]
                parents[int(entry.name)] = int(after_name.split()[1])
            except OSError:
                continue  # it has just ended
    found = []
    for pid, name in names.items():
        if name.startswith(b"ray::ShardWriter"):
            ancestor = pid
            while ancestor > 1 and ancestor != driver:
                ancestor = parents.get(ancestor, 0)
            if ancestor == driver:
                found.append(pid)
    return found
