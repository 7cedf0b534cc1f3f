"""A Ray session: none that answers, and one that starts late."""

import os
import tempfile
from pathlib import Path

import pytest
import ray

from pipeline.errors import UserError
from pipeline.parallel.session import ray_session, socket_folder

_LATE = "The current node timed out during startup. This could happen because"


def test_a_cluster_that_does_not_answer_is_one_sentence():
    refused = pytest.raises(UserError, match=r"no Ray cluster answers at 127\.0\.0\.1:1")
    with refused, ray_session("127.0.0.1:1"):
        pass


@pytest.mark.slow
def test_ray_starts_where_tmpdir_is_too_long_for_its_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with ray_session(None) as session:
        assert session.cluster_resources()["CPU"] > 0
    assert not any(long.iterdir())


def test_without_a_short_folder_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 100)))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="TMPDIR"):
        socket_folder()


@pytest.mark.parametrize(("late", "starts"), [(0, True), (2, True), (3, False)])
def test_a_machine_that_is_too_busy_to_start_ray_in_time_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, late: int, starts: bool
):
    asked: list[str] = []

    def init(address: str, **_: object) -> None:
        asked.append(address)
        if len(asked) <= late:
            raise Exception(_LATE)  # noqa: TRY002 - as Ray does

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    if starts:
        with ray_session(None) as session:
            assert session is ray
    else:
        busy = pytest.raises(UserError, match="Ray did not start in 3 tries")
        with busy, ray_session(None):
            pass
    assert asked == ["local"] * min(late + 1, 3)


def test_another_fault_of_ray_stays_one(monkeypatch: pytest.MonkeyPatch):
    def init(**_: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(RuntimeError, match="something else"), ray_session(None):
        pass
