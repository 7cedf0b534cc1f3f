"""A Ray session on this machine or a cluster."""

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

_TRIES = 3  # of starting Ray
_LATE = "timed out during startup"  # in what it says of a machine that is too busy
# Characters of a folder below which Ray can make the sockets of a session, whose paths the system
# cuts at 107.
_LONGEST_FOLDER = 40


def socket_folder() -> Path:
    """A folder for Ray's sessions whose path is short: in TMPDIR if that will do."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108
        folder = Path(place) / "ray"
        if len(str(folder)) <= _LONGEST_FOLDER and os.access(place, os.W_OK):
            return folder
    raise UserError(
        f"the folder for temporary files, {tempfile.gettempdir()}, has a path too long for Ray's "
        f"sockets; set TMPDIR to one of at most {_LONGEST_FOLDER - 4} characters"
    )


@contextmanager
def ray_session(address: str | None) -> Iterator[Any]:
    """A Ray session without dashboard, log spam or usage statistics."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # By Ray's default, 15, its workers get a thirtieth of the processor beside any other work.
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray

    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = address or os.environ.get("RAY_ADDRESS")
    terminated = signal.getsignal(signal.SIGTERM)
    if address:
        try:
            # Raises at once if nothing listens; Ray by itself tries for many minutes.
            host, _, port = address.removeprefix("ray://").rpartition(":")
            if port.isdigit():  # and not "auto"
                socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            ray.init(address=address, **common)
        except OSError as error:
            raise UserError(
                f"no Ray cluster answers at {address}: {error}; one that asks for a token needs "
                "RAY_AUTH_MODE=token"
            ) from error
    else:
        # Frames never pass through the object store: paths and rows fit into little of it.
        _start(
            ray,
            include_dashboard=False,
            object_store_memory=100 << 20,
            _temp_dir=str(socket_folder()),
            **common,
        )
    # Ray's own handler aborts the process three seconds later, in the midst of tidying up.
    if threading.current_thread() is threading.main_thread() and terminated is not None:
        signal.signal(signal.SIGTERM, terminated)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, **how: Any) -> None:
    """Starts Ray on this machine; it gives a busy one half a minute each time."""
    for _ in range(_TRIES):
        try:
            ray.init(address="local", **how)
        except Exception as error:
            if _LATE not in str(error):
                raise
        else:
            return
    raise UserError(
        f"Ray did not start in {_TRIES} tries; the machine is busy, or short of memory: end other "
        "work on it and give the same command again"
    )
