"""Requests that the page refuses: of other sites, for other files, too large or too many."""

import http.client
import os
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from model.app.guard import keep_newest
from model.app.limits import PageLimits
from tests.model.app.client import PageError, join, result, talk, upload

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n"


def get(url: str, path: str, **headers: str) -> httpx.Response:
    """Asks for a path as it is written: httpx would tidy up its dots."""
    request = httpx.Request("GET", url, headers=headers)
    request.url = request.url.copy_with(raw_path=path.encode())
    with httpx.Client(timeout=300) as client:
        return client.send(request)


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "/static/../../../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=FOLDER/../../../etc/passwd",
        "/gradio_api/file=FOLDER/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/file=FOLDER",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/file=file:///etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/file=/etc/passwd",
        "/monitoring",
        "/gradio_api/vibe-code",
        "/docs",
    ],
)
def test_no_path_of_a_request_is_opened(served: str, given: Path, path: str):
    folder = Path(upload(served, given / "wall.png")["path"]).parents[1]
    answer = get(served, path.replace("FOLDER", str(folder)))
    assert answer.status_code in {403, 404}
    assert b"root:" not in answer.content


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../etc/passwd", "FOLDER/../../../etc/passwd", "http://127.0.0.1:1/a.png",
     "https://example.com/a.png", __file__],
)  # fmt: skip
@pytest.mark.parametrize("slot", [0, 1, 2, 3])
def test_files_that_were_not_uploaded_are_refused(served: str, given: Path, path: str, slot: int):
    wall = upload(served, given / "wall.png")
    foreign = {**wall, "path": path.replace("FOLDER", str(Path(wall["path"]).parents[1]))}
    data = [None, None, None, None, 0, False]
    data[slot] = foreign
    assert join(served, data)[0].status_code == 403


def test_requests_that_are_no_json_are_refused(served: str):
    for body in (b"{no json", b"[" * 40_000, b"\xff"):
        answer = httpx.post(f"{served}gradio_api/queue/join", content=body, timeout=300)
        assert answer.status_code == 400


@pytest.mark.parametrize("data", [[], 7, ["face"] * 6, [{"path": 7}] * 6, [{}] * 6])
def test_malformed_requests_name_no_path_and_no_code(served: str, data):
    answer, session = join(served, data)
    if answer.status_code == 200:
        with pytest.raises(PageError) as told:
            result(served, session)
        assert "/" not in str(told.value)
        assert "Traceback" not in str(told.value)
    else:
        assert 400 <= answer.status_code < 500


def test_other_sites_are_refused(served: str):
    port = urlsplit(served).port
    for headers in (
        {"Host": f"evil.example:{port}"},
        {"Host": f"127.0.0.1.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        assert httpx.get(served, headers=headers, timeout=300).status_code == 403
        address = f"{served}gradio_api/upload"
        sent = httpx.post(address, files={"files": PNG}, headers=headers, timeout=300)
        assert sent.status_code == 403
    for host in ("localhost", "127.0.0.1", "[::1]"):
        headers = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        assert httpx.get(served, headers=headers, timeout=300).status_code == 200


def test_the_browser_may_fetch_nothing_from_elsewhere(served: str):
    policy = httpx.get(served, timeout=300).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("size", [1_040_000, 1_060_000, 30_000_000])
def test_a_file_too_large_is_refused(served: str, size: int):
    answer = httpx.post(
        f"{served}gradio_api/upload", files={"files": PNG + bytes(size)}, timeout=300
    )
    # 1 MB is 2^20 bytes.
    assert answer.status_code == (200 if size < 1 << 20 else 413)


def test_an_upload_that_claims_to_be_huge_is_refused_before_it_is_sent(served: str):
    port = urlsplit(served).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {"Content-Length": str(10**11), "Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/gradio_api/upload", PNG, headers)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"larger than 1 MB" in answer.read()
    connection.close()


def test_a_request_must_state_its_length(served: str):
    answer = httpx.post(f"{served}gradio_api/upload", content=iter([PNG]), timeout=300)
    assert answer.status_code == 411


def test_a_full_queue_says_so(served: str, given: Path):
    data = [upload(served, given / "face.jpg"), None, upload(served, given / "short.wav"), None]
    asked = [join(served, [*data, seed, False]) for seed in range(PageLimits.waiting + 6)]
    refused = [answer for answer, _ in asked if answer.status_code == 503]
    assert refused
    assert "full" in refused[0].text
    # Those that waited are made, one after the other.
    done = [result(served, session)[0] for answer, session in asked if answer.is_success]
    assert len(set(done)) == len(done) >= PageLimits.waiting


def test_two_users_do_not_share_a_video(served: str, given: Path):
    data = [upload(served, given / "face.jpg"), None, upload(served, given / "short.wav"), None]
    paths = [result(served, join(served, [*data, 0, False])[1])[0] for _ in range(2)]
    assert paths[0] != paths[1]
    shown = httpx.get(f"{served}config", timeout=300).text
    assert not any(str(Path(path).parent) in shown for path in paths)


def test_only_so_many_files_are_kept(served: str, given: Path, tmp_path: Path):
    first = upload(served, given / "short.wav")["path"]
    assert httpx.get(f"{served}gradio_api/file={first}", timeout=300).status_code == 200
    for number in range(PageLimits.kept):
        (tmp_path / "a.png").write_bytes(PNG + str(number).encode())
        upload(served, tmp_path / "a.png")
    assert httpx.get(f"{served}gradio_api/file={first}", timeout=300).status_code == 403
    assert len(list(Path(first).parents[1].iterdir())) == PageLimits.kept
    # A job that names it says what to do.
    data = [None, None, {"path": first, "orig_name": "short.wav"}, None, 0, False]
    data[0] = upload(served, given / "face.jpg")
    data[2]["meta"] = {"_type": "gradio.FileData"}
    with pytest.raises(PageError, match=r"short\.wav"):
        result(served, join(served, data)[1])


def test_a_video_is_made_over_plain_http(served: str, given: Path):
    video, progress = talk(served, given / "face.jpg", given / "short.wav")
    assert b"SYNTHETIC MEDIA" in video
    assert progress[-1]["length"] == 10


def test_the_newest_entries_are_kept(tmp_path: Path):
    for number, name in enumerate(["b", "c", "a", "d"]):
        path = tmp_path / name
        if name == "c":
            path.mkdir()
            (path / "file").touch()
        else:
            path.touch()
        os.utime(path, (number, number))
    keep_newest(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d"]
    keep_newest(tmp_path, 2)
    assert len(list(tmp_path.iterdir())) == 2
