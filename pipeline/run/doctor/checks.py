"""What this machine has of all that the toolkit needs, and how to get what it lacks."""

import importlib
import itertools
import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from pipeline.dataset.prep_options import PrepOptions
from pipeline.errors import UserError
from pipeline.units import size_text
from pipeline.weights import FILES, cache_folder, find, locate, user_folder

_LOW_DISK = 2e9
_REINSTALL = "install the toolkit's requirements again: pip install -e ."
# Distribution, and the module that it brings if that is called otherwise.
_LIBRARIES = {
    "numpy": "", "opencv-python": "cv2", "pandas": "", "pyarrow": "", "ray": "", "webdataset": "",
    "python_speech_features": "", "ai-edge-litert": "ai_edge_litert.interpreter",
}  # fmt: skip
_DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg1video", "mpeg2video", "aac", "mp3", "opus", "flac")
_ENCODERS = ("libx264", "aac")
# What --fetch gets besides the landmark networks: the speech of dh-prep demo.
_DEMO_FILES = ("pocketsphinx-5.1.1.tar.gz",)
# What it gets by choice: the networks of metrics of dh-bench.
METRIC_FILES = {
    "fid": "inception-2015.pt",
    "lpips": "lpips-alexnet.ckpt",
    "fvd": "i3d-kinetics-400.ckpt",
    "csim": "dlib_face_recognition_resnet_model_v1.dat",
    "sync": "syncnet_v2.model",
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table."""

    name: str
    status: Literal["ok", "note", "missing"]  # a note stops nothing
    value: str
    remedy: str = ""


def examine(
    weights_dir: Path | None = None, *, fetch: bool = False, metrics: Sequence[str] = ()
) -> list[Finding]:
    """Looks the machine over; `metrics` are keys of `METRIC_FILES` that are needed too."""
    unknown = [name for name in metrics if name not in METRIC_FILES]
    if unknown:
        raise UserError(f"no network is for {unknown[0]!r}; there are {', '.join(METRIC_FILES)}")
    toolkit = f"{metadata.version('diffused-heads')} in {Path(__file__).resolve().parents[3]}"
    python = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    memory = size_text(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return [
        Finding("diffused-heads", "ok", toolkit),
        Finding("python", "ok", python),
        _torch(),
        *itertools.starmap(_library, _LIBRARIES.items()),
        _ffmpeg(),
        *_weights(weights_dir, [METRIC_FILES[name] for name in metrics], fetch=fetch),
        Finding("machine", "ok", f"{os.cpu_count()} cores, {memory} memory"),
        _disk("disk here", Path.cwd()),
        _disk("disk of the cache", cache_folder()),
    ]


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", "missing", str(error), _REINSTALL)
    devices = [
        f"CUDA {torch.cuda.get_device_name(index)}"
        + (" with bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "")
        for index in range(torch.cuda.device_count())
    ]
    devices += ["MPS"] if torch.backends.mps.is_available() else []
    # What dh-train and dh-sample ask, see `model.device`.
    fast = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
    processor = f"CPU {'with' if fast else 'without'} bf16 instructions"
    value = ", ".join([torch.__version__, *(devices or ["no GPU"]), processor])
    return Finding("torch", "ok", value)


def _library(distribution: str, module: str) -> Finding:
    try:
        importlib.import_module(module or distribution)
        return Finding(distribution, "ok", metadata.version(distribution))
    except (ImportError, OSError) as error:
        return Finding(distribution, "missing", str(error), _REINSTALL)


def _ffmpeg() -> Finding:
    try:
        import av
        from av.codec import Codec
        from av.codec.codec import UnknownCodecError
    except (ImportError, OSError) as error:
        return Finding("FFmpeg (PyAV)", "missing", str(error), _REINSTALL)

    def lacks(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            Codec(name, mode)
        except UnknownCodecError:
            return True
        return False

    lacking = [f"decoder {name}" for name in _DECODERS if lacks(name, "r")]
    lacking += [f"encoder {name}" for name in _ENCODERS if lacks(name, "w")]
    value = f"{av.ffmpeg_version_info} in av {av.__version__}"
    if lacking:
        remedy = "take PyAV's own wheel: pip install --force-reinstall --only-binary :all: av"
        return Finding("FFmpeg (PyAV)", "missing", f"{value} without {', '.join(lacking)}", remedy)
    codecs = f"reads {' '.join(_DECODERS)}; writes {' '.join(_ENCODERS)}"
    return Finding("FFmpeg (PyAV)", "ok", f"{value}: {codecs}")


def _weights(weights_dir: Path | None, chosen: Sequence[str], *, fetch: bool) -> Iterator[Finding]:
    from pipeline.run.stages import needed_weights

    needed = [*needed_weights(PrepOptions()), *chosen]
    keys = {name: key for key, name in METRIC_FILES.items()}
    for name, file in FILES.items():
        try:
            to_fetch = fetch and name in (*needed, *_DEMO_FILES)
            path = locate(name, weights_dir) if to_fetch else find(name, weights_dir)
            if name in keys:
                remedy = f"dh-prep doctor --fetch --metrics {keys[name]}"
            elif name in (*needed, *_DEMO_FILES):
                remedy = "dh-prep doctor --fetch"
            else:
                remedy = file.url
        except UserError as error:
            path, remedy = None, str(error)
        if path:
            yield Finding(name, "ok", str(path))
            continue
        folder = user_folder(weights_dir)
        where = f"not in {f'{folder} or ' if folder else ''}{cache_folder()}"
        status: Literal["missing", "note"] = "missing" if name in needed else "note"
        yield Finding(name, status, f"{file.what}: {where}", remedy)


def _disk(name: str, folder: Path) -> Finding:
    """Free space where `folder` is, or would be made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    value = f"{size_text(free)} free in {there}"
    if free < _LOW_DISK:
        return Finding(name, "note", value, "a minute of prepared video takes about 16 MB")
    return Finding(name, "ok", value)


def show(findings: list[Finding]) -> None:
    """Prints a line for each finding, and below it what to do; paths and addresses stay whole."""
    colours = {"ok": "green", "note": "yellow", "missing": "bold red"}
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        status = Text(f"{finding.status:8}", colours[finding.status])
        console.print(status + Text(f"{finding.name:28}", "bold") + Text(f" {finding.value}"))
        if finding.remedy:
            console.print(Text(f"{'':8}→ {finding.remedy}"))


def as_json(findings: list[Finding]) -> str:
    """The findings for other programs."""
    ok = all(finding.status != "missing" for finding in findings)
    return json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}, indent=2)
